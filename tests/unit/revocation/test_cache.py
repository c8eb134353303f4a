"""The cache that requests are checked against: refusals, its age, and pending revocations."""

import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf
from types import FrameType
from typing import Any

import pytest

from flask_connector_auth import Reason, Unavailable
from flask_connector_auth.core import Rejected, steady_time
from flask_connector_auth.revocation import (
    SLACK,
    Change,
    Kind,
    RevocationCache,
    RevocationSet,
    Subject,
    entry_key,
)
from tests.support.floor_helpers import NOW
from tests.support.revocation_entries import replace_entries

RETENTION = {Kind.INSTALL: 100.0, Kind.ACCOUNT: inf, Kind.LP_CONSUMER: 1000.0}
TOO_OLD = (
    "the copy of the revocations is missing or older than CONNECTOR_AUTH_REVOCATION_MAX_LAG (5 s)"
)
SUBJECT = Subject(b"digest", NOW, ("install:a", "account:b"))


class Bench:
    """A copy of a store, with a clock that tests move."""

    def __init__(self, **options: Any) -> None:
        self.elapsed = 1000.0
        self.stale = 0
        self.cache = RevocationCache(
            RevocationSet(RETENTION),
            5,
            on_stale=self.count_stale,
            clock=lambda: self.elapsed,
            **options,
        )

    def count_stale(self) -> None:
        """Count the calls of ``on_stale``."""
        self.stale += 1

    def reason(self, subject: Subject = SUBJECT) -> Reason | None:
        """Return why *subject* is refused, or ``None``."""
        try:
            self.cache.check_age()
            self.cache.check_not_revoked(subject)
        except (Rejected, Unavailable) as refusal:
            return refusal.reason
        return None


def test_a_copy_that_was_never_loaded_refuses_every_token() -> None:
    """Before the store has answered for the first time, good tokens get 503."""
    bench = Bench()
    assert (bench.cache.is_fresh(), bench.cache.lag()) == (False, None)
    assert bench.reason() is Reason.REVOCATION_UNAVAILABLE
    bench.cache.apply_changes([], bench.elapsed)
    assert (bench.cache.is_fresh(), bench.cache.lag()) == (True, 0)
    assert bench.reason() is None


@pytest.mark.parametrize(
    ("age", "judged"), [(0, True), (4.75, True), (5, True), (5.25, False), (10**6, False)]
)
def test_a_copy_is_used_until_it_is_too_old(age: float, judged: bool) -> None:
    """``REVOCATION_MAX_LAG``, by the clock alone: it holds even if every thread is dead."""
    bench = Bench()
    bench.cache.apply_changes([Change(b"digest", inf)], bench.elapsed)
    bench.elapsed += age
    assert bench.reason() is (Reason.REVOKED if judged else Reason.REVOCATION_UNAVAILABLE)
    assert bench.cache.is_fresh() is judged
    assert bench.cache.lag() == age


def test_a_copy_is_as_old_as_the_beginning_of_its_last_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A slow answer confirms the copy as of the time at which the read began."""
    bench = Bench()
    bench.cache.apply_changes([], bench.elapsed - 6)
    assert bench.reason() is Reason.REVOCATION_UNAVAILABLE
    bench.cache.apply_changes([], bench.elapsed - 4)
    assert bench.reason() is None


def test_an_open_cache_refuses_by_its_old_copy() -> None:
    """``REVOCATION_ON_OUTAGE`` open: known revocations stay in force, and the log says that it is
    old."""
    bench = Bench(fail_closed=False)
    assert bench.reason() is None
    bench.cache.apply_changes([Change("install:a", NOW)], bench.elapsed)
    bench.elapsed += 6
    assert bench.reason() is Reason.REVOKED
    assert bench.reason(Subject(b"", NOW, ())) is None
    assert not bench.cache.is_fresh()
    assert bench.stale == 2


@pytest.mark.parametrize(
    ("fail_closed", "effect"),
    [(True, "good tokens are answered with 503"), (False, "the old copy serves")],
)
def test_becoming_stale_and_fresh_is_logged_once(
    fail_closed: bool, effect: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line when the copy becomes too old and one when it is confirmed, not one for each
    request."""
    caplog.set_level(logging.INFO)
    bench = Bench(fail_closed=fail_closed)
    for times in (1, 2):
        for _ in range(3):
            bench.reason()
            bench.cache.report_if_stale()
        assert bench.stale == times
        for _ in range(3):
            bench.cache.apply_changes([], bench.elapsed)
            bench.cache.report_if_stale()
            bench.reason()
        bench.elapsed += 6
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", f"{TOO_OLD}: {effect}"),
        ("INFO", "the copy of the revocations is confirmed again"),
    ] * 2


