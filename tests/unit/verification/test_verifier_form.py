"""The compact form: three segments, strict base64url, sizes (RFC 7515 section 7.1)."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from flask_connector_auth.core import Reason
from tests.support.floor_helpers import (
    APP,
    HEADER,
    both_tokens,
    cases,
    encoded,
    issuer_of,
    native_key,
    why_refused,
)
from tests.support.malformed import respelled


def sealed(header: str, payload: str) -> str:
    """Return a token of these segments as they stand, with a genuine signature over them."""
    message = f"{header}.{payload}"
    signature = native_key("RSA", "ours").sign(message.encode(), PKCS1v15(), SHA256())
    return f"{message}.{encoded(signature)}"


@cases(
    "form",
    {
        "nothing": "",
        "one segment": "{0}",
        "two segments": "{0}.{1}",
        "no signature": "{0}{1}.{2}",
        "four segments": "{0}.{1}.{2}.",
        "five segments, as JWE has": "{0}.{1}.{2}.{1}.{2}",
        "a dot before": ".{0}.{1}.{2}",
        "dots": "....",
        "ten thousand dots": "." * 10_000,
    },
)
@both_tokens
def test_a_token_has_three_segments(token, form):
    """RFC 7515 section 7.1: two dots, neither fewer nor more (CVE-2025-30204)."""
    good = token.mint(issuer_of())
    assert why_refused(token, good) is None
    assert why_refused(token, form.format(*good.split("."))) is Reason.NOT_COMPACT


@cases(
    "segments, reason",
    {
        "header": (("", None, None), Reason.BAD_JSON),
        "payload": ((None, "", None), Reason.BAD_SIGNATURE),
        "signature": ((None, None, ""), Reason.BAD_SIGNATURE),
        "payload and signature": ((None, "", ""), Reason.BAD_SIGNATURE),
        "all": (("", "", ""), Reason.BAD_JSON),
    },
)
@both_tokens
def test_an_empty_segment_is_refused(token, segments, reason):
    """RFC 7515 section 5.2: nothing is neither an object nor a signature."""
    good = token.mint(issuer_of()).split(".")
    text = ".".join(old if new is None else new for old, new in zip(good, segments, strict=True))
    assert why_refused(token, ".".join(good)) is None
    assert why_refused(token, text) is reason


@both_tokens
def test_an_empty_payload_is_refused_though_signed(token):
    """RFC 7519 section 7.2: a genuine signature over nothing signs no claims."""
    assert why_refused(token, sealed(encoded(HEADER), encoded(token.payload()))) is None
    assert why_refused(token, sealed(encoded(HEADER), "")) is Reason.BAD_JSON


@pytest.mark.parametrize("name", ["flattened", "general"])
def test_the_json_serialization_is_refused(name):
    """RFC 7515 section 7.2: the protocol knows the compact form only."""
    protected, payload, signature = issuer_of().app_jwt().split(".")
    signed = {"protected": protected, "signature": signature}
    forms = {"flattened": signed, "general": {"signatures": [signed]}}
    text = json.dumps({"payload": payload, **forms[name]})
    assert why_refused(APP, text) is Reason.NOT_COMPACT


@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("spelling", respelled(""))
@both_tokens
def test_a_segment_has_one_spelling(token, spelling, place):
    """RFC 7515 section 2: no padding, no white space, no foreign alphabet, no foreign letter."""
    segments = token.mint(issuer_of()).split(".")
    assert why_refused(token, ".".join(segments)) is None
    segments[place] = respelled(segments[place])[spelling]
    assert why_refused(token, ".".join(segments)) is Reason.NOT_COMPACT


@pytest.mark.parametrize("spelling", ["padding", "space after", "newline inside"])
@both_tokens
def test_a_signature_over_another_spelling_makes_it_no_better(token, spelling):
    """RFC 7515 section 5.2: signed just so, the spelling is still refused."""
    header, payload = encoded(HEADER), encoded(token.payload())
    assert why_refused(token, sealed(header, payload)) is None
    for segments in (
        (respelled(header)[spelling], payload),
        (header, respelled(payload)[spelling]),
    ):
        assert why_refused(token, sealed(*segments)) is Reason.NOT_COMPACT


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def with_spare_bit(segment: str) -> str:
    """Return *segment* with its lowest spare bit set."""
    return segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) | 1]


def of_length(content: bytes, rest: int) -> str:
    """Return JSON *content*, with spaces before its end, as a segment of 4n + *rest* characters."""
    (segment,) = (
        segment
        for spaces in range(3)
        if len(segment := encoded(content[:-1] + b" " * spaces + b"}")) % 4 == rest
    )
    return segment


@pytest.mark.parametrize("rest", [2, 3], ids=["four spare bits", "two spare bits"])
@both_tokens
def test_spare_bits_are_zero_in_header_and_payload(token, rest):
    """RFC 4648 section 3.5: a set spare bit would give one token many texts."""
    header, payload = of_length(HEADER, rest), of_length(token.payload(), rest)
    assert why_refused(token, sealed(header, payload)) is None
    assert why_refused(token, sealed(with_spare_bit(header), payload)) is Reason.NOT_COMPACT
    assert why_refused(token, sealed(header, with_spare_bit(payload))) is Reason.NOT_COMPACT


@both_tokens
def test_spare_bits_are_zero_in_the_signature(token):
    """RFC 4648 section 3.5: else a revoked text would have a good twin."""
    good = token.mint(issuer_of())
    assert why_refused(token, good) is None
    assert why_refused(token, with_spare_bit(good)) is Reason.NOT_COMPACT


@both_tokens
def test_a_token_may_be_as_long_as_the_limit(token):
    """DESIGN section 1: the limit is on the whole text; one character over is too large."""
    good = token.mint(issuer_of())
    assert why_refused(token, good, max_token_bytes=len(good)) is None
    assert why_refused(token, good, max_token_bytes=len(good) - 1) is Reason.TOO_LARGE


@both_tokens
def test_a_header_may_be_as_long_as_its_limit(token):
    """DESIGN section 1: the limit is on the encoded header segment alone."""
    good = token.mint(issuer_of())
    length = len(good.split(".")[0])
    assert why_refused(token, good, max_header_bytes=length) is None
    assert why_refused(token, good, max_header_bytes=length - 1) is Reason.TOO_LARGE


@both_tokens
def test_the_defaults_leave_room_for_a_long_header_and_many_claims(token):
    """security.md section 2: a legitimate ``x5c`` or a long list of roles is no attack."""
    claims = token.claims(roles=["a role"] * 1000)
    text = issuer_of().sign(claims, {"x5c": ["A" * 1400]})
    assert 12_000 < len(text) < 16_384
    assert why_refused(token, text) is None


@cases("text", {"dots": "." * 20_000, "not ASCII": "é" * 20_000, "one segment": "a" * 20_000})
@both_tokens
def test_the_size_is_judged_before_anything_else(token, text):
    """GHSA-9pg5-8c7x-5hfx: a text over the limit is too large, whatever else is wrong with it."""
    assert why_refused(token, text) is Reason.TOO_LARGE
    assert why_refused(token, text[:100]) is Reason.NOT_COMPACT
