"""Compares what a worker knows with what the store has: what did either of them miss?

Neither an id in the log nor a version is unique to one history. A replica that takes over goes on
counting from what it had received, and while the clock is behind the last id, Redis only counts the
second part of the id on. So each change has a random mark, which no other history repeats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .entries import Change


class Position(NamedTuple):
    """The last change of a history, or of the part of it that is known."""

    run: str  #: the random name of the history; empty: there is none yet
    version: int  #: of the change, counted from 1
    last: str  #: its id in the log: milliseconds and a number
    mark: str  #: its random value


#: Where there is no history.
NOTHING = Position("", 0, "0-0", "")


class Known(NamedTuple):
    """Up to where a worker knows all changes."""

    position: Position
    #: When that was all there was: milliseconds since the epoch, by the clock of the store.
    seen: int


class Logged(NamedTuple):
    """One entry of the log."""

    position: Position
    change: Change


@dataclass(frozen=True, slots=True)
class State:
    """What the store says of itself at one moment."""

    position: Position
    #: Whether there are as many entries as there were after the last change, and none is missing
    #: from an earlier loss.
    intact: bool
    now: int  #: milliseconds since the epoch, by the clock of the store
    #: The version of the oldest change in the log, unless the id that was asked for is there.
    oldest: int | None
    log: Sequence[Logged]  #: what is in the log from the id on that was asked for, oldest first


def has_lost(state: State, known: Position | None) -> bool:
    """Whether the store lost what it had acknowledged, as far as *known* can tell.

    It was emptied, evicted entries, was restored from an older copy, or a replica took over that
    had not received everything.
    """
    if not state.intact:
        return True
    if known is None or not known.run:
        return False
    return state.position.run != known.run or _differs(state, known)


def _differs(state: State, known: Position) -> bool:
    """Whether the change that *known* ends with is not the one that this history has there."""
    if state.position.version <= known.version:
        return state.position != known
    if found := _found(state, known):
        return found != known
    # Not under its id: it was cut off, together with all that is older, or never there.
    return state.oldest is not None and state.oldest <= known.version


def news(state: State, known: Position) -> Sequence[Logged]:
    """Return the changes after *known*, where the log goes on from it without a gap; else none.

    Whatever the run: a change with the same mark is the same change, and so is all before it.
    """
    found = _found(state, known)
    if known.version and not (found and same(found, known)):
        return ()
    log = state.log[1:] if found else state.log
    versions = [one.position.version for one in log]
    return log if versions == [*range(known.version + 1, known.version + 1 + len(log))] else ()


def same(one: Position, other: Position) -> bool:
    """Whether both are the same change, and so is all before it."""
    return one[1:] == other[1:]


def _found(state: State, known: Position) -> Position | None:
    """Return what the log has under the id of *known*."""
    first = state.log[0].position if state.log else None
    return first if first and first.last == known.last else None


def later(state: State, known: Known) -> tuple[str, str]:
    """Return the first and the last id of what was surely changed after *known*, for XRANGE.

    In one history, ids only grow. Those of another history can only be compared as times: between
    when *known* was all there was, and now. Ids outside of that, as a clock that was ahead leaves
    them, prove nothing.
    """
    if state.position.run == known.position.run or same(state.position, known.position):
        return f"({known.position.last}", "+"
    return str(known.seen), str(state.now)
