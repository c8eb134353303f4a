"""What the tests of the command line share: commands run in a process, and stores to run on."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from flask_connector_auth.cli import connector_auth
from tests.support.redis_servers import BINARIES, Server
from tests.support.types import MakeApp, RunCommand


@pytest.fixture
def run(make_app: MakeApp) -> RunCommand:
    """Return a function that runs ``flask connector-auth …``.

    Its keyword ``app`` is the app, or else one with the default settings.
    """

    def invoke(*args: object, app: Flask | None = None, **kwargs: Any) -> Result:
        runner = (app or make_app()).test_cli_runner(catch_exceptions=False)
        return runner.invoke(connector_auth, [str(each) for each in args], **kwargs)

    return invoke


@pytest.fixture(scope="package")
def valkey() -> Iterator[Server]:
    """A server for the tests of this folder."""
    with Server(BINARIES["valkey"]) as server:
        yield server


@pytest.fixture
def store_url(valkey: Server) -> str:
    """Where revocations may be kept; nothing is there."""
    return valkey.renew().url
