"""What is special to a store in Redis: other data, versions, servers and permissions."""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import inf, nan

import pytest

from flask_connector_auth import Change, RevocationStoreError
from flask_connector_auth.revocation import RevocationSet, entry_key, redis_log, redis_scripts
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.revocation.revocation_set import RECORD_BYTES, pack
from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.stores import StoreFollower, entries, revocations_in
from tests.support.floor_helpers import cases
from tests.support.ports import free_port
from tests.support.redis_servers import BINARIES, Server, until
from tests.support.revocation_faults import Saved, change_after_eviction, compact, put_back, saved
from tests.support.revocation_worlds import ACCOUNT, MakeWorld

SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
A, B, C, D = (Change(f"account:{name}", 1.0, inf) for name in "abcd")
RESTORED = Change("account:a", None)
DAY = 86400


def test_the_keys_in_redis(server: Server) -> None:
    """Under one hash tag; the names of ids alone are readable, no token is there, and no time to
    live that could end an entry too early."""
    store = RedisStore(server.url)
    store.change([A, Change(b"\xff:" * 16, 2e9, 2e9)])
    with server.client() as client:
        names = client.keys()
        assert sorted(names) == [b"{connector-auth}:log", b"{connector-auth}:names"]
        assert {client.ttl(name) for name in names} == {-1}
        assert client.hgetall(redis_scripts.NAMES) == {
            b"": b"",
            entry_key("account:a"): b"account:a",
        }
        assert client.strlen(redis_scripts.LOG) == redis_log.HEADER_BYTES + 2 * RECORD_BYTES
        copied(server.url)
        names = client.keys()
        [old] = (name for name in names if b":old:" in name)
        assert len(names) == 3
        assert 30 < client.ttl(old) <= 60
        assert client.ttl(redis_scripts.LOG) == -1


def copied(url: str) -> RevocationSet:
    """Return the copy of a worker, after its log was compacted."""
    store, copy = RedisStore(url, compact_after=0), RevocationSet()
    compact(store, copy)
    store.close()
    return copy


def records_in(server: Server) -> int:
    """Return the number of records in the store."""
    length = int(server.do("STRLEN", redis_scripts.LOG))
    return (length - redis_log.HEADER_BYTES) // RECORD_BYTES


def test_a_log_is_compacted_to_the_entries_in_force(server: Server) -> None:
    """Of each entry the latest time stays; what was restored, or removed as expired, is gone, and
    so is its name, as soon as the copy of the worker lacks it."""
    store = RedisStore(server.url, compact_after=0)
    store.change([A, B, A._replace(value=3.0), C, D, RESTORED._replace(key=C.key)])
    copy = RevocationSet()
    compact(store, copy)
    assert records_in(server) == 3
    assert store.names([entry_key(each.key) for each in (A, C)]) == [A.key, None]
    copy.put(D._replace(value=None))
    compact(store, copy)
    assert records_in(server) == 3
    for change in (A._replace(value=3.0), B):
        found = copy.change_of(change.key)
        assert found == change._replace(key=entry_key(change.key))
    assert revocations_in(RedisStore(server.url)) == entries([A._replace(value=3.0), B, D])


@cases(
    ("base", "tail", "is_due"),
    {
        "nothing": (0, 0, False),
        "a few changes": (0, 10, False),
        "many changes": (0, 11, True),
        "a quarter of the entries": (100, 25, False),
        "more than a quarter": (100, 26, True),
    },
)
def test_a_log_is_compacted_when_it_has_grown(
    base: int, tail: int, is_due: bool, server: Server
) -> None:
    """After ``compact_after`` changes, and a quarter of the entries: writing all of them costs no
    more than the changes did."""
    store = RedisStore(server.url, compact_after=10)
    changes = [Change(f"account:{number}", 1.0) for number in range(base + tail)]
    store.change(changes[:base])
    compact(RedisStore(server.url, compact_after=-1))
    store.change(changes[base:])
    before = server.do("GETRANGE", redis_scripts.LOG, 0, redis_log.HEADER_BYTES)
    compact(store)
    after = server.do("GETRANGE", redis_scripts.LOG, 0, redis_log.HEADER_BYTES)
    assert (before != after) is is_due


