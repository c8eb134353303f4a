"""AppJWTValidator under Authlib's real ResourceProtector: our verdicts, in Authlib's words."""

import json
import subprocess
import sys
from typing import Any

import pytest
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.integrations.flask_oauth2.signals import token_authenticated
from flask import Flask

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    token_verified,
)
from flask_connector_auth.integrations.authlib import AppJWTToken, AppJWTValidator
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.testing.tampering import TOKEN_FAULTS
from tests.support.http_helpers import assert_row, headers
from tests.support.outages import Outage
from tests.support.types import MakeApp

THEIRS = "/api/account/le81823118/theirs"
OURS = "/api/account/le81823118/ours"


def protector() -> Any:
    """Return a protector with our validator, as an app makes one."""
    require_oauth = ResourceProtector()
    require_oauth.register_token_validator(AppJWTValidator("a realm", charset="x"))
    return require_oauth


def who(account_id: str) -> Any:
    """Answer with all that is known of the caller."""
    ids = {"account_id": current_app_jwt.account_id, "install_id": current_app_jwt.install_id}
    times = [current_app_jwt.issued_at, current_app_jwt.expires_at]
    scopes, claims = sorted(current_app_jwt.scopes), dict(current_app_jwt.claims)
    return {**ids, "times": times, "scopes": scopes, "claims": claims}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app with one view under Authlib's protector and under our decorator."""
    app = make_app(MAX_LIFETIME=7200)
    rule = "/api/account/<account_id>"
    app.add_url_rule(f"{rule}/theirs", "theirs", protector()("msg.consumer")(who))
    app.add_url_rule(f"{rule}/ours", "ours", require_app_jwt(scopes="msg.consumer")(who))
    return app


def get(app: Flask, url: str, app_jwt: str | None, consumer_jws: str | None = None) -> Any:
    """Send the AppJWT behind ``Bearer``, as Authlib requires it."""
    bearer = None if app_jwt is None else f"Bearer {app_jwt}"
    return app.test_client().get(url, headers=headers(bearer, consumer_jws))


def assert_theirs(answer: Any, status: int, error: str) -> None:
    """Assert that *answer* is the protector's own (RFC 6750 section 3.1)."""
    assert (answer.status_code, json.loads(answer.data)["error"]) == (status, error)
    assert "body" not in answer.json


def test_a_good_token_is_the_same_under_both(app: Flask, issuer: Issuer) -> None:
    """docs/moving_authlib.rst: one token, one identity, whether or not its route was moved yet."""
    token = issuer.app_jwt(scope="msg.consumer other", jti="1")
    theirs, ours = (get(app, url, token) for url in (THEIRS, OURS))
    assert theirs.status_code == 200
    assert theirs.json == ours.json
    assert (ours.json["account_id"], ours.json["claims"]["jti"]) == ("le81823118", "1")


@pytest.mark.parametrize("name", sorted(TOKEN_FAULTS.keys() - {"missing_scope"}))
def test_a_broken_token_is_refused(
    name: str, app: Flask, issuer: Issuer, refusals: list[Reason]
) -> None:
    """RFC 6750 section 3.1: invalid_token for each reason, which is logged as for our decorator."""
    token = issuer.broken(name)
    answer = get(app, THEIRS, token)
    assert_theirs(answer, 401, "invalid_token")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="a realm", ')
    assert "charset" in challenge
    assert ', error="invalid_token", ' in challenge
    assert_row(get(app, OURS, token), 40102)
    assert refusals == [TOKEN_FAULTS[name].reason] * 2


def test_a_missing_scope_is_authlibs_to_tell(
    app: Flask, issuer: Issuer, refusals: list[Reason]
) -> None:
    """RFC 6750 section 3.1: insufficient_scope with 403, where our decorator answers 40102."""
    token = issuer.broken("missing_scope")
    assert_theirs(get(app, THEIRS, token), 403, "insufficient_scope")
    assert_row(get(app, OURS, token), 40102)
    assert refusals == ["missing_scope"] * 2


