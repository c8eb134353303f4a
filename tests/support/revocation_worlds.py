"""One worker: an app, its responses, and its revocations."""

from collections.abc import Callable
from math import inf
from typing import Any

from flask import Flask

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.revocation import Kind
from flask_connector_auth.web import current_runtime
from tests.support.http_helpers import headers

ACCOUNT = "le81823118"
#: The retention of a store that removes nothing but expired tokens.
KEPT_FOREVER = dict.fromkeys(set(Kind) - {Kind.TOKEN}, inf)
INSTALL = "75588e18-0000-4000-8000-000000000000"


class World:
    """One worker: an app with a copy of the revocations of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.extension = ConnectorAuth()
        app.add_url_rule("/app", "app", require_app_jwt(lambda: {}))
        app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(lambda: {})))
        optional = require_app_jwt(require_consumer_jws(lambda: {}, optional=True), optional=True)
        app.add_url_rule("/optional", "optional", optional)

    def answer(self, app_jwt: str | None = None, consumer_jws: str | None = None) -> int:
        """Return the error row of the response, or 200."""
        path = "/app" if consumer_jws is None else "/both"
        return self.ask(path, app_jwt, consumer_jws)

    def ask(self, path: str, app_jwt: str | None = None, consumer_jws: str | None = None) -> int:
        """Return the error row of the response at *path*, or 200."""
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
        """Stop reading the store."""
        self.extension.close(self.app)

    @property
    def health(self) -> dict[str, Any]:
        """The part about revocation of the health of the app."""
        health: dict[str, Any] = self.extension.health(self.app)["revocation"]
        return health

    @property
    def revocations(self) -> Any:
        """The revocation service of the app."""
        return current_runtime(self.app).revocations


#: The fixture ``world``: one more worker; keyword arguments are the settings of its app.
MakeWorld = Callable[..., World]