def test_what_is_gone_is_removed_every_ten_minutes(server: Server) -> None:
    """Even if little has changed; and not at the first look, which many workers have at once."""
    store = RedisStore(server.url)
    store.change([A, B, RESTORED])
    position, copy = store.read(None).position, RevocationSet()
    copy.put(B)
    for looks, left in ((1, 3), (2, 3), (3, 1), (4, 1)):
        store._next_compaction = 0.0 if looks == 1 else store._next_compaction
        if looks >= 3:
            store._next_compaction = min(store._next_compaction, 0.1)
        for _ in store.compact(copy, position):
            pass
        assert records_in(server) == left
        position = store.read(position).position


def test_another_worker_that_compacts_is_left_alone(server: Server) -> None:
    """One at a time; one that was too slow, or whose log is not the present one, changes
    nothing."""
    store, other = (RedisStore(server.url, compact_after=-1) for _ in range(2))
    store.change([A])
    position, copy = store.read(None).position, RevocationSet()
    copy.put(A)
    slow = store.compact(copy, position)
    next(slow)
    assert [*other.compact(copy, position)] == []
    server.do("DEL", redis_scripts.LEASE)
    assert [*slow] == []
    slow = store.compact(copy, position)
    next(slow)
    # The worker hung for longer than its lease.
    server.do("SET", redis_scripts.LEASE, "of another worker")
    assert [*slow] == []
    server.do("DEL", redis_scripts.LEASE)
    compact(other)
    assert [*store.compact(copy, position)] == []
    # The log is lost meanwhile.
    store.change([A])
    slow = store.compact(copy, StoreFollower(store).position)
    next(slow)
    server.do("RENAME", redis_scripts.LOG, "moved")
    assert [*slow] == []
    server.do("RENAME", "moved", redis_scripts.LOG)
    assert server.do("EXISTS", redis_scripts.NEXT, redis_scripts.LEASE) == 0
    assert revocations_in(store) == entries([A])


def test_a_worker_begins_again_at_once(server: Server) -> None:
    """After a failure in between; others wait until its lease is over."""
    store, other = (RedisStore(server.url, compact_after=-1) for _ in range(2))
    store.change([A])
    position, copy = store.read(None).position, RevocationSet()
    copy.put(A)
    next(store.compact(copy, position))
    assert [*other.compact(copy, position)] == []
    assert 0 < server.do("PTTL", redis_scripts.LEASE) <= 1600
    assert [*store.compact(copy, position)]
    assert server.do("EXISTS", redis_scripts.NEXT, redis_scripts.LEASE) == 0
    assert revocations_in(store) == entries([A])


def test_a_worker_that_lost_its_lease_stops_writing(server: Server) -> None:
    """In between, if there is more than a megabyte to write."""
    store, copy = RedisStore(server.url, compact_after=-1), RevocationSet()
    store.change([A])
    for number in range(70_000):
        copy.put(Change(f"account:{number}", 1.0))
    writing = store.compact(copy, store.read(None).position)
    next(writing)
    server.do("SET", redis_scripts.LEASE, "of another worker")
    length = server.do("STRLEN", redis_scripts.NEXT)
    assert [*writing] == []
    assert server.do("STRLEN", redis_scripts.NEXT) == length


def test_a_compaction_copies_what_was_changed_meanwhile(server: Server) -> None:
    """And a worker that follows goes on without reading anything twice, wherever it has been."""
    store = RedisStore(server.url, compact_after=-1)
    store.change([A])
    copies = [StoreFollower(RedisStore(server.url)) for _ in range(3)]
    store.change([B])
    copies[1].follow()
    position, copy = copies[1].position, RevocationSet()
    for change in (A, B):
        copy.put(change)
    compaction = store.compact(copy, position)
    next(compaction)
    store.change([C])
    copies[2].follow()
    assert [*compaction]
    store.change([D])
    for follower, changes in zip(copies, ([B, C, D], [C, D], [D]), strict=True):
        assert [change.key for change in follower.follow()] == [
            entry_key(change.key) for change in changes
        ]
        assert follower.follow() == []
        assert follower.entries == entries([A, B, C, D])
    assert revocations_in(RedisStore(server.url)) == entries([A, B, C, D])


