"""A limit on the log lines for each reason, so that no flood of bad tokens fills the log."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core import Reason, register_at_fork

# Held for a moment, and only where a request is refused. A fork waits for it, so that no child is
# born with a lock that nobody is left to release.
_lock = threading.Lock()
register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(slots=True)
class _Bucket:
    """What one reason may log."""

    lines: float  #: that may be logged at once
    at: float  #: when that was so
    held_back: int = 0  #: lines since the last one that was logged


class LogLimit:
    """A token bucket for each reason: they are a closed set, so memory is bounded.

    :param per_second: lines that each reason may log in the long run; 0 or ``None``: any number.
    :param burst: lines that it may log at once.
    :param clock: returns seconds that never go back.
    """

    def __init__(
        self, per_second: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets = {reason: _Bucket(burst, clock()) for reason in Reason}

    def take(self, reason: Reason) -> int | None:
        """Return how many lines about *reason* were held back before this one.

        ``None`` if this line has to be held back too.
        """
        if not self._per_second:
            return 0
        bucket = self._buckets[reason]
        with _lock:
            now = self._clock()
            gained = (now - bucket.at) * self._per_second
            bucket.lines, bucket.at = min(self._burst, bucket.lines + gained), now
            if bucket.lines < 1:
                bucket.held_back += 1
                return None
            bucket.lines -= 1
            held_back, bucket.held_back = bucket.held_back, 0
            return held_back
