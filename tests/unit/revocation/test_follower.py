"""A store that says what the test wants; a copy that is kept up to date with it."""

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
    turn,
)
from tests.support.floor_helpers import NOW, cases
from tests.support.redis_servers import until

LIVES = {Kind.INSTALL: 100.0, Kind.ACCOUNT: inf, Kind.CONSUMER: inf}
A, B = Change("account:a", 1.0), Change("account:b", 1.0)


class Scripted(RevocationStore):
    """Says one thing after the other, and writes down what it was asked."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.answers: list[Update | Exception] = []
        self.asked: list[tuple[Any, float]] = []
        self.written: list[tuple[int, bool]] = []
        self.back: list[Change] = []
        self.takes = 0.0

    def read(self, position: Any, wait: float) -> Update:
        """Say what is next."""
        self.asked.append((position, wait))
        self.bench.elapsed += self.takes
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def change(self, changes: Any, *, absent: bool = False) -> None:
        """Write it down."""
        self.written.append((len(changes), absent))
        self.back += changes


class Bench:
    """A follower without a thread, and a clock."""

    def __init__(self, max_lag: float = 5) -> None:
        self.elapsed = 1000.0
        self.now = float(NOW)
        self.news: list[Change] = []
        self.mirror = RevocationCache(RevocationSet(LIVES), max_lag, clock=lambda: self.elapsed)
        self.store = Scripted(self)
        self.follower = Follower(
            self.store, self.mirror, self.tell, lambda: self.now, lambda: self.elapsed
        )

    def tell(self, changes: Iterable[Change]) -> None:
        """Write down what is news."""
        self.news += changes

    def turn(self, *answers: Update | Exception) -> list[float]:
        """Let the store say *answers*, and return the pauses in between."""
        self.store.answers = [*answers]
        return [self.take_turn() for _ in answers]

    def take_turn(self) -> float:
        """Return the pause after one turn."""
        pause = turn(lambda: self.follower)
        assert pause is not None
        return pause

    def load(self, *changes: Change) -> None:
        """Let the copy be that of *changes*."""
        self.turn(Update(1, changes, complete=True), Update(1, []))
        self.store.asked, self.news = [], []

    @property
    def known(self) -> dict[Any, float]:
        """What is in the copy."""
        return {**self.mirror.table.tokens, **self.mirror.table.marks}


def test_the_first_copy_serves_once_it_is_up_to_date() -> None:
    """A whole copy need not be of one moment, so what changed since is read before it serves."""
    bench = Bench()
    bench.turn(Update(1, [A], complete=True))
    assert (bench.known, bench.mirror.ready()) == ({}, False)
    bench.turn(Update(2, [B, Change("account:a", None)]))
    assert (bench.known, bench.mirror.ready()) == ({"account:b": 1.0}, True)
    bench.turn(Update(3, [A]))
    assert bench.store.asked == [(None, 0), (1, 0), (2, 0.25)]


def test_only_a_later_copy_tells_its_news() -> None:
    """A worker that starts does not tell of all that was revoked before; one that reloads does."""
    bench = Bench()
    bench.turn(Update(1, [A], complete=True), Update(1, []))
    assert bench.news == []
    bench.turn(Update(2, [B]))
    assert bench.news == [B]
    bench.turn(Update(9, [B._replace(value=2.0)], complete=True), Update(9, []))
    assert bench.news == [B, B._replace(value=2.0), Change("account:a", None)]


def test_the_old_copy_serves_until_the_new_one_does() -> None:
    """Whatever is being loaded, what was known to be revoked stays so."""
    bench = Bench()
    bench.load(A)
    bench.turn(Update(5, [B], complete=True))
    assert bench.known == {"account:a": 1.0}
    bench.turn(ConnectionError())
    bench.turn(Update(5, [B], complete=True), Update(5, []))
    # What was not finished begins anew, from where the copy is that serves.
    assert [position for position, _ in bench.store.asked] == [1, 5, 1, 5]
    assert bench.known == {"account:b": 1.0}


def test_a_copy_that_breaks_off_is_no_copy() -> None:
    """Changes may come while they are read, and stop to."""

    def changes() -> Iterable[Change]:
        yield B
        raise ConnectionError

    bench = Bench()
    bench.load(A)
    bench.turn(Update(5, changes(), complete=True))
    assert bench.known == {"account:a": 1.0}
    assert bench.follower.last_error == "ConnectionError"


def test_a_wait_leaves_time_for_the_next_one() -> None:
    """A copy ages for two turns; with the least lag that can be set, it is still confirmed."""
    bench = Bench(max_lag=1)
    bench.load()
    bench.store.takes = 0.25 + 0.1
    for _ in range(5):
        bench.turn(Update(1, []))
        assert bench.mirror.ready()
    assert set(bench.store.asked) == {(1, 0.25)}


def test_it_is_confirmed_as_of_the_question() -> None:
    """What an answer says is as old as the question."""
    bench = Bench()
    bench.load()
    bench.store.takes = 3
    bench.turn(Update(1, []))
    assert bench.mirror.lag() == 3


def test_changes_that_come_in_a_row_are_gathered() -> None:
    """A store that is quick to answer is not asked a thousand times a second."""
    bench = Bench()
    assert bench.turn(Update(1, [], complete=True), Update(1, [])) == [0, 0.01]
    bench.store.takes = 0.5
    assert bench.turn(Update(1, [])) == [0]


def test_after_a_failure_it_is_asked_soon_and_without_waiting() -> None:
    """Up to half a second, so that a store that is back is found within one; each worker at its
    own time."""
    bench = Bench()
    assert bench.follower.last_error is None
    assert bench.turn(ConnectionError())[0] <= 0.1
    bench.load()
    pauses = bench.turn(*[ConnectionError()] * 50)
    for pause, longest in zip(pauses, [0.1, 0.2, *[0.5] * 48], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) > 40
    assert bench.store.asked == [(1, 0.25), *[(1, 0)] * 49]
    assert bench.mirror.lag() == 0
    bench.store.takes = 0.8
    assert bench.turn(ConnectionError()) == [0]
    bench.store.takes = 0
    bench.turn(Update(1, []))
    assert bench.turn(ConnectionError())[0] <= 0.1


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """ERROR for our own outages, once for each cause, never for each attempt; then that it is over.

    A cause in a store's own words, or the class of the error: its text may have a password.
    """
    caplog.set_level(logging.INFO)
    bench = Bench()
    bench.load()
    secret = ValueError("redis://:do-not-tell-this@host")
    for _ in range(2):
        bench.turn(*[secret, RevocationStoreError("it is on fire")] * 3)
        assert bench.follower.last_error == "it is on fire"
        bench.turn(Update(1, []), Update(1, []))
        assert bench.follower.last_error is None
    cannot = "the revocation store cannot be used: "
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", cannot + "ValueError"),
        ("ERROR", cannot + "it is on fire"),
        ("INFO", "the revocation store answers again"),
    ] * 2
    assert all(record.exc_info is None for record in caplog.records)


def test_an_outage_that_lasts_is_told_as_what_it_means(caplog: pytest.LogCaptureFixture) -> None:
    """A copy that became too old is told of without any request."""
    bench = Bench()
    bench.load()
    bench.turn(ConnectionError())
    bench.elapsed += 6
    bench.turn(ConnectionError())
    assert caplog.messages[1:] == ["what is revoked cannot be confirmed: 503"]


def test_what_the_store_lost_is_written_back(caplog: pytest.LogCaptureFixture) -> None:
    """Only what is needed, is not there, and was not restored since; in parts; then all is read."""
    bench = Bench()
    many = [Change(f"account:{number}", 1.0) for number in range(1000)]
    over = Change("install:over", NOW - 10**6)
    bench.load(A, B, over, *many)
    there = [B, Change("account:7", None), Change("account:there-alone", 1.0)]
    bench.turn(Update(2, there, lost=True))
    assert bench.store.written == [(500, True), (500, True), (0, True)]
    assert {change.key for change in bench.store.back} == {
        *(change.key for change in (A, *many) if change.key != "account:7")
    }
    assert "account:7" in bench.known
    assert caplog.messages == ["the revocation store has lost data: 1000 entries go back"]
    bench.turn(Update(1, [B], complete=True), Update(1, []))
    assert bench.store.asked == [(1, 0.25), (2, 0), (1, 0)]
    assert bench.known == {"account:b": 1.0}


def test_a_worker_without_a_copy_acknowledges_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    """It has nothing to write back, and cannot judge by what is left: it waits for a worker that
    can, and says so."""
    bench = Bench()
    pauses = bench.turn(*[Update(None, [A], lost=True)] * 3)
    assert min(pauses) > 0
    assert (bench.store.written, bench.known, bench.mirror.ready()) == ([], {}, False)
    told = "it has lost data, and no worker that knew them has written them back"
    assert bench.follower.last_error == told
    assert caplog.messages.count(f"the revocation store cannot be used: {told}") == 1
    bench.turn(Update(1, [A, B], complete=True), Update(1, []))
    assert bench.store.asked == [*[(None, 0)] * 4, (1, 0)]
    assert (bench.known, bench.mirror.ready()) == ({"account:a": 1.0, "account:b": 1.0}, True)


@pytest.mark.parametrize("there", [[], [A, B]])
def test_a_loss_of_nothing_is_acknowledged_by_a_worker_with_a_copy(
    there: list[Change], caplog: pytest.LogCaptureFixture
) -> None:
    """So the store counts as whole again; there is nothing to log."""
    bench = Bench()
    bench.load(*there)
    bench.turn(Update(2, there, lost=True))
    assert bench.store.written == [(0, True)]
    assert caplog.messages == []


def test_after_a_loss_the_copy_is_read_on_from_what_was_there() -> None:
    """What was written back comes as changes; until then the old copy serves."""
    bench = Bench()
    bench.load(A)
    bench.turn(Update(7, [B], lost=True))
    assert bench.known == {"account:a": 1.0}
    bench.turn(Update(8, [A]))
    assert bench.store.asked == [(1, 0.25), (7, 0)]
    assert bench.known == {"account:a": 1.0, "account:b": 1.0}


def test_what_was_lost_before_any_answer_had_it_goes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Acknowledged, and then a replica took over: the store goes on as if nothing had been, and the
    worker that revoked does not."""
    bench = Bench()
    bench.load()
    bench.mirror.hold(A)
    bench.mirror.settled(A, lasts=True)
    bench.elapsed += 1
    bench.turn(Update(1, []), Update(1, []))
    assert (bench.store.back, bench.store.written) == ([A], [(1, False)])
    assert bench.known == {"account:a": 1.0}
    assert caplog.messages == ["the revocation store has lost data: 1 entries go back"]
    bench.turn(Update(2, [A]), Update(2, []))
    assert bench.store.written == [(1, False)]
    assert bench.known == {"account:a": 1.0}


