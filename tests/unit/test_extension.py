"""Setting an app up: early failure, no extension, account binding, signals."""

import json
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    ConfigurationError,
    ConnectorAuth,
    InvalidAppJWT,
    Reason,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    token_verified,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.types import MakeApp


def test_bad_configuration_fails_at_init_app_and_sets_nothing_up() -> None:
    """One error lists every problem by key; the app stays without the extension."""
    app = Flask("an_app")
    app.config.update(CONNECTOR_AUTH_LEEWAY="long", CONNECTOR_AUTH_ISUER="x")
    with pytest.raises(ConfigurationError) as caught:
        ConnectorAuth(app)
    assert sorted(caught.value.problems) == [
        "CONNECTOR_AUTH_APP_JWT_KEYS",
        "CONNECTOR_AUTH_ISUER",
        "CONNECTOR_AUTH_LEEWAY",
    ]
    assert "Did you mean CONNECTOR_AUTH_ISSUER?" in str(caught.value)
    assert app.extensions == {}
    assert app.blueprints == {}


def test_an_app_is_set_up_once(make_app: MakeApp) -> None:
    """A second init_app on one app is a mistake in the factory, and says so."""
    app = make_app()
    with pytest.raises(RuntimeError, match="set up for this app before"):
        ConnectorAuth(app)


def test_settings_come_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    """Flask's from_prefixed_env() yields JSON, or plain strings if a value is not JSON."""
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_APP_JWT_KEYS", json.dumps(issuer.key_set()))
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_AUDIENCE", "5313846")
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_ISSUER", "Other")
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_ERROR_CATALOGUE__40105__errorCode", "40104")
    app = Flask("an_app")
    app.config.from_prefixed_env()
    ConnectorAuth(app)
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    client = app.test_client()
    token = issuer.app_jwt(aud="5313846", iss="Other")
    assert client.get("/x", headers=headers(token)).status_code == 200
    assert_row(client.get("/x", headers=headers(issuer.app_jwt(iss="Other"))), 40102)
    assert client.get("/x").json["body"]["errorCode"] == 40104


@pytest.mark.parametrize("method", ["close", "health"])
def test_an_operator_is_told_that_the_extension_is_missing(method: str) -> None:
    """No token is required by these calls, so their error speaks of none."""
    with pytest.raises(RuntimeError, match=r"^The app has no ConnectorAuth: call ") as caught:
        getattr(ConnectorAuth(), method)(Flask("an_app"))
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("testing", [False, True])
def test_without_the_extension_nothing_passes(testing: bool, issuer: Issuer) -> None:
    """A decorated view on an app that was never set up is a loud 500 that says what to call."""
    app = Flask("an_app")
    ran = []
    app.add_url_rule("/x", "x", require_app_jwt(lambda: ran.append(1)))
    app.testing = testing
    client = app.test_client()
    if testing:
        with pytest.raises(RuntimeError, match=r"call ConnectorAuth\(app\)"):
            client.get("/x", headers=headers(issuer.app_jwt()))
    else:
        assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 500
    assert ran == []


ACCOUNTS: list[tuple[Any, str, str, str, bool]] = [
    # AUDIENCE, route, URL, the tokens' account, passes
    (None, "/<account_id>", "/a", "a", True),
    (None, "/<account_id>", "/a", "b", False),
    (None, "/<account_id>", "/a", "A", False),
    (None, "/<account_id>", "/a", "a ", False),
    (None, "/<account_id>", "/%C3%A9", "\u00e9", True),
    (None, "/<account_id>", "/%C3%A9", "e\u0301", False),
    (None, "/<int:account_id>", "/7", "7", True),
    (None, "/<int:account_id>", "/7", "07", False),
    ("a", "/x", "/x", "a", True),
    ("a", "/x", "/x", "b", False),
    (["a", "b"], "/x", "/x", "b", True),
    (["a", "b"], "/x", "/x", "ab", False),
    (["a", "b"], "/<account_id>", "/b", "b", True),
    (["a", "b"], "/<account_id>", "/c", "c", False),
    (["a", "b"], "/<account_id>", "/a", "b", False),
    (None, "/x", "/x", "whoever", True),
    (None, "/<other>", "/a", "b", True),
]


@pytest.mark.parametrize("decorator", [require_app_jwt, require_consumer_jws])
@pytest.mark.parametrize(("audience", "route", "url", "account", "passes"), ACCOUNTS)
def test_the_account_is_bound(
    decorator: Any,
    audience: Any,
    route: str,
    url: str,
    account: str,
    passes: bool,
    make_app: MakeApp,
    issuer: Issuer,
) -> None:
    """RFC 8725 section 3.9: the URL's account, the configured ones, or both; code point by code
    point, and never another row than 40102 or 40103."""
    app = make_app(AUDIENCE=audience)
    app.add_url_rule(route, "x", decorator(lambda **_: {}))
    if decorator is require_app_jwt:
        sent, row = headers(issuer.app_jwt(aud=account)), 40102
    else:
        sent, row = headers(None, issuer.consumer_jws(account_id=account)), 40103
    response = app.test_client().get(url, headers=sent)
    if passes:
        assert response.status_code == 200
    else:
        assert_row(response, row)


