"""The error rows as HTTP answers: catalogue, optional row, own rows, own handlers, outages."""

import itertools
import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, nan
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.ctx import AppContext
from werkzeug.exceptions import HTTPException, Unauthorized

from flask_connector_auth import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuth,
    ConnectorAuthError,
    ErrorRow,
    InvalidAppJWT,
    InvalidConsumerJWS,
    Reason,
    Unavailable,
    VerificationKey,
    require_app_jwt,
)
from flask_connector_auth.testing import OMIT, Issuer
from tests.support.http_helpers import ROWS, assert_row, headers
from tests.support.outages import Outage
from tests.support.types import MakeApp


class NotYours(ConnectorAuthError):
    """An app's own row, with a status that this package never sends."""

    row = ErrorRow(40901, "Conversation is closed", "Open another one")


NOT_YOURS = (
    b'{"kind":"resp","code":409,"body":{"title":"Conversation is closed",'
    b'"details":"Open another one","errorCode":40901},"type":".ReqBody$ErrorResp"}'
)


def raising(error: Callable[[], Exception]) -> Callable[[], Any]:
    """Return a view that raises *error*."""

    def view() -> Any:
        raise error()

    return view


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app with one protected view and one for each way a view refuses by itself."""
    return with_views(make_app())


def with_views(app: Flask) -> Flask:
    """Add the views to *app*."""
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}), methods=["GET", "HEAD"])
    app.add_url_rule("/other-consumer", "other", raising(InvalidConsumerJWS))
    app.add_url_rule("/not-yours", "not_yours", raising(NotYours))
    return app


def test_a_view_refuses_a_conversation_of_another_consumer(app: Flask) -> None:
    """Row 40103: the exceptions are public, and a view raises them for rules of its own."""
    assert_row(app.test_client().get("/other-consumer"), 40103)


def test_head_gets_the_headers_of_the_row_and_no_body(app: Flask) -> None:
    """RFC 9110 section 9.3.2: HEAD is judged like GET and answered without content."""
    response = app.test_client().head("/x")
    assert (response.status_code, response.data) == (401, b"")
    assert response.headers["Content-Length"] == str(len(ROWS[40105]))


def test_an_app_adds_a_row_of_its_own(app: Flask) -> None:
    """A subclass with a row is sent in the envelope, with the status its code names."""
    response = app.test_client().get("/not-yours")
    assert (response.status_code, response.data) == (409, NOT_YOURS)
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in response.headers


def test_an_own_401_row_has_a_challenge(make_app: MakeApp) -> None:
    """RFC 9110 section 11.6.1: every 401 carries a challenge, an app's own too."""

    class Suspended(ConnectorAuthError):
        row = ErrorRow(40190, "Account suspended", "Ask for help")

    app = make_app(REALM="Chat")
    app.add_url_rule("/x", "x", raising(Suspended))
    challenge = app.test_client().get("/x").headers["WWW-Authenticate"]
    assert challenge == "Bearer realm=Chat, error=invalid_token"


def test_the_catalogue_overrides_a_row(make_app: MakeApp) -> None:
    """Decision 0008: the page contradicts itself on 40105, so a deployment decides; others stay."""
    override = {40105: {"errorCode": 40104, "details": "No AUTHORIZATION"}}
    client = with_views(make_app(ERROR_CATALOGUE=override)).test_client()
    assert client.get("/x").data == (
        b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
        b'"details":"No AUTHORIZATION","errorCode":40104},"type":".ReqBody$ErrorResp"}'
    )
    assert_row(client.get("/x", headers=headers("junk")), 40102)


MISSING_PARAMETER = (
    b'{"kind":"resp","code":400,"body":{"title":"Missing parameter",'
    b'"details":"Brand Id is missing","errorCode":40001},"type":".ReqBody$ErrorResp"}'
)


