"""The digest of a token, the keys of entries, and how long an entry is needed."""

from hashlib import sha256
from math import inf

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flask_connector_auth.revocation import (
    Change,
    Kind,
    entry_key,
    kind_of,
    retention_by_kind,
    token_digest,
    token_expiry,
)
from flask_connector_auth.revocation.revocation_set import pack, unpack
from flask_connector_auth.revocation.subjects import issuer_and_name, subject_key
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


# What keys are made of is in many of them.
texts = st.text() | st.text("@:%40 3Aa/", max_size=8)
subjects = st.tuples(st.sampled_from(IDS), texts, st.none() | texts.filter(bool))


@untimed
@given(subjects)
def test_a_key_shows_its_subject(subject: tuple[Kind, str, str | None]) -> None:
    """Kind, id and issuer are read back, whatever is in them; the kind from a record too."""
    kind, name, issuer = subject
    key = subject_key(*subject)
    assert (kind_of(key), *issuer_and_name(key)) == (kind, issuer, name)
    assert [*unpack(pack(Change(key, 1.5)))] == [Change(entry_key(key), 1.5)]
    assert kind_of(entry_key(key)) is kind
    assert kind_of(entry_key(token_digest(TOKEN))) is kind_of(bytes(32)) is Kind.TOKEN


@untimed
@given(st.lists(subjects, unique=True))
def test_subjects_that_differ_have_keys_that_differ(
    different: list[tuple[Kind, str, str | None]],
) -> None:
    """An id of one issuer is not that of another, nor that of all."""
    keys = {subject_key(*subject) for subject in different}
    assert len(keys) == len({entry_key(key) for key in keys}) == len(different)


@cases(
    ("subject", "key"),
    {
        "of all issuers": (("install", "a:b"), "install:a:b"),
        "of one": (
            ("install", "a@b", "https://a.example/ü"),
            "install@https%3A%2F%2Fa.example%2F%C3%BC:a@b",
        ),
    },
)
def test_the_form_of_a_key(subject: tuple[str, ...], key: str) -> None:
    """Workers of several versions share a store, so this form stays."""
    assert subject_key(*subject) == key


@cases(
    ("until", "kept"),
    {
        "whole seconds": (NOW, NOW),
        "a fraction": (NOW + 0.25, NOW + 1),
        "never": (inf, inf),
        "long ago": (-5.0, 1),
        "after 2106": (1e10, 2**32 - 2),
    },
)
def test_a_record_has_whole_seconds_until_which_it_is_kept(until: float, kept: float) -> None:
    """At least as long as requested, as far as four bytes have it; no entry looks restored."""
    assert [*unpack(pack(Change("account:a", 1.5, until)))] == [
        Change(entry_key("account:a"), 1.5, kept)
    ]


def test_the_form_of_a_record() -> None:
    """Workers of several versions share a store, so this form stays."""
    token, restored = Change(bytes(range(32)), 2.0, 3.0), Change("account:a", None, 4.0)
    assert pack(token, 5).hex() == (
        "000102030405060708090a0b0c0d0e0000000000000000400300000005000000"
    )
    assert pack(restored).hex() == (
        "dff72093b514b2dd02df3311d6bb350200000000000010400000000000000000"
    )
    assert [*unpack(pack(restored))] == [restored._replace(key=entry_key("account:a"))]


def test_an_unknown_kind_is_an_error() -> None:
    """An entry that a later version may have written is not ignored."""
    for key in ("device:1", "device@a:1", "installs@a:1", "@a:1", ":1", "1"):
        with pytest.raises(ValueError):
            kind_of(key)
    with pytest.raises(ValueError, match="unknown kind"):
        kind_of(bytes(15) + b"\x05")
