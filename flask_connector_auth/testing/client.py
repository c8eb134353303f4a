"""A test client that sends tokens, and an assertion about error responses."""

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
_RETRY_AFTER_VALUES = {str(seconds) for seconds in range(1, 31)}


def assert_connector_error(
    response: Response, error: int | type[ConnectorAuthError], *, exact: bool = True
) -> None:
    """Assert that *response* is the response for *error*: its status, body and headers.

    In an app context, ``CONNECTOR_AUTH_ERROR_CATALOGUE`` and ``CONNECTOR_AUTH_REALM`` of that app
    apply; outside, the documented response is expected.

    :param error: the documented ``errorCode``, or an exception class with a row of your own.
    :param exact: whether the body must match byte for byte. If not, the members and their order
        must match: Flask-RESTX encodes the body anew.
    :raises AssertionError: if the response differs; the text lists each difference.
    :raises KeyError: if no documented row has that code.

    .. versionadded:: 0.1
    """
    exception = _ERRORS[error] if isinstance(error, int) else error
    expected, actual = _parts(exception().response, exact), _parts(response, exact)
    differences = [
        f"{name}: {actual[name]!r}, not {value!r}"
        for name, value in expected.items()
        if actual[name] != value
    ]
    if differences:
        lines = "\n  ".join(differences)
        raise AssertionError(f"not the response of row {exception.row.error_code}:\n  {lines}")


def _parts(response: Response, exact: bool) -> dict[str, Any]:
    waits = response.headers.getlist("Retry-After")
    return {
        "status": response.status_code,
        "body": response.data if exact else _json_pairs(response.data),
        **{name: response.headers.getlist(name) for name in _HEADERS},
        "Retry-After": ["1 to 30" if wait in _RETRY_AFTER_VALUES else wait for wait in waits],
    }


def _json_pairs(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=list)
    except ValueError:
        return body


# Default of ``app_jwt`` and ``consumer_jws``: a new token is sent. With ``None``, none is sent.
_NEW_TOKEN: Any = object()


class ConnectorClient(FlaskClient):
    """Flask's test client, with both tokens in each request.

    Each method takes ``app_jwt`` and ``consumer_jws`` beside Flask's own arguments: the token to
    send, or ``None`` to send none. By default it sends a new token. A header that is given in
    ``headers`` takes precedence.

    :param app: the app under test, which must trust the *issuer*.
    :param issuer: issues the tokens.

    .. versionadded:: 0.1
    """

    def __init__(self, app: Flask, issuer: Issuer) -> None:
        super().__init__(app, app.response_class)
        self._issuer = issuer
        self._consumer_header = current_runtime(app).settings.consumer_header

    def open(
        self,
        *args: Any,
        app_jwt: str | None = _NEW_TOKEN,
        consumer_jws: str | None = _NEW_TOKEN,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a request; see :meth:`flask.testing.FlaskClient.open`."""
        headers = Headers(kwargs.pop("headers", None))
        for name, token, make_token in (
            ("Authorization", app_jwt, self._issuer.app_jwt),
            (self._consumer_header, consumer_jws, self._issuer.consumer_jws),
        ):
            value = make_token() if token is _NEW_TOKEN else token
            if value is not None and name not in headers:
                headers[name] = value
        return super().open(*args, headers=headers, **kwargs)