@pytest.mark.parametrize("claim", ["aud", "azp", "iss", "exp", "iat"])
def test_the_missing_parameter_row_is_sent_only_where_switched_on(
    claim: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """Row 40001: a mandatory AppJWT claim is missing; off by default, then 40102."""
    token = headers(issuer.app_jwt(**{claim: OMIT}))
    assert_row(with_views(make_app()).test_client().get("/x", headers=token), 40102)
    on = with_views(make_app(MISSING_PARAMETER_ROW=True)).test_client().get("/x", headers=token)
    assert (on.status_code, on.data) == (400, MISSING_PARAMETER)
    assert on.headers["Cache-Control"] == "no-store"


def test_the_missing_parameter_row_is_for_signed_app_jwts_only(
    make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """Row 40001: a wrong issuer too; but neither a forged token nor another fault."""
    client = with_views(make_app(MISSING_PARAMETER_ROW=True)).test_client()
    wrong_issuer = headers(issuer.app_jwt(iss="sentinel"))
    assert client.get("/x", headers=wrong_issuer).data == MISSING_PARAMETER
    for token in (stranger.app_jwt(azp=OMIT), issuer.app_jwt(azp=""), issuer.consumer_jws()):
        assert_row(client.get("/x", headers=headers(token)), 40102)
    assert_row(client.get("/x"), 40105)


def teapot(_error: Exception) -> tuple[str, int]:
    """An error handler of the app."""
    return "teapot", 418


GENERIC = [HTTPException, Exception, Unauthorized, 401, 409]
OWN = [
    ("/x", AppJWTMissing),
    ("/x", ConnectorAuthError),
    ("/not-yours", NotYours),
    ("/not-yours", ConnectorAuthError),
    ("/other-consumer", InvalidConsumerJWS),
]


def app_with_handlers(
    issuer: Issuer, handlers: Sequence[Any], *, before: bool, scope: str
) -> Flask:
    """Return an app whose *handlers* were registered before or after the extension."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    blueprint = Blueprint("b", __name__)
    target = {"app": app, "blueprint": blueprint}[scope]
    with_views(blueprint if scope == "blueprint" else app)  # type: ignore[arg-type]
    if not before:
        ConnectorAuth(app)
    for handler in handlers:
        target.register_error_handler(handler, teapot)
    app.register_blueprint(blueprint)
    if before:
        ConnectorAuth(app)
    return app


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("scope", ["app", "blueprint"])
@pytest.mark.parametrize("generic", GENERIC)
def test_a_generic_handler_never_takes_our_errors(
    before: bool, scope: str, generic: Any, issuer: Issuer
) -> None:
    """Decision 0003: handlers for HTTPException, Exception or 401 are not called."""
    client = app_with_handlers(issuer, [generic], before=before, scope=scope).test_client()
    assert_row(client.get("/x"), 40105)
    assert_row(client.get("/other-consumer"), 40103)
    assert client.get("/not-yours").data == NOT_YOURS


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("scope", ["app", "blueprint"])
@pytest.mark.parametrize(("url", "own"), OWN)
def test_the_apps_handler_for_one_of_our_exceptions_wins(
    before: bool, scope: str, url: str, own: Any, issuer: Issuer
) -> None:
    """Decision 0003: an app's handler wins in any order of registration, generic ones beside it."""
    for handlers in itertools.permutations([own, HTTPException]):
        app = app_with_handlers(issuer, handlers, before=before, scope=scope)
        assert app.test_client().get(url).status_code == 418


def test_without_a_handler_the_answer_is_the_same(app: Flask) -> None:
    """An exception that never meets the blueprint's handler carries its own response."""
    with app.test_request_context():
        for error in (InvalidAppJWT(), NotYours()):
            assert error.get_response().data == error.response.data
            assert json.loads(error.response.data) == error.data


@pytest.mark.skipif(
    hasattr(AppContext, "request"), reason="From Flask 3.2 on the request is hidden there."
)
def test_the_app_of_the_request_renders_what_is_raised_in_another_apps_context(
    make_app: MakeApp,
) -> None:
    """Decision 0001: the titles and the realm that a client gets are those of the app it called."""
    app, other = make_app(), make_app(REALM="Other", ERROR_CATALOGUE={40102: {"title": "Other"}})
    plain = Flask("without_the_extension")
    contexts = {"other": other, "plain": plain}

    @app.get("/<name>")
    def in_context(name: str) -> Any:
        with contexts[name].app_context():
            raise InvalidAppJWT

    for name in contexts:
        response = app.test_client().get(f"/{name}")
        assert_row(response, 40102)
        assert "Connector API" in response.headers["WWW-Authenticate"]
    with other.app_context():
        assert "Other" in InvalidAppJWT().response.headers["WWW-Authenticate"]
    with plain.app_context():
        assert InvalidAppJWT().response.data == ROWS[40102]


def test_errors_can_be_made_without_an_app() -> None:
    """Outside an app the documented row is used."""
    assert InvalidAppJWT().response.data == ROWS[40102]
    assert InvalidAppJWT().code == 401
    assert NotYours().code == 409


def test_what_a_view_raises_has_a_reason_of_its_own() -> None:
    """An error without a reason was raised by a view."""
    assert InvalidAppJWT().reason is Reason.VIEW
    assert InvalidAppJWT(Reason.EXPIRED).reason is Reason.EXPIRED


@pytest.mark.parametrize(("wanted", "sent"), [(0, "1"), (7.4, "7"), (30, "30"), (3600, "30")])
def test_our_outage_is_a_503_and_never_the_clients_fault(
    wanted: float,
    sent: str,
    make_app: MakeApp,
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Row 50301: keys out of reach; Retry-After within 1 to 30 seconds, logged at ERROR."""
    client = with_views(make_app(APP_JWT_KEYS=Outage(wanted))).test_client()
    response = client.get("/x", headers=headers(issuer.app_jwt()))
    assert response.status_code == 503
    assert response.data == (
        b'{"kind":"resp","code":503,"body":{"title":"Authentication unavailable",'
        b'"details":"The tokens cannot be verified at the moment","errorCode":50301},'
        b'"type":".ReqBody$ErrorResp"}'
    )
    assert response.headers["Retry-After"] == sent
    assert response.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in response.headers
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class Hurried(Unavailable):
    """An outage of an app, whose constructor leaves out that of its base."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("outage", "reason", "sent"),
    [
        (lambda: Unavailable(Reason.REVOCATION_UNAVAILABLE, 5), "revocation_unavailable", "5"),
        (lambda: Unavailable("revocation_unavailable"), "revocation_unavailable", "1"),
        *[(partial(Unavailable, reason), "keys_unavailable", "1") for reason in ("db", None, [])],
        *[
            (partial(Unavailable, Reason.KEYS_UNAVAILABLE, wait), "keys_unavailable", sent)
            for wait, sent in [
                *[(None, "1"), ("soon", "1"), ("", "1"), ([], "1"), (nan, "1"), (-inf, "1")],
                *[(inf, "30"), ("7", "7"), (-5, "1"), (10**400, "1")],
            ]
        ],
        (Hurried, "keys_unavailable", "1"),
    ],
)
def test_an_outage_is_a_503_whatever_a_key_source_says_of_it(
    outage: Callable[[], Exception],
    reason: str,
    sent: str,
    make_app: MakeApp,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Row 50301: neither a 401, on which clients throw tokens away, nor a 500."""
    source = Outage(1)
    client = with_views(make_app(APP_JWT_KEYS=source)).test_client()

    def candidates(_kid: str | None, _algorithm: str) -> Sequence[VerificationKey]:
        raise outage()

    monkeypatch.setattr(source, "candidates", candidates)
    answer = client.get("/x", headers=headers(issuer.app_jwt()))
    assert_row(answer, 50301)
    assert answer.headers["Retry-After"] == sent
    assert [record.connector_auth["reason"] for record in caplog.records] == [reason]  # type: ignore[attr-defined]


def test_junk_is_refused_before_any_key_is_looked_up(make_app: MakeApp, issuer: Issuer) -> None:
    """Junk is answered with 401 in an outage too, and no key is looked up for it."""
    outage = Outage(1)
    client = with_views(make_app(APP_JWT_KEYS=outage)).test_client()
    for junk in ("a.b.c", "Basic eA==", issuer.sign({}, {"alg": "none"}), issuer.sign({}, b"[]")):
        assert_row(client.get("/x", headers=headers(junk)), 40102)
    assert outage.look_ups == 0
    assert AuthenticationUnavailable().response.headers["Retry-After"] == "1"


def test_a_view_that_is_unavailable_does_not_blame_the_keys() -> None:
    """Only this package knows whether keys are available; a view has reasons of its own."""
    assert AuthenticationUnavailable(retry_after=5).reason is Reason.VIEW


@pytest.mark.parametrize(("wait", "sent"), [(5, "5"), (None, "1"), (nan, "1"), (inf, "30")])
def test_a_view_may_pass_on_any_time_to_wait(wait: Any, sent: str) -> None:
    """RFC 9110 section 10.2.3: Retry-After is a whole number of seconds."""
    assert AuthenticationUnavailable(retry_after=wait).response.headers["Retry-After"] == sent
