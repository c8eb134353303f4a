"""The follower, with a scripted store: what it reads, applies, writes back and logs; its end."""

import gc
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import pytest

from flask_connector_auth import Change, RevocationStoreError, Update
from flask_connector_auth.core import Closable
from flask_connector_auth.revocation import (
    Follower,
    Kind,
    MemoryStore,
    RevocationCache,
    RevocationSet,
    RevocationStore,
    read_once,
)
from tests.support.floor_helpers import NOW, cases
from tests.support.redis_servers import until

RETENTION = {Kind.INSTALL: 100.0, Kind.ACCOUNT: inf, Kind.LP_CONSUMER: inf}
A, B = Change("account:a", 1.0), Change("account:b", 1.0)


class Scripted(RevocationStore):
    """Returns the answers of a test, and records each call."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.answers: list[Update | Exception] = []
        self.reads: list[tuple[Any, float]] = []
        self.written: list[tuple[int, bool]] = []
        self.written_changes: list[Change] = []
        self.seconds_per_read = 0.0

    def read(self, position: Any, wait: float) -> Update:
        """Return or raise the next answer."""
        self.reads.append((position, wait))
        self.bench.elapsed += self.seconds_per_read
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def change(self, changes: Any, *, absent: bool = False) -> None:
        """Record the call."""
        self.written.append((len(changes), absent))
        self.written_changes += changes


class Bench:
    """A follower without a thread, and a clock that tests move."""

    def __init__(
        self,
        max_lag: float = 5,
        make_store: Callable[["Bench"], Scripted] = Scripted,
        on_change: Callable[[Iterable[Change]], None] | None = None,
    ) -> None:
        self.elapsed = 1000.0
        self.now = float(NOW)
        self.reported: list[Change] = []
        self.cache = RevocationCache(RevocationSet(RETENTION), max_lag, clock=lambda: self.elapsed)
        self.store = make_store(self)
        self.follower = Follower(
            self.store,
            self.cache,
            on_change or self.reported.extend,
            lambda: self.now,
            lambda: self.elapsed,
        )

    def read(self, *answers: Update | Exception) -> list[float]:
        """Let the follower read *answers*, and return the pauses in between."""
        self.store.answers = [*answers]
        return [self.read_once() for _ in answers]

    def read_once(self) -> float:
        """Return the pause after one read."""
        pause = read_once(lambda: self.follower)
        assert pause is not None
        return pause

    def load(self, *changes: Change) -> None:
        """Load a copy that has *changes*."""
        self.read(Update(1, changes, complete=True), Update(1, []))
        self.store.reads = []
        self.reported.clear()

    @property
    def entries(self) -> dict[Any, float]:
        """The entries of the copy."""
        return {**self.cache.revoked.entries}


def test_the_first_copy_serves_once_it_is_up_to_date() -> None:
    """A complete copy need not be of one moment, so later changes are read before it is used."""
    bench = Bench()
    bench.read(Update(1, [A], complete=True))
    assert (bench.entries, bench.cache.is_fresh()) == ({}, False)
    bench.read(Update(2, [B, Change("account:a", None)]))
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:b": 1.0}, True)
    bench.read(Update(3, [A]))
    assert bench.store.reads == [(None, 0), (1, 0), (2, 0.25)]


def test_only_a_later_copy_reports_its_changes() -> None:
    """A worker that starts does not report earlier revocations; one that reads everything again
    does."""
    bench = Bench()
    bench.read(Update(1, [A], complete=True), Update(1, []))
    assert bench.reported == []
    bench.read(Update(2, [B]))
    assert bench.reported == [B]
    bench.read(Update(9, [B._replace(value=2.0)], complete=True), Update(9, []))
    assert bench.reported == [B, B._replace(value=2.0), Change("account:a", None)]


def test_the_old_copy_serves_until_the_new_one_does() -> None:
    """Known revocations stay in force while another copy is read."""
    bench = Bench()
    bench.load(A)
    bench.read(Update(5, [B], complete=True))
    assert bench.entries == {"account:a": 1.0}
    bench.read(ConnectionError())
    bench.read(Update(5, [B], complete=True), Update(5, []))
    # An unfinished copy is read again, from the position of the copy in use.
    assert [position for position, _ in bench.store.reads] == [1, 5, 1, 5]
    assert bench.entries == {"account:b": 1.0}


def test_an_incomplete_copy_is_dropped() -> None:
    """Changes may arrive while they are read, and the connection may break meanwhile."""

    def changes() -> Iterable[Change]:
        yield B
        raise ConnectionError

    bench = Bench()
    bench.load(A)
    bench.read(Update(5, changes(), complete=True))
    assert bench.entries == {"account:a": 1.0}
    assert bench.follower.failures.last_error == "ConnectionError"


def test_a_wait_leaves_time_for_the_next_read() -> None:
    """A copy ages for two reads; with the least lag that can be set, it stays fresh."""
    bench = Bench(max_lag=1)
    bench.load()
    bench.store.seconds_per_read = 0.25 + 0.1
    for _ in range(5):
        bench.read(Update(1, []))
        assert bench.cache.is_fresh()
    assert set(bench.store.reads) == {(1, 0.25)}


def test_a_read_confirms_the_copy_as_of_its_beginning() -> None:
    """The answer may be as old as that."""
    bench = Bench()
    bench.load()
    bench.store.seconds_per_read = 3
    bench.read(Update(1, []))
    assert bench.cache.lag() == 3


def test_changes_close_together_are_read_together() -> None:
    """A store that answers at once is not read a thousand times a second."""
    bench = Bench()
    assert bench.read(Update(1, [], complete=True), Update(1, [])) == [0, 0.01]
    bench.store.seconds_per_read = 0.5
    assert bench.read(Update(1, [])) == [0]


def test_after_a_failure_the_store_is_read_soon_and_without_waiting() -> None:
    """Within half a second, so that a store that is back is found within one; each worker at a time
    of its own."""
    bench = Bench()
    assert bench.follower.failures.last_error is None
    assert bench.read(ConnectionError())[0] <= 0.1
    bench.load()
    pauses = bench.read(*[ConnectionError()] * 50)
    for pause, longest in zip(pauses, [0.1, 0.2, *[0.5] * 48], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) > 40
    assert bench.store.reads == [(1, 0.25), *[(1, 0)] * 49]
    assert bench.cache.lag() == 0
    bench.store.seconds_per_read = 0.8
    assert bench.read(ConnectionError()) == [0]
    bench.store.seconds_per_read = 0
    bench.read(Update(1, []))
    assert bench.read(ConnectionError())[0] <= 0.1


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """ERROR for our own outages, once for each cause, never for each attempt; then that it is over.

    A cause in a store's own words, or the class of the error: its text may have a password.
    """
    caplog.set_level(logging.INFO)
    bench = Bench()
    bench.load()
    secret = ValueError("redis://:do-not-tell-this@host")
    for _ in range(2):
        bench.read(*[secret, RevocationStoreError("it is on fire")] * 3)
        assert bench.follower.failures.last_error == "it is on fire"
        bench.read(Update(1, []), Update(1, []))
        assert bench.follower.failures.last_error is None
    cannot = "the revocation store cannot be used: "
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", cannot + "ValueError"),
        ("ERROR", cannot + "it is on fire"),
        ("INFO", "the revocation store answers again"),
    ] * 2
    assert all(record.exc_info is None for record in caplog.records)


def test_a_lasting_outage_is_logged_as_a_stale_copy(caplog: pytest.LogCaptureFixture) -> None:
    """Without any request."""
    bench = Bench()
    bench.load()
    bench.read(ConnectionError())
    bench.elapsed += 6
    bench.read(ConnectionError())
    assert caplog.messages[1:] == [
        "the copy of the revocations is missing or older than "
        "CONNECTOR_AUTH_REVOCATION_MAX_LAG (5 s): good tokens are answered with 503"
    ]


def test_entries_that_the_store_lost_are_written_back(caplog: pytest.LogCaptureFixture) -> None:
    """Only entries that are needed, absent, and not restored since; in batches; then all is
    read."""
    bench = Bench()
    many = [Change(f"account:{number}", 1.0) for number in range(1000)]
    over = Change("install:over", NOW - 10**6)
    bench.load(A, B, over, *many)
    there = [B, Change("account:7", None), Change("account:there-alone", 1.0)]
    bench.read(Update(2, there, lost=True))
    assert bench.store.written == [(500, True), (500, True), (0, True)]
    assert {change.key for change in bench.store.written_changes} == {
        *(change.key for change in (A, *many) if change.key != "account:7")
    }
    assert "account:7" in bench.entries
    assert caplog.messages == [
        "the revocation store has lost data; entries that this process writes back: 1000"
    ]
    bench.read(Update(1, [B], complete=True), Update(1, []))
    assert bench.store.reads == [(1, 0.25), (2, 0), (1, 0)]
    assert bench.entries == {"account:b": 1.0}


def test_a_worker_without_a_copy_acknowledges_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    """It has nothing to write back, and the remaining entries are not enough to check tokens: it
    waits for a worker that has a copy, and logs that."""
    bench = Bench()
    pauses = bench.read(*[Update(None, [A], lost=True)] * 3)
    assert min(pauses) > 0
    assert (bench.store.written, bench.entries, bench.cache.is_fresh()) == ([], {}, False)
    failure = "it has lost data, and no worker that has a copy has written it back yet"
    assert bench.follower.failures.last_error == failure
    assert caplog.messages.count(f"the revocation store cannot be used: {failure}") == 1
    bench.read(Update(1, [A, B], complete=True), Update(1, []))
    assert bench.store.reads == [*[(None, 0)] * 4, (1, 0)]
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:a": 1.0, "account:b": 1.0}, True)


@pytest.mark.parametrize("there", [[], [A, B]])
def test_a_loss_of_nothing_is_acknowledged_by_a_worker_with_a_copy(
    there: list[Change], caplog: pytest.LogCaptureFixture
) -> None:
    """Then the store counts as complete again; there is nothing to log."""
    bench = Bench()
    bench.load(*there)
    bench.read(Update(2, there, lost=True))
    assert bench.store.written == [(0, True)]
    assert caplog.messages == []


def test_after_a_loss_reading_goes_on_from_the_remaining_entries() -> None:
    """Entries that were written back arrive as changes; until then the old copy is used."""
    bench = Bench()
    bench.load(A)
    bench.read(Update(7, [B], lost=True))
    assert bench.entries == {"account:a": 1.0}
    bench.read(Update(8, [A]))
    assert bench.store.reads == [(1, 0.25), (7, 0)]
    assert bench.entries == {"account:a": 1.0, "account:b": 1.0}


def test_a_revocation_lost_before_any_read_showed_it_is_written_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After the acknowledgement a replica took over: the store continues without the change, so the
    worker that revoked writes it again."""
    bench = Bench()
    bench.load()
    bench.cache.add_pending(A)
    bench.cache.end_write(A, acknowledged=True)
    bench.elapsed += 1
    bench.read(Update(1, []), Update(1, []))
    assert (bench.store.written_changes, bench.store.written) == ([A], [(1, False)])
    assert bench.entries == {"account:a": 1.0}
    assert caplog.messages == [
        "the revocation store has lost data; entries that this process writes back: 1"
    ]
    bench.read(Update(2, [A]), Update(2, []))
    assert bench.store.written == [(1, False)]
    assert bench.entries == {"account:a": 1.0}


