"""A key that is limited to RSASSA-PSS verifies nothing else (RFC 4055 section 1.2)."""

from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flask_connector_auth.core import Reason
from flask_connector_auth.keys import ALGORITHMS, KeyRules, StaticKeys
from flask_connector_auth.verification import Verifier
from tests.support.floor_helpers import (
    APP,
    cases,
    decoded,
    der,
    issuer_of,
    native_key,
    parsed_keys,
    pem,
    refusal,
    verifier,
)

PS = {"PS256", "PS384", "PS512"}
PKCS1 = ("RS256", "RS384", "RS512")
EVERY = KeyRules(ALGORITHMS)
UNFIT = "an RSA key that cannot be used for any supported algorithm"
MISMATCH = "an RSA key for {}; the allow-list has RS256, RS384, RS512"


def element(tag: int, *contents: bytes) -> bytes:
    """Return DER of one element (X.690 section 8.1)."""
    content = b"".join(contents)
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    length = bytes([size]) if size < 128 else bytes([128 + len(long)]) + long
    return bytes([tag]) + length + content


def sequence(*contents: bytes) -> bytes:
    """Return a SEQUENCE."""
    return element(0x30, *contents)


def oid(text: str) -> bytes:
    """Return an OBJECT IDENTIFIER, given in hexadecimal."""
    return element(0x06, bytes.fromhex(text))


NULL = element(0x05)
RSASSA_PSS = oid("2a864886f70d01010a")
MGF1 = oid("2a864886f70d010108")
SHA1, SHA256, SHA384, SHA512 = (
    oid(text) for text in ("2b0e03021a", *(f"60864801650304020{number}" for number in "123"))
)


def digest(algorithm: bytes, *parameters: bytes) -> bytes:
    """Return the field hashAlgorithm (RFC 4055 section 3.1)."""
    return element(0xA0, sequence(algorithm, *parameters))


def mask(algorithm: bytes, *parameters: bytes) -> bytes:
    """Return the field maskGenAlgorithm."""
    return element(0xA1, sequence(MGF1, sequence(algorithm, *parameters)))


