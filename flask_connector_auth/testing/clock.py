"""The time of the machine in; the time as a test has set it out."""

import time


class Clock:
    """A clock that can be set: call it for the time in seconds since the epoch."""

    def __init__(self) -> None:
        #: Seconds by which it is ahead of the machine's.
        self.ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead
