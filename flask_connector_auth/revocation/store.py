"""The interface of a store of revocations, reads of any store, and the store in memory."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from random import SystemRandom
from typing import Any, Protocol, runtime_checkable

from ..core import JumpResistantClock, register_fork_reset, steady_time
from .entries import Change
from .revocation_set import Piece, RevocationSet
from .subjects import Kind

logger: logging.Logger = logging.getLogger(__name__)

# Without a state: forked workers would share it, and the tests of an app may have set a seed.
_random = SystemRandom()
# Longest pause in seconds after the first, second, and each further failure in a row. So a store
# that is reachable again is found within a second.
_PAUSES = (0.1, 0.2, 0.5)
# Changes that a MemoryStore keeps one by one; a reader that is further behind reads all entries.
_LOG_LENGTH = 1000


class RevocationStoreError(Exception):
    """The store could not do what was requested. The text never has a password or a token.

    .. versionadded:: 0.1
    """

    def __init__(self, text: str = "", written: int = 0) -> None:
        super().__init__(text)
        #: How many subjects, the first ones of :meth:`Revocations.revoke_many`, the store has
        #: confirmed.
        self.written: int = written


@dataclass(frozen=True, slots=True)
class Update:
    """What a store returns for a read.

    .. versionadded:: 0.1
    """

    position: Any  #: where the next read goes on from; only the store interprets it
    #: In order. If a key comes twice, the later time counts, unless a restoration is between them.
    changes: Iterable[Change]
    #: Whether the changes are complete: they replace what was known before.
    complete: bool = False
    #: Whether more changes can be read at once. The copy is not up to date before that.
    more: bool = False
    #: Only for a store of the package. Whether the store has lost changes that it had acknowledged.
    #: The changes are then all that it still has. A worker that has a copy keeps its entries, and
    #: has them written back. A worker that never had a copy refuses to check tokens: it reads again
    #: until another worker has written back.
    lost: bool = False
    #: With *lost*: a restoration counts if it was made later than this.
    lost_since: float = -inf
    #: The time by the clock of the store; ``None``: :meth:`RevocationStore.now` returns it.
    now: float | None = None
    #: Only for a store of the package: parts of a complete update, before the changes.
    pieces: Sequence[Piece] | None = None


@runtime_checkable
class RevocationStore(Protocol):
    """A store of revocations for all workers; called from several threads, never in a request.

    Any exception counts as a failure. Only a :class:`RevocationStoreError` is reported with its
    text, since other texts may have a password.

    .. versionadded:: 0.1
    """

    def change(self, changes: Sequence[Change]) -> None:
        """Make *changes* for all workers; they last once this returns.

        A change never weakens another revocation: of two times, the later one stays. A restoration
        is a change even if nothing was revoked.

        :raises Exception: if it is not certain that the changes will last.
        """
        ...

    def read(self, position: Any) -> Update:
        """Return what changed after *position*, without waiting for a change.

        Each worker reads four times a second, and again at once while there is more.

        :param position: the position of an earlier update. For ``None``, or a position that the
            store cannot go on from, the update is complete. After a failure, a worker goes on from
            the last position that it has.
        """
        ...

    def now(self) -> float:
        """Return the time in seconds since the epoch, by one clock that all workers share."""
        ...


@runtime_checkable
class RecoverableStore(RevocationStore, Protocol):
    """A store that may lose data, and whose workers have copies to write back.

    .. versionadded:: 0.1
    """

    def write_back(
        self, entries: RevocationSet, missing: Sequence[Change] | None, position: Any
    ) -> Any:
        """Write back what the store has lost.

        :param entries: all that this worker knows, with what the store still has.
        :param missing: those of them that the store does not have; ``None``: too many.
        :param position: of the last update, which was read to its end.
        :returns: the position to read on from; ``None``: another worker is writing, so read again.
        """
        ...

    def compact(self, entries: RevocationSet, position: Any) -> Iterator[object]:
        """Remove from the store what is no part of *entries*, if that is worth it.

        :returns: an iterator that does a part of the work in each step.
        """
        ...

    def names(self, keys: Sequence[bytes]) -> list[str | None]:
        """Return the keys of entries with their names, each if the store has it."""
        ...


@dataclass(slots=True)
class StoreRead:
    """One read of the store, and its result.

    It refers to the store and to nothing else of an app, so an app can be collected while the store
    is waited for.
    """

    store: RevocationStore
    position: Any
    began: float  #: by the clock of the cache
    update: Update | None = None  #: what the store returned; ``None``: the read failed
    failure: str | None = None  #: why the read failed

    def run(self) -> None:
        """Read the store, and keep what it returned or why it failed."""
        try:
            update = self.store.read(self.position)
            if update.pieces is None:
                # Consumed here, so that a slow store keeps no app alive.
                update = replace(update, changes=[*update.changes])
                if update.complete:
                    entries = RevocationSet()
                    for change in update.changes:
                        entries.put(change)
                    update = replace(update, pieces=[*entries.pieces()])
            self.update = update
        except Exception as error:
            # The text alone: a traceback would keep alive all that the error passed through.
            self.failure = describe_error(error)


class StoreFailures:
    """The failures of a store in a row; each cause is logged once until the store answers."""

    def __init__(self) -> None:
        self.count: int = 0
        self.last_error: str | None = None  #: ``None``: the store has answered since
        self._logged: set[str] = set()

    def record(self, cause: str) -> None:
        """Count a failure."""
        self.count += 1
        self.last_error = cause
        if cause not in self._logged:
            logger.error("the revocation store cannot be used: %s", cause)
            self._logged.add(cause)

    def clear(self) -> None:
        """Note that the store has answered."""
        if self._logged:
            logger.info("the revocation store answers again")
        self._logged, self.count, self.last_error = set(), 0, None

    def pause(self) -> float:
        """Return how many seconds to pause after the last failure, at random for each worker."""
        return _PAUSES[min(self.count, len(_PAUSES)) - 1] * _random.uniform(0.5, 1)


def describe_error(error: Exception) -> str:
    """Return the text of a :exc:`RevocationStoreError`, or the name of the class of another error.

    The text of another error may quote a URL with a password.
    """
    return str(error) if isinstance(error, RevocationStoreError) else type(error).__name__


class MemoryStore:
    """Keeps revocations in this process; see :class:`RevocationStore`.

    :param retention: see :class:`RevocationSet`.
    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        retention: Mapping[Kind, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.revoked: RevocationSet = RevocationSet(retention)
        self.now = clock
        self._expiry_clock = JumpResistantClock(clock, steady_time)
        self._version = 0
        self._expiry_version = _LOG_LENGTH
        self._log: deque[Change] = deque(maxlen=_LOG_LENGTH)
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Use a new lock in a child process: the inherited one may stay locked."""
        self._lock = threading.Lock()

    def change(self, changes: Sequence[Change]) -> None:
        """See :class:`RevocationStore`."""
        with self._lock:
            for change in changes:
                self.revoked.put(change)
                self._log.append(change)
                self._version += 1
            # After as many changes as there are entries: so the cost of a change does not grow.
            if self._version >= self._expiry_version:
                self.revoked.remove_expired(self._expiry_clock())
                self._expiry_version = self._version + max(_LOG_LENGTH, len(self.revoked))

    def read(self, position: Any) -> Update:
        """See :class:`RevocationStore`."""
        with self._lock:
            first = None if position is None else len(self._log) - (self._version - position)
            if first is None or first < 0:
                return Update(self._version, [*self.revoked.changes()], complete=True)
            return Update(self._version, [*islice(self._log, first, None)])