def test_a_worker_that_was_away_reads_what_it_missed(server: Server) -> None:
    """However often the log was replaced, while the earlier ones are kept; after that, all: entries
    that are gone now end in its copy too."""
    store = RedisStore(server.url)
    store.change([A, B])
    copies = [StoreFollower(RedisStore(server.url)) for _ in range(2)]
    for change in (RESTORED, C, D):
        store.change([change])
        copied(server.url)
    assert [change.key for change in copies[0].follow()] == [
        entry_key(change.key) for change in (RESTORED, C, D)
    ]
    with server.client() as client:
        client.delete(*client.keys("*:old:*"))
    copies[1].follow()
    for copy in copies:
        assert copy.entries == entries([B, C, D])
        assert copy.follow() == []


def test_a_load_goes_on_where_it_was(server: Server) -> None:
    """Each read is one part: after a failure, or after the log was replaced, only the rest is
    read."""
    store = RedisStore(server.url)
    changes = [Change(f"account:{number}", 1.0) for number in range(80_000)]
    store.change(changes[:70_000])
    copied(server.url)
    store.change(changes[70_000:])
    first = store.read(None)
    assert (first.complete, first.more) == (True, True)
    assert store.read(first.position).pieces == store.read(first.position).pieces
    copied(server.url)
    position, read = first.position, [*(first.pieces or ())]
    update = first
    while update.more:
        update = store.read(position)
        assert not update.complete
        read += update.pieces or ()
        position = update.position
    assert sum(len(piece.records) for piece in read) == 70_000 * RECORD_BYTES
    assert read[0].first == 0
    assert all(one.end == other.first for one, other in pairwise(read))
    new = StoreFollower(RedisStore(server.url))
    assert new.entries == entries(changes)


# Losses


def next_millisecond(store: RedisStore) -> None:
    """Wait until the clock of the store has gone on."""
    now = store.now()
    until(lambda: store.now() > now + 0.002)


def emptied(server: Server, _before: Saved) -> None:
    """The data were flushed."""
    server.do("FLUSHDB")


def emptied_and_used(server: Server, _before: Saved) -> None:
    """Flushed, and another worker began a new log; as many changes as before."""
    server.do("FLUSHDB")
    for change in (C, D):
        RedisStore(server.url).change([change])


def behind(server: Server, before: Saved) -> None:
    """A replica took over that had not received the last change."""
    put_back(server, before)


def behind_and_used(server: Server, before: Saved) -> None:
    """A replica took over too early, and then there were as many changes as before."""
    put_back(server, before)
    RedisStore(server.url).change([C])


def behind_and_repeated(server: Server, before: Saved) -> None:
    """A replica took over too early, and then there was the same last change as before."""
    put_back(server, before)
    RedisStore(server.url).change([B])


def behind_and_used_more(server: Server, before: Saved) -> None:
    """A replica took over too early, and then there were more changes than before."""
    put_back(server, before)
    for change in (C, D):
        RedisStore(server.url).change([change])


def behind_and_compacted(server: Server, before: Saved) -> None:
    """A replica took over too early, and its log was replaced."""
    put_back(server, before)
    RedisStore(server.url).change([C])
    copied(server.url)


def behind_a_compaction(server: Server, before: Saved) -> None:
    """A replica took over that had not received that the log was replaced."""
    put_back(server, before)
    copied(server.url)


def evicted(server: Server, _before: Saved) -> None:
    """The server was full and evicted the log."""
    server.do("DEL", redis_scripts.LOG)


def evicted_and_used(server: Server, _before: Saved) -> None:
    """It is evicted just before a change: no worker can read in between."""
    change_after_eviction(server, redis_scripts.LOG, C)


