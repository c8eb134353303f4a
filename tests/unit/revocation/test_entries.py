"""The digest of a token, the keys of entries, and how long an entry is needed."""

from hashlib import sha256
from math import inf

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flask_connector_auth.revocation import (
    Kind,
    kind_of,
    retention_by_kind,
    subject_key,
    token_digest,
    token_expiry,
)
from tests.support.floor_helpers import NOW, cases, encoded, issuer_of, untimed

TOKEN = issuer_of().app_jwt()
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def test_a_token_is_identified_by_its_signing_input() -> None:
    """RFC 7515 section 5.1: the signing input is header and payload as they are sent."""
    assert token_digest(TOKEN) == sha256(f"{HEADER}.{PAYLOAD}".encode()).digest()
    assert token_digest(f"{HEADER}.{PAYLOAD}.AAAA") == token_digest(TOKEN)
    assert token_digest(issuer_of().app_jwt(jti="2")) != token_digest(TOKEN)


@cases(
    "text",
    {
        "nothing": "",
        "two segments": f"{HEADER}.{PAYLOAD}",
        "four segments": f"{TOKEN}.{SIGNATURE}",
        "an empty segment": f"{HEADER}..{SIGNATURE}",
        "no signature": f"{HEADER}.{PAYLOAD}.",
        "with Bearer": f"Bearer {TOKEN}",
        "a space": f" {TOKEN}",
        "a line end": f"{TOKEN}\n",
        "padding": f"{TOKEN}==",
        "the other base64": f"{HEADER}.{PAYLOAD}.+/",
        "not ASCII": f"{TOKEN}é",
        "another digit": f"{TOKEN}٣",
    },
)
def test_a_text_that_is_no_token_is_an_error_that_does_not_quote_it(text: str) -> None:
    """A revocation that matches no token must not look like one that does."""
    with pytest.raises(ValueError) as caught:
        token_digest(text)
    assert HEADER not in str(caught.value)
    assert caught.value.__cause__ is None


@cases(
    ("claims", "until"),
    {
        "a whole number": (b'{"exp":1800000000}', NOW + 30 + 60),
        "a fraction": (b'{"exp":1800000000.5}', NOW + 30.5 + 60),
        "the past": (b'{"exp":1}', 91),
        "none": (b"{}", 7.0),
        "a string": (b'{"exp":"1800000000"}', 7.0),
        "true": (b'{"exp":true}', 7.0),
        "null": (b'{"exp":null}', 7.0),
        "more than a float holds": (b'{"exp":1' + b"0" * 309 + b"}", 7.0),
        "no integer of JSON": (b'{"exp":9007199254740992}', 7.0),
        "none below zero": (b'{"exp":-9007199254740992}', 7.0),
    },
)
def test_a_token_is_kept_until_no_verifier_accepts_it(claims: bytes, until: float) -> None:
    """``exp``, the leeway and a minute; without ``exp`` the given default."""
    assert token_expiry(f"{HEADER}.{encoded(claims)}.AAAA", 30, 7.0) == until


@pytest.mark.parametrize("payload", ["AAAA", encoded(b"[]"), encoded(b'{"exp":1,"exp":2}'), "A"])
def test_a_payload_that_no_verifier_takes_is_an_error(payload: str) -> None:
    """RFC 7519 section 7.2: a JSON object, read as strictly as by the verifier."""
    with pytest.raises(ValueError, match="its payload is no JSON object"):
        token_expiry(f"{HEADER}.{payload}.AAAA", 30, inf)


IDS = [Kind.INSTALL, Kind.ACCOUNT, Kind.LP_CONSUMER, Kind.EXT_CONSUMER]


def test_the_retention_of_each_kind() -> None:
    """An install: as long as its last AppJWT lives; the expiry of a ConsumerJWS is not known."""
    assert set(retention_by_kind(None, 30, None).values()) == {inf}
    for keep, kept in ((None, inf), (10**6, 10**6)):
        retention = retention_by_kind(3600, 30, keep)
        assert retention == {**dict.fromkeys(IDS, kept), Kind.INSTALL: 3600 + 30 + 60}
    assert set(retention_by_kind(None, 30, 10**6).values()) == {10**6}


@untimed
@given(st.sampled_from(IDS), st.text())
def test_a_key_shows_its_kind(kind: Kind, name: str) -> None:
    """Whatever the id is, its key stands for its own kind only."""
    assert kind_of(subject_key(kind, name)) is kind
    assert subject_key(kind, name).removeprefix(f"{kind}:") == name
    assert kind_of(name.encode()) is Kind.TOKEN


def test_an_unknown_kind_is_an_error() -> None:
    """An entry that a later version may have written is not ignored."""
    with pytest.raises(ValueError):
        kind_of("device:1")
