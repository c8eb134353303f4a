"""What a worker can tell from two positions: whether a store lost something, or goes on."""

from math import inf

import pytest

from flask_connector_auth.revocation.entries import Change
from flask_connector_auth.revocation.history import Logged, Position, State, follows, has_lost
from tests.floor_helpers import cases

KNOWN = Position("r", 5, "5-0")


def state(*versions: int, last: int = 9, run: str = "r", intact: bool = True) -> State:
    """Return a store whose last change is *last*, with these *versions* in its log."""
    change = Change("account:a", 1.0, inf)
    log = [Logged(Position(run, version, f"{version}-0"), change) for version in versions]
    return State(Position(run, last, f"{last}-0"), intact, log)


@cases(
    ("there", "lost"),
    {
        "as it was": (state(last=5), False),
        "further": (state(6, 7, 8, 9), False),
        "further, with its log cut off": (state(8, 9), False),
        "empty": (state(last=0, run=""), True),
        "with entries evicted": (state(6, 7, 8, 9, intact=False), True),
        "with other data": (state(6, 7, 8, 9, run="s"), True),
        "an older copy": (state(last=4), True),
        "with a change that was known under another id": (state(5, 6, 7, 8, 9), True),
        "with the last change another one": (State(Position("r", 5, "5-1"), True, []), True),
    },
)
def test_what_a_store_lost(there: State, lost: bool) -> None:
    """Decision 12, revocation: it was emptied, evicted, restored, or taken over too early."""
    assert has_lost(there, KNOWN) is lost


@pytest.mark.parametrize(
    ("there", "lost"),
    [(state(), False), (state(last=0, run=""), True), (state(intact=False), True)],
)
def test_what_who_knows_nothing_can_tell(there: State, lost: bool) -> None:
    """A first worker: only that there is nothing, or less than there was."""
    assert has_lost(there, None) is lost


@cases(
    ("there", "goes_on"),
    {
        "all that is new": (state(6, 7, 8, 9), True),
        "a part of it": (state(6, 7), True),
        "nothing new": (state(last=5), True),
        "a gap at the beginning": (state(7, 8, 9), False),
        "a gap": (state(6, 8, 9), False),
        "all cut off": (state(), False),
    },
)
def test_a_gap_in_the_versions_is_no_history(there: State, goes_on: bool) -> None:
    """Whatever is missing from a log, what comes after it is not enough."""
    assert follows(there, KNOWN) is goes_on
