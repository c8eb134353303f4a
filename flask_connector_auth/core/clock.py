"""Nothing in; seconds since the epoch, or seconds that never go back, out."""

import time
from collections.abc import Callable
from functools import partial
from math import inf

#: The time in seconds since the epoch, for an app that is given no clock of its own. The test kit
#: puts another in its place.
wall: Callable[[], float] = time.time


class JumpResistantClock:
    """Returns the time of *clock*, but for jumps forward of it: then what it was, and went on.

    What is forgotten by a clock that is set wrong for a minute does not come back.

    :param clock: returns seconds since the epoch.
    :param elapsed: see :data:`boottime`.
    """

    def __init__(self, clock: Callable[[], float], elapsed: Callable[[], float]) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._offset = inf

    def __call__(self) -> float:
        """Return the time."""
        elapsed = self._elapsed()
        self._offset = min(self._offset, self._clock() - elapsed)
        return elapsed + self._offset


def steady_clock() -> Callable[[], float]:
    """Return the clock of this system that never goes back and counts sleep, in seconds."""
    if not hasattr(time, "clock_gettime"):
        # Windows, where this one goes on while the machine sleeps.
        return time.monotonic
    # Linux has a clock of its own for that. Elsewhere CLOCK_MONOTONIC is the best there is; on
    # macOS it counts sleep too, and time.monotonic() does not.
    name = "CLOCK_BOOTTIME" if hasattr(time, "CLOCK_BOOTTIME") else "CLOCK_MONOTONIC"
    return partial(time.clock_gettime, getattr(time, name))


#: Returns seconds that never go back, those that the machine slept through included.
boottime: Callable[[], float] = steady_clock()