def test_a_second_loss_loses_nothing_either() -> None:
    """The copy is not replaced before the store has been read to the end."""
    bench = Bench()
    bench.load(A, B)
    bench.turn(Update(7, [], lost=True), Update(8, [], lost=True))
    assert bench.store.back == [A, B, A, B]
    assert bench.known == {"account:a": 1.0, "account:b": 1.0}


def test_what_cannot_be_written_back_is_tried_again() -> None:
    """Until it is there, the copy is not given up."""
    bench = Bench()
    bench.load(A)
    bench.turn(Update(None, iter(()), lost=True), Update(None, iter([A, A]), lost=True))
    bench.store.change = lambda *_args, **_kwargs: 1 / 0  # type: ignore[method-assign, assignment]
    bench.load(A)
    bench.turn(Update(None, [], lost=True), Update(None, [], lost=True))
    assert [position for position, _ in bench.store.asked] == [1, 1]
    assert bench.follower.last_error == "ZeroDivisionError"
    assert bench.known == {"account:a": 1.0}


def test_what_is_over_is_swept_now_and_then() -> None:
    """At most once a minute; and after a load, since a store may have what is long over."""
    bench = Bench()
    bench.load(Change("install:over", NOW - 10**6), Change("install:a", NOW))
    assert bench.known == {"install:a": NOW}
    bench.now += 10**6
    bench.turn(Update(1, []))
    assert bench.known == {"install:a": NOW}
    # A clock that is set wrong for a while ends nothing: only time that has passed does.
    for seconds in (59, 1, 60, 60):
        bench.elapsed += seconds
        bench.turn(Update(1, []))
    assert bench.known == {"install:a": NOW}
    bench.elapsed += 10**6
    bench.turn(Update(1, []))
    assert bench.known == {}


