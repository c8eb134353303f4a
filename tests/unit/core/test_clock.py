"""The clocks: ages include sleep, and a clock that jumps forward ends nothing early."""

import time

import pytest

from flask_connector_auth.core import (
    JumpResistantClock,
    clock,
    select_steady_clock,
    steady_time,
    wall_time,
)
from tests.support.floor_helpers import cases


@cases(
    "absent, name",
    {
        "Linux": ([], "CLOCK_BOOTTIME"),
        "macOS": (["CLOCK_BOOTTIME"], "CLOCK_MONOTONIC"),
        "Windows": (["CLOCK_BOOTTIME", "clock_gettime", "CLOCK_MONOTONIC"], None),
    },
)
def test_the_steady_clock_counts_sleep(
    absent: list[str], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After sleep, old keys are old, on any system."""
    clocks = {getattr(time, name): 5.0} if name else {}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    for attribute in absent:
        monkeypatch.delattr(time, attribute)
    assert select_steady_clock()() == (5.0 if name else 7.0)


def test_the_time_of_day_is_looked_up_in_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """What replaces ``time.time`` in a test moves apps too; what the test kit sets comes first."""
    assert abs(wall_time() - time.time()) < 60
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert wall_time() == 5.0
    monkeypatch.setattr(clock, "replacement", lambda: 7.0)
    assert wall_time() == 7.0


def test_the_clock_of_this_system_never_goes_back() -> None:
    """Ages are differences between two readings."""
    times = [steady_time() for _ in range(1000)]
    assert times == sorted(times)
    assert times[0] > 0


def test_a_jump_forward_is_ignored_and_one_back_is_followed() -> None:
    """Time goes forward only as fast as the steady clock; set back, it goes back at once."""
    now, elapsed = 1000.0, 5.0
    clock = JumpResistantClock(lambda: now, lambda: elapsed)
    readings = [clock()]
    for jump, passed in ((0, 10), (3600, 10), (-3600, 10), (-100, 10), (100, 10)):
        now, elapsed = now + jump + passed, elapsed + passed
        readings.append(clock())
    assert readings == [1000, 1010, 1020, 1030, 940, 950]
