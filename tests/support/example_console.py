"""A client of the console that makes the calls of its page, and the faults that it can request."""

import json
from typing import Any

from flask import Flask, Response

from example_app.console.access_key import AccessKey
from tests.support.example_api import BASE_URL, in_process

#: Header that a browser sends with a request of the page itself.
OWN = {"Origin": BASE_URL, "Sec-Fetch-Site": "same-origin"}


def access_key(app: Flask) -> AccessKey:
    """Return the key to the console of *app*."""
    return app.extensions["console"].access_key


def cookie(app: Flask, secure: bool = False) -> str:
    """Return the ``Cookie`` header of a browser in which the console was opened."""
    return "=".join(access_key(app).cookie(secure))


class Console:
    """Calls the console of *app*."""

    def __init__(self, app: Flask) -> None:
        self.transport = in_process(app)
        self.own = {**OWN, "Cookie": cookie(app)}

    def get(self, path: str) -> Any:
        """Return the JSON value that the console has at *path*."""
        answer = self.transport("GET", f"/console/{path}", self.own, b"")
        assert answer.status_code == 200
        return answer.json

    def post(self, path: str, body: Any = ()) -> Response:
        """Post *body* to *path*: a text unchanged, other values as JSON."""
        headers = {"Content-Type": "application/json", **self.own}
        sent = body if isinstance(body, str) else json.dumps(body)
        return self.transport("POST", f"/console/{path}", headers, sent)


#: By the name of the fault: the reason, if it is the same for both tokens.
ALIKE = {
    "missing": "missing",
    "nonsense": "not_compact",
    "scheme": "bad_header",
    "tampered": "bad_signature",
    "altered": "bad_signature",
    "wrong_key": "bad_signature",
    "unknown_key": "unknown_key",
    "none": "bad_algorithm",
    "secret": "bad_algorithm",
    "critical": "critical",
    "long": "too_large",
    "twice": "bad_json",
    "expired": "expired",
    "not_yet": "not_yet_valid",
    "revoked": "revoked",
    "account": "wrong_account",
}
#: By the name of the fault: the reasons for an AppJWT and for a ConsumerJWS.
REASONS = {
    "app_jwt": {
        **ALIKE,
        "swapped": "wrong_type",
        "claim": "missing_claim",
        "issuer": "wrong_issuer",
        "scope": "missing_scope",
    },
    "consumer_jws": {
        **ALIKE,
        "swapped": "same_token",
        "other_app": "wrong_type",
        "claim": "missing_claim",
        "consumer": "there is no such consumer",
    },
}