class Waiting(Scripted):
    """A store that answers once it may."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.threads: set[threading.Thread] = set()
        self.go = threading.Event()

    def read(self, position: Any, wait: float) -> Update:
        """Say that there is nothing, once the test says so."""
        self.threads.add(threading.current_thread())
        assert self.go.wait(10)
        threading.Event().wait(wait)
        return Update(1, [], complete=position is None)


def waiting() -> tuple[Bench, Waiting]:
    """Return a follower of such a store."""
    bench = Bench()
    store = Waiting(bench)
    bench.follower._store = store
    return bench, store


def test_one_thread_follows_while_it_is_needed() -> None:
    """However many requests come first; it does not keep the process alive."""
    bench, store = waiting()
    asking = [threading.Thread(target=bench.mirror.wake) for _ in range(8)]
    for thread in asking:
        thread.start()
    store.go.set()
    for thread in asking:
        thread.join()
    assert bench.mirror.ready()
    bench.follower.wake()
    [thread] = store.threads
    assert thread.daemon


def test_the_first_request_waits_for_a_second_at_most() -> None:
    """The store may hang: then nobody waits for it for long."""
    bench, store = waiting()
    try:
        assert 0.9 < until(lambda: bench.follower.wake() is None) < 5
        assert not bench.mirror.ready()
    finally:
        store.go.set()


def test_a_store_that_is_down_is_not_waited_for() -> None:
    """The first attempt has failed: then it is known at once that nothing is known."""
    bench = Bench()
    bench.turn(ConnectionError())
    bench.store.answers = [ConnectionError()] * 100
    assert until(lambda: bench.follower.wake() is None) < 0.5


def test_without_a_thread_nothing_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine has no thread left: told, not raised, and tried again by the next request."""
    bench = Bench()

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        bench.follower.wake()
        bench.follower.wake()
    assert caplog.messages[0] == "the revocation store cannot be used: no thread can be had"
    assert not bench.mirror.ready()
    bench.store.answers = [Update(1, [], complete=True), *[Update(1, [])] * 1000]
    bench.follower.wake()
    until(bench.mirror.ready)


