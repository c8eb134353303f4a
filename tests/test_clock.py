"""The clock by which ages are told."""

import time

import pytest

from flask_connector_auth.clock import boottime


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
