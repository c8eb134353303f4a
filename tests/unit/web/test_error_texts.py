"""What the text of an error says: to a client no more than the answer, to the operator why."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from graphql import build_schema, graphql_sync

import flask_connector_auth
from flask_connector_auth import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ClaimRejected,
    ConfigurationError,
    ConnectorAuthError,
    ConsumerJWSMissing,
    ErrorRow,
    FetchFailed,
    InvalidAppJWT,
    InvalidConsumerJWS,
    InvalidSubject,
    MissingParameter,
    Reason,
    RevocationStoreError,
    Unavailable,
    verify_request,
)
from flask_connector_auth.core import Rejected
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import headers
from tests.support.types import MakeApp


class NotYours(ConnectorAuthError):
    """A row of an app's own."""

    row = ErrorRow(40901, "Conversation is closed", "Open another one")


TEXTS = {
    InvalidAppJWT: "40102 Invalid AppJWT: AppJWT has expired or is invalid",
    InvalidConsumerJWS: "40103 Invalid ConsumerJWS: ConsumerJWS is invalid",
    ConsumerJWSMissing: "40104 ConsumerJWS is missing: X_ON_BEHALF_HEADER is not present",
    AppJWTMissing: "40105 AppJWT is missing: AUTHORIZATION header is not present",
    MissingParameter: "40001 Missing parameter: Brand Id is missing",
    AuthenticationUnavailable: (
        "50301 Authentication unavailable: The tokens cannot be verified at the moment"
    ),
    NotYours: "40901 Conversation is closed: Open another one",
    Unavailable: "the tokens cannot be verified at the moment",
    Rejected: "the token is refused",
}
ROWS = [kind for kind in TEXTS if issubclass(kind, ConnectorAuthError)]
OTHERS = {
    "configuration": ConfigurationError({"CONNECTOR_AUTH_X": ["It is wrong."]}),
    "store": RevocationStoreError("out of reach"),
    "subject": InvalidSubject("not a token", 3, 0),
    "fetch": FetchFailed("status 500"),
    "check": ClaimRejected("no_mfa", amr="pwd"),
}
REASONS = [*Reason]


def shown(error: Exception) -> list[str]:
    """Return each text of *error* that some library takes for its message."""
    return [
        str(error),
        f"{error}",
        logging.makeLogRecord({"msg": "%s", "args": (error,)}).getMessage(),
        "".join(traceback.format_exception(error)),
    ]


def sent(error: ConnectorAuthError) -> list[str]:
    """Return what Flask, Werkzeug and its other users make an answer of."""
    response = error.get_response()
    return [
        *(response.get_data(as_text=True), repr(response.headers.to_wsgi_list())),
        *(error.get_body(), error.get_description(), error.name, json.dumps(error.data)),
        *(str(error.description), repr(error.args)),
    ]


def test_every_public_error_is_in_these_tables() -> None:
    """Each public error is listed above, with the text that a client may see."""
    public = {
        value
        for name in flask_connector_auth.__all__
        if isinstance(value := getattr(flask_connector_auth, name), type)
        and issubclass(value, Exception)
    }
    listed = {*TEXTS, *map(type, OTHERS.values()), ConnectorAuthError}
    assert public == listed - {NotYours, Rejected}


@pytest.mark.parametrize("kind", TEXTS, ids=lambda kind: kind.__name__)
def test_the_text_of_an_error_is_the_same_whatever_the_reason(kind: Any) -> None:
    """``str()`` is what the client may see: it reaches one by GraphQL, sockets and reporters."""
    assert {str(kind(reason)) for reason in REASONS} == {TEXTS[kind]}
    assert len({tuple(shown(kind(reason))) for reason in REASONS}) == 1


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_nothing_else_that_is_sent_tells_the_reason(kind: type[ConnectorAuthError]) -> None:
    """Body, headers, description, HTML page and arguments are the same whatever the reason was."""
    assert len({tuple(sent(kind(reason))) for reason in REASONS}) == 1


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_repr_names_row_and_reason(kind: type[ConnectorAuthError]) -> None:
    """``repr()`` is for logs: the documented row and why; ``error.reason`` is the word alone."""
    row = f"{kind.__name__} {kind.row.error_code}"
    assert [repr(kind(reason)) for reason in REASONS] == [f"<{row}: {r.value}>" for r in Reason]
    assert [kind(reason).reason for reason in REASONS] == REASONS


@pytest.mark.parametrize("kind", [Unavailable, Rejected])
def test_repr_of_an_internal_error_names_the_reason(kind: Any) -> None:
    """``Unavailable``, which a key source raises, keeps its reason out of ``str()`` likewise."""
    error = kind(Reason.KEYS_UNAVAILABLE)
    assert "keys_unavailable" in repr(error)
    assert error.reason is Reason.KEYS_UNAVAILABLE


