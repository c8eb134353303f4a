"""Clocks: the time of day, and seconds that never go back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf

#: The clock that :func:`wall_time` reads in place of the system's. The test kit sets it.
replacement: Callable[[], float] | None = None


def wall_time() -> float:
    """Return seconds since the epoch, for all that has no clock of its own.

    Both clocks are looked up in each call, so that whatever replaces ``time.time`` moves this one
    too, in an app that was made before as well.
    """
    return time.time() if replacement is None else replacement()


@dataclass(slots=True, eq=False)
class JumpResistantClock:
    """A clock that goes forward only as fast as *steady_time* does.

    If *clock* is set back, this clock follows. If *clock* is set forward, this clock does not: a
    record that is dropped too early is lost, even if the mistake lasts only for a minute.
    """

    clock: Callable[[], float]  #: returns seconds since the epoch
    steady_time: Callable[[], float]  #: see :data:`steady_time`
    _offset: float = field(default=inf, init=False)

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        now = self.steady_time()
        self._offset = min(self._offset, self.clock() - now)
        return now + self._offset


def select_steady_clock() -> Callable[[], float]:
    """Return the clock of this system that never goes back and counts sleep, in seconds."""
    if not hasattr(time, "clock_gettime"):
        # Windows, where time.monotonic() also counts sleep.
        return time.monotonic
    # On Linux only CLOCK_BOOTTIME counts sleep. Other systems do not have it. On macOS
    # CLOCK_MONOTONIC counts sleep, while time.monotonic() does not.
    name = "CLOCK_BOOTTIME" if hasattr(time, "CLOCK_BOOTTIME") else "CLOCK_MONOTONIC"
    return partial(time.clock_gettime, getattr(time, name))


#: Returns seconds that never go back and include the time during which the machine slept.
steady_time: Callable[[], float] = select_steady_clock()
