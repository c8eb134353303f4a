"""Changes in; the same changes out: the store of a single process, and the model of any other."""

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

# Changes that are remembered one by one; who is further behind reads everything.
_LOG_LENGTH = 1000


class MemoryStore:
    """Keeps revocations in this process; see :class:`RevocationStore`.

    :param lives: see :class:`RevocationSet`.
    :param clock: returns the time in seconds since the epoch.
    :param elapsed: see :func:`steady_time`.
    """

    def __init__(
        self,
        retention: Mapping[Kind, float],
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = steady_time,
    ) -> None:
        self.table: RevocationSet = RevocationSet(retention)
        self.now = clock
        self._sweep_by = JumpResistantClock(clock, elapsed)
        self._version = 0
        self._sweep_at = _LOG_LENGTH
        self._log: deque[Change] = deque(maxlen=_LOG_LENGTH)
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Go on in a child process, where a lock that a thread held at the fork stays locked."""
        self._news = threading.Condition()

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """See :class:`RevocationStore`."""
        with self._news:
            for change in changes:
                if not absent or self.table.value(change.key) is None:
                    self._make(self.table.merged(change))
            # Once for as many changes as there were entries: at no size does a change cost more.
            if self._version >= self._sweep_at:
                self.table.sweep(self._sweep_by())
                self._sweep_at = self._version + max(_LOG_LENGTH, len(self.table))
            self._news.notify_all()

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`."""
        with self._news:
            self._news.wait_for(lambda: position != self._version, wait)
            behind = self._version - position if position is not None else None
            if behind is None or behind > len(self._log):
                return Update(self._version, [*self.table.entries(self._sweep_by())], complete=True)
            return Update(self._version, [*islice(self._log, len(self._log) - behind, None)])

    def _make(self, change: Change) -> None:
        self.table.put(change)
        self._log.append(change)
        self._version += 1
