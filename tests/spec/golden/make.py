"""Nothing in; ``tokens.json``, by ``python -m tests.spec.golden.make``, out.

The tokens are kept, not made in each run: what an issuer signed, and one release of our
dependencies let pass or refused, every other release must too. ``cryptography`` alone signs them,
and the private keys are thrown away.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import import_key

NOW = 1_800_000_000
ACCOUNT = "le81823118"
APP = {
    "aud": ACCOUNT,
    "azp": "8b1fba4c-1d0c-4a8e-9d0f-2f3c5ee1a001",
    "scope": "msg.consumer",
    "iss": "Sentinel",
    "exp": NOW + 3600,
    "iat": NOW,
}
CONSUMER = {"iss": "Idp", "account_id": ACCOUNT, "ext_consumer_id": "anna", "lp_consumer_id": "7f"}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SIGNERS = {
    "RS256": (RSA, "RSA", lambda text: RSA.sign(text, padding.PKCS1v15(), SHA256())),
    "PS256": (RSA, "RSA", lambda text: RSA.sign(text, _PSS, SHA256())),
    "ES256": (EC, "EC", lambda text: _raw(EC.sign(text, ec.ECDSA(SHA256())))),
    "EdDSA": (ED, "OKP", ED.sign),
}
_PSS = padding.PSS(padding.MGF1(SHA256()), 32)


def cases() -> Iterator[tuple[str, str, bool, Any, Any]]:
    """Yield name, type, whether it is good, payload, and header or the parameters beside it."""
    for name in SIGNERS:
        yield name, "app_jwt", True, APP, {"alg": name, "kid": name, "typ": "JWT"}
        yield name, "consumer_jws", True, CONSUMER, {"alg": name, "kid": name}
    expired, odd = {**APP, "exp": NOW - 31}, {**APP, "x": float("nan")}
    app_text, text = json.dumps(APP), json.dumps(CONSUMER)
    for name, good, payload, header in (
        ("account in a list", True, {**APP, "aud": [ACCOUNT]}, {}),
        ("fractions of a second", True, {**APP, "exp": NOW + 0.5}, {}),
        ("claims of others", True, {**APP, "ver": 2, "x": ["y", None]}, {}),
        ("a long header", True, APP, {"x5c": ["A" * 1200], "x": 1}),
        ("expired", False, expired, {}),
        ("text for a time", False, {**APP, "exp": str(NOW + 3600)}, {}),
        ("duplicate claim", False, app_text[:-1] + ',"exp":1900000000}', {}),
        ("duplicate parameter", False, APP, '{"alg":"RS256","kid":"RS256","kid":"RS256"}'),
        ("no number", False, odd, {}),
        ("crit", False, APP, {"crit": ["exp"], "exp": NOW}),
        ("b64", False, APP, {"b64": False}),
        ("zip", False, APP, {"zip": "DEF"}),
        ("key of another algorithm", False, APP, {"kid": "ES256"}),
    ):
        yield name, "app_jwt", good, payload, header
    for name, good, payload in (
        ("white space", True, json.dumps(CONSUMER, indent=2)),
        ("UTF-8", True, {**CONSUMER, "ext_consumer_id": "Zoë 👋"}),
        ("escapes", True, text.replace("anna", r"\u0061nna")),
        ("half a surrogate pair", False, text.replace("anna", r"\ud83d")),
        ("UTF-16", False, text.encode("utf-16")),
        ("byte order mark", False, text.encode("utf-8-sig")),
        ("deep", False, text[:-1] + ',"x":' + "[" * 200 + "]" * 200 + "}"),
    ):
        yield name, "consumer_jws", good, payload, {}


def main() -> None:
    """Write the file."""
    tokens = [
        {
            "name": name,
            "type": token_type,
            "claims": (payload if isinstance(payload, dict) else json.loads(payload))
            if good
            else None,
            "token": _sign(header, payload),
        }
        for name, token_type, good, payload, header in cases()
    ]
    first = tokens[0]
    tokens.append({**first, "name": "padding", "claims": None, "token": first["token"] + "="})
    keys = [_public(name) for name in SIGNERS]
    corpus = {"now": NOW, "account": ACCOUNT, "keys": {"keys": keys}, "tokens": tokens}
    Path(__file__).with_name("tokens.json").write_text(json.dumps(corpus, indent=1) + "\n")


def _sign(header: Any, payload: Any) -> str:
    algorithm = "RS256"
    if isinstance(header, dict):
        header = {"alg": algorithm, "kid": algorithm, **header}
        algorithm = header["alg"]
    message = b".".join(_segment(_encoded(part)) for part in (header, payload))
    return b".".join([message, _segment(SIGNERS[algorithm][2](message))]).decode()


def _encoded(part: Any) -> bytes:
    if isinstance(part, dict):
        part = json.dumps(part, ensure_ascii=False)
    return part if isinstance(part, bytes) else part.encode()


def _segment(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")


def _raw(signature: bytes) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))


def _public(name: str) -> dict[str, Any]:
    private, kind, _ = SIGNERS[name]
    numbers = import_key(private.public_key(), kind).as_dict(private=False)
    return {**numbers, "kid": name, "alg": name, "use": "sig"}


if __name__ == "__main__":
    main()
