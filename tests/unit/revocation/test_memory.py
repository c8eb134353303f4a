"""The store of one process: waiting, reading all entries, removing expired ones."""

import threading
from math import inf

import pytest

from flask_connector_auth import Change, Update
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


def reading(store: MemoryStore, position: object) -> tuple[threading.Thread, list[Update]]:
    """Let a thread read with a long wait; return the thread and the updates that it read."""
    read: list[Update] = []
    thread = threading.Thread(target=lambda: read.append(store.read(position, 600)), daemon=True)
    thread.start()
    return thread, read


@pytest.mark.parametrize("first", [True, False], ids=["before it reads", "while it waits"])
def test_a_change_ends_the_wait_for_it(first: bool, store: MemoryStore) -> None:
    """``RevocationStore.read`` returns as soon as there is a change."""
    position = store.read(None, 0).position
    if first:
        store.change([A])
    thread, read = reading(store, position)
    if not first:
        store.change([A])
    thread.join(10)
    assert [[*update.changes] for update in read] == [[A]]


@pytest.mark.parametrize(("number", "complete"), [(1000, False), (1001, True)])
def test_a_reader_that_is_far_behind_gets_all_entries(
    number: int, complete: bool, store: MemoryStore
) -> None:
    """``Update.complete``: a thousand changes are kept one by one, so that memory is bounded. A
    reader that is further behind gets the remaining entries, without the restorations."""
    position = store.read(None, 0).position
    store.change([A, B, Change(A.key, None), *[B] * (number - 3)])
    update = store.read(position, 0)
    assert update.complete is complete
    assert len([*update.changes]) == (1 if complete else number)
    assert store.read(None, 0).complete


def test_expired_entries_are_removed(store: MemoryStore) -> None:
    """At each thousandth change, so that the cost of a change does not grow."""
    left = []
    for number in range(2000):
        store.change([Change(number.to_bytes(32), OVER, OVER)])
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
    parents = store._changed
    reset_all_after_fork()
    assert store._changed is not parents
    store.change([A])
    assert [*store.read(None, 0).changes] == [A._replace(until=inf)]