def test_text_and_description_are_those_that_the_deployment_sends(make_app: MakeApp) -> None:
    """``CONNECTOR_AUTH_ERROR_CATALOGUE`` words them; ``repr()`` names the documented row."""
    override = {40105: {"errorCode": 40104, "details": "No AUTHORIZATION"}}
    with make_app(ERROR_CATALOGUE=override).app_context():
        error = AppJWTMissing(Reason.MISSING)
    assert str(error) == "40104 AppJWT is missing: No AUTHORIZATION"
    assert error.description == error.data["body"]["details"] == "No AUTHORIZATION"
    assert repr(error) == "<AppJWTMissing 40105: missing>"


@cases(
    "error",
    {kind.__name__: kind(Reason.EXPIRED) for kind in TEXTS}
    | {"retry": AuthenticationUnavailable(retry_after=9), "later": Unavailable(Reason.VIEW, 9)}
    | OTHERS,
)
@cases(
    "again",
    {
        "copied": copy.copy,
        "copied in depth": copy.deepcopy,
        "pickled": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301
    },
)
def test_an_error_is_the_same_in_another_process(
    again: Callable[[Exception], Any], error: Exception
) -> None:
    """A task queue or a pool of processes pickles errors: text, reason and answer come along."""
    other = again(error)
    assert (type(other), str(other), repr(other)) == (type(error), str(error), repr(error))
    for name in ("reason", "code", "data", "retry_after", "problems"):
        assert getattr(other, name, None) == getattr(error, name, None)
    if isinstance(error, ConnectorAuthError):
        assert other.get_response().data == error.get_response().data
        assert other.get_response().headers == error.get_response().headers


def graphql_app(app: Flask) -> Flask:
    """Add a GraphQL endpoint, as graphql-core answers it, whose resolver requires a token."""
    schema = build_schema("type Query { me: String, plain: String }")

    def me(_info: Any) -> str:
        return str(verify_request(scopes="msg.consumer", consumer_jws=False).account_id)

    def plain(_info: Any) -> str:
        raise ValueError("a text that reaches the client")

    @app.post("/graphql")
    def answer() -> dict[str, Any]:
        query = request.get_json()["query"]
        return graphql_sync(schema, query, {"me": me, "plain": plain}).formatted  # type: ignore[return-value]

    return app


@cases(
    "claims, reason",
    {
        "expired": ({"exp": 1}, Reason.EXPIRED),
        "foreign": ({"iss": "Other"}, Reason.WRONG_ISSUER),
        "without the scope": ({"scope": "other"}, Reason.MISSING_SCOPE),
    },
)
def test_a_graphql_client_reads_what_every_client_reads(
    claims: dict[str, Any],
    reason: Reason,
    make_app: MakeApp,
    issuer: Issuer,
    refusals: list[Reason],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """GraphQL answers with ``str()`` of what a resolver raises; log and signal have the reason."""
    caplog.set_level(logging.INFO)
    client = graphql_app(make_app()).test_client()
    [error] = client.post(
        "/graphql", json={"query": "{me}"}, headers=headers(issuer.app_jwt(**claims))
    ).json["errors"]
    assert error["message"] == TEXTS[InvalidAppJWT]
    assert refusals == [reason]
    assert f"refused: {reason.value} row=40102" in caplog.text
    control = client.post("/graphql", json={"query": "{plain}"}).json["errors"]
    assert control[0]["message"] == "a text that reaches the client"


@cases(
    "token, message",
    {
        "a bad one": ("eyJhbGciOiJSUzI1NiJ9.e30.AAAA", TEXTS[InvalidAppJWT]),
        "none": (None, TEXTS[AppJWTMissing]),
    },
)
def test_the_traceback_of_a_refusal_shows_nothing_but_the_text(
    token: str | None, message: str, make_app: MakeApp
) -> None:
    """No cause and no context: what was sent and why it was refused is in no report of it."""
    with (
        make_app().test_request_context(headers=headers(token)),
        pytest.raises(ConnectorAuthError) as raised,
    ):
        verify_request()
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    report = "".join(traceback.format_exception(raised.value))
    assert report.endswith(f"{message}\n")
    assert (token or "eyJ") not in report
    assert raised.value.reason.value not in report.replace(message, "")


def test_the_text_of_a_configuration_error_is_its_problems(make_app: MakeApp) -> None:
    """It lists every key, quotes no value, and keeps no cause that holds one."""
    secret = "correct-horse-battery-staple"
    with pytest.raises(ConfigurationError) as raised:
        make_app(APP_JWT_KEYS=secret, REVOCATION_URL=f"http://u:{secret}@h", LEEWAY=secret)
    error = raised.value
    assert set(error.problems) == {
        f"CONNECTOR_AUTH_{name}" for name in ("APP_JWT_KEYS", "REVOCATION_URL", "LEEWAY")
    }
    assert all(f"{key}: {text}" in str(error) for key, [text] in error.problems.items())
    assert (error.__cause__, error.__context__) == (None, None)
    assert secret not in str(error) + repr(error)
