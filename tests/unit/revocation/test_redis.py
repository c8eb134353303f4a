"""What is special to a store in Redis: other data, versions, servers and permissions."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import pytest

from flask_connector_auth import Change, RevocationStoreError
from flask_connector_auth.revocation import redis_history
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.stores import StoreFollower, revocations_in
from tests.support.floor_helpers import cases
from tests.support.ports import free_port
from tests.support.redis_servers import BINARIES, Server, until
from tests.support.revocation_faults import Saved, change_after_eviction, put_back, saved
from tests.support.revocation_worlds import ACCOUNT, MakeWorld

SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
A, B, C, D = (Change(f"account:{name}", 1.0, inf) for name in "abcd")


def entries(*changes: Change) -> dict[object, float | None]:
    """Return the entries after *changes*."""
    return {change.key: change.value for change in changes}


def test_the_keys_in_redis(server: Server) -> None:
    """Four keys under one hash tag; no token, and no time to live that could end an entry too
    early."""
    store = RedisStore(server.url)
    store.change([A, Change(b"\xff:" * 16, 2e9, 2e9)])
    with server.client() as client:
        names = client.keys()
        assert {name.partition(b"}")[0] for name in names} == {b"{connector-auth"}
        assert len(names) == 4
        assert {client.ttl(name) for name in names} == {-1}
        assert client.hgetall(redis_history.ENTRIES) == {
            b"account:a": b"1.0",
            b"token:" + b"\xff:" * 16: b"2000000000.0",
        }


def test_entries_that_expired_long_ago_are_removed(server: Server) -> None:
    """With the next change after a day; a hundred at most, so that no change takes long."""
    store = RedisStore(server.url)
    now = store.now()
    margin = 86400
    store.change([A, B._replace(until=now - margin + 60)])
    store.change(
        [Change(f"lp_consumer:{number}", 0.0, now - margin - 2 - number) for number in range(250)]
    )
    with server.client() as client:
        assert client.hlen(redis_history.ENTRIES) == client.zcard(redis_history.EXPIRY) == 152
        for left in (52, 2, 2):
            store.change([])
            assert client.hlen(redis_history.ENTRIES) == client.zcard(redis_history.EXPIRY) == left
    assert revocations_in(RedisStore(server.url)) == entries(A, B)


@pytest.mark.parametrize("days", [-2, 2])
def test_nothing_is_removed_by_one_clock_alone(days: int, server: Server) -> None:
    """The server's clock is two days ahead of the caller's, or behind: entries that have not
    expired by one of them stay at each change; entries that have expired by both are removed."""
    store = RedisStore(server.url, clock=lambda: time.time() + days * 86400)
    earlier = time.time() + min(days, 0) * 86400
    store.change([A._replace(until=earlier + 3600), B._replace(until=earlier - 86400 - 60)])
    for _ in range(3):
        store.change([])
        assert server.do("HKEYS", redis_history.ENTRIES) == [b"account:a"]


@pytest.mark.parametrize("absent", [False, True])
def test_an_entry_is_kept_for_the_longest_requested_time(absent: bool, server: Server) -> None:
    """Whatever their order, and also if a worker writes back."""
    store = RedisStore(server.url)
    for key, times in (("account:a", (1e10, 2e10)), ("account:b", (2e10, 1e10))):
        for till in times:
            store.change([Change(key, 1.0, till)], absent=absent)
        assert server.do("ZSCORE", redis_history.EXPIRY, key) == max(times)


def test_an_entry_whose_expiry_was_evicted_stays_forever(server: Server) -> None:
    """That expiry may have been later than the next requested one."""
    store, now = RedisStore(server.url), time.time()
    store.change([A._replace(until=now + 3600)])
    server.do("DEL", redis_history.EXPIRY)
    store.change([A._replace(until=now - 2 * 86400), B._replace(until=now - 2 * 86400)])
    assert server.do("HKEYS", redis_history.ENTRIES) == [b"account:a"]


def test_a_reader_behind_the_trimmed_log_gets_all_entries(server: Server) -> None:
    """The reader misses no change."""
    store = RedisStore(server.url, log_length=10)
    copy = StoreFollower(RedisStore(server.url))
    changes = [Change(f"lp_consumer:{number}", 1.0) for number in range(1000)]
    for change in changes:
        store.change([change])
    store.change([Change("lp_consumer:7", None)])
    assert copy.follow() == []
    assert copy.entries == entries(*changes[:7], *changes[8:])
    with server.client() as client:
        assert client.xlen(redis_history.LOG) < 500


RESTORED = Change("account:a", None)


def next_millisecond(store: RedisStore) -> None:
    """Wait until the clock of the store has gone on."""
    now = store.now()
    until(lambda: store.now() > now + 0.002)


def emptied(server: Server, _before: Saved) -> None:
    """The data were flushed."""
    server.do("FLUSHDB")


def emptied_and_used(server: Server, _before: Saved) -> None:
    """Flushed, and another worker began a new history; as many changes as before."""
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


def behind_and_used_more(server: Server, before: Saved) -> None:
    """A replica took over too early, and then there were more changes than before."""
    put_back(server, before)
    for change in (C, D):
        RedisStore(server.url).change([change])


def evicted(name: str) -> Callable[[Server, Saved], None]:
    """The server was full and evicted a key."""
    return lambda server, _before: server.do("DEL", name)


def evicted_and_used(name: str) -> Callable[[Server, Saved], None]:
    """A key is evicted just before a change: no worker can read in between."""
    return lambda server, _before: change_after_eviction(server, name, C)


@cases(
    ("lose", "left"),
    {
        "emptied": (emptied, ()),
        "emptied and used": (emptied_and_used, (C, D)),
        "behind": (behind, (A,)),
        "behind and used": (behind_and_used, (A, C)),
        "behind and used more": (behind_and_used_more, (A, C, D)),
        "entries evicted": (evicted(redis_history.ENTRIES), ()),
        "entries evicted and used": (evicted_and_used(redis_history.ENTRIES), (C,)),
        "state evicted": (evicted(redis_history.META), (A, B)),
        "state evicted and used": (evicted_and_used(redis_history.META), (A, B, C)),
    },
)
def test_lost_data_are_noticed(
    lose: Callable[[Server, Saved], None], left: tuple[Change, ...], server: Server
) -> None:
    """A worker that has read changes that the store then lost sees that with one read."""
    store = RedisStore(server.url)
    store.change([A])
    before = saved(server)
    store.change([B])
    copy = StoreFollower(RedisStore(server.url))
    assert copy.entries == entries(A, B)
    lose(server, before)
    while not (update := copy.store.read(copy.position, 0)).lost:
        # Changes in the log are read before that.
        assert [change[:2] for change in update.changes] == [C[:2]]
        copy.position = update.position
    assert {change.key for change in update.changes} == {change.key for change in left}
    copy.follow()
    assert copy.entries == revocations_in(RedisStore(server.url)) == entries(*left)
    assert copy.follow() == []


@pytest.mark.parametrize("changes", [(C,), (C, D)])
def test_two_histories_under_the_same_ids(changes: tuple[Change, ...], server: Server) -> None:
    """The clock was ahead once, so ids grow in their second part only. After a failover, the same
    ids and versions belong to other changes, with other marks."""
    store = RedisStore(server.url)
    store.change([A])
    server.do("XSETID", redis_history.LOG, "4000000000000-0")
    before = saved(server)
    store.change([B])
    copy = StoreFollower(RedisStore(server.url))
    put_back(server, before)
    for change in changes:
        store.change([change])
    update = copy.store.read(copy.position, 0)
    assert update.lost
    assert {change.key for change in update.changes} == {"account:a", *(one.key for one in changes)}


def test_two_histories_by_clocks_that_differ_a_little(server: Server) -> None:
    """The clock of the new master is behind: after the known id, its history seems to continue."""
    store = RedisStore(server.url)
    store.change([A])
    before, ahead = saved(server), int(store.now() * 1000) + 100
    server.do("XSETID", redis_history.LOG, f"{ahead}-0")
    store.change([B])
    copy = StoreFollower(RedisStore(server.url))
    put_back(server, before)
    store.change([C])
    until(lambda: store.now() * 1000 > ahead + 1)
    store.change([D])
    assert copy.store.read(copy.position, 0).lost
    copy.follow()
    assert copy.entries == entries(A, C, D)


def lost(server: Server) -> bool:
    """Whether a worker without a copy sees that data are missing."""
    return RedisStore(server.url).read(None, 0).lost


def test_a_loss_is_reported_until_a_worker_has_written_back(server: Server) -> None:
    """Only the call without changes ends it; other changes and a part of the lost ones do not."""
    store = RedisStore(server.url)
    store.change([A, B])
    assert not lost(server)
    change_after_eviction(server, redis_history.ENTRIES, C)
    for changes, absent in (([D], False), ([], False), ([A], True)):
        store.change(changes, absent=absent)
        assert lost(server)
    store.change([], absent=True)
    assert not lost(server)
    assert revocations_in(RedisStore(server.url)) == entries(A, C, D)


def test_a_change_can_be_all_that_a_new_store_has(server: Server) -> None:
    """The control: an empty store has lost nothing, neither before its first change nor after."""
    assert not lost(server)
    RedisStore(server.url).change([A])
    assert not lost(server)


@cases("name", {"log": redis_history.LOG, "expiry": redis_history.EXPIRY})
def test_the_log_and_the_expiry_may_be_evicted(name: str, server: Server) -> None:
    """The entries are complete without them."""
    store = RedisStore(server.url)
    copy = StoreFollower(RedisStore(server.url))
    store.change([A, B])
    server.do("DEL", name)
    copy.follow()
    assert copy.entries == entries(A, B)
    store.change([C])
    copy.follow()
    assert copy.entries == revocations_in(RedisStore(server.url)) == entries(A, B, C)


def test_later_restorations_follow_the_remaining_entries(server: Server) -> None:
    """So no worker writes the restored entries back."""
    store = RedisStore(server.url)
    store.change([A, B])
    copy = StoreFollower(RedisStore(server.url))
    server.do("FLUSHDB")
    next_millisecond(store)
    store.change([A])
    store.change([RESTORED])
    store.change([B])
    update = copy.store.read(copy.position, 0)
    assert [change[:2] for change in update.changes] == [B[:2], RESTORED[:2]]


def test_an_emptied_store_gives_no_position_to_go_on_from(server: Server) -> None:
    """Until a worker has written back, each read reports the loss, so a second loss meanwhile is
    seen too."""
    store = RedisStore(server.url)
    store.change([A])
    copy = StoreFollower(RedisStore(server.url))
    server.do("FLUSHDB")
    for _ in range(2):
        update = copy.store.read(copy.position, 0)
        assert (update.lost, [*update.changes]) == (True, [])
        copy.position = update.position
    store.change([A], absent=True)
    copy.follow()
    assert copy.entries == revocations_in(RedisStore(server.url)) == entries(A)


@pytest.mark.parametrize("evict", [evicted, evicted_and_used])
def test_changes_before_an_eviction_are_read_before_the_loss(
    evict: Callable[[str], Callable[[Server, Saved], None]], server: Server
) -> None:
    """The log outlasts the entries. So a worker that is behind undoes no restoration, and writes
    back a revocation that only the log has."""
    store = RedisStore(server.url)
    store.change([A])
    copy = StoreFollower(RedisStore(server.url))
    store.change([RESTORED, B])
    evict(redis_history.ENTRIES)(server, {})
    update = copy.store.read(copy.position, 0)
    assert [change[:2] for change in update.changes][:2] == [RESTORED[:2], B[:2]]
    assert not update.lost
    assert not update.complete
    update = copy.store.read(update.position, 0)
    assert update.lost
    assert RESTORED.key not in {change.key for change in update.changes}


def test_entries_lost_while_they_are_read_make_no_copy(server: Server) -> None:
    """Entries are read in batches and may be evicted meanwhile."""
    store = RedisStore(server.url)
    store.change([A])
    update = store.read(None, 0)
    change_after_eviction(server, redis_history.ENTRIES, C)
    with pytest.raises(RevocationStoreError, match="it has lost data while its entries were read"):
        list(update.changes)


@pytest.mark.parametrize("ahead", [False, True])
def test_an_older_restoration_does_not_follow_the_remaining_entries(
    ahead: bool, server: Server
) -> None:
    """An older state of the store, with an older history: later revocations are written back,
    though that history ends with a restoration; also where a clock was ahead then."""
    store = RedisStore(server.url)
    store.change([B])
    if ahead:
        server.do("XSETID", redis_history.LOG, "4000000000000-0")
    store.change([A])
    store.change([RESTORED])
    older = saved(server)
    server.do("FLUSHDB")
    next_millisecond(store)
    store.change([A])
    copy = StoreFollower(RedisStore(server.url))
    put_back(server, older)
    update = copy.store.read(copy.position, 0)
    assert (update.lost, [change[:2] for change in update.changes]) == (True, [B[:2]])


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
    assert revocations_in(store) == entries(A)


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
    server.do("SET", redis_history.META, "of another type")
    with pytest.raises(RevocationStoreError):
        store.change([A])
    until(lambda: connected(server) == before)
    store.now()
    assert store._client is not client
    assert connected(server) == before + 1


def test_a_store_that_is_closed_waits_for_nothing(server: Server) -> None:
    """A call that waits in another thread fails at once; the next call opens another connection."""
    store = RedisStore(server.url)
    store.close()
    before = connected(server)
    store.change([A])
    position = store.read(None, 0).position
    failures: list[str] = []

    def wait() -> None:
        # Longer than the client waits for an answer.
        with pytest.raises(RevocationStoreError) as caught:
            store.read(position, 100)
        failures.append(str(caught.value))

    thread = threading.Thread(target=wait)
    thread.start()
    with server.client() as client:
        until(lambda: "xread" in [each["cmd"] for each in client.client_list()])
    store.close()
    thread.join(10)
    store.close()
    assert len(failures) == 1
    assert "TimeoutError" not in failures[0]
    until(lambda: connected(server) == before)
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
    server.do("SET", redis_history.META, "of another type")
    with pytest.raises(RevocationStoreError, match="ResponseError"):
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


@cases(
    ("field", "value"),
    {
        "another kind": ("device:1", "1.0"),
        "another kind of one issuer": ("device@a:1", "1.0"),
        "a token of one issuer": ("token@a:1", "1.0"),
        "no kind": ("1", "1.0"),
        "no time": ("account:a", "soon"),
        "not a number": ("account:a", "nan"),
        "not UTF-8": (b"account:\xff", "1.0"),
    },
)
def test_an_entry_that_is_not_understood_is_an_outage(
    field: str, value: str, server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """It may be a revocation by another program or a later version."""
    RedisStore(server.url).change([A])
    server.do("HSET", redis_history.ENTRIES, field, value)
    server.do("HSET", redis_history.META, "size", 1 + (field != "account:a"))
    assert world(REVOCATION_URL=server.url).answer(issuer.app_jwt()) == 50301


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
