"""What a worker concludes from its position and the state of the store: has the store lost data?"""

from math import inf

import pytest

from flask_connector_auth.revocation import Change
from flask_connector_auth.revocation.redis_history import (
    NO_HISTORY,
    HistoryState,
    LoggedChange,
    Position,
    ReadPosition,
)
from tests.support.floor_helpers import cases

FUTURE = 4_000_000_000_000


def at(version: int, *, run: str = "r", id: str = "", mark: str = "") -> Position:
    """Return the position of a change; by default, its id and its mark repeat its version."""
    return Position(run, version, id or f"{version}-0", mark or f"m{version}")


def state(
    *log: Position, last: Position | None = None, intact: bool = True, oldest: int | None = 1
) -> HistoryState:
    """Return a store with *log* from the known id on, which ends with the last change or *last*."""
    change = Change("account:a", 1.0, inf)
    ends = last or log[-1]
    return HistoryState(ends, intact, FUTURE, oldest, [LoggedChange(each, change) for each in log])


KNOWN = at(5)
OTHER = {number: at(number, mark=f"other{number}") for number in range(1, 10)}


@cases(
    ("there", "lost"),
    {
        "as it was": (state(KNOWN), False),
        "as it was, without its log": (state(last=KNOWN, oldest=None), False),
        "further": (state(KNOWN, at(6), at(7)), False),
        "further, with its log cut off": (state(at(8), at(9), oldest=8), False),
        "further, with its log cut off at the known change": (state(at(6), oldest=6), False),
        "further, without its log": (state(last=at(9), oldest=None), False),
        "empty": (state(last=NO_HISTORY, oldest=None), True),
        "with entries evicted": (state(KNOWN, at(6), intact=False), True),
        "with other data": (state(at(5, run="s"), at(6, run="s")), True),
        "an older copy": (state(last=at(4)), True),
        "another last change": (state(OTHER[5]), True),
        "another last change under another id": (
            state(last=at(5, id="4-9", mark="other5")),
            True,
        ),
        "another last change, without its log": (state(last=OTHER[5], oldest=None), True),
        # A clock that was ahead: only the second part of the ids grows.
        "other changes, one under the known id": (state(OTHER[5], at(6)), True),
        "the known id belongs to an earlier change": (
            state(at(4, id="5-0"), at(5, id="5-1"), at(6)),
            True,
        ),
        # A clock that is a little behind: the first change after the known id is a later one.
        "other changes, none of them under the known id": (state(at(7), at(8)), True),
        "other changes, all of them under earlier ids": (
            state(last=at(7, id="4-9"), oldest=5),
            True,
        ),
        "other changes, with the log cut off before the known version": (
            state(at(7), at(8), oldest=5),
            True,
        ),
    },
)
def test_the_losses_of_a_store(there: HistoryState, lost: bool) -> None:
    """Decision 0012: it was emptied, evicted entries, was restored, or a replica took over
    too early."""
    assert there.has_lost_data(KNOWN) is lost


@cases(
    ("there", "lost"),
    {
        "something": (state(at(5)), False),
        "nothing yet": (state(last=NO_HISTORY, oldest=None), False),
        "less than there was": (state(at(5), intact=False), True),
        "something that belongs to no history": (
            state(last=NO_HISTORY, intact=False, oldest=None),
            True,
        ),
    },
)
def test_the_losses_that_a_worker_without_a_copy_can_see(there: HistoryState, lost: bool) -> None:
    """Only that entries are missing; an empty store may be a new one."""
    assert there.has_lost_data(None) is lost


@pytest.mark.parametrize("last", [NO_HISTORY, Position("r", 0, "0-0", ""), at(1)])
def test_a_store_that_was_empty_has_lost_nothing(last: Position) -> None:
    """Any history may begin there."""
    assert not state(last=last).has_lost_data(NO_HISTORY)


BEGUN = Position("r", 0, "0-0", "")


@cases(
    ("there", "known", "versions"),
    {
        "all that is new": (state(KNOWN, at(6), at(7)), KNOWN, [6, 7]),
        "a part of it": (state(KNOWN, at(6), last=at(9)), KNOWN, [6]),
        "nothing new": (state(KNOWN), KNOWN, []),
        "from the beginning of a history": (state(at(1), at(2)), BEGUN, [1, 2]),
        "from before any history": (state(at(1), at(2)), NO_HISTORY, [1, 2]),
        "in a history that has begun with a loss": (
            state(at(5, run="s"), at(6, run="s")),
            KNOWN,
            [6],
        ),
        "after a loss": (state(KNOWN, at(6), intact=False), KNOWN, [6]),
        "a gap at the beginning of a history": (state(at(2), oldest=2), BEGUN, []),
        "a gap at the beginning": (state(KNOWN, at(7), at(8)), KNOWN, []),
        "a gap": (state(KNOWN, at(6), at(8)), KNOWN, []),
        "the known change cut off": (state(at(6), at(7), oldest=6), KNOWN, []),
        "all cut off": (state(last=at(9), oldest=None), KNOWN, []),
        "after another change": (state(OTHER[5], at(6)), KNOWN, []),
        "after an earlier change": (state(at(4, id="5-0", mark="m5"), at(6)), KNOWN, []),
    },
)
def test_the_changes_after_the_known_change(
    there: HistoryState, known: Position, versions: list[int]
) -> None:
    """If a part of the log is missing, or belongs to another history, none of it is used."""
    assert [logged.position.version for logged in there.changes_after(known)] == versions


@cases(
    ("there", "between"),
    {
        "the same history": (state(at(4)), ("(5-0", "+")),
        "the same changes, before a loss": (state(at(5, run="s")), ("(5-0", "+")),
        "another one": (state(at(9, run="s")), ("1234", f"{FUTURE}")),
    },
)
def test_the_part_of_the_log_that_is_surely_later(
    there: HistoryState, between: tuple[str, str]
) -> None:
    """In one history ids grow; in another they are times, and times in the future prove nothing."""
    assert there.log_range_after(ReadPosition(KNOWN, 1234)) == between
