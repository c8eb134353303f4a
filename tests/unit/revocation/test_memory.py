"""The store of one process: waiting, reading all entries, removing expired ones."""

from math import inf

import pytest

from flask_connector_auth import Change
from flask_connector_auth.core import reset_all_after_fork
from flask_connector_auth.revocation import SLACK, Kind, MemoryStore
from tests.support.floor_helpers import NOW

RETENTION = {Kind.INSTALL: 100.0, Kind.ACCOUNT: inf, Kind.LP_CONSUMER: inf}
A, B = (Change(f"account:{name}", 1.0) for name in "ab")
OVER = NOW - SLACK - 1


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore(RETENTION, lambda: NOW)


@pytest.mark.parametrize(("number", "complete"), [(1000, False), (1001, True)])
def test_a_reader_that_is_far_behind_gets_all_entries(
    number: int, complete: bool, store: MemoryStore
) -> None:
    """``Update.complete``: a thousand changes are kept one by one, so that memory is bounded. A
    reader that is further behind gets the remaining entries, without the restorations."""
    position = store.read(None).position
    store.change([A, B, Change(A.key, None), *[B] * (number - 3)])
    update = store.read(position)
    assert update.complete is complete
    assert len([*update.changes]) == (1 if complete else number)
    assert store.read(None).complete


def test_expired_entries_are_removed(store: MemoryStore) -> None:
    """At each thousandth change, so that the cost of a change does not grow."""
    left = []
    for number in range(2000):
        store.change([Change(number.to_bytes(32, "little"), OVER, OVER)])
        left.append(len(store.revoked))
    assert left == [*range(1, 1000), 0, *range(1, 1000), 0]


def test_many_entries_are_searched_less_often(store: MemoryStore) -> None:
    """Entries are removed again after as many changes as there are entries."""
    store.change([Change(f"account:{number}", 1.0) for number in range(3000)])
    store.change([Change(bytes(32), OVER, OVER)] * 2999)
    assert len(store.revoked) == 3001
    store.change([Change(bytes(32), OVER, OVER)])
    assert len(store.revoked) == 3000


def test_a_child_has_a_lock_of_its_own(store: MemoryStore) -> None:
    """A lock that a thread of the parent held at the fork stays locked, so the child does not use
    it."""
    parents = store._lock
    reset_all_after_fork()
    assert store._lock is not parents
    store.change([A])
    assert [*store.read(None).changes] == [A]