@pytest.mark.parametrize(
    ("required", "text"), [("a b", "a b"), (["a", "b"], "a|b"), (["a b", "d"], "a b|d")]
)
def test_a_missing_scope_is_told_with_what_was_required_and_granted(
    required: Any, text: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/errors.rst: as for our decorator; the alternatives of Authlib's list joined by a bar."""
    app, told = make_app(), []
    app.add_url_rule("/x", "x", protector()(required)(lambda: {}))

    def note(_app: Flask, error: Any) -> None:
        told.append(error.reason_details)

    with token_rejected.connected_to(note):
        assert get(app, "/x", issuer.app_jwt(scope="c")).status_code == 403
    assert told == [{"required_scopes": text, "granted_scopes": "c"}]


@pytest.mark.parametrize("granted", ["", "a", "b", "a b", "b a c", "a  b", "a\tb", "A"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (None, {}),
        ("a", {"scopes": "a"}),
        ("a b", {"scopes": "a b"}),
        (["a", "b"], {"any_scope": ["a", "b"]}),
    ],
)
def test_scopes_mean_the_same(
    make_app: MakeApp, issuer: Issuer, theirs: Any, ours: Any, granted: str
) -> None:
    """RFC 6749 section 3.3: all of a string, one of a list; a tab divides nothing."""
    app = make_app()
    app.add_url_rule("/theirs", "theirs", protector()(theirs)(lambda: {}))
    app.add_url_rule("/ours", "ours", require_app_jwt(**ours)(lambda: {}))
    token = issuer.app_jwt(scope=granted)
    has = {*granted.split(" ")}
    passes = {
        None: True,
        "a": "a" in has,
        "a b": {"a", "b"} <= has,
        "['a', 'b']": bool({"a", "b"} & has),
    }[theirs if theirs is None else str(theirs)]
    assert get(app, "/theirs", token).status_code == (200 if passes else 403)
    assert get(app, "/ours", token).status_code == (200 if passes else 401)


def test_a_revoked_token_is_refused(app: Flask, issuer: Issuer, refusals: list[Reason]) -> None:
    """Row 40102's reason ``revoked``, as Authlib's invalid_token; another token passes."""
    token = issuer.app_jwt(jti="thief")
    assert get(app, THEIRS, token).status_code == 200
    with app.app_context():
        ConnectorAuth().revocations.revoke(token=token)
    assert_theirs(get(app, THEIRS, token), 401, "invalid_token")
    assert get(app, THEIRS, issuer.app_jwt(jti="other")).status_code == 200
    assert refusals == ["revoked"]


def test_an_outage_of_the_keys_is_not_the_clients_fault(
    make_app: MakeApp, issuer: Issuer, key_set_server: KeySetServer
) -> None:
    """Row 50301: never invalid_token, on which clients throw good tokens away."""
    key_set_server.fail("status", status=500)
    app = make_app(APP_JWT_KEYS=key_set_server.url)
    app.add_url_rule("/", "view", protector()()(lambda: {}))
    answer = get(app, "/", issuer.app_jwt())
    assert_row(answer, 50301)
    assert_theirs(get(app, "/", "junk"), 401, "invalid_token")


def test_an_outage_without_a_time_to_wait_is_one_too(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 50301: what a key source of an app leaves out does not blame the token."""
    app = make_app(APP_JWT_KEYS=Outage(None))
    app.add_url_rule("/", "view", protector()()(lambda: {}))
    assert_row(get(app, "/", issuer.app_jwt()), 50301)


def test_row_40001_is_for_our_decorator_only(
    make_app: MakeApp, issuer: Issuer, refusals: list[Reason]
) -> None:
    """Row 40001, by setting: Authlib's clients know invalid_token."""
    app = make_app(MISSING_PARAMETER_ROW=True)
    app.add_url_rule("/", "view", protector()()(lambda: {}))
    assert_theirs(get(app, "/", issuer.broken("wrong_issuer")), 401, "invalid_token")
    assert refusals == ["wrong_issuer"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "missing_authorization"),
        ("", "missing_authorization"),
        ("  ", "unsupported_token_type"),
        ("Bearer", "unsupported_token_type"),
        ("Basic dTpw", "unsupported_token_type"),
        ("{token}", "unsupported_token_type"),
    ],
)
def test_what_authlib_itself_refuses(
    value: str | None, error: str, app: Flask, issuer: Issuer, refusals: list[Reason]
) -> None:
    """RFC 6749 section 7.1: Authlib requires a scheme, and gives a bare token to no validator."""
    sent = None if value is None else value.format(token=issuer.app_jwt())
    answer = app.test_client().get(THEIRS, headers=headers(sent))
    assert_theirs(answer, 401, error)
    assert refusals == []
    assert get(app, THEIRS, issuer.app_jwt()).status_code == 200


