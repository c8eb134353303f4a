"""Every form in which a public key may be configured."""

import json
from base64 import b64encode, encodebytes
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OctKey

from flask_connector_auth.keys import ALGORITHMS, KeyRules, parse_keys
from tests.support.floor_helpers import cases, der, jwk, native_key, parsed_keys, pem, signing_key

RS256 = KeyRules(("RS256",))
OURS = ("RSA", "ours")


def pkcs1() -> str:
    """Return the PEM of our RSA key in its own older form."""
    public = native_key(*OURS).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


def thumbprints(value: Any, rules: KeyRules = RS256) -> list[str]:
    """Return the thumbprints of the keys in *value*, which has no problems."""
    keys, problems = parsed_keys(value, rules)
    assert problems == []
    return [key.thumbprint for key in keys]


def escaped(text: str) -> str:
    """Return *text* with its line ends as an environment variable may have them."""
    return text.replace("\n", "\\n")


def in_base64(text: str) -> str:
    """Return base64 of *text*."""
    return b64encode(text.encode()).decode()


def expiring(valid_until: datetime, kind: str = "RSA") -> bytes:
    """Return the DER of a certificate of our key."""
    key, name = native_key(kind, "ours"), x509.Name([])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, valid_until)
    digest = None if kind.startswith("Ed") else SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.DER)


def certificate(label: str = "CERTIFICATE") -> str:
    """Return the PEM of a certificate of our key."""
    lines = encodebytes(expiring(LATER)).decode()
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"


LATER = datetime(2120, 1, 1, tzinfo=UTC)
TEXTS: dict[str, str] = {
    "PEM": pem(),
    "PEM with escaped line ends": escaped(pem()),
    "PEM with escaped CRLF": pem().replace("\n", "\\r\\n"),
    "PEM of PKCS1 with escaped line ends": escaped(pkcs1()),
    "PEM in one line": pem().replace("\n", " "),
    "PEM after a byte order mark": f"\ufeff{pem()}",
    "base64 of a PEM": in_base64(pem()),
    "base64 of a PEM in lines": encodebytes(pem().encode()).decode(),
    "base64 of a PEM with escaped line ends": in_base64(escaped(pem())),
    "base64 of a JWK": in_base64(json.dumps(jwk())),
    "base64 of a certificate in PEM": in_base64(certificate()),
    "certificate in PEM": certificate(),
    "certificate in PEM by its older label": certificate("X509 CERTIFICATE"),
    "certificate in PEM with escaped line ends": escaped(certificate()),
    "certificate in base64 of DER": b64encode(expiring(LATER)).decode(),
    "JWK after a byte order mark": f"\ufeff{json.dumps(jwk())}",
    "JWK after a byte order mark and a line end": f"\n\ufeff\n{json.dumps(jwk())}",
    "JWK with a member that is null": json.dumps(jwk(alg=None, use=None, key_ops=None, d=None)),
    "PEM of PKCS1": pkcs1(),
    "PEM with CRLF": pem().replace("\n", "\r\n"),
    "PEM without its last newline": pem().strip(),
    "PEM between other text": f"Our key, since 2018:\n{pem()}\nThat was our key.\n",
    "bare base64 DER": b64encode(der()).decode(),
    "bare base64 DER in lines": encodebytes(der()).decode(),
    "bare base64 DER in lines with CRLF": encodebytes(der()).decode().replace("\n", "\r\n"),
    "bare base64 DER with spaces around": f"  {b64encode(der()).decode()} \n",
    "JWK": json.dumps(jwk()),
    "JWK in lines": f"\n{json.dumps(jwk(), indent=4)}\n",
    "JWK Set": json.dumps({"keys": [jwk()]}),
}


@cases("text", TEXTS)
def test_a_key_may_be_given_as_text(text: str) -> None:
    """docs/keys.rst: PEM, bare base64 DER as the real service prints it, JWK, JWK Set."""
    assert thumbprints(text) == [signing_key().thumbprint()]


@cases(
    "value",
    {
        "JWK": jwk(),
        "JWK Set": {"keys": [jwk()]},
        "JWK Set of a tuple": {"keys": (jwk(),)},
        "read-only JWK": MappingProxyType(jwk()),
        "read-only JWK Set": MappingProxyType({"keys": [MappingProxyType(jwk())]}),
        "list of one": [pem()],
        "tuple of one": (pem(),),
    },
)
def test_a_key_may_be_given_as_an_object(value: Any) -> None:
    """RFC 7517 sections 4 and 5: a JWK and a JWK Set, as JSON objects are in Python."""
    assert thumbprints(value) == [signing_key().thumbprint()]


