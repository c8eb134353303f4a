"""An app in; what it answers to a token, and what is revoked in it, out."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.web import current
from tests.support.http_helpers import headers

ACCOUNT = "le81823118"
INSTALL = "75588e18-0000-4000-8000-000000000000"


class World:
    """One worker: an app with its own copy of what is revoked."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.extension = ConnectorAuth()
        app.add_url_rule("/app", "app", require_app_jwt(lambda: {}))
        app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(lambda: {})))
        optional = require_app_jwt(require_consumer_jws(lambda: {}, optional=True), optional=True)
        app.add_url_rule("/optional", "optional", optional)

    def answer(self, app_jwt: str | None = None, consumer_jws: str | None = None) -> int:
        """Return the row that is answered, or 200."""
        path = "/app" if consumer_jws is None else "/both"
        return self.ask(path, app_jwt, consumer_jws)

    def ask(self, path: str, app_jwt: str | None = None, consumer_jws: str | None = None) -> int:
        """Return the row that is answered at *path*, or 200."""
        response = self.app.test_client().get(path, headers=headers(app_jwt, consumer_jws))
        body: Any = response.json
        return int(body["body"]["errorCode"]) if body else response.status_code

    def revoke(self, **subject: Any) -> None:
        """Revoke in the context of the app."""
        with self.app.app_context():
            self.extension.revocations.revoke(**subject)

    def restore(self, **subject: Any) -> None:
        """Restore in the context of the app."""
        with self.app.app_context():
            self.extension.revocations.restore(**subject)

    def end(self) -> None:
        """Let the worker follow no store."""
        self.extension.close(self.app)

    @property
    def health(self) -> dict[str, Any]:
        """What the app says of its revocations."""
        health: dict[str, Any] = self.extension.health(self.app)["revocation"]
        return health

    @property
    def revocations(self) -> Any:
        """What is revoked in the app."""
        return current(self.app).revocations


#: The fixture ``world``: one more worker; keyword arguments are the settings of its app.
MakeWorld = Callable[..., World]
