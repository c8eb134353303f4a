"""A test client that sends tokens, and an assertion about error responses."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, cast

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from ..core import ERROR_ROWS, token_rejected
from ..web import (
    AuthenticationUnavailable,
    ConnectorAuthError,
    ErrorResponses,
    current_error_responses,
    current_runtime,
)
from .issuer import Issuer

_HEADERS = ("Content-Type", "Cache-Control", "WWW-Authenticate")
# Seconds (RFC 9110 section 10.2.3).
_RETRY_AFTER_VALUES = {str(seconds) for seconds in range(1, 31)}
_ANY_RETRY_AFTER = "1 to 30"


def assert_connector_error(
    response: Response, error: int | type[ConnectorAuthError], *, exact: bool = True
) -> None:
    """Assert that *response* is the response for *error*: its status, body and headers.

    ``CONNECTOR_AUTH_ERROR_CATALOGUE`` and ``CONNECTOR_AUTH_REALM`` are taken from the app of the
    :class:`ConnectorClient` that got the response. For any other response, they are taken from the
    app whose context is pushed. Without one, the documented response is expected.

    :param error: an exception class, or the ``errorCode`` of a row: a documented row, a row of a
        class of your own, or a row of the app's ``CONNECTOR_AUTH_ERROR_CATALOGUE``.
    :param exact: whether the body must match byte for byte. If not, the members and their order
        must match: Flask-RESTX encodes the body anew.
    :raises AssertionError: if the response differs. The text lists each difference. If a
        :class:`ConnectorClient` got the response, it also says why the request was refused.
    :raises ValueError: if no row has that code.
    :raises TypeError: if *error* is neither a number nor such a class.

    .. versionadded:: 0.1
    """
    __tracebackhide__ = True
    if not isinstance(error, int) and not hasattr(error, "row"):
        raise TypeError(f"neither a number such as 40102 nor a class with a row: {error!r}")
    if isinstance(response, _ConnectorResponse):
        responses, refusals = response.error_responses, response.refusals
    else:
        responses, refusals = current_error_responses(), ()
    classes = _classes_with_code(error, responses) if isinstance(error, int) else [error]
    actual = _parts(response, exact)
    # Several classes may have one code: the response must be that of one of them.
    differences = min((_differences(each, responses, actual, exact) for each in classes), key=len)
    if differences:
        lines = "\n  ".join([*differences, *(f"refused: {explain(each)}" for each in refusals)])
        code = error if isinstance(error, int) else error.row.error_code
        raise AssertionError(f"not the response of row {code}:\n  {lines}")


def explain(error: ConnectorAuthError) -> str:
    """Return the ``repr`` of *error*, with what its reason is about."""
    details = "".join(f" {name}={value!a}" for name, value in error.reason_details.items())
    return f"{repr(error)[:-1]}{details}>"


def _classes_with_code(code: int, responses: ErrorResponses) -> list[type[ConnectorAuthError]]:
    """Return the classes whose row has that *code*, as it is documented or as it is sent.

    :raises ValueError: if there is none.
    """
    __tracebackhide__ = True
    known = [*_subclasses(ConnectorAuthError)]
    if code in ERROR_ROWS:
        # The documented row, whatever else has that code.
        return [each for each in known if each.row == ERROR_ROWS[code]]
    classes: dict[int, list[type[ConnectorAuthError]]] = {}
    for each in known:
        for row in {each.row, responses.response_for(each.row).row}:
            classes.setdefault(row.error_code, []).append(each)
    if code not in classes:
        codes = ", ".join(map(str, sorted(classes)))
        raise ValueError(
            f"no row has the code {code}; there are {codes}. The codes of an app's "
            "CONNECTOR_AUTH_ERROR_CATALOGUE are known in the context of that app."
        )
    return classes[code]


def _subclasses(parent: type[ConnectorAuthError]) -> Iterator[type[ConnectorAuthError]]:
    """Yield all classes below *parent* that have a row."""
    for each in parent.__subclasses__():
        if hasattr(each, "row"):
            yield each
        yield from _subclasses(each)


def _differences(
    error: type[ConnectorAuthError],
    responses: ErrorResponses,
    actual: Mapping[str, Any],
    exact: bool,
) -> list[str]:
    """Return how a response with the *actual* parts differs from that for the row of *error*."""
    expected = _parts(responses.response_for(error.row).to_response(), exact)
    if issubclass(error, AuthenticationUnavailable):
        expected["Retry-After"] = [_ANY_RETRY_AFTER]
    elif error.row not in ERROR_ROWS.values():
        # Of a class of the app, whose constructor may add that header to its row.
        del expected["Retry-After"]
    return [
        f"{name}: {actual[name]!r}, not {value!r}"
        for name, value in expected.items()
        if actual[name] != value
    ]


def _parts(response: Response, exact: bool) -> dict[str, Any]:
    waits = response.headers.getlist("Retry-After")
    short = [_ANY_RETRY_AFTER if wait in _RETRY_AFTER_VALUES else wait for wait in waits]
    return {
        "status": response.status_code,
        "body": response.data if exact else _json_pairs(response.data),
        **{name: response.headers.getlist(name) for name in _HEADERS},
        "Retry-After": short,
    }


def _json_pairs(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=list)
    except ValueError:
        return body


# Default of ``app_jwt`` and ``consumer_jws``: a new token is sent. With ``None``, none is sent.
_NEW_TOKEN: Any = object()


#: The refusals of the request that a :class:`ConnectorClient` is sending.
_sending: ContextVar[list[ConnectorAuthError] | None] = ContextVar("_sending", default=None)


class _ConnectorResponse(TestResponse):
    """A response whose ``repr``, which a failed ``assert`` shows, says why it was refused."""

    error_responses: ErrorResponses  #: of the app that answered
    refusals: Sequence[ConnectorAuthError] = ()  #: the errors with which the request was refused

    def __repr__(self) -> str:
        reasons = "".join(f", refused: {explain(error)}" for error in self.refusals)
        return f"{super().__repr__()[:-1]}{reasons}>"


class ConnectorClient(FlaskClient):
    """Flask's test client, with both tokens in each request.

    Each method takes ``app_jwt`` and ``consumer_jws`` in addition to Flask's own arguments: the
    token to send, or ``None`` to send none. By default it sends a new token. A header in
    ``headers`` takes precedence.

    :param app: the app under test, which must trust the *issuer*.
    :param issuer: issues the tokens.
    :param consumer_issuer: issues the ConsumerJWSs instead, where a service of its own signs them.
        They are for the account of *issuer*, and have its name as ``iss`` where ``iss`` is
        mandatory.

    .. versionadded:: 0.1
    """

    def __init__(self, app: Flask, issuer: Issuer, consumer_issuer: Issuer | None = None) -> None:
        # As werkzeug combines the app's class with its own.
        bases = (_ConnectorResponse, app.response_class)
        attributes = {"error_responses": current_runtime(app).error_responses}
        super().__init__(app, type("ConnectorResponse", bases, attributes))
        self._issuer = issuer
        self._consumer_issuer = consumer_issuer or issuer
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
            (self._consumer_header, consumer_jws, self._new_consumer_jws),
        ):
            value = make_token() if token is _NEW_TOKEN else token
            if value is not None and name not in headers:
                headers[name] = value
        refusals: list[ConnectorAuthError] = []

        def record(_app: Flask, error: ConnectorAuthError) -> None:
            # Not those of a request that another thread, or a view, is sending meanwhile.
            if _sending.get() is refusals:
                refusals.append(error)

        previous = _sending.set(refusals)
        try:
            with token_rejected.connected_to(record, sender=self.application):
                response = super().open(*args, headers=headers, **kwargs)
        finally:
            _sending.reset(previous)
        explained = cast(_ConnectorResponse, response)
        # A redirect is followed by a call of this method, which has set those of the last request.
        explained.refusals = [*refusals, *explained.refusals]
        return response

    def _new_consumer_jws(self) -> str:
        names = self._consumer_issuer.consumer_names
        claims = {names.ids["account_id"]: self._issuer.account_id}
        if names.requires_issuer:
            claims["iss"] = self._issuer.name
        return self._consumer_issuer.consumer_jws(**claims)