def test_only_a_stale_copy_starts_a_refresh() -> None:
    """A request reads the clock and nothing else."""
    bench, woken = Bench(), []
    bench.cache.ensure_refresh = lambda: woken.append(bench.cache.apply_changes([], bench.elapsed))
    for _ in range(3):
        assert bench.reason() is None
    assert len(woken) == 1
    bench.elapsed += 5
    assert bench.reason() is None
    assert len(woken) == 1


def test_the_age_is_checked_again_after_the_refresh_started() -> None:
    """The refresh may have confirmed the copy at once; an age of exactly the maximum is fresh."""
    bench = Bench()
    bench.cache.ensure_refresh = lambda: bench.cache.apply_changes([], bench.elapsed - 5)
    assert bench.reason() is None
    bench.elapsed += 1
    bench.cache.ensure_refresh = lambda: bench.cache.apply_changes([], bench.elapsed - 5.25)
    assert bench.reason() is Reason.REVOCATION_UNAVAILABLE


def test_only_a_copy_can_be_too_old() -> None:
    """Only then must a request check the age."""
    assert Bench().cache.is_copy is True
    assert RevocationCache(RevocationSet(RETENTION)).is_copy is False


@pytest.mark.parametrize(
    ("issued_at", "reason"),
    [
        (NOW - 1, Reason.REVOKED),
        (NOW, Reason.REVOKED),
        (NOW + 1, None),
        (None, Reason.REVOKED),
    ],
)
@pytest.mark.parametrize("name", ["install:a", "account:b"])
def test_an_id_refuses_tokens_issued_until_its_time(
    name: str, issued_at: float | None, reason: Reason | None
) -> None:
    """docs/revocation.rst: the second of the time included; a token without ``iat`` always."""
    bench = Bench()
    bench.cache.apply_changes([Change(name, NOW)], bench.elapsed)
    assert bench.reason(replace(SUBJECT, issued_at=issued_at)) is reason


@pytest.mark.parametrize("key", [b"digest", "install:a", "account:b"])
def test_a_restored_subject_is_accepted(key: bytes | str) -> None:
    """Only the subject that was revoked can be restored."""
    bench = Bench()
    bench.cache.apply_changes([Change(key, inf)], bench.elapsed)
    bench.cache.apply_changes([Change("install:x", None), Change(b"", None)], bench.elapsed)
    assert bench.reason() is Reason.REVOKED
    bench.cache.apply_changes([Change(key, None)], bench.elapsed)
    assert bench.reason() is None
    assert len(bench.cache.revoked) == 0


@pytest.mark.parametrize(
    ("key", "kind"), [(b"digest", "token"), ("install:a", "install"), ("account:b", "account")]
)
def test_the_refusal_has_the_kind_of_what_is_revoked(key: bytes | str, kind: str) -> None:
    """docs/errors.rst: what ``restore`` needs."""
    bench = Bench()
    bench.cache.apply_changes([Change(key, inf)], bench.elapsed)
    with pytest.raises(Rejected) as caught:
        bench.cache.check_not_revoked(SUBJECT)
    assert caught.value.reason_details == {"kind": kind}


def test_an_older_answer_takes_no_revocation_back() -> None:
    """An answer to a read that began before the acknowledgement may be older than the revocation,
    whatever it reports; an answer to a later read decides."""
    bench = Bench()
    revoked, restored = Change(b"digest", inf), Change(b"digest", None)
    read_began = bench.elapsed
    assert bench.cache.add_pending(revoked) is True
    for before in ([], [restored]):
        assert bench.cache.apply_changes(before, read_began) == []
        assert bench.reason() is Reason.REVOKED
    bench.elapsed += 1
    bench.cache.end_write(revoked, acknowledged=True)
    for before in ([], [revoked], [revoked, restored], [revoked]):
        assert bench.cache.apply_changes(before, read_began) == []
        assert bench.cache.apply_changes(before, bench.elapsed) == []
        replace_entries(bench.cache, RevocationSet(RETENTION), bench.elapsed)
        assert bench.reason() is Reason.REVOKED
    bench.elapsed += 1
    bench.cache.apply_changes([revoked], read_began)
    assert bench.cache.apply_changes([], bench.elapsed) == []
    assert bench.reason() is Reason.REVOKED
    assert bench.cache.apply_changes([restored], read_began) == [restored]
    assert bench.reason() is None


