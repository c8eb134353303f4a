"""Nothing in; seconds since the epoch, or seconds that never go back, out."""

import time
from collections.abc import Callable

#: The time in seconds since the epoch, for an app that is given no clock of its own. The test kit
#: puts another in its place.
wall: Callable[[], float] = time.time


def boottime() -> float:
    """Return seconds that never go back, those that the machine slept through included."""
    # Only Linux has a clock that goes on while the machine sleeps.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
