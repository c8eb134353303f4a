"""Where a worker is and where the store is in; what the worker missed, and the store, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .entries import Change


class Position(NamedTuple):
    """Up to where changes are known."""

    run: str  #: of which data; empty: there are none yet
    version: int  #: of the last change
    last: str  #: its id in the log: milliseconds and a number


class Logged(NamedTuple):
    """One entry of the log."""

    position: Position
    change: Change


@dataclass(frozen=True, slots=True)
class State:
    """What the store says of itself at one moment."""

    position: Position
    intact: bool  #: whether there are as many entries as there were after the last change
    log: Sequence[Logged]  #: what is in the log after the id that was asked for, oldest first


def has_lost(state: State, known: Position | None) -> bool:
    """Whether the store lost what it had acknowledged, as far as *known* can tell.

    It was emptied, evicted entries, was restored from an older copy, or a replica took over that
    had not received everything.
    """
    there = state.position
    if not there.run or not state.intact:
        return True
    return (
        known is not None
        and (
            there.run != known.run
            or there.version < known.version
            # As many changes, but others: ids are times, so two histories differ in them.
            or (there.version == known.version and there.last != known.last)
            or any(one.position.version <= known.version for one in state.log[:1])
        )
    )


def follows(state: State, known: Position) -> bool:
    """Whether the log goes on from *known* without a gap: nothing was cut off that is not known."""
    versions = [one.position.version for one in state.log]
    if not versions:
        return state.position == known
    return versions == [*range(known.version + 1, known.version + 1 + len(versions))]
