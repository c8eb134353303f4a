"""Keys that are refused, each with a message that does not quote the key."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from flask_connector_auth.keys import ALGORITHMS, KeyRules, parse_keys
from tests.support.floor_helpers import (
    cases,
    der,
    encoded,
    jwk,
    native_key,
    number,
    pem,
    signing_key,
)

EVERY = KeyRules(ALGORITHMS)
PRIVATE = "a private key where a public one belongs"
NO_KEY = "not a public key in PEM or DER"
SOUND = "not a sound {} key (RFC 7518 section 6)"
NO_FILE = "neither a key nor a readable file"
SECRET_FORM = '; a text secret is given as {"secret": "..."}'
LIST_FORM = '; a list is JSON in an environment variable: ["one.pem", "two.pem"]'
MODULUS = jwk()["n"]


def private(kind: str, form: PrivateFormat, encoding: Encoding = Encoding.PEM) -> bytes:
    """Return a private key as a file contains it."""
    return native_key(kind, "ours").private_bytes(encoding, form, NoEncryption())


def certificate() -> str:
    """Return a self-signed certificate."""
    key, name = native_key("ES256", "ours"), x509.Name([])
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def public_pem(private_key: Any) -> str:
    """Return the PEM of the public half of *private_key*."""
    public = private_key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def strings_in(value: Any) -> list[str]:
    """Return every string in *value* that is long enough to be secret."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings_in(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in strings_in(inner)]
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return [text for text in str(value).split() if len(text) > 12]


def only_problem(value: Any, rules: KeyRules = EVERY) -> str:
    """Return the only problem of *value*, which must not quote it."""
    keys, (problem,) = parse_keys(value, rules)
    assert keys == []
    assert not any(text in problem for text in strings_in(value))
    return problem


