"""The header: which parameters are read, which are refused, and that none brings a key."""

import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from flask_connector_auth.core import Reason
from flask_connector_auth.testing import OMIT
from flask_connector_auth.verification import Verifier
from tests.support.floor_helpers import (
    APP,
    HEADER,
    TokenType,
    both_tokens,
    broken_json,
    cases,
    encoded,
    issuer_of,
    jwk,
    pem,
    refusal,
    verifier,
    why_refused,
)


def with_header(token: TokenType, **parameters: Any) -> Any:
    """Return a good *token* but for its header *parameters*, genuinely signed."""
    return issuer_of().sign(token.payload(), parameters)


@cases("header", broken_json(HEADER))
@both_tokens
def test_the_header_is_strict_json(token: TokenType, header: bytes) -> None:
    """RFC 7515 section 4, RFC 8725 section 3.7: one object in UTF-8, no member twice, no NaN."""
    roomy = {"max_token_bytes": 10**6, "max_header_bytes": 10**6}
    assert why_refused(token, issuer_of().sign(token.payload(), HEADER), **roomy) is None
    text = issuer_of().sign(token.payload(), header)
    assert why_refused(token, text, **roomy) is Reason.BAD_JSON


@cases(
    ("value", "most"),
    {
        # Beside the header itself, the list, and the comma before it.
        "numbers": (1, 60),
        "objects": ({}, 30),
        "lists": ([], 30),
        "lists in lists": ([[]], 20),
        "objects of two members": ({"a": 1, "b": 2}, 20),
    },
)
@both_tokens
def test_a_header_has_64_values_at_most(token: TokenType, value: Any, most: Any) -> None:
    """docs/exhaustion.rst: an unverified header is read for less than a signature costs.
    Each opening bracket is counted, and each comma."""
    assert why_refused(token, with_header(token, x=[value] * most)) is None
    assert why_refused(token, with_header(token, x=[value] * (most + 1))) is Reason.BAD_JSON


@pytest.mark.parametrize(
    "algorithm",
    [
        "none",
        "None",
        "nOnE",
        "NONE",
        "",
        "rs256",
        "RS256 ",
        "RS",
        "RS2567",
        "HS256",
        "ES256",
        "dir",
        None,
        True,
        256,
        ["RS256"],
        {"RS256": 1},
        OMIT,
    ],
)
@both_tokens
def test_the_algorithm_is_on_the_allow_list(token: TokenType, algorithm: str) -> None:
    """RFC 8725 section 3.1, ASVS 9.1.2: the exact name of an allowed algorithm, nothing like it."""
    assert why_refused(token, with_header(token, alg="RS256")) is None
    assert why_refused(token, with_header(token, alg=algorithm)) is Reason.BAD_ALGORITHM


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE"])
@both_tokens
def test_a_token_without_a_signature_is_refused(token: TokenType, algorithm: str) -> None:
    """CVE-2015-9235, RFC 8725 section 3.2: ``none`` with the empty signature that it asks for."""
    unsigned = with_header(token, alg=algorithm).rpartition(".")[0] + "."
    assert why_refused(token, unsigned) is Reason.BAD_ALGORITHM


@pytest.mark.parametrize("nothing", [(), [], frozenset(), "", "RS256"])
def test_an_allow_list_without_names_accepts_nothing(nothing: Any) -> None:
    """RFC 8725 section 3.1: neither a fallback list nor a substring of one."""
    good = verifier(APP)
    empty = Verifier(good.profile, replace(good.rules, algorithms=nothing), good.keys)
    text = with_header(APP)
    assert refusal(good, text) is None
    assert refusal(empty, text) is Reason.BAD_ALGORITHM


@cases(
    "secret",
    {
        "PEM": pem().encode(),
        "PEM without its last newline": pem().strip().encode(),
        "JWK": json.dumps(jwk()).encode(),
        "compact JWK": json.dumps(jwk(), separators=(",", ":")).encode(),
        "modulus": jwk()["n"].encode(),
    },
)
@both_tokens
def test_a_public_key_is_no_secret(token: TokenType, secret: Any) -> None:
    """CVE-2016-10555, CVE-2022-29217, CVE-2024-37568: HS256 with the bytes of the RSA key."""
    message = f"{encoded(HEADER.replace(b'RS', b'HS'))}.{encoded(token.payload())}"
    text = f"{message}.{encoded(hmac.digest(secret, message.encode(), 'sha256'))}"
    assert why_refused(token, text) is Reason.BAD_ALGORITHM
    both = {"algorithms": ["RS256", "HS256"]}
    named = jwk(kid="dev-1")
    assert why_refused(token, text, keys=named, **both) is Reason.UNKNOWN_KEY
    assert why_refused(token, text, keys=pem(), **both) is Reason.UNKNOWN_KEY
    keys = [named, jwk("HS256", kid="dev-1")]
    assert why_refused(token, text, keys=keys, **both) is Reason.BAD_SIGNATURE
    assert why_refused(token, issuer_of("HS256").sign(token.payload()), keys=keys, **both) is None


@pytest.mark.parametrize(
    "critical",
    [[], ["exp"], ["b64"], ["alg"], ["typ"], ["x", "x"], "exp", "", None, 1, True, {}, [1], [None]],
)
@both_tokens
def test_whatever_is_critical_is_refused(token: TokenType, critical: Any) -> None:
    """RFC 7515 section 4.1.11, CVE-2025-59420: no extension is known, so no ``crit`` is good."""
    assert why_refused(token, with_header(token)) is None
    assert why_refused(token, with_header(token, crit=critical)) is Reason.CRITICAL
    assert why_refused(token, with_header(token, crit=critical, exp=1, b64=True, x=1)) is (
        Reason.CRITICAL
    )


