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

from flask_connector_auth.keys import ALGORITHMS, KeyRules
from tests.support.floor_helpers import (
    NO_KEY_OR_FILE,
    cases,
    der,
    encoded,
    jwk,
    native_key,
    number,
    parsed_keys,
    pem,
    signing_key,
)

EVERY = KeyRules(ALGORITHMS)
PRIVATE = "a private key where a public one belongs; "
PRINTED = PRIVATE + "take its public half, which this prints: openssl pkey -pubout -in FILE"
PRIVATE_JWK = PRIVATE + "leave out its private members: "
NO_KEY = "not a public key in PEM or DER"
SOUND = "not a sound {} key (RFC 7518 section 6)"
NO_FILE = "neither a key nor a readable file"
FORMS = NO_KEY_OR_FILE.partition(")")[2]
LIST_FORM = '; a list is JSON in an environment variable: ["one.pem", "two.pem"]'
MODULUS = jwk()["n"]
EMPTY = "an empty value; give a key, the path of its file, or a URL"
MISSING = "without the member {} (RFC 7518 section 6)"
BASE64 = (
    "its {} is standard base64 or has padding or white space; it must be base64url without "
    "padding (RFC 7515 section 2)"
)
NO_TYPE = 'it has no kty (RFC 7517 section 4.1); an object is a JWK, a JWK Set or {"secret": "..."}'
TYPE = "its kty is none of EC, OKP, RSA, oct (RFC 7518 section 6.1)"


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
    keys, (problem,) = parsed_keys(value, rules)
    assert keys == []
    assert not any(text in problem for text in strings_in(value))
    return problem


REFUSED: dict[str, tuple[Any, str]] = {
    "private PEM": (private("RSA", PrivateFormat.PKCS8).decode(), PRINTED),
    "private PEM of PKCS1": (private("RSA", PrivateFormat.TraditionalOpenSSL).decode(), PRINTED),
    "private PEM of SEC1": (private("ES256", PrivateFormat.TraditionalOpenSSL).decode(), PRINTED),
    "private PEM of OpenSSH": (
        private("Ed25519", PrivateFormat.OpenSSH).decode(),
        PRINTED.replace("openssl pkey -pubout -in", "ssh-keygen -e -m PKCS8 -f"),
    ),
    "encrypted private PEM": (
        native_key("ES256", "ours")
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
        .decode(),
        PRINTED,
    ),
    "private DER": (
        b64encode(private("RSA", PrivateFormat.PKCS8, Encoding.DER)).decode(),
        PRINTED.replace("-pubout", "-pubout -inform DER"),
    ),
    "encrypted private DER": (
        b64encode(
            native_key("ES256", "ours").private_bytes(
                Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
            )
        ).decode(),
        PRINTED.replace("-pubout", "-pubout -inform DER"),
    ),
    "private RSA JWK": (
        signing_key().as_dict(private=True),
        PRIVATE_JWK + "d, dp, dq, p, q, qi",
    ),
    "private EC JWK": (
        json.dumps(signing_key("ES256").as_dict(private=True)),
        PRIVATE_JWK + "d",
    ),
    "private OKP JWK": (signing_key("Ed25519").as_dict(private=True), PRIVATE_JWK + "d"),
    "JWK with one private member": (jwk(dp="AQAB"), PRIVATE_JWK + "dp"),
    "chain of certificates": (
        certificate() * 2,
        "several certificates, perhaps a chain; give only that of the signing key, or several of "
        "signing keys as a list",
    ),
    "request for a certificate": (
        certificate().replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        "a PEM block CERTIFICATE REQUEST, where PUBLIC KEY or CERTIFICATE belongs",
    ),
    "PEM of EC": (
        pem("ES256").replace("PUBLIC", "EC PUBLIC"),
        "a PEM block EC PUBLIC KEY, where PUBLIC KEY or CERTIFICATE belongs",
    ),
    "certificate of nonsense": (
        "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----",
        NO_KEY,
    ),
    "OpenSSH": (
        signing_key("Ed25519")
        .public_key.public_bytes(  # type: ignore[attr-defined]
            Encoding.OpenSSH, PublicFormat.OpenSSH
        )
        .decode(),
        "a key of OpenSSH; convert it: ssh-keygen -e -m PKCS8 -f FILE",
    ),
    "discovery document": (
        {"issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/do-not-tell"},
        "an OpenID discovery document, which has no keys; use its jwks_uri",
    ),
    "map of certificates": (
        json.dumps({"a": certificate(), "b": certificate()}),
        "a map of certificates, which is no JWK Set; use the URL of the issuer's JWK Set, or "
        "configure each certificate as an item of a list",
    ),
    "x5c without n": (
        {"kty": "RSA", "kid": "a", "x5c": ["do-not-tell-this"]},
        "without the member n (RFC 7518 section 6); give the certificate in its x5c instead",
    ),
    "nothing": ("", EMPTY),
    "blank": (" \n", EMPTY),
    "byte order mark": ("\ufeff", EMPTY),
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
    "RSA without n": ({"kty": "RSA", "e": "AQAB"}, MISSING.format("n")),
    "RSA without e": ({"kty": "RSA", "n": MODULUS}, MISSING.format("e")),
    "RSA with a number as n": (jwk(n=5), SOUND.format("RSA")),
    "RSA with padding": (jwk(e="AQAB="), BASE64.format("e")),
    "RSA with standard base64": (jwk(n=MODULUS[:-2] + "+/"), BASE64.format("n")),
    "RSA in lines": (jwk(n=MODULUS[:64] + "\n" + MODULUS[64:]), BASE64.format("n")),
    "RSA in another alphabet": (jwk(n=MODULUS[:-1] + "~"), SOUND.format("RSA")),
    "EC without y": ({**jwk("ES256"), "y": None}, MISSING.format("y")),
    "EC without crv": ({**jwk("ES256"), "crv": None}, MISSING.format("crv")),
    "EC off the curve": ({**jwk("ES256"), "y": jwk("ES256")["x"]}, SOUND.format("EC")),
    "EC with another curve's point": ({**jwk("ES256"), "crv": "P-384"}, SOUND.format("EC")),
    "OKP too short": ({**jwk("Ed25519"), "x": encoded(bytes(31))}, SOUND.format("OKP")),
    "oct without k": ({"kty": "oct"}, MISSING.format("k")),
    "oct with padding": ({"kty": "oct", "k": b64encode(bytes(32)).decode()}, BASE64.format("k")),
    "oct of a PEM": (
        {"kty": "oct", "k": encoded(pem().encode())},
        "a public key, which is no secret (RFC 8725 section 2.1)",
    ),
    "oct of a DER": (
        {"kty": "oct", "k": encoded(der())},
        "a public key, which is no secret (RFC 8725 section 2.1)",
    ),
    "no kty": ({"n": MODULUS, "e": "AQAB"}, NO_TYPE),
    "empty JWK": ({}, NO_TYPE),
    "kty is null": (jwk(kty=None), NO_TYPE),
    "a misspelt secret": ({"Secret": "do-not-tell-this" * 4}, NO_TYPE),
    "X25519 PEM": (
        public_pem(X25519PrivateKey.generate()),
        "a key of a type that no supported algorithm uses",
    ),
    "X448 PEM": (
        public_pem(X448PrivateKey.generate()),
        "a key of a type that no supported algorithm uses",
    ),
    "empty JWK Set": ({"keys": []}, "no usable key: the set is empty"),
    "empty list": ([], "no usable key: the list is empty"),
    "list of an empty set": ([{"keys": []}], "item 1: no usable key: the set is empty"),
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
    "base64 with slashes": "/do/not/tell/this+secret/of/mine==",
    "host and port": "do-not-tell-this.example:443",
}


