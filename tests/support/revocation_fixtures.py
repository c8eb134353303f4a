"""What the tests of revocation share: real servers, and apps that use them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.redis_servers import BINARIES, Server
from tests.support.revocation_worlds import MakeWorld, World


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Server]]:
    """Each kind of server that there is; in CI there are both."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Server(path)) for name, path in BINARIES.items()}


@pytest.fixture(params=BINARIES)
def server(request: pytest.FixtureRequest, running: dict[str, Server]) -> Server:
    """One of them, empty."""
    return running[request.param].renew()


@pytest.fixture(params=["memory", *BINARIES])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings for each store, empty."""
    if request.param == "memory":
        return {}
    running: dict[str, Server] = request.getfixturevalue("running")
    return {"REVOCATION_URL": running[request.param].renew().url}


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server for one test, which may break it."""
    with Server(BINARIES["valkey"]) as server:
        yield server


@pytest.fixture
def world(make_app: Callable[..., Any]) -> MakeWorld:
    """Return a function that makes an app with revocation; keywords are its settings."""
    return lambda **settings: World(make_app(**settings))
