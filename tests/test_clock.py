"""The clock by which ages are told."""

import time

import pytest

from flask_connector_auth.clock import Cautious, boottime


@pytest.mark.parametrize(
    ("here", "asked"), [(True, "CLOCK_BOOTTIME"), (False, "CLOCK_MONOTONIC")], ids=["Linux", "else"]
)
def test_it_never_goes_back_and_goes_on_in_sleep_where_it_can(
    here: bool, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jwks.md, clock: a laptop that slept does not take old keys for young ones."""
    clocks = {getattr(time, asked): 5.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    if not here:
        monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert boottime() == 5.0


def test_what_is_forgotten_is_forgotten_by_time_that_has_passed() -> None:
    """A jump forward counts for nothing, one back at once; in between both clocks go on."""
    now, elapsed = 1000.0, 5.0
    clock = Cautious(lambda: now, lambda: elapsed)
    told = [clock()]
    for jump, passed in ((0, 10), (3600, 10), (-3600, 10), (-100, 10), (100, 10)):
        now, elapsed = now + jump + passed, elapsed + passed
        told.append(clock())
    assert told == [1000, 1010, 1020, 1030, 940, 950]
