"""Lines a second for each reason; what is held back is counted, and nothing else is kept."""

import os
import signal
import threading
import time
from typing import Any

import pytest

from flask_connector_auth.core import Reason
from flask_connector_auth.web import LogLimit
from tests.support.floor_helpers import cases


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


def taken(limit: LogLimit, times: int, reason: Reason = Reason.EXPIRED) -> list[int | None]:
    """Return the results of taking lines of one *reason*."""
    return [limit.take(reason) for _ in range(times)]


def test_a_burst_then_a_line_a_second_and_the_next_one_tells_what_was_held_back() -> None:
    """docs/operations.rst: ten at once, then one a second; lines held back are counted."""
    clock = Clock()
    limit = LogLimit(1, 10, clock)
    assert taken(limit, 13) == [0] * 10 + [None] * 3
    clock.now += 1
    assert taken(limit, 3) == [3, None, None]
    clock.now += 0.5
    assert taken(limit, 1) == [None]
    clock.now += 0.5
    assert taken(limit, 1) == [3]


@cases("passed", {"a moment": 10.0, "a day": 86400.0})
def test_a_pause_gives_one_burst_and_no_more(passed: float) -> None:
    """Lines that were not used do not add up, however long nothing was refused."""
    clock = Clock()
    limit = LogLimit(1, 10, clock)
    taken(limit, 10)
    clock.now += passed
    assert taken(limit, 12) == [0] * 10 + [None] * 2


def test_each_reason_has_lines_of_its_own() -> None:
    """A flood of one kind does not hide the others."""
    limit = LogLimit(1, 2, Clock())
    assert taken(limit, 3) == [0, 0, None]
    for reason in set(Reason) - {Reason.EXPIRED}:
        assert taken(limit, 3, reason) == [0, 0, None]


@cases("per_second", {"0": 0, "None": None})
def test_a_limit_of_nothing_is_no_limit(per_second: Any) -> None:
    """CONNECTOR_AUTH_LOG_LIMIT: 0 or None lets every line pass."""
    assert taken(LogLimit(per_second, 1, Clock()), 1000) == [0] * 1000


@cases("per_second, wait", {"two a second": (2, 0.5), "one in ten seconds": (0.1, 10.5)})
def test_the_rate_is_any_number(per_second: float, wait: float) -> None:
    """CONNECTOR_AUTH_LOG_LIMIT: a fraction is a line in so many seconds."""
    clock = Clock()
    limit = LogLimit(per_second, 1, clock)
    for _ in range(3):
        limit.take(Reason.EXPIRED)
        assert taken(limit, 1) == [None]
        clock.now += wait
    assert taken(limit, 1) == [1]


class BusyClock(Clock):
    """A time at which another thread runs; it counts how many threads read it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asking = 0
        self.most = 0

    def __call__(self) -> float:
        """Return the time once others had their turn."""
        self.asking += 1
        self.most = max(self.most, self.asking)
        time.sleep(0)
        self.asking -= 1
        return self.now


def test_threads_share_the_lines() -> None:
    """However many threads refuse requests at once, no line passes twice and none is lost."""
    clock = BusyClock()
    limit = LogLimit(1, 10, clock)
    told: list[int | None] = []
    start = threading.Barrier(8)

    def refuse() -> None:
        start.wait()
        told.extend(taken(limit, 500))

    threads = [threading.Thread(target=refuse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.most == 1
    assert sorted(told, key=str) == [0] * 10 + [None] * 3990


class ForkingClock(Clock):
    """A time that is looked up while another thread forks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.forking = threading.Event()

    def __call__(self) -> float:
        """Let the other thread go ahead, and give it time to fork if it does not wait."""
        self.asked.set()
        self.forking.wait(5)
        return self.now


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_leaves_no_lock_behind() -> None:
    """A child process that was forked while a line was counted can count its own lines."""
    clock = ForkingClock()
    clock.forking.set()
    limit = LogLimit(1, 10, clock)
    clock.asked.clear()
    clock.forking.clear()
    refusing = threading.Thread(target=limit.take, args=(Reason.EXPIRED,))
    refusing.start()
    assert clock.asked.wait(5)
    # The lock is held now; the fork has to wait until it is not.
    releasing = threading.Timer(0.05, clock.forking.set)
    releasing.start()
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # ends the child, should it wait for ever
        os._exit(0 if limit.take(Reason.EXPIRED) == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    for thread in (refusing, releasing):
        thread.join()
