"""The store of a single process, and the reference for any other store."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from ...core import JumpResistantClock, register_fork_reset, steady_time
from ..revocation_set import RevocationSet
from ..store import Update
from ..subjects import Change, Kind

# Changes that are kept one by one; a reader that is further behind reads all entries.
_LOG_LENGTH = 1000


class MemoryStore:
    """Keeps revocations in this process; see :class:`RevocationStore`.

    :param retention: see :class:`RevocationSet`.
    :param clock: returns the time in seconds since the epoch.
    :param elapsed: see :func:`steady_time`.
    """

    def __init__(
        self,
        retention: Mapping[Kind, float],
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = steady_time,
    ) -> None:
        self.revoked: RevocationSet = RevocationSet(retention)
        self.now = clock
        self._expiry_clock = JumpResistantClock(clock, elapsed)
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
                if not absent or self.revoked.value_of(change.key) is None:
                    self._apply(self.revoked.keep_later_time(change))
            # Once for as many changes as there were entries: the cost of a change does not grow.
            if self._version >= self._expiry_version:
                self.revoked.remove_expired(self._expiry_clock())
                self._expiry_version = self._version + max(_LOG_LENGTH, len(self.revoked))
            self._changed.notify_all()

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`."""
        with self._changed:
            self._changed.wait_for(lambda: position != self._version, wait)
            behind = self._version - position if position is not None else None
            if behind is None or behind > len(self._log):
                return Update(
                    self._version,
                    [*self.revoked.entries_needed_at(self._expiry_clock())],
                    complete=True,
                )
            return Update(self._version, [*islice(self._log, len(self._log) - behind, None)])

    def _apply(self, change: Change) -> None:
        self.revoked.put(change)
        self._log.append(change)
        self._version += 1