def test_a_second_loss_loses_nothing_either() -> None:
    """The copy is not replaced before the store has been read to the end."""
    bench = Bench()
    bench.load(A, B)
    bench.read(Update(7, [], lost=True), Update(8, [], lost=True))
    assert bench.store.written_changes == [A, B, A, B]
    assert bench.entries == {"account:a": 1.0, "account:b": 1.0}


def test_writing_back_is_repeated_until_it_succeeds() -> None:
    """Until then the copy is not replaced."""
    bench = Bench()
    bench.load(A)
    bench.read(Update(None, iter(()), lost=True), Update(None, iter([A, A]), lost=True))
    bench.store.change = lambda *_args, **_kwargs: 1 / 0  # type: ignore[method-assign, assignment]
    bench.load(A)
    bench.read(Update(None, [], lost=True), Update(None, [], lost=True))
    assert [position for position, _ in bench.store.reads] == [1, 1]
    assert bench.follower.failures.last_error == "ZeroDivisionError"
    assert bench.entries == {"account:a": 1.0}


def test_expired_entries_are_removed_now_and_then() -> None:
    """At most once a minute; and after a complete read, since a store may have entries that expired
    long ago."""
    bench = Bench()
    bench.load(Change("install:over", NOW - 10**6), Change("install:a", NOW))
    assert bench.entries == {"install:a": NOW}
    bench.now += 10**6
    bench.read(Update(1, []))
    assert bench.entries == {"install:a": NOW}
    # A clock that is wrong for a while removes nothing: only elapsed time does.
    for seconds in (59, 1, 60, 60):
        bench.elapsed += seconds
        bench.read(Update(1, []))
    assert bench.entries == {"install:a": NOW}
    bench.elapsed += 10**6
    bench.read(Update(1, []))
    assert bench.entries == {}


