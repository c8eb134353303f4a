"""The follower, with a scripted store: what it reads, applies, writes back and logs; its end."""

import gc
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from flask_connector_auth import Change, RevocationStoreError, Update
from flask_connector_auth.core import Closable, steady_time
from flask_connector_auth.revocation import (
    Follower,
    Kind,
    MemoryStore,
    RecoverableStore,
    RevocationCache,
    RevocationSet,
    RevocationStore,
    entry_key,
    read_once,
)
from flask_connector_auth.revocation.revocation_set import BUCKETS, Piece
from flask_connector_auth.revocation.store import StoreRead
from tests.support.floor_helpers import NOW, cases
from tests.support.redis_servers import until
from tests.support.revocation_entries import Entries, table_of

RETENTION = {Kind.INSTALL: 100.0, Kind.ACCOUNT: inf, Kind.LP_CONSUMER: inf}
A, B = Change("account:a", 1.0), Change("account:b", 1.0)


class Scripted(RecoverableStore):
    """Returns the answers of a test, and records each call."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.answers: list[Update | Exception] = []
        self.reads: list[Any] = []
        self.changed: list[Change] = []
        self.written_back: list[tuple[Entries, list[Change] | None, Any]] = []
        self.is_another_writing = False
        self.compacted: list[Any] = []
        self.compaction: list[float] = []  #: how long each part takes
        self.seconds_per_read = 0.0

    def read(self, position: Any) -> Update:
        """Return or raise the next answer."""
        self.reads.append(position)
        self.bench.elapsed += self.seconds_per_read
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def change(self, changes: Any) -> None:
        """Record the call."""
        self.changed += changes

    def write_back(self, entries: RevocationSet, missing: Any, position: Any) -> Any:
        """Record the call."""
        if self.is_another_writing:
            return None
        self.written_back.append((Entries.of(entries), missing, position))
        return f"after {position}"

    def compact(self, _entries: RevocationSet, position: Any) -> Iterator[object]:
        """Record the call, and each part of the work."""
        while self.compaction:
            self.bench.elapsed += self.compaction.pop(0)
            self.compacted.append(position)
            yield

    def names(self, keys: Any) -> list[str | None]:
        """Return no name."""
        return [None for _ in keys]

    def now(self) -> float:
        """Return the time of the test."""
        return self.bench.now + self.bench.store_ahead


class Bench:
    """A follower without a thread, and a clock that tests move."""

    def __init__(
        self,
        max_lag: float = 5,
        make_store: Callable[["Bench"], Scripted] = Scripted,
        on_change: Callable[[Iterable[Change]], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.elapsed = 1000.0
        self.now = float(NOW)
        self.store_ahead = 0.0
        self.reported: list[Change] = []
        self.cache = RevocationCache(RevocationSet(RETENTION), max_lag, clock=lambda: self.elapsed)
        self.store = make_store(self)
        self.follower = Follower(
            self.store,
            self.cache,
            on_change or self.reported.extend,
            lambda: self.now,
            clock or (lambda: self.elapsed),
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
        self.read(Update(1, changes, complete=True))
        self.store.reads = []
        self.reported.clear()

    @property
    def entries(self) -> Entries:
        """The entries of the copy."""
        return Entries.of(self.cache.revoked)


def test_the_first_copy_serves_once_it_is_up_to_date() -> None:
    """A copy is read in parts, and not used before the last one; a failure in between loses none of
    them."""
    bench = Bench()
    bench.read(Update(1, [A], complete=True, more=True), ConnectionError())
    assert not bench.cache.is_fresh()
    bench.read(Update(2, [B, Change("account:a", None)]))
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:b": 1.0}, True)
    bench.read(Update(3, [A]))
    assert bench.store.reads == [None, 1, 1, 2]


def test_only_a_later_copy_reports_its_changes() -> None:
    """A worker that starts does not report earlier revocations; one that reads everything again
    does."""
    bench = Bench()
    bench.read(Update(1, [A], complete=True))
    assert bench.reported == []
    bench.read(Update(2, [B]))
    assert bench.reported == [B]
    bench.read(Update(9, [B._replace(value=2.0)], complete=True))
    assert {(entry_key(change.key), change.value) for change in bench.reported[1:]} == {
        (entry_key("account:b"), 2.0),
        (entry_key("account:a"), None),
    }


def test_a_later_copy_replaces_the_old_one() -> None:
    """Also by earlier times, and with more than one bucket of entries."""
    bench = Bench()
    many = [Change(f"account:{number}", 2.0) for number in range(1000)]
    bench.load(A, *many)
    bench.read(
        Update(5, [B, *(change._replace(value=1.0) for change in many[:500])], complete=True)
    )
    assert bench.entries == {"account:b": 1.0, **dict.fromkeys((c.key for c in many[:500]), 1.0)}


def test_a_copy_that_is_replaced_in_parts_is_not_used_meanwhile() -> None:
    """What is revoked may be in a part that is not read yet; nobody takes the copy for ready."""
    bench = Bench()
    bench.load(A, B)
    assert bench.follower.wait_until_current(0)
    bench.read(Update(2, [A], complete=True, more=True))
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:a": 1.0}, False)
    assert not bench.follower.wait_until_current(0)
    bench.read(Update(3, [B]))
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:a": 1.0, "account:b": 1.0}, True)


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


def test_a_read_confirms_the_copy_as_of_its_beginning() -> None:
    """The answer may be as old as that. A copy ages for two reads before the next one ends."""
    bench = Bench(max_lag=5)
    bench.load()
    bench.store.seconds_per_read = 2.5
    for _ in range(3):
        assert bench.read(Update(1, [])) == [0]
        assert bench.cache.lag() == 2.5
        assert bench.cache.is_fresh()


def test_the_store_is_read_four_times_a_second() -> None:
    """From the beginning of a read to that of the next; at once while there is more."""
    bench = Bench()
    assert bench.read(Update(1, [], complete=True, more=True), Update(1, [])) == [0, 0.25]
    for seconds, pause in ((0.125, 0.125), (0.5, 0)):
        bench.store.seconds_per_read = seconds
        assert bench.read(Update(1, [])) == [pause]


def test_after_a_failure_the_store_is_read_soon() -> None:
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
    assert bench.store.reads == [1] * 50
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


LOST = "the revocation store has lost data; entries that this process writes back: "


def lost(position: Any, *changes: Change, since: float = 0.0) -> Update:
    """Return all that a store still has after a loss."""
    return Update(position, changes, complete=True, lost=True, lost_since=since)


def test_entries_that_the_store_lost_are_written_back(caplog: pytest.LogCaptureFixture) -> None:
    """Those alone that are needed, absent or of an earlier time, and not restored since."""
    bench = Bench()
    many = [Change(f"account:{number}", 2.0) for number in range(100)]
    bench.load(A, B, Change("install:over", NOW - 10**6, NOW - 10**6), *many)
    there = [B, Change("account:8", 1.0), Change("account:9", 3.0), Change("account:x", 1.0)]
    restored = Change("account:7", None, 2.0)
    bench.read(lost(2, *there, restored, since=1.0))
    [(entries, missing, position)] = bench.store.written_back
    needed = [A, *(change for change in many if change.key not in ("account:7", "account:9"))]
    assert Entries({change.key: change.value for change in missing or ()}) == {
        change.key: change.value for change in needed
    }
    expected = {change.key: change.value for change in (A, B, *many, *there[2:])}
    expected.pop("account:7")
    assert entries == bench.entries == expected
    assert position == 2
    assert caplog.messages == [LOST + "99"]
    bench.read(Update(3, []))
    assert bench.store.reads == [1, "after 2"]


@pytest.mark.parametrize(("age", "pauses"), [(4, [0.0]), (6, [0.5, 1.0])], ids=["fresh", "old"])
def test_after_a_loss_a_copy_that_is_too_old_waits_for_the_others(
    age: float, pauses: list[float]
) -> None:
    """They may know what was revoked meanwhile: one of them writes all of it if it comes first, and
    they add it if not. The time that the work takes does not count. A copy that is no older than it
    may be goes on at once."""
    bench = Bench()
    for _ in range(2):
        bench.load(A, B)
        bench.elapsed += age
        bench.store.seconds_per_read = 3.0 if age > 5 else 0.0
        before = len(bench.store.written_back)
        waited = []
        for number in range(len(pauses)):
            assert len(bench.store.written_back) == before
            waited += bench.read(lost(2 + number, A))
        assert waited == pauses
        assert len(bench.store.written_back) == before + 1
        assert bench.cache.is_fresh() is (age < 5)
        bench.store.seconds_per_read = 0.0


def test_what_is_left_is_read_again_before_it_is_written() -> None:
    """By a worker whose copy is too old: from where it was, once it has waited for the others."""
    bench = Bench()
    bench.load(A, B)
    bench.elapsed += 6
    part = replace(lost("part", A), more=True)
    assert bench.read(part, replace(lost("end"), complete=False)) == [0.0, 0.5]
    assert bench.read(replace(lost("end"), complete=False)) == [1.0]
    assert bench.store.reads[-2:] == ["part", "part"]
    [(_, missing, position)] = bench.store.written_back
    assert [entry_key(change.key) for change in missing or ()] == [entry_key(B.key)]
    assert position == "end"


def test_a_restoration_that_may_be_older_does_not_count() -> None:
    """``Update.lost_since``: the store may be an older state of itself."""
    bench = Bench()
    bench.load(A, B)
    older = Change("account:a", None, 1.0)
    bench.read(lost(2, A, older, B, Change("account:x", None, 0.5), since=1.0))
    [(_, missing, _)] = bench.store.written_back
    assert [(entry_key(change.key), change.value) for change in missing or ()] == [
        (entry_key("account:a"), 1.0)
    ]
    assert bench.entries == {"account:a": 1.0, "account:b": 1.0}


@pytest.mark.parametrize("there", [(), (Change("account:there-alone", 1.0),)])
def test_where_much_is_missing_the_store_is_given_all(
    there: tuple[Change, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """More than a thousand entries are not counted one by one."""
    bench = Bench()
    bench.load(*(Change(f"account:{number}", 1.0) for number in range(1500)))
    update = Update(2, (), complete=True, lost=True, pieces=[]) if not there else lost(2, *there)
    bench.read(update)
    [(entries, missing, _)] = bench.store.written_back
    assert missing is None
    assert len(entries) == 1500 + len(there)
    assert caplog.messages == [f"{LOST}{1500 + len(there)}"]


def test_what_is_left_is_read_in_parts() -> None:
    """The last part completes what is missing; a failure in between loses none of it."""
    bench = Bench()
    bench.load(A, B)
    bench.read(
        Update(2, (), complete=True, more=True, lost=True, pieces=[]),
        Update(3, (), more=True, lost=True, pieces=[*table_of().pieces()]),
        ConnectionError(),
        Update(4, [B], lost=True, pieces=[]),
    )
    assert bench.store.reads == [1, 2, 3, 3]
    [(_, missing, position)] = bench.store.written_back
    assert [entry_key(change.key) for change in missing or ()] == [entry_key("account:a")]
    assert position == 4


def test_where_too_much_is_missing_the_rest_is_still_read() -> None:
    """Later parts may have entries of their own."""
    bench = Bench()
    bench.load(*(Change(f"account:{number}", 1.0) for number in range(1500)))
    half = Piece(0, BUCKETS // 2, b""), Piece(BUCKETS // 2, BUCKETS, b"")
    bench.read(
        Update(2, (), complete=True, more=True, lost=True, pieces=[]),
        Update(3, (), more=True, lost=True, pieces=[Piece(0, BUCKETS, b"")]),
        Update(4, [Change("account:x", 1.0)], lost=True, pieces=half),
    )
    [(entries, missing, _)] = bench.store.written_back
    assert missing is None
    assert len(entries) == 1501


def test_a_worker_without_a_copy_acknowledges_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    """It has nothing to write back, and the remaining entries are not enough to check tokens: it
    waits for a worker that has a copy, and logs that."""
    bench = Bench()
    pauses = bench.read(*[lost(None, A)] * 3)
    assert min(pauses) > 0
    assert (bench.store.written_back, bench.entries, bench.cache.is_fresh()) == ([], {}, False)
    failure = "it has lost data, and no worker that has a copy has written it back yet"
    assert bench.follower.failures.last_error == failure
    assert caplog.messages.count(f"the revocation store cannot be used: {failure}") == 1
    bench.read(Update(1, [A, B], complete=True))
    assert bench.store.reads == [None] * 4
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:a": 1.0, "account:b": 1.0}, True)


def test_a_copy_that_was_not_complete_is_read_anew_after_a_loss() -> None:
    """What was read of it belongs to a state that the store no longer has."""
    bench = Bench()
    bench.read(Update(1, [A], complete=True, more=True), lost(2, B))
    bench.read(Update(3, [B], complete=True))
    assert bench.store.reads == [None, 1, None]
    assert (bench.entries, bench.cache.is_fresh()) == ({"account:b": 1.0}, True)


def test_a_child_goes_on_with_no_compaction_of_its_parent() -> None:
    """Both would write the same log."""
    bench = Bench()
    bench.store.compaction = [0.2] * 3
    bench.load(A)
    assert bench.store.compacted == [1]
    bench.follower.reset_after_fork()
    bench.read(Update(2, []))
    assert bench.store.compacted == [1]


@pytest.mark.parametrize("there", [[], [A, B]])
def test_a_loss_of_nothing_is_acknowledged_by_a_worker_with_a_copy(
    there: list[Change], caplog: pytest.LogCaptureFixture
) -> None:
    """Then the store counts as complete again; there is nothing to log."""
    bench = Bench()
    bench.load(*there)
    bench.read(lost(2, *there))
    assert [missing for _, missing, _ in bench.store.written_back] == [[]]
    assert caplog.messages == []


def test_while_another_worker_writes_back_the_store_is_read_again() -> None:
    """One writer; the others compare with what it has written."""
    bench = Bench()
    bench.load(A, B)
    bench.store.is_another_writing = True
    pauses = bench.read(lost(2), lost(3))
    assert min(pauses) > 0
    assert bench.follower.failures.last_error == (
        "it has lost data, and another worker writes it back"
    )
    bench.store.is_another_writing = False
    bench.read(lost(4, A, B), Update(5, []))
    assert bench.store.reads == [1, 1, 1, "after 4"]
    assert [missing for _, missing, _ in bench.store.written_back] == [[]]
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
    assert bench.store.changed == [A]
    assert bench.entries == {"account:a": 1.0}
    assert caplog.messages == [
        "the revocation store has lost data; entries that this process writes back: 1"
    ]
    bench.read(Update(2, [A]), Update(2, []))
    assert bench.store.changed == [A]
    assert bench.entries == {"account:a": 1.0}


def test_a_second_loss_loses_nothing_either() -> None:
    """The copy keeps what it has until the store is read without a loss."""
    bench = Bench()
    bench.load(A, B)
    bench.read(lost(7), lost(8))
    assert [len(missing or ()) for _, missing, _ in bench.store.written_back] == [2, 2]
    assert bench.entries == {"account:a": 1.0, "account:b": 1.0}


def test_writing_back_is_repeated_until_it_succeeds() -> None:
    """Until then the same part is read again."""
    bench = Bench()
    bench.load(A)
    bench.store.write_back = lambda *_args: 1 / 0  # type: ignore[method-assign, assignment]
    bench.read(lost(2), lost(2))
    assert bench.store.reads == [1, 1]
    assert bench.follower.failures.last_error == "ZeroDivisionError"
    assert bench.entries == {"account:a": 1.0}


def test_a_store_that_loses_data_needs_a_way_to_get_it_back() -> None:
    """A store of the app that reports a loss by mistake is an outage, until it no longer does."""
    bench = Bench()
    bench.load(A)
    bench.follower._store = MemoryStore(RETENTION)
    [pause] = [bench.follower.apply(StoreRead(bench.store, 1, bench.elapsed, lost(2)))]
    assert pause > 0
    assert bench.follower.failures.last_error == (
        "it has lost data, and has no method to write it back"
    )


def test_a_store_is_compacted_by_a_copy_that_is_up_to_date() -> None:
    """Once a minute, a tenth of a second after each read, so that the copy does not become too
    old."""
    bench = Bench()
    bench.store.compaction = [0.06] * 5
    bench.load(A)
    assert bench.store.compacted == [1] * 2
    bench.read(Update(2, []))
    assert bench.store.compacted == [1] * 4
    bench.read(Update(3, []), Update(4, []))
    assert bench.store.compacted == [1] * 5
    bench.elapsed += 60
    bench.store.compaction = [0.06]
    bench.read(Update(5, []))
    assert bench.store.compacted == [*[1] * 5, 5]


def test_a_compaction_that_takes_minutes_is_brought_to_an_end() -> None:
    """It goes on where it was, and the next one begins after it."""
    bench = Bench()
    bench.store.compaction = [0.2] * 4
    bench.load(A)
    for position in range(2, 6):
        bench.elapsed += 60
        bench.read(Update(position, []))
    assert bench.store.compacted == [1] * 4
    bench.store.compaction = [0.2]
    bench.elapsed += 60
    bench.read(Update(6, []))
    assert bench.store.compacted == [*[1] * 4, 6]


def test_a_store_that_is_far_away_is_not_compacted() -> None:
    """If a read takes more than a quarter of MAX_LAG: with a write in between, the copy would be
    too old before the next read ends."""
    bench = Bench(max_lag=4)
    bench.store.compaction = [0.2] * 2
    bench.store.seconds_per_read = 1.1
    bench.load(A)
    assert bench.store.compacted == []
    bench.store.seconds_per_read = 1.0
    bench.read(Update(2, []))
    assert bench.store.compacted == [1]


def test_the_clock_of_a_store_is_read_with_its_changes() -> None:
    """``Update.now``: a store may return it, and is asked for it otherwise."""
    bench = Bench()
    bench.now += 10**6
    bench.store_ahead = 10**6
    update = Update(1, [Change("install:a", NOW, NOW + 100)], complete=True, now=float(NOW))
    bench.read(update)
    assert bench.entries == {"install:a": NOW}
    bench.elapsed += 60
    bench.read(Update(1, []))
    assert bench.entries == {}


def test_a_copy_with_a_pending_revocation_compacts_nothing() -> None:
    """The store may never have it: then the others would be given what was never acknowledged."""
    bench = Bench()
    bench.cache.add_pending(B)
    bench.store.compaction = [0.0]
    bench.load(A)
    assert bench.store.compacted == []
    bench.cache.end_write(B, acknowledged=True)
    bench.elapsed += 60
    bench.read(Update(2, [B]))
    assert bench.store.compacted == [2]


def test_expired_entries_are_removed_now_and_then() -> None:
    """At most once a minute; and after a complete read, since a store may have entries that expired
    long ago."""
    bench = Bench()
    bench.load(
        Change("install:over", NOW - 10**6, NOW - 10**6), Change("install:a", NOW, NOW + 100)
    )
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


@pytest.mark.parametrize(("worker", "store"), [(10**6, -(10**6)), (0, 10**6)])
def test_no_clock_ends_an_entry_alone(worker: int, store: int) -> None:
    """Either the clock of the worker or that of the store may be ahead."""
    bench = Bench()
    bench.now += worker
    bench.store_ahead = store
    bench.load(Change("install:a", NOW, NOW + 100))
    assert bench.entries == {"install:a": NOW}


class Waiting(Scripted):
    """A store that answers once the test allows it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.threads: set[threading.Thread] = set()
        self.go = threading.Event()

    def read(self, position: Any) -> Update:
        """Return an empty update once the test allows it."""
        self.threads.add(threading.current_thread())
        assert self.go.wait(10)
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