@cases(
    ("lose", "left"),
    {
        "emptied": (emptied, ()),
        "emptied and used": (emptied_and_used, (C, D)),
        "behind": (behind, (A,)),
        "behind and used": (behind_and_used, (A, C)),
        "behind and repeated": (behind_and_repeated, (A, B)),
        "behind and used more": (behind_and_used_more, (A, C, D)),
        "behind and compacted": (behind_and_compacted, (A, C)),
        "behind a compaction": (behind_a_compaction, (A,)),
        "evicted": (evicted, ()),
        "evicted and used": (evicted_and_used, (C,)),
    },
)
@pytest.mark.parametrize("is_compacted", [False, True])
def test_lost_data_are_noticed(
    is_compacted: bool,
    lose: Callable[[Server, Saved], None],
    left: tuple[Change, ...],
    server: Server,
) -> None:
    """A worker that has read changes that the store then lost sees that before it counts as up to
    date again, and then reads what is left."""
    store = RedisStore(server.url)
    store.change([A])
    before = saved(server)
    store.change([B])
    if is_compacted:
        copied(server.url)
    reader = RedisStore(server.url)
    position = StoreFollower(reader).position
    lose(server, before)
    update = reader.read(position)
    while not update.lost:
        assert update.more
        update = reader.read(update.position)
    assert update.complete
    found: list[Change] = []
    while update.more:
        update = reader.read(update.position)
        assert update.lost
        found += (change for piece in update.pieces or () for change in piece.changes())
        found += update.changes
    assert {change.key for change in found} == {entry_key(change.key) for change in left}


def lost(server: Server) -> bool:
    """Whether a worker without a copy sees that data are missing."""
    return RedisStore(server.url).read(None).lost


@pytest.mark.parametrize("missing", [None, [], [A]])
def test_a_loss_is_reported_until_a_worker_has_written_back(
    missing: list[Change] | None, server: Server
) -> None:
    """A worker that has a copy ends it, even if nothing of that is missing; changes do not."""
    store, copy = RedisStore(server.url), RevocationSet()
    for change in (A, B, C, D):
        copy.put(change)
    store.change([A, B])
    assert not lost(server)
    change_after_eviction(server, redis_scripts.LOG, C)
    store.change([D])
    assert lost(server)
    update = store.read(None)
    assert store.write_back(copy, missing, update.position)
    assert not lost(server)
    assert revocations_in(RedisStore(server.url)) == entries([A, B, C, D])


def test_a_little_that_is_missing_is_written_as_changes(server: Server) -> None:
    """Other workers that are up to date need not read everything again."""
    store, copy = RedisStore(server.url), StoreFollower(RedisStore(server.url))
    store.change([A])
    position = store.read(None).position
    assert store.write_back(RevocationSet(), [B], position) == position
    assert store.write_back(RevocationSet(), [], position) == position
    assert [change.key for change in copy.follow()] == [entry_key(each.key) for each in (A, B)]


@pytest.mark.parametrize("missing", [None, [A._replace(key=entry_key(A.key))]])
def test_the_names_that_a_worker_knows_are_written_back(
    missing: list[Change] | None, server: Server
) -> None:
    """Those of what was revoked in its process; the others are lost."""
    store, copy = RedisStore(server.url), RevocationSet()
    store.change([A, B])
    copy.put(A)
    copy.put(B._replace(key=entry_key(B.key)))
    position = store.read(None).position
    server.do("DEL", redis_scripts.NAMES)
    if missing is None:
        server.do("FLUSHDB")
        position = store.read(position).position
    store.write_back(copy, missing, position)
    assert store.names([entry_key(each.key) for each in (A, B)]) == [A.key, None]


def test_one_worker_writes_back(server: Server) -> None:
    """While one does, and where another one has, the others read again."""
    store, copy = RedisStore(server.url), RevocationSet()
    copy.put(A)
    store.change([A])
    known = store.read(None).position
    server.do("DEL", redis_scripts.LOG)
    position = store.read(known).position
    server.do("SET", redis_scripts.LEASE, "of another worker")
    assert store.write_back(copy, None, position) is None
    server.do("DEL", redis_scripts.LEASE)
    following = store.write_back(copy, None, position)
    assert store.write_back(copy, None, position) is None
    assert [*store.read(following).changes] == []
    assert not store.read(following).lost
    # All others compare their copies with what is there now.
    assert store.read(known).lost