@cases("secret", SECRETS)
def test_a_text_that_is_no_key_is_never_quoted(secret: str) -> None:
    """It may be an HMAC secret in a form that is not supported."""
    assert only_problem(secret).startswith(NO_FILE)


@pytest.mark.parametrize(
    "text",
    [
        *("do-not-tell-this", "correct horse battery staple do-not-tell-this", "./one", "C:one"),
        *("ZG8tbm90/dGVsbC10aGlz+w==", "do.not-tell-this", "one,two do-not-tell-this"),
    ],
)
def test_a_bare_text_is_refused_with_what_it_may_be_meant_as(text: str) -> None:
    """docs/keys.rst: a secret has a form of its own, which a bare text may have been meant as."""
    problem = only_problem(text)
    assert problem.startswith(f"{NO_FILE} (")
    assert problem.partition(")")[2] == FORMS


@pytest.mark.parametrize("text", ["one.pem,two.pem", "one.pem , two", "[one]", ' ["one",]'])
def test_a_list_of_files_that_is_not_json_is_recognised(text: str) -> None:
    """docs/settings.rst: in an environment variable, a list is JSON."""
    assert only_problem(text) == f"{NO_FILE} (No such file or directory){LIST_FORM}"


BLANK = "a blank text, which is no secret"
URL_AS_SECRET = "a URL, which is no secret; for a key set, give the URL alone"
PATH_AS_SECRET = (
    'the path of a file, which is no secret; write {"secret": "..."} to the file, and give its '
    "path alone"
)
SECRETS_IN_TEXT: dict[str, tuple[Any, str]] = {
    "31 bytes": (
        {"secret": "x" * 31},
        "a secret shorter than any hash (RFC 7518 section 3.2); it must have 32 bytes or more",
    ),
    "30 characters in 31 bytes": (
        {"secret": "é" + "x" * 29},
        "a secret shorter than any hash (RFC 7518 section 3.2); it must have 32 bytes or more",
    ),
    "too short for its alg": (
        {"secret": "x" * 63, "alg": "HS512"},
        "a secret shorter than the hash of HS512 (RFC 7518 section 3.2); it must have 64 bytes or "
        "more",
    ),
    "empty": ({"secret": ""}, BLANK),
    "blank": ({"secret": " " * 40}, BLANK),
    "line ends": ({"secret": "\ufeff" + "\r\n" * 16}, BLANK),
    "a URL": ({"secret": "https://issuer.example/.well-known/jwks.json"}, URL_AS_SECRET),
    "another URL": ({"secret": "\nredis://user:do-not-tell-this@db.test:6379/0\n"}, URL_AS_SECRET),
    "a path": ({"secret": "/etc/connector-auth/do-not-tell-this"}, PATH_AS_SECRET),
    "a path in this folder": ({"secret": "./keys/do-not-tell-this/hmac"}, PATH_AS_SECRET),
    "a path in the folder above": ({"secret": "../keys/do-not-tell-this.hmac"}, PATH_AS_SECRET),
    "a path at home": ({"secret": "~/keys/do-not-tell-this/and-so-on"}, PATH_AS_SECRET),
    "a path of Windows": ({"secret": r"C:\Program Files\do-not-tell-this\hmac"}, PATH_AS_SECRET),
    "the name of a key file": ({"secret": "do-not-tell-this-do-not-tell-this.pem"}, PATH_AS_SECRET),
    "a path of letters": ({"secret": f"/usr/{'DoNotTellThis' * 3}"}, PATH_AS_SECRET),
    "a URL in a list": ([{"secret": "https://issuer.example/"}], f"item 1: {URL_AS_SECRET}"),
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
        "a kid is a string of at most 256 characters",
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
    (folder / "latin-1").write_bytes("Schlüssel".encode("latin-1"))
    (folder / "url").write_text("https://issuer.example/jwks")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "private.der").write_bytes(private("RSA", PrivateFormat.PKCS8, Encoding.DER))
    no_form = "a file that holds no PEM, DER, JWK or JWK Set"
    return {
        "absent": "(No such file or directory)",
        ".": "(Is a directory)",
        "key.pem/inside": "(Not a directory)",
        "loop": "(Too many levels of symbolic links)",
        "n" * 300: "(File name too long)",
        "empty": no_form,
        "text": no_form,
        "utf-16": "a file in UTF-16; save it as UTF-8",
        "latin-1": no_form,
        "path": no_form,
        "url": "a URL, where only a key or the path of a file is accepted",
        "private.der": PRINTED.replace("-pubout", "-pubout -inform DER"),
    }