def test_nobody_waits_for_who_starts_a_thread() -> None:
    """On the way of a request no lock is waited for."""
    bench = Bench()
    with bench.follower._lock:
        bench.follower.start()
    assert bench.follower._thread is None


def test_a_thread_that_died_is_replaced() -> None:
    """Whatever ended it, the next request that finds the copy too old begins anew."""
    bench, store = waiting()
    store.go.set()
    bench.follower.wake()
    until(bench.mirror.ready)
    bench.follower._thread = threading.Thread()
    bench.follower.wake()
    until(lambda: len(store.threads) == 2)


# How a follower ends


class Stuck(RevocationStore):
    """A store that answers nothing until the test says so.

    :param changes: called for the changes of a complete copy; if not given, no answer begins.
    """

    def __init__(self, changes: Callable[["Stuck"], Iterable[Change]] | None = None) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self._changes = changes

    def wait(self) -> None:
        """Wait for the test."""
        self.asked.set()
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


def followed(store: RevocationStore) -> Follower:
    """Return a follower of *store* with a thread, and nothing that a test could change."""
    follower = Follower(store, RevocationCache(RevocationSet(LIVES), 5), list, lambda: NOW)
    follower.start()
    return follower


@cases("changes", {"while it waits for news": None, "while it reads a copy": half_a_copy})
def test_nothing_is_held_while_the_store_is_waited_for(
    changes: Callable[[Stuck], Iterable[Change]] | None,
) -> None:
    """One collection takes the follower, and the app behind it; then the thread ends."""
    store = Stuck(changes)
    follower = followed(store)
    assert store.asked.wait(10)
    gone, thread = weakref.ref(follower), follower._thread
    assert thread
    del follower
    gc.collect()
    assert gone() is None
    store.go.set()
    thread.join(10)
    assert not thread.is_alive()