def test_requests_wait_for_half_a_second_at_most() -> None:
    """The store may hang: from the start of the thread on, and later ones not at all."""
    bench = Bench(make_store=Waiting, clock=steady_time)
    store = bench.store
    assert isinstance(store, Waiting)
    try:
        assert 0.4 < until(lambda: bench.follower.ensure_running() is None) < 5
        assert until(lambda: bench.follower.ensure_running() is None) < 0.4
        assert not bench.cache.is_fresh()
    finally:
        store.go.set()


class Large(Scripted):
    """A store that does not get to the end until the test allows it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.go = threading.Event()

    def read(self, position: Any) -> Update:
        """Return a part, or the end."""
        is_over = self.go.is_set()
        threading.Event().wait(0.001)
        return Update(1, [], complete=position is None, more=not is_over)


def test_requests_wait_for_the_first_answer_and_not_for_all() -> None:
    """A thread that serves requests is not held while a large copy is read; a hook of the server
    may wait for that."""
    bench = Bench(make_store=Large, clock=steady_time)
    store = bench.store
    assert isinstance(store, Large)
    assert until(lambda: bench.follower.ensure_running() is None) < 0.4
    assert not bench.follower.wait_until_current(0.1)
    assert not bench.cache.is_fresh()
    bench.cache._clock = steady_time
    timer = threading.Timer(0.1, store.go.set)
    timer.start()
    assert bench.follower.wait_until_current(10)
    timer.join()
    bench.follower.close()
    assert not bench.cache.is_fresh()


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


class Tried(threading.Event):
    """Records for how long it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Record the wait, without one."""
        self.waits.append(timeout)
        return False


def test_while_another_request_starts_the_thread_only_the_answer_is_waited_for() -> None:
    """No lock; and the first answer by all requests that come to a new worker together."""
    bench = Bench()
    bench.follower._has_tried = tried = Tried()
    with bench.follower._lock:
        bench.follower.ensure_running()
        bench.elapsed += 0.3
        bench.follower.ensure_running()
    assert bench.follower._thread is None
    assert tried.waits == pytest.approx([0.5, 0.2])
    bench.follower.close()
    bench.follower._has_tried = again = Tried()
    bench.elapsed += 10
    with bench.follower._lock:
        bench.follower.ensure_running()
    assert again.waits == [0.5]


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

    def read(self, position: Any) -> Update:
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
        def read(self, position: Any) -> Update:
            raise ConnectionError

    cache = RevocationCache(RevocationSet(RETENTION), 5)
    follower = Follower(OutOfReach(), cache, list, lambda: NOW)
    gone = weakref.ref(follower)
    gc.disable()
    try:
        for _ in range(3):
            read_once(gone)
        assert follower.failures.last_error == "ConnectionError"
        # The one intended reference cycle.
        cache.start_refresh = cache.ensure_refresh = lambda: None
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
