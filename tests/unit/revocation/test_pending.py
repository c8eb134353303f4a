"""Revocations made in this process: how long each stays in force whatever the store reports."""

import pytest

from flask_connector_auth.revocation import Change, PendingRevocations
from tests.support.floor_helpers import cases

KEY = "account:a"
REVOKED, RESTORED = Change(KEY, 10), Change(KEY, None)
ACKNOWLEDGED_AT = 100.0


def pending(*, acknowledged_at: float | None = ACKNOWLEDGED_AT) -> PendingRevocations:
    """Return one pending revocation, whose write has ended."""
    revocations = PendingRevocations()
    revocations.add(REVOKED, None)
    revocations.record_write(REVOKED, acknowledged_at)
    return revocations


@cases(
    ("reported", "in_force"),
    {
        "an earlier time": (Change(KEY, 9), REVOKED),
        "the same time": (REVOKED, REVOKED),
        "a later time": (Change(KEY, 11), Change(KEY, 11)),
        "a restoration": (RESTORED, REVOKED),
        "another key": (Change("account:b", 1), None),
    },
)
@pytest.mark.parametrize("is_under_way", [True, False])
def test_a_report_of_the_store_never_weakens_a_pending_revocation(
    is_under_way: bool, reported: Change, in_force: Change | None
) -> None:
    """The report may be older than the write: of two times the later one stays."""
    revocations = PendingRevocations()
    revocations.add(REVOKED, None)
    if not is_under_way:
        revocations.record_write(REVOKED, ACKNOWLEDGED_AT)
    assert revocations.resolve(reported) == in_force


@pytest.mark.parametrize("reported", [RESTORED, Change(KEY, 9)])
def test_an_unconfirmed_revocation_ends_with_any_report_of_its_key(reported: Change) -> None:
    """The write failed, so no read will show that revocation."""
    revocations = pending(acknowledged_at=None)
    assert revocations.resolve(Change("account:b", 1)) is None
    # A complete copy without the key reports nothing of it.
    assert revocations.resolve(RESTORED, ACKNOWLEDGED_AT + 1) == REVOKED
    assert [*revocations]
    assert revocations.resolve(reported) == reported
    assert [*revocations] == []


@cases(
    ("reports", "released"),
    {
        "nothing": ([], []),
        "an earlier time": ([Change(KEY, 9)], []),
        "the revocation": ([REVOKED], [REVOKED]),
        "a later time": ([Change(KEY, 11)], [Change(KEY, 11)]),
        "a restoration": ([REVOKED, RESTORED], [RESTORED]),
        "restored and revoked earlier": ([RESTORED, Change(KEY, 9)], [Change(KEY, 9)]),
    },
)
def test_an_acknowledged_revocation_ends_once_a_later_read_has_shown_it(
    reports: list[Change], released: list[Change]
) -> None:
    """A read that began before the acknowledgement may be older; without a report it is lost."""
    revocations = pending()
    for report in reports:
        revocations.resolve(report)
    for began in (ACKNOWLEDGED_AT - 1, ACKNOWLEDGED_AT):
        assert revocations.release_reported(began) == revocations.due(began) == []
    assert revocations.due(ACKNOWLEDGED_AT + 1) == [REVOKED]
    assert revocations.release_reported(ACKNOWLEDGED_AT + 1) == released
    assert revocations.due(ACKNOWLEDGED_AT + 1) == ([] if released else [REVOKED])


@pytest.mark.parametrize(("later", "released"), [(0, []), (1, [RESTORED])])
@pytest.mark.parametrize("reported", [RESTORED, Change(KEY, 9)])
def test_a_complete_copy_decides_what_is_due(
    reported: Change, later: float, released: list[Change]
) -> None:
    """The copy has what the store has, except for a revocation acknowledged after it was read."""
    revocations = pending()
    assert revocations.resolve(reported, ACKNOWLEDGED_AT + later) == REVOKED
    after = revocations.release_reported(ACKNOWLEDGED_AT + 2)
    assert after == [reported for _ in released]
    assert len([*revocations]) == 1 - len(released)


def test_the_end_of_an_earlier_write_says_nothing_about_a_later_revocation() -> None:
    """Two threads revoke one key; each revocation has a write of its own."""
    revocations, later = PendingRevocations(), Change(KEY, 20)
    revocations.add(REVOKED, 5)
    revocations.add(later, 10)
    revocations.record_write(REVOKED, ACKNOWLEDGED_AT)
    assert revocations.due(ACKNOWLEDGED_AT + 1) == []
    # What the store has is what the first of them found there.
    assert [each.stored.value for each in revocations] == [5]


def test_a_fork_leaves_writes_unconfirmed_whose_threads_are_gone() -> None:
    """Acknowledged revocations stay acknowledged."""
    revocations, under_way = pending(), Change("account:b", 1)
    revocations.add(under_way, None)
    revocations.interrupt_writes()
    revocations.resolve(under_way._replace(value=None))
    assert [each.change for each in revocations] == [REVOKED]
    assert revocations.due(ACKNOWLEDGED_AT + 1) == [REVOKED]
