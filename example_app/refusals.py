"""Each refused request with its reason, which the client does not see: a signal and a line of text.

``python -m example_app`` prints the lines. A receiver of :data:`request_refused` gets the same as
an object; it holds no token and no query, since clients send secrets in both. Of a token that this
app has signed it says who sent it.
"""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from blinker import Namespace
from flask import Flask, Response, current_app, request, request_finished
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.exceptions import HTTPException

from flask_connector_auth import (
    AppJWTMissing,
    ConnectorAuthError,
    InvalidAppJWT,
    Reason as TokenReason,
)

#: Sent by the app for each request that is answered with 400 or above; ``refusal`` is a
#: :class:`Refusal`. The request is the current one, unless it was too malformed to reach the app.
request_refused = Namespace().signal("request-refused")

_REASON = "example_app.reason"
# Found before the signature of the token is verified, so what the token says may be a lie.
_BEFORE_SIGNATURE = {
    *(TokenReason.BAD_HEADER, TokenReason.TOO_LARGE, TokenReason.NOT_COMPACT),
    *(TokenReason.BAD_JSON, TokenReason.BAD_PARAMETER, TokenReason.CRITICAL),
    *(TokenReason.BAD_ALGORITHM, TokenReason.UNKNOWN_KEY, TokenReason.BAD_SIGNATURE),
    TokenReason.WRONG_ISSUER,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request is refused."""

    text: str
    error_code: int | None = None  #: the row of the protocol's error table, if it is one
    sender: str = ""  #: what an AppJWT with a good signature says of itself


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request."""

    method: str
    path: str  #: without the query
    status: int
    reason: Reason

    def __str__(self) -> str:
        code = self.reason.error_code or "-"
        why = f"{self.reason.text} {self.reason.sender}".rstrip()
        return f"{self.status} {code:5} {self.method} {self.path}  {why}"


def note(error: HTTPException) -> None:
    """Keep the reason of *error*, with which the current request is refused."""
    request.environ[_REASON] = _reason_of(error)


def _reason_of(error: HTTPException) -> Reason:
    if not isinstance(error, ConnectorAuthError):
        # The default texts of Werkzeug are for people at a browser.
        is_default = error.description == type(error).description
        return Reason(error.name if is_default else error.description or error.name)
    # "!a" escapes what could end the line or control a terminal.
    details = (f"{name}={value!a}" for name, value in error.reason_details.items())
    text = " ".join((str(error.reason), *details))
    return Reason(text, error.row.error_code, _sender_of(error))


def _sender_of(error: ConnectorAuthError) -> str:
    """Return what the AppJWT of the request says of itself, if its signature is good."""
    of_app_jwt = isinstance(error, InvalidAppJWT)
    if isinstance(error, AppJWTMissing) or (of_app_jwt and error.reason in _BEFORE_SIGNATURE):
        return ""
    keys = KeySet.import_key_set(current_app.extensions["signing_keys"].read().key_set())
    text = request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(text, keys, algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        return ""
    has_expired = of_app_jwt and error.reason is TokenReason.EXPIRED
    age = [f"{time.time() - claims['exp']:.0f} s ago"] if has_expired else []
    names = {"install_id": "azp", "account_id": "aud"}
    ids = [f"{name}={claims[claim]!a}" for name, claim in names.items() if claim in claims]
    return " ".join([*age, *ids])


def _described(response: Response) -> Reason:
    """Return the reason of a *response* that no exception was the cause of."""
    body = response.get_json(silent=True) if response.is_json else None
    said = body if isinstance(body, dict) else {}
    # RFC 6749 section 5.2
    texts = (said[name] for name in ("error", "error_description") if name in said)
    return Reason(": ".join(map(str, texts)) or response.status)


def _finished(app: Flask, response: Response, **_more: Any) -> None:
    if response.status_code >= 400:
        reason = request.environ.pop(_REASON, None) or _described(response)
        path = quote(request.path, errors="replace")
        refusal = Refusal(request.method, path, response.status_code, reason)
        request_refused.send(app, refusal=refusal)


def init_app(app: Flask) -> None:
    """Send :data:`request_refused` for the refused requests of *app*."""
    request_finished.connect(_finished, app)
