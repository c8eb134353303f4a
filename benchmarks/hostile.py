"""Tokens that are made to be as expensive to refuse or verify as possible."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.signer import encode_base64url
from flask_connector_auth.testing.tampering import TokenKind

from .mint import of_unknown_key, with_bad_signature

#: The default limits of the settings, in bytes.
TOKEN_LIMIT = 16384
HEADER_LIMIT = 2048
_MEGABYTE = 2**20
_GOOD_HEADER = b'"alg":"RS256","kid":"dev-1"}'


class Mint(NamedTuple):
    """Tokens of one type."""

    issuer: Issuer
    kind: TokenKind

    def good(self, number: int, **claims: object) -> bytes:
        """Return the good token of *number*, with more *claims*."""
        if self.kind == "app_jwt":
            return self.issuer.app_jwt(azp=f"install-{number:09}", **claims).encode()
        return self.issuer.consumer_jws(ext_consumer_id=f"consumer-{number:09}", **claims).encode()

    def with_member(self, json_text: bytes) -> bytes:
        """Return a signed token with one more member, whose JSON may be malformed."""
        payload = self.good(0).split(b".")[1]
        claims = urlsafe_b64decode(payload + b"==")
        return self.issuer.sign(claims[:-1] + b"," + json_text + b"}").encode()

    def under(self, header: bytes) -> bytes:
        """Return a token with *header*, whose signature is therefore wrong."""
        _, payload, signature = self.good(0).split(b".")
        return b".".join([encode_base64url(header), payload, signature])


def unsigned(mint: Mint) -> dict[str, bytes]:
    """Return bad tokens that anyone can make, by name."""
    good = mint.good(0)
    return {
        "1 MB of letters": b"a" * _MEGABYTE,
        "1 MB, starting as a token": b"eyJ" + b"a" * _MEGABYTE,
        "1 MB of dots": b"." * _MEGABYTE,
        "1 MB of commas": b"," * _MEGABYTE,
        "1 MB of spaces": b" " * _MEGABYTE,
        "32 KB of spaces": b" " * (2 * TOKEN_LIMIT - 1) + b"a",
        "64 KB of letters": b"a" * 2**16,
        "16 KB of dots": b"." * (TOKEN_LIMIT - 1),
        "header: an integer of 100,000 digits": mint.under(_member(b"9" * 100_000)),
        "header: an integer of 1,400 digits": mint.under(_member(b"9" * 1400)),
        "header: integers of 400 digits": mint.under(_member(_many(b"9" * 400))),
        "header: 700 lists deep": mint.under(_member(b"[" * 700 + b"]" * 700)),
        "header: 240 objects deep": mint.under(_member(b'{"":' * 240 + b"1" + b"}" * 240)),
        "header: empty objects": mint.under(_member(_many(b"{}"))),
        "header: floats": mint.under(_member(_many(b"1e1"))),
        "header: members": mint.under(_members()),
        "header: escapes": mint.under(_member(b'"' + b"\\u00e9" * 240 + b'"')),
        "cut": good[: len(good) // 3],
        "unknown key": of_unknown_key(good, 0),
        "bad signature": with_bad_signature(good, 0),
        "bad signature, 16 KB": with_bad_signature(mint.good(0, x="x" * 11_000), 0),
    }


def signed(mint: Mint) -> dict[str, bytes]:
    """Return bad tokens that only the issuer can sign, by name."""
    foreign = {"app_jwt": b'"lp_consumer_id":', "consumer_jws": b'"azp":'}[mint.kind]
    return {
        "expired": mint.issuer.broken("expired", mint.kind).encode(),
        "5,500 lists deep": mint.with_member(b'"x":' + b"[" * 5500 + b"]" * 5500),
        "2,200 objects deep": mint.with_member(b'"x":' + b'{"":' * 2200 + b"1" + b"}" * 2200),
        "exp of 400 digits": mint.good(0, exp=10**400),
        "exp of 4,000 digits": mint.good(0, exp=10**4000),
        "an integer of 100,000 digits": mint.with_member(b'"x":' + b"9" * 100_000),
        "16 KB of text": mint.with_member(foreign + b'"' + b"x" * 11_000 + b'"'),
        "16 KB of empty objects": mint.with_member(foreign + _many(b"{}", 11_000)),
        "16 KB of floats": mint.with_member(foreign + _many(b"1e1", 11_000)),
    }


def large(mint: Mint) -> dict[str, Callable[[int], bytes]]:
    """Return good tokens of the largest size, by name."""
    values = {"text": "x" * 11_000, "empty objects": [{}] * 2700}
    return {f"good, 16 KB of {name}": partial(mint.good, x=value) for name, value in values.items()}


def _many(value: bytes, room: int = HEADER_LIMIT * 3 // 4 - 50) -> bytes:
    """Return a list of as many of *value* as there is room for."""
    return b"[" + b",".join([value] * (room // (len(value) + 1))) + b"]"


def _member(value: bytes) -> bytes:
    return b'{"x":' + value + b"," + _GOOD_HEADER


def _members() -> bytes:
    members = json.dumps(dict.fromkeys(map(str, range(160)), 1), separators=(",", ":")).encode()
    return members[:-1] + b"," + _GOOD_HEADER
