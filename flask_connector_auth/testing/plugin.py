"""Pytest fixtures: an issuer, a client for your fixture ``app``, a key set server, time travel.

One line in ``conftest.py`` enables them::

    pytest_plugins = ["flask_connector_auth.testing.plugin"]
"""

from collections.abc import Callable, Generator, Iterator

import pytest
from flask import Flask

from ..core import Reason, clock as clocks, close_all, token_rejected
from ..web import ConnectorAuthError
from .client import ConnectorClient
from .issuer import Clock, Issuer
from .key_server import KeySetServer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Close all apps after each test, before and after its fixtures are torn down.

    Like ``ConnectorAuth.close`` for one app: an app that is used again opens its connections anew.
    """
    # Before the servers of fixtures end, so that their end is not reported as an outage.
    close_all()
    try:
        return (yield)
    finally:
        close_all()


@pytest.fixture(scope="session")
def connector_clock() -> Iterator[Clock]:
    """The clock of the issuer, and of each app created from now on without its own clock."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clocks, "wall_time", clock)
        yield clock


@pytest.fixture(scope="session")
def issuer(connector_clock: Clock) -> Issuer:
    """An issuer with a new key. Override this fixture for another name or account."""
    return Issuer(clock=connector_clock)


@pytest.fixture
def key_set_server(issuer: Issuer) -> Iterator[KeySetServer]:
    """A server on loopback that publishes the issuer's key set."""
    with KeySetServer(issuer) as server:
        yield server


@pytest.fixture
def connector_client(app: Flask, issuer: Issuer) -> ConnectorClient:
    """A client for your fixture *app*, which sends tokens of the issuer."""
    return ConnectorClient(app, issuer)


@pytest.fixture
def time_travel(connector_clock: Clock) -> Iterator[Callable[[float], None]]:
    """A function that moves the clock of apps and issuer by some seconds, until the test ends."""

    def travel(seconds: float) -> None:
        connector_clock.ahead += seconds

    yield travel
    connector_clock.ahead = 0.0


@pytest.fixture
def refusals() -> Iterator[list[Reason]]:
    """Why requests were rejected during the test, oldest first."""
    reasons: list[Reason] = []

    def record(_app: Flask, error: ConnectorAuthError) -> None:
        reasons.append(error.reason)

    with token_rejected.connected_to(record):
        yield reasons