@pytest.mark.parametrize("value", ["bearer {token}", "BEARER   {token}"])
def test_the_scheme_as_both_read_it(value: str, app: Flask, issuer: Issuer) -> None:
    """RFC 9110 section 11.1: in any case, and any spaces after it."""
    sent = headers(value.format(token=issuer.app_jwt()))
    assert app.test_client().get(THEIRS, headers=sent).status_code == 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Bearer\t{token}", "bad_header"),
        ("Bearer {token} x", "bad_header"),
        ("Bearer\xa0{token}", "not_compact"),
    ],
)
def test_a_header_that_only_authlib_reads(
    value: str, reason: str, app: Flask, issuer: Issuer, refusals: list[Reason]
) -> None:
    """RFC 9110 section 11.4: a header that is not ``Bearer`` and one token is refused."""
    sent = headers(value.format(token=issuer.app_jwt()))
    assert_theirs(app.test_client().get(THEIRS, headers=sent), 401, "invalid_token")
    assert refusals == [reason]


def test_an_optional_token(make_app: MakeApp, issuer: Issuer) -> None:
    """A missing token passes without identity; one that is not good never does."""
    app = make_app()

    def view() -> Any:
        if current_token:
            return {"who": current_token["azp"]}
        with pytest.raises(RuntimeError, match="only in a request for which"):
            bool(current_app_jwt)
        return {"who": None}

    app.add_url_rule("/", "view", protector()(optional=True)(view))
    assert get(app, "/", None).json == {"who": None}
    assert get(app, "/", issuer.app_jwt(azp="install-1")).json == {"who": "install-1"}
    for name in ("expired", "forged", "unsigned"):
        assert_theirs(get(app, "/", issuer.broken(name)), 401, "invalid_token")
    blank = app.test_client().get("/", headers=headers(" "))
    assert_theirs(blank, 401, "unsupported_token_type")


def test_the_current_token(make_app: MakeApp, issuer: Issuer) -> None:
    """Authlib's current_token: the claims, the methods that Authlib calls, and no claim in repr."""
    app = make_app()
    seen: list[Any] = []

    def view() -> Any:
        token = current_token._get_current_object()
        seen.append((token, token.app_jwt is current_app_jwt._get_current_object()))  # type: ignore[attr-defined]
        return {}

    app.add_url_rule("/", "view", protector()()(view))
    assert get(app, "/", issuer.app_jwt(scope="b a", azp="install-1", note=["n"])).json == {}
    [(token, same)] = seen
    assert same
    assert isinstance(token, AppJWTToken)
    assert {**token} == {**token.app_jwt.claims}
    assert (token["note"], token.get("none"), len(token)) == (["n"], None, 7)
    assert json.loads(json.dumps(dict(token))) == token.app_jwt.claims
    # What a view does to them is for that request only.
    token["note"].append("x")
    assert token.app_jwt.claims["note"] == ["n"]
    assert (token.get_scope(), token.is_expired(), token.is_revoked()) == (["a", "b"], False, False)
    told = "<AppJWTToken AppJWT(account_id='le81823118', install_id='install-1')>"
    assert repr(token) == told


def test_both_packages_send_their_signals(app: Flask, issuer: Issuer) -> None:
    """Authlib's token_authenticated has our token; our token_verified comes too, once."""
    told: list[Any] = []

    def authenticated(_sender: Any, token: AppJWTToken) -> None:
        told.append(("authenticated", token["azp"]))

    def verified(_sender: Flask, app_jwt: Any, consumer_jws: Any) -> None:
        told.append(("verified", app_jwt.install_id))

    with token_authenticated.connected_to(authenticated), token_verified.connected_to(verified):
        assert get(app, THEIRS, issuer.app_jwt(azp="install-1")).status_code == 200
    assert told == [("verified", "install-1"), ("authenticated", "install-1")]


