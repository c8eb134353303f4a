"""Public material is refused as an HMAC secret, in whatever form (docs/keys.rst)."""

import hmac
import json
import os
from base64 import b64decode, b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, strategies as st

from flask_connector_auth.keys import (
    ALGORITHMS,
    KeyRules,
    StaticKeys,
    VerificationKey,
    import_key,
    public_numbers,
)
from flask_connector_auth.verification import Verifier
from tests.support.floor_helpers import (
    APP,
    cases,
    der,
    encoded,
    issuer_of,
    jwk,
    load,
    native_key,
    parsed_keys,
    pem,
    problems,
    refusal,
    untimed,
    verifier,
)

PUBLIC = "a public key, which is no secret (RFC 8725 section 2.1)"
HMAC = KeyRules(("RS256", "HS256"))
KINDS = ("RS256", "ES256", "ES384", "ES512", "Ed25519")
CONFIGURED = [jwk(kind, kid=kind) for kind in KINDS]


def public_bytes(kind: str, encoding: Encoding, form: PublicFormat) -> bytes:
    """Return one of our public keys."""
    content: bytes = native_key(kind, "ours").public_key().public_bytes(encoding, form)
    return content


def point(kind: str, form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    """Return the point of one of our keys."""
    return public_bytes(kind, Encoding.X962, form)


def certificate(encoding: Encoding) -> bytes:
    """Return a self-signed certificate of our key."""
    key, name = native_key("RSA", "ours"), x509.Name([])
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    return builder.sign(key, SHA256()).public_bytes(encoding)


def request(encoding: Encoding) -> bytes:
    """Return a request for a certificate of our key."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    return builder.sign(native_key("RSA", "ours"), SHA256()).public_bytes(encoding)


def unknown_algorithm() -> bytes:
    """Return the DER of a public key whose algorithm no library has."""
    rsa = bytes.fromhex("2a864886f70d010101")
    assert der().count(rsa) == 1
    return der().replace(rsa, bytes.fromhex("2a864886f70d01017f"))


PKCS1 = public_bytes("RSA", Encoding.DER, PublicFormat.PKCS1)
SSH = public_bytes("Ed25519", Encoding.OpenSSH, PublicFormat.OpenSSH)
X5C = [b64encode(certificate(Encoding.DER)).decode()]
TEXT = b64encode(der()).decode()

#: Material that is recognised as public by itself, whatever else is configured.
BY_FORM: dict[str, bytes] = {
    "PEM": pem().encode(),
    "PEM of PKCS1": public_bytes("RSA", Encoding.PEM, PublicFormat.PKCS1),
    "PEM of EC": pem("ES256").encode(),
    "PEM with CRLF": pem().replace("\n", "\r\n").encode(),
    "PEM in one line": pem().replace("\n", " ").encode(),
    "PEM with escaped line ends": pem().replace("\n", "\\n").encode(),
    "PEM with a header": pem().replace("KEY-----\n", "KEY-----\nComment: a\n\n", 1).encode(),
    "PEM in UTF-16": pem().encode("utf-16"),
    "PEM in UTF-16, the other way": b"\xfe\xff" + pem().encode("utf-16-be"),
    "PEM in UTF-8 with BOM": pem().encode("utf-8-sig"),
    "PEM between other text": f"Our key, since 2018:\n{pem()}\nThat was our key.\n".encode(),
    "PEM after another block": f"-----BEGIN X-----\nAAAA\n-----END X-----\n{pem()}".encode(),
    "PEM without its lines": b"".join(pem().encode().splitlines(keepends=True)[1:-1]),
    "PEM without its last line": b"".join(pem().encode().splitlines(keepends=True)[:-1]),
    "PEM cut off": pem()[:120].encode(),
    "PEM with a line that is damaged": pem().replace("MIIB", "MII").encode(),
    "PEM percent-encoded": quote(pem()).encode(),
    "PEM as in a form": quote_plus(pem()).encode(),
    "PEM with references of HTML": pem().replace("\n", "&#10;").encode(),
    "base64 of PEM that is cut off": b64encode(pem()[:120].encode()),
    "certificate cut off": certificate(Encoding.PEM)[:120],
    "JWK percent-encoded": quote(json.dumps(jwk())).encode(),
    "base64 DER percent-encoded": quote(TEXT, safe="").encode(),
    "base64 of PEM": b64encode(pem().encode()),
    "JSON string of PEM": json.dumps(pem()).encode(),
    "DER": der(),
    "base64 DER": TEXT.encode(),
    "base64 DER with blanks around": f" \t{TEXT}\n".encode(),
    "base64 DER in lines": encodebytes(der()),
    "base64 DER without padding": b64encode(der("ES384")).rstrip(b"="),
    "base64url DER": urlsafe_b64encode(der()),
    "base64url DER without padding": encoded(der("ES256")).encode(),
    "base64 DER with a name": f"KEY: {TEXT}".encode(),
    "base64 DER in a variable": f"PUBLIC_KEY={TEXT}".encode(),
    "base64 DER in XML": f"<Key><Value>{TEXT}</Value></Key>".encode(),
    "base64 DER with quotes": f"'{TEXT}',".encode(),
    "hexadecimal DER": der().hex().encode(),
    "hexadecimal DER with colons": der().hex(":").upper().encode(),
    "hexadecimal DER with escapes": "".join(f"\\x{byte:02x}" for byte in der()).encode(),
    "hexadecimal DER as an array": ", ".join(f"0x{byte:02X}" for byte in der()).encode(),
    "DER of an unknown algorithm": unknown_algorithm(),
    "DER for key agreement": X25519PrivateKey.generate()
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "PKCS1 DER": PKCS1,
    "base64 PKCS1": b64encode(PKCS1),
    "certificate PEM": certificate(Encoding.PEM),
    "certificate DER": certificate(Encoding.DER),
    "base64 certificate": X5C[0].encode(),
    "certificate request": request(Encoding.PEM),
    "JWK": json.dumps(jwk()).encode(),
    "JWK in lines": json.dumps(jwk("ES256"), indent=2).encode(),
    "JWK of another type": b'{"kty":"AKP","pub":"do-not-tell-this"}',
    "JWK with null for its private members": json.dumps({**jwk(), "d": None, "p": None}).encode(),
    "JWK with empty private members": json.dumps({**jwk("ES256"), "d": ""}).encode(),
    "base64url of a JWK": encoded(json.dumps(jwk("Ed25519")).encode()).encode(),
    "JWK Set": json.dumps({"keys": [jwk()]}).encode(),
    "JWK Set with a secret": json.dumps({"keys": [jwk("HS256"), jwk()]}).encode(),
    "list of JWKs": json.dumps([jwk()]).encode(),
    "JWK in a document": json.dumps({"issuer": {"jwks": {"keys": [jwk()]}}}).encode(),
    "certificate in a document": json.dumps({"x5c": X5C}).encode(),
    "base64 DER in a document": json.dumps({"realm": "a", "public_key": TEXT}).encode(),
    "OpenSSH": SSH + b" me@host",
    "OpenSSH without its type": SSH.split()[1],
    "OpenSSH, decoded": b64decode(SSH.split()[1]),
    **{f"point of {name}": point(name) for name in ("ES256", "ES384", "ES512")},
    "point of secp256k1": ec.generate_private_key(ec.SECP256K1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "base64 point": b64encode(point("ES256")),
    "hexadecimal point": point("ES256").hex().encode(),
    "point without its first byte": point("ES256")[1:],
}
N = native_key("RSA", "ours").public_key().public_numbers().n
ED = native_key("Ed25519", "ours").public_key().public_bytes_raw()
PRINTED = (
    "Public-Key: (2048 bit)\nModulus:\n    "
    + ":\n    ".join(N.to_bytes(257)[at : at + 15].hex(":") for at in range(0, 257, 15))
    + "\nExponent: 65537 (0x10001)\n"
)
#: Material that is recognised only by comparison with the other keys.
BY_NUMBER: dict[str, bytes] = {
    "text of n": jwk()["n"].encode(),
    "bytes of n": N.to_bytes(256),
    "bytes of n, as DER has them": N.to_bytes(257),
    "hexadecimal n": b"%x" % N,
    "hexadecimal n with colons": N.to_bytes(257).hex(":").encode(),
    "hexadecimal n with hyphens": N.to_bytes(256).hex("-").upper().encode(),
    "hexadecimal n as a literal": b"0x%x" % N,
    "hexadecimal n as a literal with zeros": b"0X00%X" % N,
    "n as OpenSSL prints it": b"Modulus=%X\n" % N,
    "key as OpenSSL prints it": PRINTED.encode(),
    "decimal n": str(N).encode(),
    "text of x": jwk("ES256")["x"].encode(),
    "text of y": jwk("ES384")["y"].encode(),
    "compressed point": point("ES256", PublicFormat.CompressedPoint),
    "compressed point of P-521": point("ES512", PublicFormat.CompressedPoint),
    "base64 compressed point": b64encode(point("ES384", PublicFormat.CompressedPoint)),
    "Ed25519": ED,
    "hexadecimal Ed25519": ED.hex().encode(),
    "base64 Ed25519": b64encode(ED),
    "text of an Ed25519 x": jwk("Ed25519")["x"].encode(),
}


def oct_key(secret: bytes) -> dict[str, str]:
    """Return the JWK of a secret."""
    return {"kty": "oct", "k": encoded(secret)}


def problems_of(secret: bytes, *others: Any) -> list[str]:
    """Return the problems of *secret* beside the keys *others*."""
    given = {"APP_JWT_KEYS": [*others, oct_key(secret)], "APP_JWT_ALGORITHMS": [*ALGORITHMS[:13]]}
    return problems(**given)["APP_JWT_KEYS"]


def accepts_a_token_of(secret: bytes, keys: list[VerificationKey]) -> bool:
    """Whether a verifier with *keys* takes a token with a MAC by *secret*."""
    hmac_verifier = Verifier(
        APP.profile, verifier(APP, algorithms=HMAC.algorithms).rules, StaticKeys(keys)
    )
    unsigned = encoded(b'{"alg":"HS256"}') + "." + issuer_of().app_jwt().split(".")[1]
    mac = hmac.digest(secret, unsigned.encode(), "sha256")
    return refusal(hmac_verifier, f"{unsigned}.{encoded(mac)}") is None


@cases("secret", BY_FORM)
def test_public_material_is_no_secret(secret: bytes) -> None:
    """RFC 8725 section 2.1: parsing it shows that it is public, whatever other keys there are."""
    assert problems_of(secret) == [f"item 1: {PUBLIC}."]


@cases("secret", BY_NUMBER)
def test_the_numbers_of_a_configured_key_are_no_secret(secret: bytes) -> None:
    """RFC 8725 section 2.1: by themselves they look like any secret, so they are compared."""
    assert problems_of(secret, *CONFIGURED) == [f"item 6: {PUBLIC}."]
    # docs/keys.rst: the numbers of keys that are not configured cannot be recognised.
    assert load(APP_JWT_KEYS=oct_key(secret), APP_JWT_ALGORITHMS=["HS256"])


@cases("secret", BY_FORM | BY_NUMBER)
def test_a_token_with_a_mac_by_public_material_is_refused(secret: bytes) -> None:
    """RFC 8725 section 2.1: anyone with the public key could sign."""
    rules = KeyRules(HMAC.algorithms, public_numbers=public_numbers(CONFIGURED))
    keys, wrong = parsed_keys([CONFIGURED[0], oct_key(secret)], rules)
    assert wrong == [f"item 2: {PUBLIC}"]
    assert not accepts_a_token_of(secret, keys)


@pytest.mark.parametrize("size", [32, 48, 64, 65, 256])
def test_a_token_with_a_mac_by_a_random_secret_passes(size: int) -> None:
    """Control: a random secret is accepted beside the same keys."""
    secret = os.urandom(size)
    rules = KeyRules(HMAC.algorithms, public_numbers=public_numbers(CONFIGURED))
    keys, wrong = parsed_keys([CONFIGURED[0], oct_key(secret)], rules)
    assert wrong == []
    assert accepts_a_token_of(secret, keys)
    assert not accepts_a_token_of(secret[::-1], keys)


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "like a compressed point": b"\2".__add__,
    "like a point": b"\4".__add__,
    "base64": b64encode,
    "base64url": urlsafe_b64encode,
    "lines of base64": encodebytes,
    "hexadecimal": lambda content: content.hex().encode(),
    "hexadecimal literal": lambda content: b"0x" + content.hex().encode(),
    "hexadecimal with colons": lambda content: b"Key:\n" + content.hex(":").encode(),
    "decimal": lambda content: str(int.from_bytes(content)).zfill(32).encode(),
    "lines around": lambda content: b"--BEGIN--\n%b--END--\n" % encodebytes(content),
    "secret JWK": lambda content: json.dumps(oct_key(content)).encode(),
    "JSON": lambda content: json.dumps({"n": encoded(content)}).encode(),
    "twice base64": lambda content: b64encode(b64encode(content)),
}


@untimed
@given(st.binary(min_size=32, max_size=600), st.sampled_from(sorted(WRITTEN)))
def test_any_random_secret_is_accepted(content: bytes, written: str) -> None:
    """RFC 8725 section 3.5: a secret may be any bytes, and may be written in any way."""
    rules = KeyRules(("HS256",), public_numbers=public_numbers(CONFIGURED))
    assert import_key(oct_key(WRITTEN[written](content)), rules).algorithms.keys() == {"HS256"}


@untimed
@given(st.text(min_size=32) | st.text('{}[]":,0123456789abcdef\\u', min_size=32))
def test_any_text_is_accepted(text: str) -> None:
    """Any text is checked without an exception."""
    secret = text.encode(errors="replace")
    assert import_key(oct_key(secret), KeyRules(("HS256",))).algorithms.keys() == {"HS256"}


@cases(
    "secret",
    {
        "JSON too deep": b"[" * 100_000,
        "half a surrogate pair": b'"\\ud800-and-so-on-and-so-on-and-so-on"',
        "too many digits": b"9" * 5000,
        "a number below zero": b"-" + b"9" * 40,
        "private JWK": json.dumps({"kty": "RSA", "d": "AQAB", "n": "AQAB"}).encode(),
        "an SSH key cut off": b64decode(SSH.split()[1])[:-1],
        "a point off its curve": point("ES256")[:-1] + bytes([point("ES256")[-1] ^ 1]),
        "short numbers": b"\1" * 32,
        "words of a PEM": b"begin: a public key is no certificate, and this is neither",
        "a PEM of another kind": b"BEGIN SECRET, which has no public key in the rest of this text",
        "percent signs": b"100 %2 of %zz and &amp &#xd800; &#99999999999;",
    },
)
def test_what_is_nearly_public_is_accepted(secret: bytes) -> None:
    """Edge cases: material that cannot be parsed, and is not meant as a PEM, is not public."""
    numbers = public_numbers({"kty": "EC", "x": "AQ", "y": "AQEBAQEBAQEBAQEBAQEB"}, *CONFIGURED)
    rules = KeyRules(("HS256",), public_numbers=numbers)
    assert import_key(oct_key(secret), rules)


def test_a_public_key_of_one_token_is_no_secret_of_the_other() -> None:
    """docs/keys.rst: keys are compared with those of both tokens."""
    hmac_setting = {"APP_JWT_KEYS": oct_key(ED), "APP_JWT_ALGORITHMS": ["HS256"]}
    other_setting = {"CONSUMER_JWS_ALGORITHMS": ["Ed25519"]}
    unrelated = jwk("Ed25519", owner="other 1")
    assert load(**hmac_setting, **other_setting, CONSUMER_JWS_KEYS=unrelated)
    found = problems(**hmac_setting, **other_setting, CONSUMER_JWS_KEYS=jwk("Ed25519"))
    assert found == {"APP_JWT_KEYS": [f"{PUBLIC}."]}
    hmac_setting = {"CONSUMER_JWS_KEYS": oct_key(ED), "CONSUMER_JWS_ALGORITHMS": ["HS256"]}
    other_setting = {"APP_JWT_ALGORITHMS": ["Ed25519"]}
    assert load(**hmac_setting, **other_setting, APP_JWT_KEYS=unrelated)
    found = problems(**hmac_setting, **other_setting, APP_JWT_KEYS=jwk("Ed25519"))
    assert found == {"CONSUMER_JWS_KEYS": [f"{PUBLIC}."]}


@pytest.mark.parametrize("kind", ["RSA", "ES256", "Ed25519", "Ed448"])
def test_numbers_are_compared_in_whatever_form_a_key_is_given(kind: str, tmp_path: Any) -> None:
    """docs/keys.rst: a file, PEM, DER and JWK of one key have the same numbers."""
    algorithm = "RS256" if kind == "RSA" else kind
    (tmp_path / "key.der").write_bytes(der(kind))
    forms = [jwk(algorithm), pem(algorithm), b64encode(der(kind)).decode(), tmp_path / "key.der"]
    found = {public_numbers(form) for form in forms}
    assert len(found) == 1
    assert found != {frozenset()}
    assert public_numbers(forms, {"keys": forms[:1]}) in found


def test_a_key_that_no_algorithm_can_use_is_public_too() -> None:
    """docs/keys.rst: a key for another use is public as well."""
    mixed = {"keys": [jwk(kid="left out"), oct_key(jwk()["n"].encode())]}
    given = {"APP_JWT_KEYS": mixed, "APP_JWT_ALGORITHMS": ["HS256"]}
    assert problems(**given) == {"APP_JWT_KEYS": [f"key 2: {PUBLIC}."]}
    agreement = X25519PrivateKey.generate().public_key().public_bytes_raw()
    unfit = {"kty": "OKP", "crv": "X25519", "x": encoded(agreement)}
    mixed = {"keys": [unfit, oct_key(agreement)]}
    found = problems(**{**given, "APP_JWT_KEYS": mixed})
    assert found == {"APP_JWT_KEYS": [f"key 2: {PUBLIC}."]}


def test_where_no_secret_is_allowed_a_file_is_read_once() -> None:
    """A pipe can be read once: only for a comparison with secrets are keys read again."""
    reading, writing = os.pipe()
    os.write(writing, pem().encode())
    os.close(writing)
    try:
        assert load(APP_JWT_KEYS=f"/dev/fd/{reading}")
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, "https://issuer.example/jwks", "/nowhere", {}, {"keys": 5}, {"keys": [5, {}]}),
        *({"kty": "RSA", "n": 5}, {"kty": "RSA", "n": "a+b"}, "-----BEGIN PUBLIC KEY-----"),
    ],
)
def test_invalid_keys_have_no_numbers(value: Any) -> None:
    """parse_keys() reports what is wrong with a key."""
    assert public_numbers(value) == frozenset()
