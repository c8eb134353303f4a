"""What Sentry's SDK sends of an app whose view fails: ``python -m tests.support.sentry_reports``.

In a process of its own, since the SDK patches Flask, ``logging`` and the standard library for good.
"""

import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import sentry_sdk
from flask import Flask, request
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import ConnectorClient, Issuer

ROOT = Path(__file__).parents[2]
#: What a header may hold that has not the form of a token.
OTHER = "another-secret"


class InMemory(Transport):
    """A transport that keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep the event, the transaction or the lines of log of *envelope*."""
        self.sent += [item.payload.json for item in envelope.items if item.payload.json]


def failing_app(keys: object) -> Flask:
    """Return an app whose view has both tokens where a view can have them, and fails."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = keys
    ConnectorAuth(app)

    @app.get("/fails")
    @require_app_jwt
    @require_consumer_jws
    def fails() -> None:
        app_jwt, jws = request.headers["Authorization"], request.headers["X-LP-ON-BEHALF"]
        in_an_object = {jws: [app_jwt.encode(), (jws,)]}
        logging.getLogger("service").warning("%s and %s", app_jwt, jws)
        raise LookupError(app_jwt, jws, len(in_an_object))

    @app.get("/open")
    def without_tokens() -> None:
        raise LookupError

    return app


def main(module: str, options: str) -> None:
    """Print what is sent, the statuses of the answers, and what is reported.

    Three times a view fails, then a request is refused, and one finds the keys out of reach.

    :param module: of the recipe; empty to do without.
    :param options: of ``sentry_sdk.init``, as JSON.
    """
    init = sentry_sdk.init
    sentry_sdk.init = lambda **recipe: init(**recipe, **json.loads(options))
    if module:
        sys.path.insert(0, os.getcwd())
        import_module(module).set_up_reports()
    else:
        sentry_sdk.init()
    transport = sentry_sdk.get_client().transport = InMemory()
    issuer = Issuer()
    client = ConnectorClient(failing_app(issuer.key_set()), issuer)
    without_keys = ConnectorClient(failing_app("https://127.0.0.1:1/keys.json"), issuer)
    app_jwt, consumer_jws = issuer.app_jwt(), issuer.consumer_jws()
    answers = [
        client.get("/fails", app_jwt=app_jwt, consumer_jws=consumer_jws),
        client.get("/fails", app_jwt=f"Bearer {app_jwt}", consumer_jws=consumer_jws),
        client.get("/open", consumer_jws=OTHER),
        client.get("/fails", app_jwt=None, consumer_jws=consumer_jws),
        without_keys.get("/fails", app_jwt=app_jwt, consumer_jws=consumer_jws),
    ]
    sentry_sdk.flush()
    told = {
        "statuses": [answer.status_code for answer in answers],
        "tokens": [app_jwt, consumer_jws],
        "other": OTHER,
        "sent": transport.sent,
    }
    print(json.dumps(told))


def reports(folder: Path, module: str, **options: object) -> dict[str, Any]:
    """Return what :func:`main` prints, when it is run in *folder*."""
    command = [sys.executable, "-m", "tests.support.sentry_reports", module, json.dumps(options)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SENTRY_DSN": "https://public@sentry.example/1",
    }
    run = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    printed: dict[str, Any] = json.loads(run.stdout)
    return printed


if __name__ == "__main__":
    main(*sys.argv[1:])
