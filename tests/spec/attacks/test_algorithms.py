"""The algorithm is the attacker's to name: none, another one, or a public key for a secret.

RFC 8725 sections 2.1, 3.1 and 3.2; ASVS 9.1.1 and 9.1.2.
"""

import hmac
import json
from typing import Any

import pytest

from flask_connector_auth.keys import ALGORITHMS
from flask_connector_auth.testing import OMIT
from flask_connector_auth.testing.broken import Good, Kind
from tests.support.attack_harness import Attack, against_both, withstand
from tests.support.floor_helpers import decoded, der, encoded, issuer_of, jwk, pem

#: What a deployment allows: one algorithm, or all that there are.
ALLOWED: dict[str, dict[str, Any]] = {
    "one": {},
    "every": {"APP_JWT_ALGORITHMS": ALGORITHMS, "APP_JWT_KEYS": pem()},
}


def unsigned(algorithm: str) -> Attack:
    """Return the attack that signs nothing, by an *algorithm* that says so."""
    return lambda good: good.under(alg=algorithm).rpartition(".")[0] + "."


def named(algorithm: Any) -> Attack:
    """Return the attack that has a genuine RS256 signature under another name."""
    return lambda good: good.under(alg=algorithm)


def by_hmac(algorithm: str, secret: bytes) -> Attack:
    """Return the attack that signs with what everybody knows (CVE-2015-9235)."""

    def attack(good: Good) -> str:
        message = good.under(alg=algorithm).rpartition(".")[0]
        digest = hmac.digest(secret, message.encode(), "sha" + algorithm[2:])
        return f"{message}.{encoded(digest)}"

    return attack


def by_own_key(algorithm: str, key: str) -> Attack:
    """Return the attack that signs with the attacker's own *key*, under the issuer's ``kid``."""

    def attack(good: Good) -> str:
        return issuer_of(algorithm, owner="stranger").sign(good.claims, {"alg": key})

    return attack


NONE = {
    # CVE-2015-9235: with the empty signature that it asks for.
    **{f"alg {name!r}": unsigned(name) for name in ("none", "None", "NONE", "nOnE", "NoNe", "")},
    "alg none, a genuine signature": named("none"),
    "alg none after it": lambda good: good.having() + unsigned("none")(good),
}
PUBLIC_KEYS = {
    # CVE-2016-10555, CVE-2022-29217, CVE-2024-33663, CVE-2024-37568.
    "PEM": pem().encode(),
    "PEM without its last line end": pem().strip().encode(),
    "PEM with carriage returns": pem().replace("\n", "\r\n").encode(),
    "DER": der(),
    "base64 of the DER": encoded(der()).encode(),
    "JWK": json.dumps(jwk(kid="dev-1")).encode(),
    "JWK in short": json.dumps(jwk(kid="dev-1"), separators=(",", ":")).encode(),
    "modulus": jwk()["n"].encode(),
    "bytes of the modulus": decoded(jwk()["n"]),
    "exponent": decoded(jwk()["e"]),
    "kid": b"dev-1",
    "nothing": b"",
    "zero": b"\0",
}
CONFUSED = {
    f"HS256 by the {name}": by_hmac("HS256", each) for name, each in PUBLIC_KEYS.items()
} | {
    f"{algorithm} by the PEM": by_hmac(algorithm, pem().encode())
    for algorithm in ("HS384", "HS512")
}
NAMES = {
    f"alg {value!r}"[:40]: named(value)
    for value in (
        *("rs256", "RS256 ", " RS256", "RS256\0", "RS256\n", "RS25", "RS2566", "RS256,none"),
        *("RS384", "RS512", "PS256", "PS384", "ES256", "ES512", "EdDSA", "Ed25519", "HS256"),
        *("dir", "RSA-OAEP", "RSA1_5", "A128KW", "ECDH-ES", "\uff32S256", "R\u017f256"),
        *(["RS256"], [], {"RS256": 1}, 256, 0, 1.5, True, None),
    )
} | {"no alg": named(OMIT)}
OTHERS = {
    f"{algorithm} called {name}": by_own_key(algorithm, name)
    for algorithm, name in (
        *(("ES256", "ES256"), ("ES256", "RS256"), ("Ed25519", "EdDSA"), ("HS256", "HS256")),
        *(("PS256", "RS256"), ("PS256", "PS256"), ("ES384", "ES256"), ("HS256", "RS256")),
    )
}


@pytest.mark.parametrize("allowed", ALLOWED)
@against_both(NONE | CONFUSED | NAMES | OTHERS)
def test_no_name_of_an_algorithm_opens_a_door(attack: Attack, kind: Kind, allowed: str) -> None:
    """RFC 8725 section 3.1, ASVS 9.1.2: whatever is allowed, the key decides what it is for."""
    withstand(attack, kind, **ALLOWED[allowed])


@against_both(
    {
        "unbounded p2c": named("PBES2-HS256+A128KW"),
        "p2c": lambda good: good.under(alg="PBES2-HS512+A256KW", p2c=2**31 - 1, p2s="AAAA"),
        "five parts": lambda good: good.under(alg="RSA-OAEP", enc="A256GCM") + ".AAAA.AAAA",
        "five empty parts": lambda good: (
            good.under(alg="dir", enc="A256GCM").split(".")[0] + "...."
        ),
        "zip": lambda good: good.under(zip="DEF"),
        "zip in capitals": lambda good: good.under(zip="DEF", alg="RSA-OAEP", enc="A256GCM"),
    }
)
def test_nothing_is_decrypted_derived_or_inflated(attack: Attack, kind: Kind) -> None:
    """RFC 8725 section 3.6, CVE-2026-27932, CVE-2024-33664: what is encrypted is no token here."""
    withstand(attack, kind)


@against_both(
    {
        f"crit {critical!r}": lambda good, critical=critical: good.under(
            crit=critical, b64=True, exp=1, x=1
        )
        for critical in (
            *([], ["exp"], ["b64"], ["alg"], ["x", "x"], ["x"], "exp", "", None, 1, True, {}),
            *([1], [None], [["x"]]),
        )
    }
    | {
        "b64 false": lambda good: good.under(b64=False),
        "b64 true": lambda good: good.under(b64=True),
        "b64 false, critical": lambda good: good.under(b64=False, crit=["b64"]),
        "crit by escapes": lambda good: good.signer.sign(
            good.claims, b'{"kid":"dev-1","alg":"RS256","\\u0063rit":["x"]}'
        ),
    }
)
def test_no_extension_is_understood(attack: Attack, kind: Kind) -> None:
    """RFC 7515 section 4.1.11, RFC 7797, CVE-2025-59420, CVE-2026-32597, CVE-2026-48990."""
    withstand(attack, kind)