class Waiting(Scripted):
    """A store that answers once the test allows it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.threads: set[threading.Thread] = set()
        self.go = threading.Event()

    def read(self, position: Any, wait: float) -> Update:
        """Return an empty update once the test allows it."""
        self.threads.add(threading.current_thread())
        assert self.go.wait(10)
        threading.Event().wait(wait)
        return Update(1, [], complete=position is None)


def waiting() -> tuple[Bench, Waiting]:
    """Return a follower of such a store, and the store."""
    bench = Bench(make_store=Waiting)
    assert isinstance(bench.store, Waiting)
    return bench, bench.store


def test_one_thread_reads_however_many_requests_start_it() -> None:
    """It does not keep the process alive."""
    bench, store = waiting()
    asking = [threading.Thread(target=bench.cache.ensure_refresh) for _ in range(8)]
    for thread in asking:
        thread.start()
    store.go.set()
    for thread in asking:
        thread.join()
    assert bench.cache.is_fresh()
    bench.follower.ensure_running()
    [thread] = store.threads
    assert thread.daemon


def test_the_first_request_waits_for_a_second_at_most() -> None:
    """The store may hang."""
    bench, store = waiting()
    try:
        assert 0.9 < until(lambda: bench.follower.ensure_running() is None) < 5
        assert not bench.cache.is_fresh()
    finally:
        store.go.set()


def test_a_store_that_is_down_is_not_waited_for() -> None:
    """The first read has failed, so a request need not wait to find the copy missing."""
    bench = Bench()
    bench.read(ConnectionError())
    bench.store.answers = [ConnectionError()] * 100
    assert until(lambda: bench.follower.ensure_running() is None) < 0.5


def test_without_a_thread_nothing_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine has reached its limit of threads: logged, not raised, and the next request tries
    again."""
    bench = Bench()

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        bench.follower.ensure_running()
        bench.follower.ensure_running()
    assert (
        caplog.messages[0]
        == "the revocation store cannot be used: the thread that reads it cannot be started"
    )
    assert not bench.cache.is_fresh()
    bench.store.answers = [Update(1, [], complete=True), *[Update(1, [])] * 1000]
    bench.follower.ensure_running()
    until(bench.cache.is_fresh)