def test_a_restoration_by_another_worker_counts_with_the_next_read() -> None:
    """Another worker restores between the acknowledgement and the next read."""
    bench = Bench()
    revoked, restored = Change(b"digest", inf), Change(b"digest", None)
    read_began = bench.elapsed
    bench.cache.add_pending(revoked)
    bench.cache.end_write(revoked, acknowledged=True)
    assert bench.cache.apply_changes([revoked, restored], read_began) == []
    assert bench.reason() is Reason.REVOKED
    bench.elapsed += 1
    assert bench.cache.apply_changes([], bench.elapsed) == [restored]
    assert bench.reason() is None


def test_of_two_revocations_of_one_key_each_is_pending() -> None:
    """Two threads: an acknowledgement of the first revocation does not confirm the second."""
    bench = Bench()
    first, second = Change("account:b", NOW - 10), Change("account:b", NOW)
    bench.cache.add_pending(first)
    bench.cache.add_pending(second)
    bench.cache.end_write(first, acknowledged=True)
    bench.elapsed += 1
    assert bench.cache.apply_changes([first], bench.elapsed) == []
    assert bench.reason() is Reason.REVOKED
    bench.cache.end_write(second, acknowledged=True)
    bench.elapsed += 1
    assert bench.cache.apply_changes([second], bench.elapsed) == []
    bench.cache.end_write(second, acknowledged=True)
    assert bench.reason() is Reason.REVOKED
    later = Change("account:b", NOW + 10)
    assert bench.cache.apply_changes([later], bench.elapsed) == [later]


@pytest.mark.parametrize("whole", [True, False])
def test_after_a_pending_revocation_the_value_of_the_store_counts(whole: bool) -> None:
    """Restored and revoked again, or in a complete copy; however often the key was revoked."""
    bench = Bench()
    said, table = Change("account:b", 5), RevocationSet(RETENTION)
    table.put(said)
    last = Change("account:b", 20)
    for change in (Change("account:b", 10), last):
        bench.cache.add_pending(change)
    bench.cache.end_write(last, acknowledged=True)
    bench.elapsed += 1
    if whole:
        replace_entries(bench.cache, table, bench.elapsed)
    else:
        bench.cache.apply_changes([last, Change("account:b", None), said], bench.elapsed)
    assert bench.cache.revoked.get(entry_key("account:b")) == 5
    assert bench.cache.unreported_revocations(bench.elapsed) == []


@pytest.mark.parametrize("whole", [True, False])
def test_an_acknowledged_revocation_that_the_store_lost_stays(whole: bool) -> None:
    """A failover lost it before any answer had it: it stays in force here, to be written back."""
    bench = Bench()
    said, table = Change("account:b", 5), RevocationSet(RETENTION)
    table.put(said)
    if not whole:
        bench.cache.apply_changes([said], bench.elapsed)
    bench.cache.add_pending(Change("account:b", 10))
    if whole:
        replace_entries(bench.cache, table, bench.elapsed)
    last = Change("account:b", 20)
    bench.cache.add_pending(last)
    bench.cache.end_write(last, acknowledged=True)
    assert bench.cache.revoked.get(entry_key("account:b")) == 20
    read_began = bench.elapsed
    bench.cache.apply_changes([], read_began)
    assert bench.cache.unreported_revocations(read_began) == []
    bench.elapsed += 1
    for answer in ([], [said], []):
        bench.cache.apply_changes(answer, bench.elapsed)
        assert bench.cache.revoked.get(entry_key("account:b")) == 20
        assert bench.cache.unreported_revocations(bench.elapsed) == [last]
    bench.cache.apply_changes([last], bench.elapsed)
    assert bench.cache.revoked.get(entry_key("account:b")) == 20
    assert bench.cache.unreported_revocations(bench.elapsed) == []