def test_a_change_can_be_all_that_a_new_store_has(server: Server) -> None:
    """The control: an empty store has lost nothing, neither before its first change nor after."""
    assert not lost(server)
    RedisStore(server.url).change([A])
    assert not lost(server)


def test_the_names_may_be_evicted(server: Server) -> None:
    """The entries are complete without them; only people miss them."""
    store = RedisStore(server.url)
    copy = StoreFollower(RedisStore(server.url))
    store.change([A, B])
    server.do("DEL", redis_scripts.NAMES)
    copy.follow()
    store.change([C])
    copy.follow()
    assert copy.entries == revocations_in(RedisStore(server.url)) == entries([A, B, C])
    assert store.names([entry_key(each.key) for each in (A, C)]) == [None, C.key]


def restorations(store: RedisStore, position: object) -> list[bool]:
    """Return for each restoration that is read after a loss whether it counts."""
    update = store.read(position)
    assert update.lost
    found = []
    while update.more:
        update = store.read(update.position)
        for change in update.changes:
            if change.value is None:
                found.append(change.until > update.lost_since)
    return found


def test_a_later_restoration_counts(server: Server) -> None:
    """So no worker writes the restored entry back."""
    store = RedisStore(server.url)
    store.change([A, B])
    position = StoreFollower(store).position
    server.do("FLUSHDB")
    next_millisecond(store)
    for change in (A, RESTORED, B):
        store.change([change])
    assert restorations(store, position) == [True]


def test_an_older_restoration_does_not_count(server: Server) -> None:
    """An older state of the store, with an older log: a later revocation is written back, though
    that log ends with a restoration."""
    store = RedisStore(server.url)
    for change in (B, A, RESTORED):
        store.change([change])
    older = saved(server)
    server.do("FLUSHDB")
    next_millisecond(store)
    store.change([A])
    position = StoreFollower(store).position
    put_back(server, older)
    assert restorations(store, position) == [False]


def test_a_log_that_changes_while_a_loss_is_read_is_read_again(server: Server) -> None:
    """Another worker has written back meanwhile; since when data were lost stays known."""
    store = RedisStore(server.url)
    store.change([A])
    known = StoreFollower(store).position
    server.do("FLUSHDB")
    store.change([B])
    begun = store.read(known)
    copied(server.url)
    again = store.read(begun.position)
    assert (again.lost, again.complete, again.more) == (True, True, True)
    last = store.read(again.position)
    assert (last.lost, last.more, last.lost_since) == (True, False, known.confirmed)


@cases(
    ("answer", "policy"),
    {
        "one": (b"# Memory\r\nmaxmemory_policy:allkeys-lru\r\n", "allkeys-lru"),
        "none": (b"# Memory\r\nmaxmemory:0\r\n", None),
    },
)
def test_the_eviction_policy_in_an_answer(answer: bytes, policy: str | None) -> None:
    """Some providers hide it."""
    with answering(redis_like(b"redis_version:7.2.4\r\n" + answer)) as url:
        assert RedisStore(url).eviction_policy() == policy


def test_the_eviction_policy_of_a_server(own_server: Server) -> None:
    """Without CONFIG, which providers and access lists often deny."""
    own_server.do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    own_server.do("ACL", "SETUSER", "default", "-config")
    assert RedisStore(own_server.url).eviction_policy() == "volatile-ttl"


def test_a_server_without_memory(own_server: Server) -> None:
    """Under noeviction a full server refuses a change as a whole, and the error says why."""
    store = RedisStore(own_server.url)
    store.change([A])
    own_server.do("CONFIG", "SET", "maxmemory", 1)
    message = rf"^no memory is left \(maxmemory\) at {SETTING}$"
    with pytest.raises(RevocationStoreError, match=message):
        store.change([B])
    assert not lost(own_server)
    assert revocations_in(store) == entries([A])


