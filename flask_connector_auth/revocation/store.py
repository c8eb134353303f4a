"""The interface of a store of revocations that all workers share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .subjects import Change


class RevocationStoreError(Exception):
    """The store did not do what it was asked for. Its text never has a password or a token.

    .. versionadded:: 0.1
    """


@dataclass(frozen=True, slots=True)
class Update:
    """What a store says when it is asked for news.

    .. versionadded:: 0.1
    """

    position: Any  #: where to go on from; the store's own affair
    changes: Iterable[Change]  #: in order; may be read while it comes, and once only
    #: Whether it is everything that is revoked, in place of what was known before. It need not be
    #: of one moment: reading on from the position sets right what changed meanwhile.
    complete: bool = False
    #: Whether the store has lost changes that it had acknowledged. The changes are then all that
    #: is there, followed by what was restored since the position that was given. A worker that has
    #: a copy writes back what else it knows. A worker that never had one writes nothing, and does
    #: not judge: it reads again until another worker has written back.
    lost: bool = False


@runtime_checkable
class RevocationStore(Protocol):
    """Where revocations are kept for all workers; called from several threads, never in a request.

    Any exception counts as a failure; a :class:`RevocationStoreError` is told in its own words.

    .. versionadded:: 0.1
    """

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """Make *changes* for all workers; they last once this returns.

        A change never takes back what another has revoked: of two times the later one stays. That
        something is restored is a change too where nothing was revoked.

        :param absent: make only those changes for which there is no entry at all. Workers write
            back by it what the store has lost, and end with a call without changes.
        :raises Exception: if it cannot be known that they will last.
        """
        ...

    def read(self, position: Any, wait: float) -> Update:
        """Return what changed after *position*, at once if there is anything.

        :param position: of an earlier update; ``None``, or one that cannot be continued from, is
            answered with a complete update.
        :param wait: seconds to wait for a change, at most.
        """
        ...

    def now(self) -> float:
        """Return the time in seconds since the epoch, by the one clock that all workers share."""
        ...


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
class StoreState:
    """What the store says of itself at one moment."""

    position: Position
    #: Whether there are as many entries as there were after the last change, and none is missing
    #: from an earlier loss.
    intact: bool
    now: int  #: milliseconds since the epoch, by the clock of the store
    #: The version of the oldest change in the log, unless the id that was asked for is there.
    oldest: int | None
    log: Sequence[Logged]  #: what is in the log from the id on that was asked for, oldest first


def has_lost(state: StoreState, known: Position | None) -> bool:
    """Whether the store lost what it had acknowledged, as far as *known* can tell.

    It was emptied, evicted entries, was restored from an older copy, or a replica took over that
    had not received everything.
    """
    if not state.intact:
        return True
    if known is None or not known.run:
        return False
    return state.position.run != known.run or _differs(state, known)


def _differs(state: StoreState, known: Position) -> bool:
    """Whether the change that *known* ends with is not the one that this history has there."""
    if state.position.version <= known.version:
        return state.position != known
    if found := _found(state, known):
        return found != known
    # Not under its id: it was cut off, together with all that is older, or never there.
    return state.oldest is not None and state.oldest <= known.version


def news(state: StoreState, known: Position) -> Sequence[Logged]:
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


def _found(state: StoreState, known: Position) -> Position | None:
    """Return what the log has under the id of *known*."""
    first = state.log[0].position if state.log else None
    return first if first and first.last == known.last else None


def later(state: StoreState, known: Known) -> tuple[str, str]:
    """Return the first and the last id of what was surely changed after *known*, for XRANGE.

    In one history, ids only grow. Those of another history can only be compared as times: between
    when *known* was all there was, and now. Ids outside of that, as a clock that was ahead leaves
    them, prove nothing.
    """
    if state.position.run == known.position.run or same(state.position, known.position):
        return f"({known.position.last}", "+"
    return str(known.seen), str(state.now)