def test_a_request_does_not_wait_while_another_starts_the_thread() -> None:
    """A request waits for no lock."""
    bench = Bench()
    with bench.follower._lock:
        bench.follower.start()
    assert bench.follower._thread is None


def test_a_thread_that_died_is_replaced() -> None:
    """Whatever ended the thread, the next request that finds the copy too old starts another."""
    bench, store = waiting()
    store.go.set()
    bench.follower.ensure_running()
    until(bench.cache.is_fresh)
    [thread] = store.threads
    bench.follower._stopping.set()
    thread.join(10)
    bench.follower.ensure_running()
    until(lambda: len(store.threads) == 2)


# The end of a follower


class Stuck(RevocationStore):
    """A store that does not answer until the test allows it.

    :param changes: called for the changes of a complete copy; if not given, no answer begins.
    """

    def __init__(self, changes: Callable[["Stuck"], Iterable[Change]] | None = None) -> None:
        self.is_reading = threading.Event()
        self.go = threading.Event()
        self._changes = changes

    def wait(self) -> None:
        """Wait for the test."""
        self.is_reading.set()
        assert self.go.wait(20)

    def read(self, position: Any, wait: float) -> Update:
        """Wait for the test, now or while the changes are read."""
        if self._changes:
            return Update(1, self._changes(self), complete=True)
        self.wait()
        return Update(1, [])


def half_a_copy(store: Stuck) -> Iterable[Change]:
    """Yield one change, wait, and yield the next one."""
    yield A
    store.wait()
    yield B


def followed(store: RevocationStore, **options: Any) -> Follower:
    """Return a follower of *store* whose thread runs, and to which nothing else refers."""
    cache = RevocationCache(RevocationSet(RETENTION), 5)
    follower = Follower(store, cache, list, lambda: NOW, **options)
    follower.start()
    return follower


