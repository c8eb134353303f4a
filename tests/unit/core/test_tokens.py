"""The values of verified tokens: immutable, with a repr that is safe to log."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from flask_connector_auth.core import AppJWT, ConsumerJWS, freeze_claims

APP_JWT = AppJWT(
    account_id="le1",
    install_id="install-1",
    scopes=frozenset({"msg.consumer"}),
    issuer="Sentinel",
    issued_at=1000,
    expires_at=4600,
    claims=freeze_claims({"aud": "le1", "email": "someone@example.com"}),
)
CONSUMER_JWS = ConsumerJWS(
    account_id="le1",
    ext_consumer_id="consumer-1",
    lp_consumer_id="abc",
    claims=freeze_claims({"account_id": "le1", "email": "someone@example.com"}),
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


@pytest.mark.parametrize("token", [APP_JWT, CONSUMER_JWS], ids=["AppJWT", "ConsumerJWS"])
def test_a_token_cannot_be_changed(token: Any) -> None:
    """RFC 8725 section 3.3: a verified value stays as it was verified."""
    with pytest.raises(FrozenInstanceError):
        token.account_id = "another"
    assert not hasattr(token, "__dict__")


@pytest.mark.parametrize("depth", ["top", "inside a member", "inside a list"])
def test_claims_are_read_only_at_every_depth(depth: str) -> None:
    """``claims`` is a read-only mapping, and so are the mappings inside it."""
    claims = freeze_claims({"a": {"b": 1}, "c": [{"d": 1}]})
    mapping = {"top": claims, "inside a member": claims["a"], "inside a list": claims["c"][0]}
    with pytest.raises(TypeError, match="does not support item assignment"):
        mapping[depth]["x"] = 1


def test_claims_keep_their_values() -> None:
    """Freezing changes only the type of lists, which become tuples."""
    claims = freeze_claims({"a": {"b": [1, [True, None]]}, "c": "text", "d": 1.5})
    assert claims == {"a": {"b": (1, (True, None))}, "c": "text", "d": 1.5}
    assert list(claims) == ["a", "c", "d"]


def test_claims_do_not_follow_their_source() -> None:
    """RFC 8725 section 3.3: a later change of the parsed object changes no token."""
    source = {"a": {"b": 1}, "c": [1]}
    claims = freeze_claims(source)
    source["a"]["b"] = 2
    source["c"].append(2)
    source["d"] = 1
    assert claims == {"a": {"b": 1}, "c": (1,)}
