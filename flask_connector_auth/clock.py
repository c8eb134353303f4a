"""Nothing in; seconds that never go back out."""

import time


def boottime() -> float:
    """Return seconds that never go back, those that the machine slept through included."""
    # Only Linux has a clock that goes on while the machine sleeps.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