REFUSED: dict[str, tuple[Any, str]] = {
    "private PEM": (private("RSA", PrivateFormat.PKCS8).decode(), PRIVATE),
    "private PEM of PKCS1": (private("RSA", PrivateFormat.TraditionalOpenSSL).decode(), PRIVATE),
    "private PEM of SEC1": (private("ES256", PrivateFormat.TraditionalOpenSSL).decode(), PRIVATE),
    "private PEM of OpenSSH": (private("Ed25519", PrivateFormat.OpenSSH).decode(), PRIVATE),
    "encrypted private PEM": (
        native_key("ES256", "ours")
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
        .decode(),
        PRIVATE,
    ),
    "private DER": (b64encode(private("RSA", PrivateFormat.PKCS8, Encoding.DER)).decode(), NO_KEY),
    "private RSA JWK": (signing_key().as_dict(private=True), PRIVATE),
    "private EC JWK": (json.dumps(signing_key("ES256").as_dict(private=True)), PRIVATE),
    "private OKP JWK": (signing_key("Ed25519").as_dict(private=True), PRIVATE),
    "JWK with one private member": (jwk(dp="AQAB"), PRIVATE),
    "certificate": (
        certificate(),
        "a certificate; extract its key with openssl x509 -pubkey -noout",
    ),
    "RSA-1024 PEM": (
        public_pem(native_key("RSA-1024", "ours")),
        "an RSA key of 1024 bits; 2048 to 8192 are accepted",
    ),
    "RSA-2047": (
        {"kty": "RSA", "n": number(2**2046 + 1), "e": "AQAB"},
        "an RSA key of 2047 bits; 2048 to 8192 are accepted",
    ),
    "RSA-8193": (
        {"kty": "RSA", "n": number(2**8192 + 1), "e": "AQAB"},
        "an RSA key of 8193 bits; 2048 to 8192 are accepted",
    ),
    "RSA exponent 0": (jwk(e="AA"), SOUND.format("RSA")),
    "RSA exponent 1": (jwk(e="AQ"), SOUND.format("RSA")),
    "RSA exponent even": (jwk(e="AQAA"), SOUND.format("RSA")),
    "RSA exponent huge": (jwk(e=number(2**64 + 1)), "an RSA key with an unusable public exponent"),
    "RSA exponent huge, in PEM": (
        RSAPublicNumbers(2**64 + 1, native_key("RSA", "ours").public_key().public_numbers().n)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "an RSA key with an unusable public exponent",
    ),
    "RSA modulus even": (
        {"kty": "RSA", "n": number(2**2047 + 2), "e": "AQAB"},
        "an RSA key with an even modulus, which is no product of two odd primes",
    ),
    "RSA without n": ({"kty": "RSA", "e": "AQAB"}, SOUND.format("RSA")),
    "RSA without e": ({"kty": "RSA", "n": MODULUS}, SOUND.format("RSA")),
    "RSA with a number as n": (jwk(n=5), SOUND.format("RSA")),
    "RSA with padding": (jwk(e="AQAB="), SOUND.format("RSA")),
    "RSA with standard base64": (jwk(n=MODULUS[:-2] + "+/"), SOUND.format("RSA")),
    "EC without y": ({**jwk("ES256"), "y": None}, SOUND.format("EC")),
    "EC without crv": ({**jwk("ES256"), "crv": None}, SOUND.format("EC")),
    "EC off the curve": ({**jwk("ES256"), "y": jwk("ES256")["x"]}, SOUND.format("EC")),
    "EC with another curve's point": ({**jwk("ES256"), "crv": "P-384"}, SOUND.format("EC")),
    "OKP too short": ({**jwk("Ed25519"), "x": encoded(bytes(31))}, SOUND.format("OKP")),
    "oct without k": ({"kty": "oct"}, SOUND.format("oct")),
    "oct with padding": ({"kty": "oct", "k": b64encode(bytes(32)).decode()}, SOUND.format("oct")),
    "oct of a PEM": (
        {"kty": "oct", "k": encoded(pem().encode())},
        "a public key, which is no secret (RFC 8725 section 2.1)",
    ),
    "oct of a DER": (
        {"kty": "oct", "k": encoded(der())},
        "a public key, which is no secret (RFC 8725 section 2.1)",
    ),
    "no kty": ({"n": MODULUS, "e": "AQAB"}, "its kty is not known (RFC 7518 section 6.1)"),
    "empty JWK": ({}, "its kty is not known (RFC 7518 section 6.1)"),
    "X25519 PEM": (
        public_pem(X25519PrivateKey.generate()),
        "a key of a type that no supported algorithm uses",
    ),
    "X448 PEM": (
        public_pem(X448PrivateKey.generate()),
        "a key of a type that no supported algorithm uses",
    ),
    "empty JWK Set": ({"keys": []}, "no usable key"),
    "empty list": ([], "no usable key"),
    "list of an empty set": ([{"keys": []}], "no usable key"),
    "JWK Set of no list": (
        {"keys": {"a": jwk()}},
        "the member keys of a JWK Set is a list (RFC 7517 section 5.1)",
    ),
    "JWK Set text of no list": (
        '{"keys":"do-not-tell-this"}',
        "the member keys of a JWK Set is a list (RFC 7517 section 5.1)",
    ),
    "half a PEM": (pem()[:-30], "an incomplete PEM block"),
    "PEM of two labels": (pem().replace("END PUBLIC", "END RSA PUBLIC"), "an incomplete PEM block"),
    "PEM of nonsense": (
        "-----BEGIN PUBLIC KEY-----\nZG8tbm90LXRlbGwtdGhpcw==\n-----END PUBLIC KEY-----",
        NO_KEY,
    ),
    "base64 of nonsense": (b64encode(b"0" + bytes(60)).decode(), NO_KEY),
    "half a JWK": (
        json.dumps(jwk())[:-1],
        "a JWK or JWK Set that is not strict JSON",
    ),
    "JWK with a member twice": (
        f'{{"kty":"RSA",{json.dumps(jwk())[1:]}',
        "a JWK or JWK Set that is not strict JSON",
    ),
    "JWK with half a surrogate pair": (
        '{"kty":"do-not-tell-this-\ud800"}',
        "a JWK or JWK Set that is not strict JSON",
    ),
    "URL": (
        "https://issuer.example/jwks.json",
        "a URL, where only a key or the path of a file is accepted",
    ),
    "NoneType": (None, "a key cannot be given as NoneType"),
    "int": (12345678901234, "a key cannot be given as int"),
    "bytes": (pem().encode(), "a key cannot be given as bytes"),
    "set": ({pem()}, "a key cannot be given as set"),
    "list in a list": ([[pem()]], "item 1: a key cannot be given as list"),
    "joserfc key": (signing_key(), "a key cannot be given as RSAKey"),
}


@cases("value, problem", REFUSED)
def test_a_bad_key_is_refused_without_quoting_it(value: Any, problem: str) -> None:
    """docs/keys.rst, What is refused at start: private, weak and malformed keys."""
    assert only_problem(value) == problem


SECRETS = {
    "a secret": "correct horse battery staple do-not-tell-this",
    "base64": b64encode(b"do-not-tell-this, it is a secret").decode(),
    "base64 DER with a foreign character": b64encode(der("ES256")).decode() + "!",
    "hexadecimal": "0123456789abcdef" * 4,
    "long": "do-not-tell-this" * 1000,
    "with NUL": "do-not-tell-this\0",
    "with half a surrogate pair": "do-not-tell-this\ud800",
    "not ASCII": "do-not-tell-this-é",
    "JSON list": json.dumps([jwk()]),
    "nothing": "",
    "blank": " ",
}


@cases("secret", SECRETS)
def test_a_text_that_is_no_key_is_never_quoted(secret: str) -> None:
    """It may be an HMAC secret in a form that is not supported."""
    assert only_problem(secret).startswith(NO_FILE)


