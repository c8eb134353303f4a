"""A fixture ``app`` of the user's in; fixtures to ask it with real tokens, out.

One line in ``conftest.py`` switches them on::

    pytest_plugins = ["flask_connector_auth.testing.plugin"]
"""

from collections.abc import Callable, Generator, Iterator

import pytest
from flask import Flask

from ..core import Reason, close_all, token_rejected
from ..core import clock as clocks
from ..web import ConnectorAuthError
from .client import ConnectorClient
from .issuer import Clock, Issuer
from .key_server import KeySetServer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Close what apps have opened, after each test, and what its fixtures have after that.

    It is what ``ConnectorAuth.close`` does for one app: an app that lives longer begins anew.
    """
    # First, while the servers of fixtures are up: their end is no outage.
    close_all()
    try:
        return (yield)
    finally:
        close_all()


@pytest.fixture(scope="session")
def connector_clock() -> Iterator[Clock]:
    """The clock of the issuer, and of each app that is made from now on without one of its own."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clocks, "wall_time", clock)
        yield clock


@pytest.fixture(scope="session")
def issuer(connector_clock: Clock) -> Issuer:
    """An issuer with a new key. Define this fixture anew for one of another name or account."""
    return Issuer(clock=connector_clock)


@pytest.fixture
def key_set_server(issuer: Issuer) -> Iterator[KeySetServer]:
    """A server on loopback that publishes the issuer's key set."""
    with KeySetServer(issuer) as server:
        yield server


@pytest.fixture
def connector_client(app: Flask, issuer: Issuer) -> ConnectorClient:
    """A client of *app*, a fixture of yours; it sends the issuer's tokens."""
    return ConnectorClient(app, issuer)


@pytest.fixture
def time_travel(connector_clock: Clock) -> Iterator[Callable[[float], None]]:
    """A function that moves apps and issuer by so many seconds; after the test all is as before."""

    def travel(seconds: float) -> None:
        connector_clock.ahead += seconds

    yield travel
    connector_clock.ahead = 0.0


@pytest.fixture
def refusals() -> Iterator[list[Reason]]:
    """Why requests were refused during the test, oldest first."""
    reasons: list[Reason] = []

    def note(_app: Flask, error: ConnectorAuthError) -> None:
        reasons.append(error.reason)

    with token_rejected.connected_to(note):
        yield reasons
