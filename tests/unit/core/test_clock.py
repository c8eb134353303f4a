"""The clock by which ages are told."""

import time

import pytest

from flask_connector_auth.core import JumpResistantClock, select_steady_clock, steady_time
from tests.support.floor_helpers import cases


@cases(
    "absent, asked",
    {
        "Linux": ([], "CLOCK_BOOTTIME"),
        "macOS": (["CLOCK_BOOTTIME"], "CLOCK_MONOTONIC"),
        "Windows": (["CLOCK_BOOTTIME", "clock_gettime", "CLOCK_MONOTONIC"], None),
    },
)
def test_ages_are_told_by_the_clock_that_counts_sleep(
    absent: list[str], asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept does not take old keys for young ones, on any system."""
    clocks = {getattr(time, asked): 5.0} if asked else {}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    for name in absent:
        monkeypatch.delattr(time, name)
    assert select_steady_clock()() == (5.0 if asked else 7.0)


def test_the_clock_of_this_system_never_goes_back() -> None:
    """It is read for each request, and ages are differences of it."""
    times = [steady_time() for _ in range(1000)]
    assert times == sorted(times)
    assert times[0] > 0


def test_what_is_forgotten_is_forgotten_by_time_that_has_passed() -> None:
    """A jump forward counts for nothing, one back at once; in between both clocks go on."""
    now, elapsed = 1000.0, 5.0
    clock = JumpResistantClock(lambda: now, lambda: elapsed)
    told = [clock()]
    for jump, passed in ((0, 10), (3600, 10), (-3600, 10), (-100, 10), (100, 10)):
        now, elapsed = now + jump + passed, elapsed + passed
        told.append(clock())
    assert told == [1000, 1010, 1020, 1030, 940, 950]
