"""The interface of a store of revocations, reads of any store, and the store in memory."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import SystemRandom
from typing import Any, Protocol, runtime_checkable

from ..core import JumpResistantClock, register_fork_reset, steady_time
from .entries import Change, RevocationSet
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
        #: How many subjects of :meth:`Revocations.revoke_many`, the first ones, the store has
        #: confirmed before.
        self.written: int = written


@dataclass(frozen=True, slots=True)
class Update:
    """What a store returns for a read.

    .. versionadded:: 0.1
    """

    position: Any  #: where the next read goes on from; only the store interprets it
    changes: Iterable[Change]  #: in order; iterated over once only, perhaps while they arrive
    #: Whether the changes are everything that is revoked, and replace what was known before. What
    #: changes while they are read is in the next update.
    complete: bool = False
    #: Whether the store has lost changes that it had acknowledged. The changes are then all that
    #: it still has, followed by what was restored since the position of the read. A worker that has
    #: a copy writes back the entries that are missing. A worker that never had a copy writes
    #: nothing and refuses to check tokens: it reads again until another worker has written back.
    lost: bool = False


@runtime_checkable
class RevocationStore(Protocol):
    """A store of revocations for all workers; called from several threads, never in a request.

    Any exception counts as a failure; only a :class:`RevocationStoreError` is reported with its
    text, since another text may have a password.

    .. versionadded:: 0.1
    """

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """Make *changes* for all workers; they last once this returns.

        A change never takes back what another has revoked: of two times the later one stays. A
        restoration is a change even where nothing was revoked.

        :param absent: make only those changes for which there is no entry at all. Workers use it
            to write back what the store has lost, and end with a call without changes.
        :raises Exception: if it is not certain that the changes will last.
        """
        ...

    def read(self, position: Any, wait: float) -> Update:
        """Return what changed after *position*, at once if anything did.

        :param position: of an earlier update; ``None``, or a position that the store cannot go on
            from, returns a complete update.
        :param wait: seconds to wait for a change, at most.
        """
        ...

    def now(self) -> float:
        """Return the time in seconds since the epoch, by the one clock that all workers share."""
        ...


@dataclass(slots=True)
class StoreRead:
    """One read of the store, and its result.

    It refers to the store and to nothing else of an app, so an app can be collected while the store
    is waited for.
    """

    store: RevocationStore
    position: Any
    wait: float  #: seconds that the store may wait for a change
    retention: Mapping[Kind, float]
    began: float  #: by the clock of the cache
    update: Update | None = None  #: what the store returned; ``None``: the read failed
    entries: RevocationSet | None = None  #: the entries of a complete update
    failure: str | None = None  #: why the read failed

    def run(self) -> None:
        """Read the store, and keep what it returned or why it failed."""
        try:
            update = self.store.read(self.position, self.wait)
            if update.complete and not update.lost:
                # Consumed here, so that a large copy or a slow store keeps no app alive.
                self.entries = RevocationSet(self.retention)
                for change in update.changes:
                    self.entries.put(change)
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
        self._changed = threading.Condition()

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """See :class:`RevocationStore`."""
        with self._changed:
            for change in changes:
                if not absent or change.key not in self.revoked.entries:
                    kept = self.revoked.keep_later_time(change)
                    self.revoked.put(kept)
                    self._log.append(kept)
                    self._version += 1
            # After as many changes as there are entries: so the cost of a change does not grow.
            if self._version >= self._expiry_version:
                self.revoked.remove_expired(self._expiry_clock())
                self._expiry_version = self._version + max(_LOG_LENGTH, len(self.revoked))
            self._changed.notify_all()

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`."""
        with self._changed:
            self._changed.wait_for(lambda: position != self._version, wait)
            first = None if position is None else len(self._log) - (self._version - position)
            if first is None or first < 0:
                entries = [*self.revoked.entries_needed_at(self._expiry_clock())]
                return Update(self._version, entries, complete=True)
            return Update(self._version, [*islice(self._log, first, None)])