@cases("changes", {"while it waits for news": None, "while it reads a copy": half_a_copy})
def test_nothing_is_kept_alive_while_the_store_is_waited_for(
    changes: Callable[[Stuck], Iterable[Change]] | None,
) -> None:
    """One collection frees the follower, and the app behind it; then the thread ends."""
    store = Stuck(changes)
    follower = followed(store)
    assert store.is_reading.wait(10)
    gone, thread = weakref.ref(follower), follower._thread
    assert thread
    del follower
    gc.collect()
    assert gone() is None
    store.go.set()
    thread.join(10)
    assert not thread.is_alive()


class Own(Stuck):
    """A store of the app; it counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Opened(Own, Closable):
    """A store that the package made."""


@cases(("kind", "closed"), {"made by the package": (Opened, 1), "made by the app": (Own, 0)})
def test_the_thread_closes_what_the_package_made(kind: type[Own], closed: int) -> None:
    """The collector warns of a connection that is left open; a store of the app stays open."""
    store = kind()
    follower = followed(store)
    assert store.is_reading.wait(10)
    thread = follower._thread
    assert thread
    del follower
    gc.collect()
    store.go.set()
    thread.join(10)
    assert store.closed == closed


def test_a_past_failure_keeps_nothing_alive() -> None:
    """The traceback of an error refers to all that the error passed through, so no error is
    kept."""

    class OutOfReach(Stuck):
        def read(self, position: Any, wait: float) -> Update:
            raise ConnectionError

    cache = RevocationCache(RevocationSet(RETENTION), 5)
    follower = Follower(OutOfReach(), cache, list, lambda: NOW)
    gone = weakref.ref(follower)
    gc.disable()
    try:
        for _ in range(3):
            read_once(gone)
        assert follower.failures.last_error == "ConnectionError"
        cache.ensure_refresh = lambda: None  # the one intended reference cycle
        del follower
        assert gone() is None
    finally:
        gc.enable()


def test_a_closed_follower_can_start_again() -> None:
    """The thread ends and the copy is not used; the next request starts another thread."""
    follower = followed(MemoryStore(RETENTION))
    follower.ensure_running()
    assert follower._cache.is_fresh()
    thread = follower._thread
    assert thread
    for _ in range(2):
        follower.close()
        assert not thread.is_alive()
        assert not follower._cache.is_fresh()
    follower.ensure_running()
    assert follower._cache.is_fresh()
    assert follower._thread is not thread
    follower.close()


def test_an_answer_after_closing_is_not_applied() -> None:
    """Closing does not wait for a store that hangs, and its answer does not make the copy fresh."""
    store = Stuck()
    follower = followed(store, stop_timeout=0.01)
    assert store.is_reading.wait(10)
    thread = follower._thread
    assert thread
    follower.close()
    assert thread.is_alive()
    # Two threads would write to the same copy.
    follower.start()
    assert follower._thread is thread
    store.go.set()
    thread.join(10)
    assert not follower._cache.is_fresh()
    assert follower.failures.last_error is None


def test_closing_ends_the_wait_for_the_first_copy() -> None:
    """A request that waits is answered at once, with 503."""
    store = Stuck()
    follower = followed(store)
    tried = follower._has_tried
    waiting = threading.Thread(target=follower.ensure_running)
    waiting.start()
    assert store.is_reading.wait(10)
    store.go.set()
    follower.close()
    assert tried.is_set()
    waiting.join(10)
    assert not follower._cache.is_fresh()


def test_a_receiver_of_changes_may_close_the_follower() -> None:
    """The receiver runs in the thread that has to end."""
    closed = threading.Event()

    def close_follower(_changes: Iterable[Change]) -> None:
        bench.follower.close()
        closed.set()

    bench = Bench(on_change=close_follower)
    bench.store.answers = [Update(1, [], complete=True), Update(1, [])]
    bench.follower.start()
    thread = bench.follower._thread
    assert thread
    assert closed.wait(10)
    thread.join(10)
    assert not thread.is_alive()
    assert bench.follower.failures.last_error is None


def test_the_thread_of_the_parent_is_not_closed_in_a_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uWSGI forks without Python's hooks: the thread object of the parent is not waited for."""
    store = Stuck()
    follower = followed(store)
    assert store.is_reading.wait(10)
    ended, others = follower._stopping, os.getpid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: others)
        follower.close()
    assert not ended.is_set()
    assert follower._thread is None
    ended.set()
    store.go.set()