@pytest.mark.parametrize(
    ("held", "said", "in_force"), [(NOW - 10, NOW, NOW), (-5, 0, 0), (0, -5, 0), (5, None, 5)]
)
def test_a_later_time_than_the_pending_one_counts(
    held: float, said: float | None, in_force: float
) -> None:
    """Of two times the later one stays."""
    bench = Bench()
    bench.cache.add_pending(Change("account:b", held))
    bench.cache.apply_changes([Change("account:b", said)], bench.elapsed)
    assert bench.cache.revoked.get(entry_key("account:b")) == in_force


def test_a_child_process_keeps_no_write_under_way() -> None:
    """A write of the parent that was under way at the fork is unconfirmed in the child."""
    bench = Bench()
    revoked, restored = Change(b"digest", inf), Change(b"digest", None)
    bench.cache.add_pending(revoked)
    bench.cache.reset_after_fork()
    bench.cache.apply_changes([], bench.elapsed)
    assert bench.reason() is Reason.REVOKED
    assert bench.cache.apply_changes([restored], bench.elapsed) == [restored]
    assert bench.reason() is None


def test_an_original_is_never_too_old() -> None:
    """Without a store there is nothing to read."""
    cache = RevocationCache(RevocationSet(RETENTION))
    assert (cache.is_fresh(), cache.lag()) == (True, 0)
    cache.reset_after_fork()
    cache.check_age()
    assert cache.is_fresh()


def test_after_a_fork_the_copy_must_be_confirmed_again() -> None:
    """A child process has no thread that reads the store; the entries stay."""
    bench = Bench()
    bench.cache.apply_changes([Change(b"digest", inf)], bench.elapsed)
    bench.cache.reset_after_fork()
    assert bench.reason() is Reason.REVOCATION_UNAVAILABLE
    bench.cache.apply_changes([], bench.elapsed)
    assert bench.reason() is Reason.REVOKED