# Connections


def connected(server: Server) -> int:
    """Return the number of other clients of *server*."""
    with server.client() as client:
        return len(client.client_list()) - 1


def test_one_connection_is_used_again_and_a_bad_one_is_closed(server: Server) -> None:
    """A bad one is closed at once, not when it is collected."""
    store = RedisStore(server.url)
    before = connected(server)
    for _ in range(3):
        store.now()
    assert connected(server) == before + 1
    client = store._client
    server.do("SET", redis_scripts.LOG, "of another type")
    with pytest.raises(RevocationStoreError):
        store.change([A])
    until(lambda: connected(server) == before)
    store.now()
    assert store._client is not client
    assert connected(server) == before + 1


def test_a_store_that_is_closed_waits_for_nothing(own_server: Server) -> None:
    """A call that waits in another thread fails at once; the next call opens another connection."""
    store = RedisStore(own_server.url, timeout=100)
    store.close()
    before = connected(own_server)
    store.change([A])
    failures: list[str] = []

    def wait() -> None:
        with pytest.raises(RevocationStoreError) as caught:
            store.change([B])
        failures.append(str(caught.value))

    own_server.do("CLIENT", "PAUSE", 100_000, "WRITE")
    thread = threading.Thread(target=wait)
    thread.start()
    with own_server.client() as client:
        until(lambda: "b" in {each["flags"] for each in client.client_list()})
    store.close()
    thread.join(10)
    own_server.do("CLIENT", "UNPAUSE")
    store.close()
    assert len(failures) == 1
    assert "TimeoutError" not in failures[0]
    until(lambda: connected(own_server) == before)
    assert store.now()


def test_the_connection_of_another_process_is_left_alone(server: Server) -> None:
    """A child neither uses nor closes it, even if the next one fails: the parent still uses it."""
    store = RedisStore(server.url)
    store.now()
    parents, before = store._client, connected(server)
    store._process = -1
    store._connect = lambda: 1 / 0  # type: ignore[assignment, return-value]
    with pytest.raises(RevocationStoreError):
        store.now()
    assert connected(server) == before
    assert parents.ping()
    store = RedisStore(server.url)
    store._client, store._process = parents, -1
    store.now()
    assert store._client is not parents


def test_a_client_that_cannot_be_closed(server: Server) -> None:
    """The error reports why the client could not be used."""
    store = RedisStore(server.url)
    store.now()
    client = store._client

    def close() -> None:
        del client.close  # the collector closes it too
        raise ZeroDivisionError

    client.close = close
    server.do("SET", redis_scripts.LOG, "of another type")
    with pytest.raises(RevocationStoreError, match="another version"):
        store.change([A])


def test_the_time_is_that_of_the_server(server: Server) -> None:
    """The server of this test uses the clock of the machine, to the microsecond."""
    store = RedisStore(server.url)
    for _ in range(5):
        before = time.time()
        assert before - 0.001 <= store.now() <= time.time() + 0.001


# Servers that cannot be used


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Serve *answer* to each request, and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    while request := client.recv(65536):
                        try:
                            client.sendall(answer(request))
                        except OSError:
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def redis_like(info: bytes, other: bytes = b"+OK\r\n") -> Callable[[bytes], bytes]:
    """Return the answers of a server: *info* to the first script, *other* to the next ones."""

    def answer(request: bytes) -> bytes:
        if b"'INFO'" in request:
            return b"$%d\r\n%b\r\n" % (len(info), info)
        if b"EVAL" in request:
            return other
        return b"+OK\r\n" * request.count(b"*")

    return answer


@pytest.mark.parametrize("version", ["6.2", "6.2.0", "7.0.15", "10.0"])
def test_a_server_that_is_new_enough(version: str) -> None:
    """Redis 6.2 is the oldest with the commands that are needed."""
    with answering(
        redis_like(b"redis_version:%b\r\n" % version.encode(), b"*2\r\n:1\r\n:5\r\n")
    ) as url:
        assert RedisStore(url).now() == 1.000005


