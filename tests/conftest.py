"""What the tests share beside the test kit: apps that trust its issuer."""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth
from flask_connector_auth.testing import Issuer
from tests.support.types import MakeApp

# For ``tox -e soak``.
hypothesis.settings.register_profile("soak", max_examples=500)

pytest_plugins = [
    "flask_connector_auth.testing.plugin",
    "tests.support.leftovers",
    "tests.support.side_by_side",
    "tests.support.revocation_fixtures",
]


@pytest.fixture(scope="session")
def stranger() -> Issuer:
    """Another issuer: same kid, same claims, another key."""
    return Issuer()


@pytest.fixture
def make_app(issuer: Issuer) -> MakeApp:
    """Return a function that makes an app with the extension; keywords are its settings."""

    def make(*, clock: Callable[[], float] | None = None, **settings: Any) -> Flask:
        app = Flask("an_app")
        app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
        app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
        ConnectorAuth(app, **({"clock": clock} if clock else {}))
        return app

    return make