def put_in_part(revoked: RevocationSet, change: Change, steps: int) -> bool:
    """Put *change*, at most so many lines of it, and return whether that was all."""
    left = steps

    def stop(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left
        if frame.f_code is not RevocationSet.put.__code__:
            return None
        left -= event == "line"
        if left < 0:
            raise InterruptedError
        return stop

    tracing = sys.gettrace()
    sys.settrace(stop)
    try:
        revoked.put(change)
    except InterruptedError:
        return False
    finally:
        sys.settrace(tracing)
    return True


def test_a_fork_in_the_middle_of_a_change_leaves_nothing_half() -> None:
    """A child has what its parent's thread had done until then, and reads the change again: it
    refuses the token, and its count is right, wherever the parent was."""
    change, steps, is_all = Change(b"digest", inf), 0, False
    while not is_all:
        bench = Bench()
        is_all = put_in_part(bench.cache.revoked, change, steps)
        bench.cache.reset_after_fork()
        bench.cache.apply_changes([change], bench.elapsed)
        assert (bench.reason(), len(bench.cache.revoked)) == (Reason.REVOKED, 1)
        bench.cache.apply_changes([change._replace(value=None)], bench.elapsed)
        assert (bench.reason(), len(bench.cache.revoked)) == (None, 0)
        steps += 1
    assert steps > 5


def test_a_pending_revocation_outlasts_an_older_complete_copy() -> None:
    """A copy read before the revocation reached the store takes nothing back."""
    bench = Bench()
    second = Change(b"digest", 5.0)
    assert bench.cache.add_pending(Change(b"digest", inf)) is True
    assert bench.cache.add_pending(second) is False
    replace_entries(bench.cache, RevocationSet(RETENTION), bench.elapsed)
    assert bench.reason() is Reason.REVOKED
    bench.cache.end_write(second, acknowledged=True)
    bench.elapsed += 1
    replace_entries(bench.cache, RevocationSet(RETENTION), bench.elapsed)
    assert bench.reason() is None


def test_an_unconfirmed_revocation_stays_until_the_store_reports_its_key() -> None:
    """Other answers of the store change nothing; a restoration by another worker ends it."""
    bench = Bench()
    revoked, restored = Change(b"digest", inf), Change(b"digest", None)
    bench.cache.add_pending(revoked)
    bench.cache.end_write(revoked, acknowledged=False)
    for _ in range(3):
        bench.elapsed += 1
        bench.cache.apply_changes([Change("account:x", 1)], bench.elapsed)
        replace_entries(bench.cache, RevocationSet(RETENTION), bench.elapsed)
        assert bench.reason() is Reason.REVOKED
    assert bench.cache.apply_changes([restored], bench.elapsed) == [restored]
    replace_entries(bench.cache, RevocationSet(RETENTION), bench.elapsed)
    assert bench.reason() is None


def test_a_pending_revocation_does_not_weaken_an_entry_of_the_store() -> None:
    """Of two times the later one stays."""
    bench, table = Bench(), RevocationSet(RETENTION)
    bench.cache.add_pending(Change("account:b", NOW - 10))
    table.put(Change("account:b", NOW))
    replace_entries(bench.cache, table, bench.elapsed)
    assert bench.reason() is Reason.REVOKED


def test_only_changes_that_make_a_difference_are_returned() -> None:
    """A change that is in force already is not reported again."""
    bench = Bench()
    changes = [Change("account:b", 1), Change("account:b", 1), Change("install:x", None)]
    assert bench.cache.apply_changes(changes, 0) == changes[:1]
    assert bench.cache.apply_changes([Change("account:b", 2)], 0) == [Change("account:b", 2)]
    assert bench.cache.apply_changes([Change("account:b", None)], 0) == [Change("account:b", None)]


def test_the_differences_between_two_copies() -> None:
    """After a complete copy replaced another: added, changed and removed entries."""
    bench, new = Bench(), RevocationSet()
    old = [Change(b"1" * 32, 1), Change(b"2" * 32, 1), Change("account:a", 1)]
    bench.cache.apply_changes(old, bench.elapsed)
    for change in (Change(b"1" * 32, 1), Change(b"2" * 32, 0), Change("account:b", 1)):
        new.put(change)
    expected = {(b"2" * 32, 0), ("account:b", 1), ("account:a", None)}
    for differences in ({(entry_key(key), value) for key, value in expected}, set()):
        found = [each for piece in new.pieces() for each in bench.cache.apply_piece(piece, 0)[0]]
        assert {(entry_key(change.key), change.value) for change in found} == differences
        assert len(found) == len(differences)


ENTRIES: list[tuple[Change, float]] = [
    (Change(b"token", NOW), NOW),
    (Change(b"for good", inf), inf),
    (Change("install:a", NOW), NOW + 100),
    (Change("account:a", 0), inf),
    (Change("lp_consumer:a", NOW), NOW + 1000),
]


@pytest.mark.parametrize(("change", "until"), ENTRIES, ids=lambda value: str(value))
def test_an_entry_is_kept_while_it_may_be_needed(change: Change, until: float) -> None:
    """Half an hour longer than the last token lives, since the clock may be wrong and be
    corrected."""
    over = min(until + SLACK, 1e300)
    for now, kept in ((over - 1, True), (over, until == inf)):
        bench = Bench()
        bench.cache.apply_changes([change], 0)
        bench.cache.remove_expired(now)
        assert [*bench.cache.revoked.changes()] == [
            change._replace(key=found.key, until=until) for found in bench.cache.revoked.changes()
        ]
        assert len(bench.cache.revoked) == kept


def test_the_clock_never_goes_back() -> None:
    """Elapsed seconds."""
    first: float = steady_time()
    later: Callable[[], float] = steady_time
    assert later() >= first > 0


def test_a_reader_that_sees_a_new_version_sees_the_change() -> None:
    """A token checked under a version is not checked again under it, so the change must be there
    before its version."""
    table = RevocationSet()
    seen = []

    class Watched(list[bytes]):
        def __setitem__(self, number: Any, bucket: Any) -> None:
            seen.append(table.version)
            super().__setitem__(number, bucket)

    table._buckets = Watched(table._buckets)
    versions = [table.version]
    for at in (1.0, 2.0):
        table.put(Change("account:a", at))
        versions.append(table.version)
    assert seen == versions[:2]
    assert len(set(map(id, versions))) == 3
