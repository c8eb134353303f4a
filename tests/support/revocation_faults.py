"""Losses of data, made in a real store of revocations: an eviction, an older copy."""

from flask_connector_auth import Change
from flask_connector_auth.revocation import RevocationSet
from flask_connector_auth.revocation.redis import RedisStore
from tests.support.redis_servers import Server

#: All data of a store, as Redis dumps them.
Saved = dict[bytes, bytes]


def saved(server: Server) -> Saved:
    """Return all data of the store, as a replica may have them that is behind."""
    with server.client() as client:
        return {name: client.dump(name) for name in client.scan_iter()}


def put_back(server: Server, data: Saved) -> None:
    """Replace all data of the store by *data*."""
    with server.client() as client:
        client.flushdb()
        for name, content in data.items():
            client.restore(name, 0, content)


def compact(store: RedisStore, entries: RevocationSet | None = None) -> None:
    """Replace the log of *store* by a shorter one, as a worker does that has *entries*."""
    reader, position = RedisStore.read, None
    copy = RevocationSet() if entries is None else entries
    while True:
        update = reader(store, position)
        position = update.position
        for changes in (*(piece.changes() for piece in update.pieces or ()), update.changes):
            for change in changes:
                copy.put(change)
        if not update.more:
            break
    store._next_compaction = 0.1
    for _ in store.compact(copy, position):
        pass


def change_after_eviction(server: Server, name: str, change: Change) -> None:
    """Evict the key *name* and make *change*, in one step."""
    store = RedisStore(server.url)
    store.now()
    client = store._client

    def evict_first(*arguments: object) -> object:
        with client.pipeline() as pipeline:
            pipeline.delete(name)
            pipeline.evalsha(*arguments)
            return pipeline.execute()[-1]

    client.evalsha = evict_first
    store.change([change])
    del client.evalsha
    client.close()