@pytest.mark.parametrize("as_path", [Path, str], ids=["pathlib", "str"])
@cases(
    "content",
    {
        "DER": der(),
        "DER of a certificate": expiring(LATER),
        **{name: text.encode() for name, text in TEXTS.items()},
    },
)
def test_a_key_may_be_given_as_a_file(
    content: bytes, as_path: Callable[[Path], Any], tmp_path: Path
) -> None:
    """docs/keys.rst: a file of any of these forms, or of binary DER."""
    path = tmp_path / "a key.pub"
    path.write_bytes(content)
    assert thumbprints(as_path(path)) == [signing_key().thumbprint()]


TEXT = signing_key("HS256").raw_value.decode()  # type: ignore[attr-defined]
#: The same text as a secret, in each form, with the ``kid`` and the algorithms of its key.
SECRETS: dict[str, tuple[Any, str | None, set[str]]] = {
    "an object": ({"secret": TEXT}, None, {"HS256", "HS384"}),
    "read-only": (MappingProxyType({"secret": TEXT}), None, {"HS256", "HS384"}),
    "JSON text": (json.dumps({"secret": TEXT}), None, {"HS256", "HS384"}),
    "with kid": ({"secret": TEXT, "kid": "new"}, "new", {"HS256", "HS384"}),
    "with alg": ({"alg": "HS384", "secret": TEXT}, None, {"HS384"}),
    "in a list": ([{"secret": TEXT}], None, {"HS256", "HS384"}),
}


@cases("value, kid, algorithms", SECRETS)
def test_a_secret_may_be_given_as_text(value: Any, kid: str | None, algorithms: set[str]) -> None:
    """docs/keys.rst, Secrets: the key is the UTF-8 of the text, as in the JWK of the type oct."""
    ([key], problems) = parse_keys(value, KeyRules(("RS256", "HS256", "HS384")))
    assert problems == []
    assert (key.kid, set(key.algorithms)) == (kid, algorithms)
    assert key.thumbprint == signing_key("HS256").thumbprint()
    assert TEXT not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        *("é" * 16, " \n" * 16 + "x", f"/{'b+/4' * 12}==", f"tests/{'b64' * 12}", "./@:%" * 8),
        *("correct horse battery staple / 1", "a:/?#[]@!$&'()*+,;=" * 2, "x//y.z" * 8),
    ],
)
def test_a_secret_in_text_is_taken_as_it_is(text: str, tmp_path: Path) -> None:
    """docs/keys.rst, Secrets: not stripped, and of any signs; in a file of JSON too."""
    expected = OctKey.import_key(text.encode()).thumbprint()
    path = tmp_path / "secret.json"
    path.write_text(json.dumps({"secret": text}))
    for value in ({"secret": text}, path):
        assert thumbprints(value, KeyRules(("HS256",))) == [expected]


@cases("around", {"spaces": " {} ", "line ends": "\r\n{}\n", "byte order mark": "\ufeff{}\n"})
def test_a_path_may_have_white_space_around(around: str, tmp_path: Path) -> None:
    """docs/keys.rst: what an environment or a secret store adds does not belong to a path."""
    (tmp_path / "a key.pem").write_text(pem())
    assert thumbprints(around.format(tmp_path / "a key.pem")) == [signing_key().thumbprint()]


@pytest.mark.parametrize("kind", ["RSA", "ES256", "Ed25519"])
def test_an_expired_certificate_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """docs/keys.rst: a certificate only carries the key. The warning has its setting and date."""
    rules = KeyRules(("RS256", "ES256", "EdDSA"))
    for expiry, lines in (
        (LATER, []),
        (
            datetime(2021, 2, 3, tzinfo=UTC),
            ["KEYS: item 2: its certificate expired on 2021-02-03; its key is used nevertheless"],
        ),
    ):
        text = b64encode(expiring(expiry, kind)).decode()
        (_, key), problems = parse_keys([jwk(owner="other 1"), text], rules, setting="KEYS")
        assert (key.thumbprint, problems) == (parse_keys(pem(kind), rules)[0][0].thumbprint, [])
        assert caplog.messages == lines
    assert caplog.records[0].levelname == "WARNING"
    caplog.clear()
    assert parse_keys(text, rules)[1] == []
    assert caplog.messages == [
        "its certificate expired on 2021-02-03; its key is used nevertheless"
    ]


