"""The values of verified tokens: immutable, with a repr that is safe to log."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from flask_connector_auth.core import AppJWT, ConsumerJWS, shared_claims

APP_JWT = AppJWT(
    account_id="le1",
    install_id="install-1",
    scopes=frozenset({"msg.consumer"}),
    issuer="Sentinel",
    issued_at=1000,
    expires_at=4600,
    claims={"aud": "le1", "email": "someone@example.com", "roles": ["admin"]},
)
CONSUMER_JWS = ConsumerJWS(
    account_id="le1",
    ext_consumer_id="consumer-1",
    lp_consumer_id="abc",
    issuer="Sentinel",
    claims={"account_id": "le1", "email": "someone@example.com", "roles": ["admin"]},
)

each_token = pytest.mark.parametrize(
    "token", [APP_JWT, CONSUMER_JWS], ids=["AppJWT", "ConsumerJWS"]
)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (APP_JWT, "AppJWT(account_id='le1', install_id='install-1')"),
        (
            CONSUMER_JWS,
            "ConsumerJWS(account_id='le1', ext_consumer_id='consumer-1', lp_consumer_id='abc')",
        ),
    ],
    ids=["AppJWT", "ConsumerJWS"],
)
def test_the_repr_shows_ids_and_nothing_else(token: AppJWT | ConsumerJWS, text: str) -> None:
    """The ids may be logged; the claims and the token itself may not."""
    assert repr(token) == str(token) == text


@each_token
def test_a_token_cannot_be_changed(token: Any) -> None:
    """RFC 8725 section 3.3: a verified value stays as it was verified."""
    with pytest.raises(FrozenInstanceError):
        token.account_id = "another"
    with pytest.raises(FrozenInstanceError):
        token.claims = {}
    assert not hasattr(token, "__dict__")


NESTED = {"a": {"b": [1, [True, None]]}, "c": [{"d": 1.5}], "e": "text"}


def nested() -> AppJWT:
    """Return a token whose claims are nested."""
    return replace(APP_JWT, claims=copy.deepcopy(NESTED))


@each_token
@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        replace,
        *(lambda token, p=p: pickle.loads(pickle.dumps(token, p)) for p in (2, 3, 4, 5)),  # noqa: S301
    ],
    ids=["copy", "deepcopy", "replace", *(f"pickle {p}" for p in (2, 3, 4, 5))],
)
def test_a_copy_is_equal_and_has_the_same_hash(
    copied: Callable[[Any], Any], token: AppJWT | ConsumerJWS
) -> None:
    """The data model of Python: equal objects have equal hashes, so either finds a dict's entry."""
    other = copied(token)
    assert other == token
    assert other.claims == token.claims
    assert {token: "found"}[other] == "found"


@each_token
def test_tokens_with_other_values_are_not_equal(token: AppJWT | ConsumerJWS) -> None:
    """Every field counts, and the claims too."""
    assert replace(token, account_id="le2") != token
    assert replace(token, claims={}) != token


def test_claims_are_plain_json_values_at_every_depth() -> None:
    """RFC 8259: objects are dicts and arrays are lists, by exact type, as ``json`` makes them."""
    claims = nested().claims
    assert claims == NESTED
    assert [*claims] == [*NESTED]
    assert {type(claims), type(claims["a"]), type(claims["c"][0])} == {dict}
    assert {type(claims["a"]["b"]), type(claims["a"]["b"][1]), type(claims["c"])} == {list}
    assert json.loads(json.dumps(claims)) == NESTED


def spoil(claims: Any) -> None:
    """Change *claims* at every depth."""
    claims["a"]["b"][1].clear()
    claims["c"][0]["d"] = 2
    claims["c"].append(2)
    claims["x"] = 1


def test_each_reader_has_claims_of_its_own() -> None:
    """RFC 8725 section 3.3: a change of claims that were read, at any depth, changes no token."""
    token = nested()
    spoil(token.claims)
    assert token.claims == NESTED
    assert shared_claims(token) == NESTED


def test_claims_do_not_follow_their_source() -> None:
    """RFC 8725 section 3.3: a later change of the parsed object changes no token."""
    source = copy.deepcopy(NESTED)
    token = replace(APP_JWT, claims=source)
    spoil(source)
    assert token.claims == NESTED


def test_the_package_itself_reads_claims_without_a_copy() -> None:
    """A rejected request is not slower for the claims that its token has."""
    token = nested()
    assert shared_claims(token) is shared_claims(token)
    assert token.claims is not token.claims


def test_a_token_as_a_dict_has_no_claims() -> None:
    """Ids, issuer, times and scopes as JSON has them; claims may hold what is nobody's business."""
    app_jwt = replace(APP_JWT, scopes=frozenset({"b", "a", "c"}))
    assert json.loads(json.dumps(app_jwt.to_dict())) == {
        "account_id": "le1",
        "install_id": "install-1",
        "scopes": ["a", "b", "c"],
        "issuer": "Sentinel",
        "issued_at": 1000,
        "expires_at": 4600,
    }
    assert json.loads(json.dumps(CONSUMER_JWS.to_dict())) == {
        "account_id": "le1",
        "ext_consumer_id": "consumer-1",
        "lp_consumer_id": "abc",
        "issuer": "Sentinel",
    }
