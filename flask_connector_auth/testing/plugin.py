"""Pytest fixtures: an issuer, a client for your fixture ``app``, a key set server, time travel.

One line in ``conftest.py`` enables them::

    pytest_plugins = ["flask_connector_auth.testing.plugin"]
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask, request as current_request

from ..core import Reason, clock as clocks, close_all, token_rejected, wall_time
from ..web import EXTENSION, ConnectorAuthError
from .client import ConnectorClient, explain
from .issuer import Clock, Issuer
from .key_server import KeySetServer


@contextmanager
def _refusals_in_report(item: pytest.Item, when: str) -> Iterator[None]:
    """Add a section with the requests that are refused to the report about *item*."""
    lines: list[str] = []

    def record(_app: Flask, error: ConnectorAuthError) -> None:
        lines.append(f"{current_request.method} {current_request.path!a}: {explain(error)}")

    try:
        with token_rejected.connected_to(record):
            yield
    finally:
        if lines:
            item.add_report_section(when, "refused requests", "\n".join(lines))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Show with a failure of fixtures why requests were refused in them."""
    with _refusals_in_report(item, "setup"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Show with a failure of the test why requests were refused in it."""
    with _refusals_in_report(item, "call"):
        return (yield)


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
    """The clock of the issuer, and of each app without its own clock, whenever it was created."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clocks, "replacement", clock)
        yield clock


@pytest.fixture(scope="session")
def issuer(connector_clock: Clock) -> Issuer:
    """An issuer with a new key. Override this fixture for another name or account."""
    return Issuer(clock=connector_clock)


@pytest.fixture
def consumer_issuer(issuer: Issuer) -> Issuer:
    """The issuer of the ConsumerJWSs, by default the same. Override it for a signing service."""
    return issuer


@pytest.fixture
def key_set_server(issuer: Issuer) -> Iterator[KeySetServer]:
    """A server on loopback that publishes the issuer's key set."""
    with KeySetServer(issuer) as server:
        yield server


@pytest.fixture
def connector_client(app: Flask, issuer: Issuer, consumer_issuer: Issuer) -> ConnectorClient:
    """A client for your fixture *app*, which sends tokens of the two issuers."""
    return ConnectorClient(app, issuer, consumer_issuer)


@pytest.fixture
def time_travel(
    connector_clock: Clock, request: pytest.FixtureRequest
) -> Iterator[Callable[[float], None]]:
    """A function that moves the clock of apps and issuer by some seconds, until the test ends.

    It fails if your fixture *app* has a clock of its own, which it cannot move.
    """

    def travel(seconds: float) -> None:
        __tracebackhide__ = True
        app = request.getfixturevalue("app") if "app" in request.fixturenames else None
        runtime = getattr(app, "extensions", {}).get(EXTENSION)
        if runtime is not None and runtime.clock not in (wall_time, connector_clock):
            pytest.fail(
                "time_travel does not move the fixture app: its ConnectorAuth has a clock of its "
                "own. Make it without clock=, or with clock=connector_clock, which is a fixture."
            )
        connector_clock.ahead += seconds

    yield travel
    connector_clock.ahead = 0.0


@pytest.fixture
def refusals() -> Iterator[list[Reason | str]]:
    """Why requests were rejected during the test, oldest first."""
    reasons: list[Reason | str] = []

    def record(_app: Flask, error: ConnectorAuthError) -> None:
        reasons.append(error.reason)

    with token_rejected.connected_to(record):
        yield reasons