def test_a_server_that_is_not_there() -> None:
    """The message differs from that for a server that is no Redis."""
    with pytest.raises(
        RevocationStoreError, match=rf"^out of reach \(ConnectionRefusedError\): {SETTING}$"
    ):
        RedisStore(f"redis://127.0.0.1:{free_port()}").now()


NEW = b"# Server\r\nredis_version:7.2.4\r\n"
NO_HTTP = f"unexpected answer (InvalidResponse) from {SETTING}"
NO_REDIS = f"there is no Redis at {SETTING}"
WRONG = "unexpected answer ({}) from " + SETTING


@cases(
    ("answer", "message"),
    {
        "too old": (
            redis_like(b"# Server\r\nredis_version:5.0.14\r\n"),
            f"Redis 5.0 is too old, and 6.2 is needed, at {SETTING}",
        ),
        "a little too old": (
            redis_like(b"redis_version:6.0.20\r\n"),
            f"Redis 6.0 is too old, and 6.2 is needed, at {SETTING}",
        ),
        "without a version": (redis_like(b"# Server\r\n"), NO_REDIS),
        "HTTP": (lambda _: b"HTTP/1.1 400 do-not-tell-this\r\n\r\n", NO_HTTP),
        "an answer of another type": (redis_like(NEW), WRONG.format("ValueError")),
        "too short an answer": (redis_like(NEW, b"*1\r\n$1\r\na\r\n"), WRONG.format("ValueError")),
        "an error": (
            redis_like(NEW, b"-ERR do-not-tell-this\r\n"),
            WRONG.format("ResponseError"),
        ),
        "a number that is none": (
            redis_like(NEW, b"*6\r\n$1\r\nr\r\n$1\r\nx\r\n$3\r\n0-0\r\n$1\r\n0\r\n:0\r\n*0\r\n"),
            WRONG.format("ValueError"),
        ),
    },
)  # fmt: skip
def test_a_server_that_cannot_be_used(
    answer: Callable[[bytes], bytes],
    message: str,
    world: MakeWorld,
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Invalid answers, or a version too old: 503, and one line that names the setting; never a
    pass."""
    with answering(answer) as url:
        one = world(REVOCATION_URL=url)
        assert one.answer(issuer.app_jwt()) == 50301
        assert one.answer("nonsense") == 40102
        assert one.health["last_error"] == message
        with pytest.raises(RevocationStoreError) as caught:
            one.revoke(account_id=ACCOUNT)
    assert SETTING in str(caught.value)
    assert caplog.text.count(message) == 1
    assert "do-not-tell-this" not in caplog.text + str(caught.value)


def unknown_kind(server: Server) -> None:
    """A kind that a later version may have."""
    server.do("APPEND", redis_scripts.LOG, pack(A)[:15] + b"\x09" + pack(A)[16:])


def unknown_kind_in_the_base(server: Server) -> None:
    """Likewise, among the entries."""
    copied(server.url)
    server.do("SETRANGE", redis_scripts.LOG, redis_log.HEADER_BYTES + 15, b"\x09")


def no_time(server: Server) -> None:
    """Neither a time nor infinity."""
    server.do("APPEND", redis_scripts.LOG, pack(A._replace(value=nan)))


def another_format(server: Server) -> None:
    """The log of a later version."""
    server.do("SETRANGE", redis_scripts.LOG, 0, "revoked2")


def no_header(server: Server) -> None:
    """Half a header."""
    server.do("SET", redis_scripts.LOG, "revoked1")


def a_part_of_the_base(server: Server) -> None:
    """The end of the entries is missing."""
    RedisStore(server.url).change([B, C])
    copied(server.url)
    stored = server.do("GETRANGE", redis_scripts.LOG, 0, -RECORD_BYTES - 1)
    server.do("SET", redis_scripts.LOG, stored)


@cases(
    "spoil",
    {
        "another kind": unknown_kind,
        "another kind in the base": unknown_kind_in_the_base,
        "no time": no_time,
        "another format": another_format,
        "no header": no_header,
        "a part": a_part_of_the_base,
    },
)
def test_an_entry_that_is_not_understood_is_an_outage(
    spoil: Callable[[Server], None], server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """It may be a revocation by another program or a later version."""
    RedisStore(server.url).change([A])
    spoil(server)
    one = world(REVOCATION_URL=server.url)
    for _ in range(3):
        assert one.answer(issuer.app_jwt()) == 50301


def test_a_log_of_another_version_is_not_changed(server: Server) -> None:
    """Neither workers of that version nor of this one would understand the result."""
    RedisStore(server.url).change([A])
    another_format(server)
    with pytest.raises(RevocationStoreError, match="another version or program"):
        RedisStore(server.url).change([B])
    assert records_in(server) == 1


@cases(
    "write",
    {
        "a stream": ("XADD", redis_scripts.LOG, "*", "account:a", "1"),
        "a list": ("LPUSH", redis_scripts.LOG, "account:a"),
        "text": ("SET", redis_scripts.LOG, "x" * redis_log.HEADER_BYTES),
    },
)
def test_data_of_another_program_are_an_outage(
    write: tuple[str, ...], server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """Never no revocations; the message says what to do."""
    server.do(*write)
    one = world(REVOCATION_URL=server.url)
    assert one.answer(issuer.app_jwt()) == 50301
    until(lambda: one.health["last_error"])
    expected = r"another version or program has .* delete them and revoke again\), at " + SETTING
    assert re.fullmatch(expected, one.health["last_error"])
    with pytest.raises(RevocationStoreError, match="another version or program"):
        one.revoke(account_id="b")


def test_a_log_that_is_full(own_server: Server) -> None:
    """Revocations fail, and the message says why. Once few entries are in force, it is compacted,
    although it has no room for the header of the next one; a worker that follows it reads all."""
    size = 1 << 20
    own_server.do("CONFIG", "SET", "proto-max-bulk-len", size)
    store = RedisStore(own_server.url)
    records = (size - redis_log.HEADER_BYTES) // RECORD_BYTES
    store.change([A, B] * (records // 2))
    copy = StoreFollower(RedisStore(own_server.url))
    message = rf"^the log of revocations is full \(proto-max-bulk-len\) at {SETTING}$"
    with pytest.raises(RevocationStoreError, match=message):
        store.change([C])
    copied(own_server.url)
    assert records_in(own_server) == 2
    store.change([C])
    copy.follow()
    assert copy.entries == entries([A, B, C])


@pytest.fixture
def guarded() -> Iterator[Server]:
    """A server with a password."""
    with Server(BINARIES["valkey"], password="open-sesame") as server:
        server.do("ACL", "SETUSER", "reader", "on", ">guessed", "~*", "+ping", "+hello", "+client")
        yield server


@cases(
    ("login", "message"),
    {
        "no password": ("", "wrong user or password in"),
        "a wrong password": (":guessed@", "wrong user or password in"),
        "a wrong user": ("nobody:open-sesame@", "wrong user or password in"),
        "no permission": (
            "reader:guessed@",
            "the user has no permission for a command or for the keys {connector-auth}:* in",
        ),
    },
)
def test_a_wrong_password(
    login: str,
    message: str,
    guarded: Server,
    world: MakeWorld,
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The app starts; 503, one line that names the setting and has no password."""
    caplog.set_level(logging.INFO)
    host = f"127.0.0.1:{guarded.port}"
    one = world(REVOCATION_URL=f"redis://{login}{host}")
    assert one.answer(issuer.app_jwt()) == 50301
    assert one.health["last_error"] == f"{message} {SETTING}"
    failures = one.revocations._follower
    until(lambda: failures.failures.count > 3)
    lines = [text for text in caplog.messages if "cannot be used" in text]
    assert lines == [f"the revocation store cannot be used: {message} {SETTING}"]
    assert "guessed" not in caplog.text
    assert "sesame" not in caplog.text
    right = world(REVOCATION_URL=f"redis://:open-sesame@{host}")
    assert right.answer(issuer.app_jwt()) == 200
