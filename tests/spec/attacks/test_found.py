"""What the playbook found in this package: each case as it was found."""

from collections.abc import Callable
from traceback import TracebackException
from typing import Any

import pytest
from flask import Blueprint, Flask, g, request
from flask.views import MethodView, View
from werkzeug.routing import BaseConverter, Rule

from flask_connector_auth import (
    ConfigurationError,
    ConnectorAuth,
    ConnectorAuthError,
    public,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.tampering import TokenKind, ValidToken
from flask_connector_auth.web import Access, Binding, audit
from tests.support.attack_harness import withstand
from tests.support.attack_stage import KINDS
from tests.support.floor_helpers import decoded, encoded, jwk
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.malformed import SMALL_POINTS
from tests.support.types import MakeApp


def take_out(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take the account out of the view's arguments, as Flask's manual does with a language."""
    if values and "account_id" in values:
        g.account = values.pop("account_id")


def by_the_app(app: Flask, blueprint: Blueprint) -> None:
    """A URL preprocessor of the app."""
    app.url_value_preprocessor(take_out)


def by_the_blueprint(app: Flask, blueprint: Blueprint) -> None:
    """A URL preprocessor of the blueprint."""
    blueprint.url_value_preprocessor(take_out)


def by_a_hook(app: Flask, blueprint: Blueprint) -> None:
    """A function that runs before the view."""
    blueprint.before_request(lambda: take_out(request.endpoint, request.view_args))


@pytest.mark.parametrize("way", [by_the_app, by_the_blueprint, by_a_hook])
def test_an_account_that_is_taken_out_of_the_arguments_still_binds(
    way: Callable[[Flask, Blueprint], None], make_app: MakeApp, issuer: Issuer
) -> None:
    """Row 40102, docs/accounts.rst: the URL names the account, whatever code read it first."""
    app, blueprint, ran = make_app(), Blueprint("b", __name__), []
    way(app, blueprint)

    @blueprint.get("/<account_id>/messages")
    @require_app_jwt
    def messages() -> dict[str, Any]:
        ran.append(g.account)
        return {}

    app.register_blueprint(blueprint)
    assert {each.binding for each in audit(app) if each.endpoint == "b.messages"} == {Binding.URL}
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get(f"/{ACCOUNT}/messages", headers=sent).status_code == 200
    assert_row(client.get("/another/messages", headers=sent), 40102)
    assert ran == [ACCOUNT]


def test_a_request_that_is_routed_anew_is_judged_anew(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 40102, docs/accounts.rst: what ``protect()`` found good for one account says
    nothing of another, to which a hook of the app sends the request on."""
    app, blueprint, ran = make_app(), Blueprint("b", __name__), []
    ConnectorAuth().protect(blueprint, consumer_jws=False)

    @blueprint.before_request
    def route_anew() -> None:
        if account := request.args.get("as"):
            adapter = app.create_url_adapter(None)
            assert adapter
            request.url_rule, request.view_args = adapter.match(f"/{account}/x", return_rule=True)

    @blueprint.get("/<account_id>/x")
    @require_app_jwt
    def x(account_id: str) -> dict[str, Any]:
        ran.append(account_id)
        return {}

    app.config["SERVER_NAME"] = "localhost"
    app.register_blueprint(blueprint)
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get(f"/{ACCOUNT}/x?as={ACCOUNT}", headers=sent).status_code == 200
    assert_row(client.get(f"/{ACCOUNT}/x?as=another", headers=sent), 40102)
    assert_row(client.get(f"/another/x?as={ACCOUNT}", headers=sent), 40102)
    assert ran == [ACCOUNT]


def test_the_audit_says_what_binds_a_rule_whose_account_is_none(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/accounts.rst: a default of ``None`` binds nothing, and the audit has to say so."""
    app = make_app()
    view = require_app_jwt(lambda account_id: {})
    app.add_url_rule("/all", "all", view, defaults={"account_id": None})
    [route] = [each for each in audit(app) if each.endpoint == "all"]
    sent = headers(issuer.app_jwt(aud="another"))
    passes = app.test_client().get("/all", headers=sent).status_code == 200
    assert (passes, route.binding) == (True, Binding.ANY)


class Known(BaseConverter):
    """Finds one account, and nothing for any other name."""

    def to_python(self, value: str) -> Any:
        """Return the account of that name, or ``None``."""
        return value if value == ACCOUNT else None


def test_an_account_that_is_not_found_is_of_no_caller(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 40102, docs/accounts.rst: a name for which a converter has nothing binds too."""
    app = make_app()
    app.url_map.converters["known"] = Known
    app.add_url_rule("/<known:account_id>", "x", require_app_jwt(lambda account_id: {}))
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get(f"/{ACCOUNT}", headers=sent).status_code == 200
    assert_row(client.get("/another", headers=sent), 40102)


def test_a_stranger_does_not_fill_the_memory_with_methods(make_app: MakeApp) -> None:
    """docs/exhaustion.rst: what is kept for each method is bounded, on a rule that takes any."""
    app = make_app()
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = require_app_jwt(lambda: {})
    client, state = app.test_client(), app.extensions["connector_auth"]
    for number in range(300):
        assert_row(client.open("/any", method=f"M{number}"), 40105)
    assert len(state.endpoints) == 0


def without_its_leading_zero(good: ValidToken) -> str:
    """Return a genuine token without the first byte of its signature, which is zero."""
    signed = (good.with_claims().rpartition(".") for _ in iter(int, 1))
    message, signature = next(
        (message, signature) for message, _, text in signed if (signature := decoded(text))[0] == 0
    )
    return f"{message}.{encoded(signature[1:])}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pss_signature_is_as_long_as_the_modulus(kind: TokenKind) -> None:
    """RFC 8017 section 8.1.2, step 1: a shorter one is none, though its number is the same."""
    withstand(without_its_leading_zero, kind, "PS256")


#: Of order 1, 2 and 4, in the 57 bytes of RFC 8032 section 5.2.2.
SMALL_POINTS_448 = ("01" + "00" * 56, "fe" + "ff" * 27 + "fe" + "ff" * 27 + "00", "00" * 57)


@pytest.mark.parametrize(
    ("curve", "point"),
    [("Ed25519", each) for each in SMALL_POINTS] + [("Ed448", each) for each in SMALL_POINTS_448],
)
def test_a_point_of_small_order_is_no_key(curve: str, point: str, make_app: MakeApp) -> None:
    """RFC 8725 section 3.4, RFC 7748 section 6: by such a key anybody signs anything."""
    good = jwk(curve)
    assert make_app(APP_JWT_KEYS=good, APP_JWT_ALGORITHMS=[curve])
    with pytest.raises(ConfigurationError):
        make_app(
            APP_JWT_KEYS={**good, "x": encoded(bytes.fromhex(point))}, APP_JWT_ALGORITHMS=[curve]
        )


def test_a_long_request_can_ask_again(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 40102: a socket is one request for hours; each ``verify_request()`` judges as of now, and
    where nothing changed, the identity is the same object."""
    now = issuer.clock()
    app = make_app(clock=lambda: now)
    auth = app.extensions["connector_auth"].revocations
    found: list[object] = []

    @app.get("/ws/<change>")
    @require_app_jwt
    def ws(change: str) -> dict[str, Any]:
        nonlocal now
        found.extend(verify_request(consumer_jws=False) for _ in range(2))
        if change == "revoked":
            auth.revoke(token=request.headers["Authorization"])
        else:
            now += 7200
        verify_request(consumer_jws=False)
        raise AssertionError

    for change in ("expired", "revoked"):
        sent = headers(issuer.app_jwt(iat=now, exp=now + 3600))
        answer = app.test_client().get(f"/ws/{change}", headers=sent)
        assert_row(answer, 40102)
    assert found[0] is found[1]
    assert found[2] is found[3]


@pytest.mark.parametrize(
    "way", ["scope", "account", "expired", "forged", "missing", "same token", "unavailable"]
)
def test_no_frame_of_a_refusal_holds_a_token(way: str, make_app: MakeApp, issuer: Issuer) -> None:
    """docs/security.rst, what you must do yourself: a reporter of errors that shows the local
    variables of each frame shows no token of a refusal, least of all a good one."""
    settings = {"CONSUMER_JWS_KEYS": "http://127.0.0.1:1/"} if way == "unavailable" else {}
    app = make_app(**settings)
    shown: list[str] = []

    @app.errorhandler(ConnectorAuthError)
    def report(error: ConnectorAuthError) -> tuple[str, int]:
        told = TracebackException.from_exception(error, capture_locals=True)
        shown.append("".join(told.format()))
        return "", error.code

    @app.get("/<account_id>")
    @require_app_jwt(scopes="a-scope-of-none" if way == "scope" else ())
    @require_consumer_jws
    def view(account_id: str) -> dict[str, Any]:
        return {}

    good, consumer = issuer.app_jwt(), issuer.consumer_jws()
    sent = {
        "expired": headers(issuer.broken("expired"), consumer),
        "forged": headers(good, issuer.broken("forged", "consumer_jws")),
        "missing": headers(good),
        "same token": headers(good, good),
    }.get(way, headers(good, consumer))
    account = "another" if way == "account" else ACCOUNT
    assert app.test_client().get(f"/{account}", headers=sent).status_code in (401, 503)
    [text] = shown
    assert "enforce" in text
    for token in sent.values():
        for segment in token.removeprefix("Bearer ").split("."):
            assert segment[:40] not in text


def test_the_helper_of_a_plain_view_opens_no_method(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 40105: only a ``MethodView`` has a method for each HTTP method, so that a mark on it is
    one for that."""
    app = make_app()

    def get_past(self: object) -> dict[str, Any]:
        return {}

    for base in (View, MethodView):
        members = {"dispatch_request": get_past} if base is View else {"get": get_past}
        members["post"] = public(lambda self: {})
        kind = type(f"A{base.__name__}", (base,), {**members, "methods": ["GET", "POST"]})
        app.add_url_rule(f"/{base.__name__}", view_func=kind.as_view(base.__name__))
    ConnectorAuth().protect(app, consumer_jws=False)
    client, good = app.test_client(), headers(issuer.app_jwt())
    for path in ("/View", "/MethodView"):
        assert client.post(path, headers=good).status_code == 200
        assert_row(client.get(path), 40105)
    assert_row(client.post("/View"), 40105)
    assert client.post("/MethodView").status_code == 200
    told = {(each.rule, each.methods): each.access for each in audit(app)}
    assert told["/View", ("GET", "HEAD", "POST")] is Access.PROTECTED
