"""The app factory of a user, for tests of the pytest fixtures."""

from collections.abc import Callable
from typing import Any

from flask import Flask, request

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)


def create_app(keys: Any, clock: Callable[[], float] | None = None, **settings: Any) -> Flask:
    """Return an app that has nothing that is only for tests."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = keys
    app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
    ConnectorAuth(app, clock=clock)

    @app.route("/who", methods=["GET", "POST"])
    @require_app_jwt
    @require_consumer_jws
    def who() -> dict[str, Any]:
        return {
            "install": current_app_jwt.install_id,
            "consumer": current_consumer_jws.ext_consumer_id,
            "json": request.get_json(silent=True),
            "header": request.headers.get("X-Custom"),
        }

    return app
