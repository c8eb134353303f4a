"""The interface of a store of revocations that all workers share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .entries import Change


class RevocationStoreError(Exception):
    """The store did not do what it was asked for. Its text never has a password or a token."""


@dataclass(frozen=True, slots=True)
class Update:
    """What a store says when it is asked for news."""

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
