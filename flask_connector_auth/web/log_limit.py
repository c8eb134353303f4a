"""A limit for log lines: a flood of bad tokens must not become a flood of log."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core import Reason, register_at_fork

# Held for a moment, and only if a request is refused. A fork waits for it: otherwise a child could
# inherit a lock whose holder, another thread, does not exist there.
_lock = threading.Lock()
register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(slots=True)
class _Bucket:
    """The token bucket of one reason."""

    lines: float  #: that may be logged at once
    updated_at: float  #: the time of *lines*
    held_back: int = 0  #: lines since the last one that was logged


class LogLimit:
    """A token bucket for each reason: reasons are a closed set, so memory is bounded.

    :param per_second: lines that each reason may log in the long run; 0 or ``None``: any number.
    :param burst: lines that each reason may log at once.
    :param clock: returns seconds; never goes back.
    """

    def __init__(
        self, per_second: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets = {reason: _Bucket(burst, clock()) for reason in Reason}

    def take(self, reason: Reason) -> int | None:
        """Take one line about *reason* out of its bucket.

        :returns: the number of lines held back since the last one that was logged, or ``None`` if
            this line is held back too.
        """
        if not self._per_second:
            return 0
        bucket = self._buckets[reason]
        with _lock:
            now = self._clock()
            gained = (now - bucket.updated_at) * self._per_second
            bucket.lines, bucket.updated_at = min(self._burst, bucket.lines + gained), now
            if bucket.lines < 1:
                bucket.held_back += 1
                return None
            bucket.lines -= 1
            held_back, bucket.held_back = bucket.held_back, 0
            return held_back