@pytest.mark.parametrize("as_path", [lambda path: path, str], ids=["pathlib", "str"])
def test_a_file_without_a_key_is_refused(as_path: Callable[[Path], Any], tmp_path: Path) -> None:
    """docs/keys.rst: one that cannot be read is named, and no content is quoted."""
    for name, problem in files(tmp_path).items():
        path = tmp_path / name
        if problem.startswith("("):
            problem = f"the file {str(path)!r} cannot be read {problem}"
        assert parsed_keys(as_path(path), EVERY) == ([], [problem])
    assert parsed_keys(as_path(tmp_path / "key.pem"), EVERY)[1] == []


@cases(
    "text, is_named",
    {
        "name of a key file": ("issuer.pem", True),
        "name of a key file in capitals": ("ISSUER.PEM", True),
        "folder that exists": ("{}/secrets/issuer", True),
        "folder that does not": ("/no-such-folder/issuer", False),
        "name alone": ("do-not-tell-this", False),
        "base64": ("do/not/tell/this+secret/of/mine==", False),
        "unprintable": ("do-not-tell-this\0.pem", False),
        "several lines": ("do-not-tell\nthis.pem", False),
    },
)
def test_a_text_is_named_where_it_looks_like_a_path(
    text: str, is_named: bool, tmp_path: Path
) -> None:
    """docs/keys.rst: the absolute path, so that a wrong working directory shows."""
    (tmp_path / "secrets").mkdir()
    text = text.format(tmp_path)
    _, (problem,) = parsed_keys(text, EVERY)
    assert (repr(str(Path(text).absolute())) in problem) is is_named
    assert problem.startswith("the file " if is_named else NO_FILE)


@pytest.mark.parametrize(
    "text",
    [
        *("issuer.example/jwks.json", "issuer.example:8443/jwks", "localhost:8000/jwks"),
        *("//issuer.example/jwks", "https:/issuer.example/jwks", "https//issuer.example/jwks"),
        *("issuer:8000", "127.0.0.1:8000/keys"),
    ],
)
def test_a_url_without_its_scheme_is_recognised(text: str) -> None:
    """docs/keys.rst: the message says what is missing; other paths have none of it."""
    hint = "if it is a URL, put https:// before it"
    assert hint in parsed_keys(text, EVERY)[1][0]
    assert hint not in parsed_keys("/run/secrets/issuer.pem", EVERY)[1][0]
    assert hint not in parsed_keys("issuer.pem", EVERY)[1][0]
