"""Broken tokens: each is rejected for its one fault, and for no other reason."""

import hmac
import json
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import Reason, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import ConnectorClient, Issuer
from flask_connector_auth.testing.tampering import TOKEN_FAULTS, TokenKind
from tests.support.floor_helpers import APP, NOW, decoded, issuer_of, jwk, pem, why_refused
from tests.support.http_helpers import assert_row
from tests.support.types import MakeApp

URL = "/api/account/le81823118"
#: The reason that the documentation states for each fault.
REASONS = {
    "expired": Reason.EXPIRED,
    "not_yet_valid": Reason.NOT_YET_VALID,
    "too_long_lived": Reason.TOO_LONG_LIVED,
    "forged": Reason.BAD_SIGNATURE,
    "tampered": Reason.BAD_SIGNATURE,
    "embedded_key": Reason.BAD_SIGNATURE,
    "unknown_key": Reason.UNKNOWN_KEY,
    "unsigned": Reason.BAD_ALGORITHM,
    "confused_key": Reason.BAD_ALGORITHM,
    "critical": Reason.CRITICAL,
    "bad_parameter": Reason.BAD_PARAMETER,
    "bad_json": Reason.BAD_JSON,
    "not_compact": Reason.NOT_COMPACT,
    "too_large": Reason.TOO_LARGE,
    "bad_header": Reason.BAD_HEADER,
    "missing_claim": Reason.MISSING_CLAIM,
    "bad_claim": Reason.BAD_CLAIM,
    "wrong_issuer": Reason.WRONG_ISSUER,
    "wrong_type": Reason.WRONG_TYPE,
    "wrong_account": Reason.WRONG_ACCOUNT,
    "missing_scope": Reason.MISSING_SCOPE,
}
APP_JWT_ONLY = {"too_long_lived", "wrong_issuer", "missing_scope"}
ROWS_OF: dict[TokenKind, int] = {"app_jwt": 40102, "consumer_jws": 40103}
EVERY = [
    (kind, name, reason)
    for kind in ROWS_OF
    for name, reason in REASONS.items()
    if kind == "app_jwt" or name not in APP_JWT_ONLY
]
#: Reasons that no single token can cause: they depend on the app, or on the other header.
NOT_OF_ONE_TOKEN = {
    *(Reason.MISSING, Reason.SAME_TOKEN, Reason.REVOKED, Reason.UNKNOWN_USER, Reason.VIEW),
    *(Reason.KEYS_UNAVAILABLE, Reason.REVOCATION_UNAVAILABLE),
}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app in which every fault leads to a rejection."""
    app = make_app(MAX_LIFETIME=7200)
    view = require_app_jwt(scopes="msg.consumer")(require_consumer_jws(lambda account_id: {}))
    app.add_url_rule("/api/account/<account_id>", "view", view)
    return app


@pytest.mark.parametrize(("kind", "name", "reason"), EVERY)
def test_a_broken_token_is_refused_for_what_its_name_says(
    kind: TokenKind,
    name: str,
    reason: Reason,
    connector_client: ConnectorClient,
    issuer: Issuer,
    refusals: list[Reason],
) -> None:
    """Rows 40102 and 40103: the documented reason, beside a good token of the other type."""
    assert connector_client.get(URL).status_code == 200
    token = {kind: issuer.broken(name, kind)}
    assert_row(connector_client.get(URL, **token), ROWS_OF[kind])
    assert refusals == [reason]


def test_the_ways_are_those_that_are_documented() -> None:
    """Each has its reason and its description, and each possible reason has a fault."""
    assert {name: way.reason for name, way in TOKEN_FAULTS.items()} == REASONS
    assert {name for name, way in TOKEN_FAULTS.items() if way.app_jwt_only} == APP_JWT_ONLY
    assert set(REASONS.values()) == set(Reason) - NOT_OF_ONE_TOKEN
    assert all(way.apply.__doc__ for way in TOKEN_FAULTS.values())


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
@pytest.mark.parametrize("name", ["forged", "tampered", "embedded_key", "unknown_key", "unsigned"])
def test_a_token_of_any_algorithm_can_be_broken(algorithm: str, name: str) -> None:
    """RFC 7518 section 3.1: the forger signs with a key of the same type."""
    issuer = issuer_of(algorithm)
    trusted = {"keys": issuer.key_set(), "algorithms": [algorithm]}
    assert why_refused(APP, issuer.app_jwt(), **trusted) is None
    assert why_refused(APP, issuer.broken(name), **trusted) is REASONS[name]


def test_a_confused_key_signs_as_a_secret() -> None:
    """CVE-2015-9235: valid for a verifier that uses the public key's PEM as an HMAC secret."""
    message, _, signature = issuer_of().broken("confused_key").rpartition(".")
    assert json.loads(decoded(message.split(".")[0]))["alg"] == "HS256"
    assert hmac.digest(pem().encode(), message.encode(), "sha256") == decoded(signature)


def test_the_claims_that_are_not_broken_are_the_callers() -> None:
    """Claims are replaced as in a valid token, except for the fault itself."""
    token = issuer_of().broken("expired", aud="le1", sub="x", exp=NOW + 60)
    claims = json.loads(decoded(token.split(".")[1]))
    assert (claims["aud"], claims["sub"], claims["exp"]) == ("le1", "x", NOW - 7200)
    jws = issuer_of().broken("bad_claim", "consumer_jws", account_id="le1")
    claims = json.loads(decoded(jws.split(".")[1]))
    assert (claims["account_id"], claims["lp_consumer_id"]) == ("le1", "")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("app_jwt", "misspelled"),
        ("consumer_jws", ""),
        *(("consumer_jws", n) for n in sorted(APP_JWT_ONLY)),
    ],
)
def test_an_impossible_fault_is_an_error(kind: TokenKind, name: str) -> None:
    """A ConsumerJWS has no scope, issuer or lifetime; the error lists the possible faults."""
    with pytest.raises(ValueError, match=f"no way '{name}' .* expired, not_yet_valid, "):
        issuer_of().broken(name, kind)


def test_a_token_of_no_kind_is_an_error() -> None:
    """The two kinds are listed."""
    kind: Any = "consumer"
    with pytest.raises(ValueError, match=r"'consumer' .* app_jwt and consumer_jws"):
        issuer_of().broken("expired", kind)


def test_a_secret_cannot_be_confused_with_a_public_key() -> None:
    """RFC 7517 section 5: a secret has no public half."""
    issuer = issuer_of("HS256")
    with pytest.raises(ValueError, match="a secret has no public half"):
        issuer.broken("confused_key")
    trusted = {"keys": jwk("HS256"), "algorithms": ["HS256"]}
    assert why_refused(APP, issuer.app_jwt(), **trusted) is None
    assert why_refused(APP, issuer.broken("forged"), **trusted) is Reason.BAD_SIGNATURE