class Mine(Stuck):
    """A store of the app's own; it counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Opened(Mine, Closable):
    """A store that the package made."""


@cases(("kind", "closed"), {"made by the package": (Opened, 1), "made by the app": (Mine, 0)})
def test_the_thread_closes_what_the_package_made(kind: type[Mine], closed: int) -> None:
    """A connection that is left to the collector is warned of; a store of the app's own stays."""
    store = kind()
    follower = followed(store)
    assert store.asked.wait(10)
    thread = follower._thread
    assert thread
    del follower
    gc.collect()
    store.go.set()
    thread.join(10)
    assert store.closed == closed


def test_a_failure_that_is_over_holds_nothing() -> None:
    """An error has a traceback, and that everything it passed through: it is not kept."""

    class OutOfReach(Stuck):
        def read(self, position: Any, wait: float) -> Update:
            raise ConnectionError

    mirror = RevocationCache(RevocationSet(LIVES), 5)
    follower = Follower(OutOfReach(), mirror, list, lambda: NOW)
    gone = weakref.ref(follower)
    gc.disable()
    try:
        for _ in range(3):
            turn(gone)
        assert follower.last_error == "ConnectionError"
        mirror.wake = lambda: None  # the one circle that is meant
        del follower
        assert gone() is None
    finally:
        gc.enable()


def test_who_is_closed_begins_anew() -> None:
    """The thread ends, the copy does not serve; who needs it again has another thread."""
    follower = followed(MemoryStore(LIVES))
    follower.wake()
    assert follower._mirror.ready()
    thread = follower._thread
    assert thread
    for _ in range(2):
        follower.close()
        assert not thread.is_alive()
        assert not follower._mirror.ready()
    follower.wake()
    assert follower._mirror.ready()
    assert follower._thread is not thread
    follower.close()


def test_an_answer_that_comes_too_late_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs is not waited for, and does not make the copy good afterwards."""
    monkeypatch.setattr("flask_connector_auth.revocation.follower._END", 0.01)
    store = Stuck()
    follower = followed(store)
    assert store.asked.wait(10)
    thread = follower._thread
    assert thread
    follower.close()
    assert thread.is_alive()
    # Two threads would be at the same copy.
    follower.start()
    assert follower._thread is thread
    store.go.set()
    thread.join(10)
    assert not follower._mirror.ready()
    assert follower.last_error is None


def test_who_waits_for_the_first_copy_waits_no_longer() -> None:
    """A request that came before the end is answered at once, with 503."""
    store = Stuck()
    follower = followed(store)
    tried = follower._tried
    waiting = threading.Thread(target=follower.wake)
    waiting.start()
    assert store.asked.wait(10)
    store.go.set()
    follower.close()
    assert tried.is_set()
    waiting.join(10)
    assert not follower._mirror.ready()


def test_a_receiver_of_news_may_close() -> None:
    """It runs in the thread that is to end."""
    bench, closed = Bench(), threading.Event()

    def tell(_changes: Iterable[Change]) -> None:
        bench.follower.close()
        closed.set()

    bench.follower._tell = tell
    bench.store.answers = [Update(1, [], complete=True), Update(1, [])]
    bench.follower.start()
    thread = bench.follower._thread
    assert thread
    assert closed.wait(10)
    thread.join(10)
    assert not thread.is_alive()
    assert bench.follower.last_error is None


def test_the_thread_of_the_parent_is_not_closed_in_a_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uWSGI runs no hook of a fork: there, the thread is not one to wait for."""
    store = Stuck()
    follower = followed(store)
    assert store.asked.wait(10)
    ended, others = follower._ended, os.getpid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: others)
        follower.close()
    assert not ended.is_set()
    assert follower._thread is None
    ended.set()
    store.go.set()