@pytest.mark.parametrize(
    ("text", "other_form"),
    [
        ("do-not-tell-this", SECRET_FORM),
        ("correct horse battery staple do-not-tell-this", SECRET_FORM),
        ("ZG8tbm90/dGVsbC10aGlz+w==", SECRET_FORM),
        ("do.not-tell-this", SECRET_FORM),
        ("one,two do-not-tell-this", SECRET_FORM),
        *(
            (path, "")
            for path in ("one.pem", "/run/one", "./one", "~/one", "C:one", "a/b.jwk", " ")
        ),
        *(
            (files, LIST_FORM)
            for files in ("one.pem,two.pem", "one.pem , two", "[one]", ' ["one",]')
        ),
    ],
)
def test_a_bare_text_is_refused_with_what_it_may_be_meant_as(text: str, other_form: str) -> None:
    """docs/keys.rst: a secret has a form of its own, which a bare text may have been meant as."""
    problem = only_problem(text)
    assert problem.startswith(f"{NO_FILE} (")
    assert problem.partition(")")[2] == other_form


SECRETS_IN_TEXT: dict[str, tuple[Any, str]] = {
    "31 bytes": ({"secret": "x" * 31}, "a secret shorter than any hash (RFC 7518 section 3.2)"),
    "30 characters in 31 bytes": (
        {"secret": "é" + "x" * 29},
        "a secret shorter than any hash (RFC 7518 section 3.2)",
    ),
    "too short for its alg": (
        {"secret": "x" * 63, "alg": "HS512"},
        "a secret shorter than the hash of HS512 (RFC 7518 section 3.2)",
    ),
    "empty": ({"secret": ""}, "a secret shorter than any hash (RFC 7518 section 3.2)"),
    "a public key": (
        {"secret": pem(), "alg": "HS256"},
        "a public key, which is no secret (RFC 8725 section 2.1)",
    ),
    "half a surrogate pair": ({"secret": "\ud800" * 32}, "a secret that is no Unicode text"),
    "null": ({"secret": None}, "a secret is text"),
    "bytes": ({"secret": b"do-not-tell-this" * 4}, "a secret is text"),
    "a number, as the environment has it": ({"secret": 10**40}, "a secret is text"),
    "a list": ({"secret": ["do-not-tell-this" * 4] * 2}, "a secret is text"),
    "beside k": (
        {"secret": "do-not-tell-this" * 4, "kty": "oct", "k": "do-not-tell-this"},
        "beside secret there are only kid and alg",
    ),
    "beside keys": (
        {"secret": "do-not-tell-this" * 4, "keys": [jwk()]},
        "beside secret there are only kid and alg",
    ),
    "a kid that is a number": (
        {"secret": "do-not-tell-this" * 4, "kid": 5},
        "a kid is a string of 1 to 256 characters",
    ),
}


@cases("value, problem", SECRETS_IN_TEXT)
def test_a_secret_in_text_obeys_the_rules_of_all_secrets(value: Any, problem: str) -> None:
    """RFC 7518 section 3.2: as long as the hash, in bytes of UTF-8; no member is ignored."""
    assert only_problem(value, KeyRules(ALGORITHMS)) == problem


def files(folder: Path) -> dict[str, str]:
    """Return paths that lead to no key, with the expected problem of each."""
    (folder / "empty").touch()
    (folder / "text").write_text("do-not-tell-this")
    (folder / "utf-16").write_text(pem(), encoding="utf-16")
    (folder / "path").write_text(str(folder / "key.pem"))
    (folder / "key.pem").write_text(pem())
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "private.der").write_bytes(private("RSA", PrivateFormat.PKCS8, Encoding.DER))
    no_form = "a file that holds no PEM, DER, JWK or JWK Set"
    return {
        "absent.pem": f"{NO_FILE} (No such file or directory)",
        ".": f"{NO_FILE} (Is a directory)",
        "key.pem/inside": f"{NO_FILE} (Not a directory)",
        "loop": f"{NO_FILE} (Too many levels of symbolic links)",
        f"{'n' * 300}.pem": f"{NO_FILE} (File name too long)",
        "nul\0.pem": f"{NO_FILE} (not a file name)",
        "empty": no_form,
        "text": no_form,
        "utf-16": no_form,
        "path": no_form,
        "private.der": NO_KEY,
    }


@pytest.mark.parametrize("as_path", [lambda path: path, str], ids=["pathlib", "str"])
def test_a_file_without_a_key_is_refused_without_naming_it(
    as_path: Callable[[Path], Any], tmp_path: Path
) -> None:
    """Text that was used as a path may be a secret."""
    for name, problem in files(tmp_path).items():
        assert only_problem(as_path(tmp_path / name)) == problem
    assert parse_keys(as_path(tmp_path / "key.pem"), EVERY)[1] == []
