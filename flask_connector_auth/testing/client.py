"""A response and an error in; nothing out, or all in which it is not the answer of that error."""

import json
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from ..web import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
    current_runtime,
)
from .issuer import Issuer

_ERRORS: dict[int, type[ConnectorAuthError]] = {
    error.row.error_code: error
    for error in (
        *(InvalidAppJWT, InvalidConsumerJWS, ConsumerJWSMissing, AppJWTMissing),
        *(MissingParameter, AuthenticationUnavailable),
    )
}
_HEADERS = ("Content-Type", "Cache-Control", "WWW-Authenticate")
# Seconds (RFC 9110 section 10.2.3).
_RETRY_AFTER = {str(seconds) for seconds in range(1, 31)}


def assert_connector_error(
    response: Response, error: int | type[ConnectorAuthError], *, exact: bool = True
) -> None:
    """Assert that *response* is the answer of an error: its status, its bytes and its headers.

    Where an app's context is pushed, the answer is what that app makes of it by
    ``CONNECTOR_AUTH_ERROR_CATALOGUE`` and ``CONNECTOR_AUTH_REALM``; elsewhere the documented one.

    :param error: the documented ``errorCode``, or an exception with a row of your own.
    :param exact: whether the body has to have these very bytes; if not, these members in this
        order, which is what Flask-RESTX makes of them.
    :raises AssertionError: if it is another answer; the text says in what.
    :raises KeyError: if no documented row has that code.

    .. versionadded:: 0.1
    """
    wanted = _ERRORS[error] if isinstance(error, int) else error
    expected, got = (_parts(each, exact) for each in (wanted().response, response))
    wrong = [
        f"{name}: {got[name]!r}, not {value!r}"
        for name, value in expected.items()
        if got[name] != value
    ]
    if wrong:
        lines = "\n  ".join(wrong)
        raise AssertionError(f"not the answer of row {wanted.row.error_code}:\n  {lines}")


def _parts(response: Response, exact: bool) -> dict[str, Any]:
    waits = response.headers.getlist("Retry-After")
    return {
        "status": response.status_code,
        "body": response.data if exact else _pairs(response.data),
        **{name: response.headers.getlist(name) for name in _HEADERS},
        "Retry-After": ["1 to 30" if wait in _RETRY_AFTER else wait for wait in waits],
    }


def _pairs(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=list)
    except ValueError:
        return body


# The default of an argument for which None means something.
_NEW: Any = object()


class ConnectorClient(FlaskClient):
    """Flask's test client, with the two headers in each request.

    Each method takes ``app_jwt`` and ``consumer_jws`` beside Flask's own arguments: the token to
    send, or ``None`` to send none. A new one is sent if nothing is said; a header that is given
    among ``headers`` stays as it is.

    :param app: the app to ask; it has to trust the *issuer*.
    :param issuer: mints what is sent.

    .. versionadded:: 0.1
    """

    def __init__(self, app: Flask, issuer: Issuer) -> None:
        super().__init__(app, app.response_class)
        self._issuer = issuer
        self._consumer_header = current_runtime(app).settings.consumer_header

    def open(
        self,
        *args: Any,
        app_jwt: str | None = _NEW,
        consumer_jws: str | None = _NEW,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a request; see :meth:`flask.testing.FlaskClient.open`."""
        headers = Headers(kwargs.pop("headers", None))
        for name, token, new in (
            ("Authorization", app_jwt, self._issuer.app_jwt),
            (self._consumer_header, consumer_jws, self._issuer.consumer_jws),
        ):
            text = new() if token is _NEW else token
            if text is not None and name not in headers:
                headers[name] = text
        return super().open(*args, headers=headers, **kwargs)