def test_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/keys.rst: a path, as everywhere in Python."""
    (tmp_path / "key.pem").write_text(pem())
    monkeypatch.chdir(tmp_path)
    assert thumbprints("key.pem") == [signing_key().thumbprint()]


def test_a_short_name_is_a_path_though_it_is_base64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public key is longer than a file name that happens to start like DER."""
    (tmp_path / "MIIBkeys").write_text(pem())
    monkeypatch.chdir(tmp_path)
    assert thumbprints("MIIBkeys") == [signing_key().thumbprint()]


def test_one_text_may_hold_several_pem_blocks(tmp_path: Path) -> None:
    """RFC 7468 section 2: blocks one after the other, as in a bundle, each a key."""
    both = [signing_key(owner=owner).thumbprint() for owner in ("ours", "other 1")]
    text = f"{pem()}\n# the next one\n{pem(owner='other 1')}"
    assert thumbprints(text) == both
    (tmp_path / "bundle.pem").write_text(text)
    assert thumbprints(tmp_path / "bundle.pem") == both


def test_a_list_may_mix_all_forms(tmp_path: Path) -> None:
    """docs/keys.rst: each item in any form, in the order given."""
    (tmp_path / "key.der").write_bytes(der("ES384"))
    mixed = [
        jwk(),
        pem("ES256"),
        tmp_path / "key.der",
        {"keys": [jwk("ES512"), jwk("Ed25519")]},
        b64encode(der("Ed448")).decode(),
        json.dumps(jwk("HS256")),
    ]
    rules = KeyRules(("RS256", "ES256", "ES384", "ES512", "Ed25519", "Ed448", "HS256"))
    assert thumbprints(mixed, rules) == [
        signing_key(algorithm).thumbprint() for algorithm in rules.algorithms
    ]


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("HS")])
def test_a_key_of_each_algorithm_may_be_given_in_each_form(algorithm: str) -> None:
    """RFC 7518 section 3.1, RFC 8037: PEM, DER and JWK of one key are one key."""
    kind = "RSA" if algorithm[:2] in ("RS", "PS") else algorithm
    forms = [pem(algorithm), b64encode(der(kind)).decode(), jwk(algorithm)]
    assert thumbprints(forms, KeyRules((algorithm,))) == [signing_key(algorithm).thumbprint()] * 3


@pytest.mark.parametrize(
    ("members", "kid"),
    [({}, None), ({"kid": None}, None), ({"kid": ""}, None), ({"kid": "a"}, "a")],
)
def test_a_kid_comes_from_the_jwk(members: dict[str, Any], kid: Any) -> None:
    """RFC 7517 section 4.5: optional; a PEM has none."""
    assert [key.kid for key in parsed_keys(jwk(**members), RS256)[0]] == [kid]
    assert [key.kid for key in parsed_keys(pem(), RS256)[0]] == [None]


@pytest.mark.parametrize("kid", ["k" * 257, 5, True, False, ["a"], {}])
def test_a_kid_is_a_short_string(kid: Any) -> None:
    """RFC 7517 section 4.5: a kid that no token can have is an error in the configuration."""
    assert thumbprints([jwk(kid="k"), jwk(kid="k" * 256)])
    assert parsed_keys(jwk(kid=kid), RS256) == (
        [],
        ["a kid is a string of at most 256 characters"],
    )


@pytest.mark.parametrize(
    ("value", "fitting"),
    [
        (pem(), {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        (jwk(alg="PS256"), {"PS256"}),
        (jwk(alg=None), {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        (jwk("ES384"), {"ES384"}),
        (jwk("Ed25519"), {"EdDSA", "Ed25519"}),
        (jwk("Ed448"), {"EdDSA", "Ed448"}),
        (jwk("HS512"), {"HS256", "HS384", "HS512"}),
    ],
)
def test_a_key_is_good_for_the_algorithms_of_its_type(value: Any, fitting: set[str]) -> None:
    """RFC 8725 section 3.1: by key type and curve; by ``alg`` alone where the JWK has it."""
    (key,), problems = parsed_keys(value, KeyRules(ALGORITHMS))
    assert (key.algorithms.keys(), problems) == (fitting, [])


@cases(
    "members",
    {
        "use": {"use": "sig"},
        "key_ops": {"key_ops": ["sign", "verify"]},
        "alg": {"alg": "RS256"},
        "certificates": {"x5c": ["nonsense"], "x5t": "nonsense", "x5u": "http://127.0.0.1:9/"},
        "unknown": {"ext": True, "https://issuer.example/note": {"a": [1]}},
    },
)
def test_other_members_of_a_jwk_do_no_harm(members: dict[str, Any]) -> None:
    """RFC 7517 section 4: unknown members are ignored; nothing is fetched or parsed."""
    assert thumbprints(jwk(**members)) == [signing_key().thumbprint()]
