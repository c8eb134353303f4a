"""What refused requests leave to the garbage collector, counted where no other thread is.

Prints a line for each way to be refused: its name, how many objects ten such requests leave, and
how many ten refusals of Flask's own do.
"""

import gc
from collections.abc import Callable

from flask import Flask
from werkzeug.exceptions import Gone

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer


def left_by(request: Callable[[], object]) -> int:
    """Return how many objects ten *request* leave that only the collector can free."""
    request()
    gc.collect()
    gc.disable()
    for _ in range(10):
        request()
    left = gc.collect()
    gc.enable()
    return left


def main() -> None:
    """Count, and print."""
    app, issuer = Flask(__name__), Issuer()
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app)
    app.add_url_rule("/ours", "ours", require_app_jwt(require_consumer_jws(lambda: {})))
    app.register_error_handler(Gone, lambda _error: ("gone", 410))

    @app.get("/flasks")
    def flasks() -> None:
        raise Gone

    client = app.test_client()
    for name, sent in {
        "missing": {},
        "malformed": {"Authorization": "junk"},
        "forged": {"Authorization": Issuer(kid=issuer.kid).app_jwt()},
        "expired": {"Authorization": issuer.app_jwt(exp=1)},
        "consumer": {"Authorization": issuer.app_jwt(), "X-LP-ON-BEHALF": "junk"},
    }.items():
        counts = [
            left_by(lambda path=path, sent=sent: client.get(path, headers=sent))  # type: ignore[misc]
            for path in ("/ours", "/flasks")
        ]
        print(name, *counts)


if __name__ == "__main__":
    main()