@pytest.mark.parametrize("name", ["expired", "forged", "wrong_account", "missing_scope"])
def test_a_refusal_is_logged_as_that_of_our_decorator(
    name: str, app: Flask, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, with the reason and what the signature vouches for; the endpoint apart."""
    token = issuer.broken(name)
    with caplog.at_level("INFO", "flask_connector_auth"):
        answers = [get(app, url, token).status_code for url in (THEIRS, OURS)]
    theirs, ours = (record.getMessage() for record in caplog.records)
    assert answers[1] == 401
    assert theirs.replace("'theirs'", "'ours'") == ours
    assert f"refused: {TOKEN_FAULTS[name].reason} " in ours


CONSUMER = "/api/account/le81823118/consumer"


@pytest.fixture
def pair(app: Flask) -> Flask:
    """A view under the protector, and below that under our decorator for the other token."""

    def view(account_id: str) -> Any:
        return {"consumer": current_consumer_jws.ext_consumer_id, "app": current_token["azp"]}

    rule = "/api/account/<account_id>/consumer"
    app.add_url_rule(rule, "consumer", protector()()(require_consumer_jws(view)))
    return app


@pytest.mark.parametrize(
    ("consumer_jws", "row"), [("none", 40104), ("forged", 40103), ("wrong_account", 40103)]
)
def test_the_consumer_token_below_the_protector(
    consumer_jws: str, row: int, pair: Flask, issuer: Issuer
) -> None:
    """Rows 40103 and 40104: our decorator goes below Authlib's, and keeps its own rows."""
    good = get(pair, CONSUMER, issuer.app_jwt(azp="install-1"), issuer.consumer_jws())
    assert good.json == {"consumer": "consumer-1", "app": "install-1"}
    sent = None if consumer_jws == "none" else issuer.broken(consumer_jws, "consumer_jws")
    assert_row(get(pair, CONSUMER, issuer.app_jwt(), sent), row)


def test_the_app_jwt_is_judged_first(pair: Flask, issuer: Issuer) -> None:
    """Which error wins: Authlib's for the AppJWT, whatever there is of the ConsumerJWS."""
    forged = issuer.broken("forged", "consumer_jws")
    for consumer_jws in (None, forged, issuer.consumer_jws()):
        missing = get(pair, CONSUMER, None, consumer_jws)
        assert_theirs(missing, 401, "missing_authorization")
        expired = get(pair, CONSUMER, issuer.broken("expired"), consumer_jws)
        assert_theirs(expired, 401, "invalid_token")


def test_the_with_statement(make_app: MakeApp, issuer: Issuer) -> None:
    """Authlib's acquire(): the token, or its error."""
    app, require_oauth = make_app(), protector()

    @app.get("/")
    def view() -> Any:
        with require_oauth.acquire("msg.consumer") as token:
            return {"who": token.app_jwt.install_id}

    assert get(app, "/", issuer.app_jwt(azp="install-1")).json == {"who": "install-1"}
    assert_theirs(get(app, "/", issuer.broken("forged")), 401, "invalid_token")
    assert_theirs(get(app, "/", issuer.broken("missing_scope")), 403, "insufficient_scope")


@pytest.mark.parametrize("sent", [None, "Bearer {token}", "{other}"])
def test_a_token_from_elsewhere_is_not_verified(
    sent: str | None, app: Flask, issuer: Issuer
) -> None:
    """RFC 6750 section 2.1: only what Authorization holds is the request's own token."""
    token, other = issuer.app_jwt(jti="1"), issuer.app_jwt(jti="2")
    value = None if sent is None else sent.format(token=token, other=other)
    with (
        app.test_request_context(THEIRS, headers=headers(value)),
        pytest.raises(RuntimeError, match="the token of the request"),
    ):
        AppJWTValidator().authenticate_token(other)
    with app.test_request_context(THEIRS, headers=headers(f"Bearer {other}")):
        assert AppJWTValidator().authenticate_token(other)["jti"] == "2"


def test_an_app_without_the_extension(issuer: Issuer) -> None:
    """Nothing is verified, so nothing passes: the error says what to do."""
    app = Flask("an_app")
    app.testing = True
    app.add_url_rule("/", "view", protector()()(lambda: {}))
    with pytest.raises(RuntimeError, match="no ConnectorAuth"):
        get(app, "/", issuer.app_jwt())


def test_who_does_not_use_authlib_does_not_load_it() -> None:
    """Neither the package needs Authlib, nor the validator Authlib's Flask integration."""
    program = (
        "import sys, flask_connector_auth; assert 'authlib' not in sys.modules;"
        "import flask_connector_auth.integrations.authlib;"
        "assert 'authlib' in sys.modules and 'authlib.integrations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)  # noqa: S603