@pytest.mark.parametrize("extension", [{"b64": False}, {"b64": True}, {"b64": None}])
@both_tokens
def test_an_unencoded_payload_is_refused(token: TokenType, extension: Any) -> None:
    """RFC 7797, CVE-2026-48990: ``b64`` is refused whatever its value, with or without ``crit``."""
    assert why_refused(token, with_header(token)) is None
    assert why_refused(token, with_header(token, **extension)) is Reason.CRITICAL


@pytest.mark.parametrize("method", ["DEF", "GZIP", "none", "NONE ", "", None, False, ["NONE"]])
@both_tokens
def test_compression_is_refused(token: TokenType, method: Any) -> None:
    """RFC 8725 section 3.6: nothing is inflated. ``NONE``, which some issuers write, asks for no
    compression; :rfc:`7515` has no such parameter, so it is ignored (section 4)."""
    assert why_refused(token, with_header(token)) is None
    assert why_refused(token, with_header(token, zip="NONE")) is None
    assert why_refused(token, with_header(token, zip=method)) is Reason.CRITICAL


@pytest.mark.parametrize(
    "good", [OMIT, "JWT", "jwt", "Jwt", "application/jwt", "application/JWT", "Application/Jwt"]
)
@both_tokens
def test_the_type_is_absent_or_jwt(token: TokenType, good: Any) -> None:
    """RFC 7515 section 4.1.9: a media type, which has no case, without ``application/`` or with."""
    assert why_refused(token, with_header(token, typ=good)) is None


@pytest.mark.parametrize(
    "bad",
    [
        *("at+jwt", "application/at+jwt", "JOSE", "JWE", "", "JWT ", " JWT", None, 1, ["JWT"]),
        *("text/jwt", "application/", "application/application/jwt", "/jwt", "jwt;v=1", "\uff2aWT"),
    ],
)
@both_tokens
def test_another_type_is_refused(token: TokenType, bad: Any) -> None:
    """RFC 8725 section 3.11: both tokens say ``JWT``, or nothing."""
    assert why_refused(token, with_header(token, typ=bad)) is Reason.BAD_PARAMETER


@pytest.mark.parametrize("keys", [pem(), jwk(kid="dev-1")], ids=["PEM", "JWK"])
@both_tokens
def test_an_empty_key_id_is_an_absent_one(token: TokenType, keys: Any) -> None:
    """RFC 7515 section 4.1.4: old Kubernetes service accounts write it so. One key may fit."""
    for kid in ("", OMIT):
        text = with_header(token, kid=kid)
        assert why_refused(token, text, keys=keys) is None
        several = [jwk(kid="a"), jwk(owner="stranger", kid="b")]
        assert why_refused(token, text, keys=several) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("bad", [None, 1, 1.5, True, False, 0, [], ["dev-1"], {}, "k" * 257])
@both_tokens
def test_the_key_id_is_a_short_string(token: TokenType, bad: Any) -> None:
    """RFC 7515 section 4.1.4: a string of 1 to 256 characters, or none."""
    for kid in ("k", "k" * 256):
        assert why_refused(token, with_header(token, kid=kid), keys=jwk(kid=kid)) is None
    assert why_refused(token, with_header(token, kid=bad), keys=pem()) is Reason.BAD_PARAMETER


@pytest.mark.parametrize(
    "kid", ["../../dev-1", "dev-1\0", "DEV-1", " dev-1", "dev-", "' OR 1=1 --", "http://x/dev-1"]
)
@both_tokens
def test_the_key_id_is_a_name_and_nothing_else(token: TokenType, kid: str) -> None:
    """RFC 8725 section 3.10: looked up whole, never a path, a query or a URL."""
    assert why_refused(token, with_header(token, kid="dev-1")) is None
    assert why_refused(token, with_header(token, kid=kid)) is Reason.UNKNOWN_KEY


def with_a_key(owner: Any) -> Any:
    """Return header parameters that bring the public key of *owner* along."""
    return {
        "jwk": {"jwk": jwk(owner=owner)},
        "jwk with kid": {"jwk": jwk(owner=owner, kid="dev-1")},
        "jku": {"jku": "http://127.0.0.1:9/jwks.json"},
        "x5u": {"x5u": "http://127.0.0.1:9/chain.pem"},
        "x5c": {"x5c": [encoded(pem(owner=owner).encode())], "x5t": "AAAA", "x5t#S256": "AAAA"},
    }


@cases("parameters", with_a_key("stranger"))
@both_tokens
def test_no_key_comes_from_the_token(token: TokenType, parameters: Any) -> None:
    """CVE-2018-0114, ASVS 9.1.3: the attacker's key in the header verifies nothing."""
    forged = issuer_of(owner="stranger").sign(token.payload(), parameters)
    assert why_refused(token, forged) is Reason.BAD_SIGNATURE
    assert why_refused(token, forged, keys=pem()) is Reason.BAD_SIGNATURE


@cases(
    "parameters",
    with_a_key("ours")
    | with_a_key("stranger")
    | {
        "unknown": {"x-trace": "abc", "nested": {"a": [1, None]}},
        "cty": {"cty": "JWT"},
        "claims in the header": {"iss": "another", "exp": 1, "aud": "another"},
        "jwk of no key": {"jwk": "nonsense", "x5c": 5, "jku": None},
    },
)
@both_tokens
def test_other_parameters_are_ignored(token: TokenType, parameters: Any) -> None:
    """RFC 7515 section 4: what is not understood is ignored, so issuers may add to the header."""
    assert why_refused(token, with_header(token, **parameters)) is None
