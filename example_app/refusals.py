"""Each refused request with its reason, which the client does not see: a signal and a line of text.

``python -m example_app`` prints the lines. A receiver of :data:`request_refused` gets the same as
an object; it holds no token and no query, since clients send secrets in both.
"""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from blinker import Namespace
from flask import Flask, Response, request, request_finished
from werkzeug.exceptions import HTTPException

from flask_connector_auth import ConnectorAuthError

#: Sent by the app for each request that is answered with 400 or above; ``refusal`` is a
#: :class:`Refusal`. The request is the current one, unless it was too malformed to reach the app.
request_refused = Namespace().signal("request-refused")

_REASON = "example_app.reason"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request is refused."""

    text: str
    error_code: int | None = None  #: the row of the protocol's error table, if it is one


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request."""

    method: str
    path: str  #: without the query
    status: int
    reason: Reason

    def __str__(self) -> str:
        code = self.reason.error_code or "-"
        return f"{self.status} {code:5} {self.method} {self.path}  {self.reason.text}"


def note(error: HTTPException) -> None:
    """Keep the reason of *error*, with which the current request is refused."""
    request.environ[_REASON] = _reason_of(error)


def _reason_of(error: HTTPException) -> Reason:
    if not isinstance(error, ConnectorAuthError):
        return Reason(error.description or error.name)
    # "!a" escapes what could end the line or control a terminal.
    details = (f"{name}={value!a}" for name, value in error.reason_details.items())
    return Reason(" ".join((str(error.reason), *details)), error.row.error_code)


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


def print_line(_app: Flask, refusal: Refusal) -> None:
    """Print *refusal*: a receiver of :data:`request_refused`."""
    print(f"{time.strftime('%H:%M:%S')}  {refusal}", flush=True)


def init_app(app: Flask) -> None:
    """Send :data:`request_refused` for the refused requests of *app*."""
    request_finished.connect(_finished, app)