def salt(number: int) -> bytes:
    """Return the field saltLength."""
    return element(0xA2, element(0x02, number.to_bytes(number.bit_length() // 8 + 1)))


def trailer(number: int) -> bytes:
    """Return the field trailerField."""
    return element(0xA3, element(0x02, bytes([number])))


def limited(*parameters: bytes) -> bytes:
    """Return the DER of our RSA key, limited to RSASSA-PSS."""
    numbers = native_key("RSA", "ours").public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return sequence(sequence(RSASSA_PSS, *parameters), element(0x03, b"\0", numbers))


def as_pem(content: bytes) -> str:
    """Return DER in PEM."""
    return f"-----BEGIN PUBLIC KEY-----\n{encodebytes(content).decode()}-----END PUBLIC KEY-----\n"


def algorithms(value: Any, rules: KeyRules = EVERY) -> set[str]:
    """Return the algorithms of the only key in *value*."""
    (key,), wrong = parsed_keys(value, rules)
    assert wrong == []
    return set(key.algorithms)


FORMS: dict[str, Callable[[bytes], Any]] = {
    "PEM": as_pem,
    "PEM with CRLF": lambda content: as_pem(content).replace("\n", "\r\n"),
    "base64": lambda content: b64encode(content).decode(),
}
ANY = limited()
FOR_256 = limited(sequence(digest(SHA256, NULL), mask(SHA256, NULL), salt(32)))


@cases("form", FORMS)
@pytest.mark.parametrize("file", [False, True])
def test_a_limited_key_is_for_pss_alone(
    form: Callable[[bytes], Any], file: bool, tmp_path: Any
) -> None:
    """RFC 4055 section 1.2: in whatever form it is given; without parameters, by any hash."""
    for encoded, expected in ((ANY, PS), (FOR_256, {"PS256"})):
        value = form(encoded)
        if file:
            (tmp_path / "key").write_text(value)
            value = tmp_path / "key"
        assert algorithms(value) == expected
        mismatch = MISMATCH.format(", ".join(sorted(expected)))
        assert parsed_keys(value, KeyRules(PKCS1)) == ([], [mismatch])


def test_a_binary_file_of_a_limited_key(tmp_path: Any) -> None:
    """RFC 4055 section 1.2: raw DER too."""
    (tmp_path / "key.der").write_bytes(ANY)
    assert algorithms(tmp_path / "key.der") == PS


VERSION_3 = element(0xA0, element(0x02, b"\2"))


def certificate(public_key: bytes, *version: bytes) -> bytes:
    """Return the DER of a certificate with that SubjectPublicKeyInfo (RFC 5280 section 4.1)."""
    algorithm, name = sequence(oid("2a864886f70d01010b"), NULL), sequence()
    validity = sequence(element(0x17, b"200101000000Z"), element(0x17, b"491231235959Z"))
    fields = (element(0x02, b"\1"), algorithm, name, validity, name, public_key)
    return sequence(sequence(*version, *fields), algorithm, element(0x03, b"\0signature"))


@pytest.mark.parametrize("version", [(), (VERSION_3,)], ids=["version 1", "version 3"])
def test_a_certificate_keeps_the_limits_of_its_key(version: tuple[bytes, ...]) -> None:
    """RFC 4055 section 1.2, RFC 5280 section 4.1: version 1 is written as no version."""
    for key, expected in ((ANY, PS), (FOR_256, {"PS256"}), (der(), {*PKCS1, *PS})):
        assert algorithms(b64encode(certificate(key, *version)).decode()) == expected


@pytest.mark.parametrize("value", [pem(), pem("PS256")])
def test_a_key_for_everything_stays_one(value: str) -> None:
    """RFC 4055 section 1.2: rsaEncryption limits nothing."""
    assert algorithms(value) == {*PKCS1, *PS}


@cases(
    ("parameters", "expected"),
    {
        "SHA-256": ([digest(SHA256, NULL), mask(SHA256, NULL), salt(32)], {"PS256"}),
        "SHA-384": ([digest(SHA384, NULL), mask(SHA384, NULL), salt(48)], {"PS384"}),
        "SHA-512": ([digest(SHA512, NULL), mask(SHA512, NULL), salt(64)], {"PS512"}),
        "without NULL": ([digest(SHA256), mask(SHA256), salt(32)], {"PS256"}),
        "a shorter salt": ([digest(SHA512), mask(SHA512), salt(0)], {"PS512"}),
        "the usual salt": ([digest(SHA256), mask(SHA256)], {"PS256"}),
        "a longer salt": ([digest(SHA256), mask(SHA256), salt(33)], set()),
        "a much longer salt": ([digest(SHA256), mask(SHA256), salt(256)], set()),
        "the usual trailer": ([digest(SHA256), mask(SHA256), salt(32), trailer(1)], {"PS256"}),
        "another trailer": ([digest(SHA256), mask(SHA256), salt(32), trailer(2)], set()),
        "another mask": ([digest(SHA256), mask(SHA512), salt(32)], set()),
        "no mask, which is SHA-1": ([digest(SHA256), salt(32)], set()),
        "no hash, which is SHA-1": ([mask(SHA256), salt(32)], set()),
        "nothing, which is SHA-1": ([], set()),
    },
)
def test_parameters_limit_it_further(parameters: list[bytes], expected: set[str]) -> None:
    """RFC 4055 section 3.3: hash, mask and trailer are those of the key, and no salt is shorter;
    RFC 7518 section 3.5: each algorithm has one hash, and a salt as long as it."""
    keys, wrong = parsed_keys(as_pem(limited(sequence(*parameters))), EVERY)
    assert [set(key.algorithms) for key in keys] == ([expected] if expected else [])
    assert wrong == ([] if expected else [UNFIT])


@pytest.mark.parametrize("algorithm", [*PKCS1, *sorted(PS)])
def test_only_its_signatures_verify(algorithm: str) -> None:
    """RFC 4055 section 1.2: the numbers of the key would verify them all."""
    token = issuer_of(algorithm, kid="a").app_jwt()
    rules = verifier(APP, algorithms=ALGORITHMS).rules

    def reason_for(value: Any) -> Reason | None:
        keys, _ = parsed_keys(value, EVERY)
        return refusal(Verifier(APP.profile, rules, StaticKeys(keys)), token)

    assert reason_for(pem()) is None
    assert reason_for(as_pem(ANY)) == (None if algorithm in PS else Reason.UNKNOWN_KEY)
    assert reason_for(as_pem(FOR_256)) == (None if algorithm == "PS256" else Reason.UNKNOWN_KEY)


@pytest.mark.parametrize(
    "value",
    [
        as_pem(limited(NULL)),
        as_pem(limited(sequence(salt(32) + b"\0"))),
        # DER omits default values.
        as_pem(limited(sequence(digest(SHA1), mask(SHA1), salt(20)))),
        as_pem(ANY + b"\0"),
        as_pem(ANY).replace("PUBLIC KEY-----\n", "PUBLIC KEY-----\nComment: a\n\n", 1),
    ],
)
def test_a_malformed_key_is_refused(value: str) -> None:
    """RFC 7468 section 13, RFC 4055 section 3.1: a key that cannot be parsed is refused."""
    assert parsed_keys(value, EVERY) == ([], ["not a public key in PEM or DER"])


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_signature_has_one_spelling(algorithm: str) -> None:
    """RFC 8017 sections 8.1.2 and 8.2.2, step 1: one without its leading zeros is refused."""
    issuer, judge = issuer_of(algorithm), verifier(APP, [pem()], [algorithm])
    tokens = (issuer.app_jwt(jti=str(number)) for number in range(100_000))
    message, _, signature = next(
        parts for token in tokens if decoded((parts := token.rpartition("."))[2])[0] == 0
    )
    assert refusal(judge, f"{message}.{signature}") is None
    shorter = urlsafe_b64encode(decoded(signature)[1:])
    assert refusal(judge, f"{message}.{shorter.decode().rstrip('=')}") is Reason.BAD_SIGNATURE