def test_the_name_of_the_account_argument_is_a_setting(make_app: MakeApp, issuer: Issuer) -> None:
    """The argument is account_id unless configured; a default of None binds to no account."""
    app = make_app(ACCOUNT_ARGUMENT="brand")
    view = require_app_jwt(lambda brand: {"brand": brand})
    app.add_url_rule("/", "x", view, defaults={"brand": None})
    app.add_url_rule("/<brand>", "x", view)
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get(f"/{ACCOUNT}", headers=sent).json == {"brand": ACCOUNT}
    assert_row(client.get("/other", headers=sent), 40102)
    assert client.get("/", headers=sent).json == {"brand": None}


def pair_view(app: Flask) -> Flask:
    """Add a view that requires both tokens."""
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(lambda: {})))
    return app


def test_both_tokens_name_one_account(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 40103: a ConsumerJWS of another account than the AppJWT's is invalid."""
    client = pair_view(make_app()).test_client()
    good = headers(issuer.app_jwt(aud="a"), issuer.consumer_jws(account_id="a"))
    assert client.get("/x", headers=good).status_code == 200
    other = headers(issuer.app_jwt(aud="a"), issuer.consumer_jws(account_id="b"))
    assert_row(client.get("/x", headers=other), 40103)


def test_one_text_in_both_headers_is_refused(make_app: MakeApp, issuer: Issuer) -> None:
    """RFC 8725 section 3.12: one token never stands in for the other."""
    client = pair_view(make_app()).test_client()
    errors: list[Reason] = []
    with token_rejected.connected_to(lambda _app, error: errors.append(error.reason)):
        app_jwt, consumer_jws = issuer.app_jwt(), issuer.consumer_jws()
        assert_row(client.get("/x", headers=headers(app_jwt, app_jwt)), 40103)
        assert_row(client.get("/x", headers=headers(f"Bearer {app_jwt}", app_jwt)), 40103)
        assert_row(client.get("/x", headers=headers(consumer_jws, consumer_jws)), 40102)
    assert errors == [Reason.SAME_TOKEN, Reason.SAME_TOKEN, Reason.WRONG_TYPE]


def test_signals_tell_what_happened_and_carry_no_token(make_app: MakeApp, issuer: Issuer) -> None:
    """docs/signals.rst: the sender is the app; the payload is the verified values, or the error."""
    app = pair_view(make_app())
    told: list[Any] = []

    def verified(sender: Flask, **payload: Any) -> None:
        told.append((sender, payload["app_jwt"].install_id, payload["consumer_jws"].account_id))

    def rejected(sender: Flask, error: InvalidAppJWT) -> None:
        told.append((sender, type(error), error.reason))

    client = app.test_client()
    app_jwt = issuer.app_jwt(azp="app")
    with token_verified.connected_to(verified), token_rejected.connected_to(rejected):
        client.get("/x", headers=headers(app_jwt, issuer.consumer_jws()))
        client.get("/x", headers=headers(app_jwt[:-9] + "AAAAAAAAA"))
    assert told == [(app, "app", ACCOUNT), (app, InvalidAppJWT, Reason.BAD_SIGNATURE)]


def test_signals_tell_what_was_asked_and_not_what_a_view_does(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Sent again if a view requires more than before; not for an error that it raises itself."""
    app = make_app()
    told: list[str] = []

    @app.get("/x")
    @require_app_jwt
    def view() -> None:
        for scopes in ((), ("msg.consumer",), ("msg.consumer",)):
            verify_request(consumer_jws=False, scopes=scopes)
            told.append("asked")
        raise InvalidAppJWT

    def verified(_sender: Flask, **_payload: Any) -> None:
        told.append("verified")

    def rejected(_sender: Flask, **_payload: Any) -> None:
        told.append("rejected")

    with token_verified.connected_to(verified), token_rejected.connected_to(rejected):
        assert_row(app.test_client().get("/x", headers=headers(issuer.app_jwt())), 40102)
    assert told == ["verified", "asked", "verified", "asked", "asked"]


def test_health_is_that_of_the_keys_of_both_tokens(make_app: MakeApp, issuer: Issuer) -> None:
    """health() is a plain dict for the current app or a given one, and does no I/O."""
    auth = ConnectorAuth()
    url = "http://127.0.0.1:1/jwks"
    app = make_app(CONSUMER_JWS_KEYS=url)
    with app.app_context():
        health = auth.health()
    assert health == auth.health(app) == json.loads(json.dumps(health))
    static = {"source": "configuration", "state": "static", "ready": True}
    assert health["keys"]["app_jwt"] == {**static, "keys": 1, "kids": ["dev-1"]}
    consumer = health["keys"]["consumer_jws"]
    assert (consumer["source"], consumer["state"], consumer["ready"]) == (url, "empty", False)
    with pytest.raises(RuntimeError, match="call ConnectorAuth"):
        auth.health(Flask("another_app"))
