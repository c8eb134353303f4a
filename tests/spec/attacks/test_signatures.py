"""Signatures at the edges of what a library may take: RSA, ECDSA, Ed25519, HMAC.

RFC 8725 sections 3.3 and 3.4; RFC 8017; RFC 7518 section 3; RFC 8032 section 5.1.7; CVE-2022-21449;
``tests/spec/vectors`` has Project Wycheproof's cases of the same.
"""

from collections.abc import Callable
from hashlib import sha1, sha256, sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384

from flask_connector_auth.testing.broken import Good, Kind
from tests.support.attack_harness import Attack, withstand
from tests.support.attack_stage import KINDS
from tests.support.floor_helpers import decoded, encoded, native_key
from tests.support.malformed import SMALL_POINTS, ecdsa_signatures

#: What makes a signature: the signing input and the genuine signature in.
Forge = Callable[[bytes, bytes], bytes]
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 section 9.2
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519, RFC 8032 section 5.1


def signed(forge: Forge) -> Attack:
    """Return the attack that puts another signature under the good signing input."""

    def attack(good: Good) -> str:
        message, _, signature = good.having().rpartition(".")
        return f"{message}.{encoded(forge(message.encode(), decoded(signature)))}"

    return attack


def rsa_numbers() -> tuple[int, int]:
    """Return modulus and private exponent of our RSA key."""
    numbers = native_key("RSA", "ours").private_numbers()
    return numbers.public_numbers.n, numbers.d


def shifted(by: int) -> Forge:
    """Return what adds *by* times the modulus, which changes nothing but the number."""
    return lambda _message, signature: (int.from_bytes(signature) + by * rsa_numbers()[0]).to_bytes(
        len(signature) + 1
    )


def constant(number: Callable[[int], int]) -> Forge:
    """Return what signs everything by a number that depends on the modulus alone."""
    return lambda _message, signature: number(rsa_numbers()[0]).to_bytes(len(signature))


def padded(block: Callable[[bytes], bytes], kind: bytes = b"\0\1", fill: bytes = b"\xff") -> Forge:
    """Return what signs, with our own key, a *block* that is padded, but not as PKCS #1 says."""

    def forge(message: bytes, signature: bytes) -> bytes:
        content = block(message)
        room = len(signature) - len(content) - 3
        n, d = rsa_numbers()
        number = int.from_bytes(kind + fill * room + b"\0" + content)
        return pow(number, d, n).to_bytes(len(signature))

    return forge


def short_padding(message: bytes, signature: bytes) -> bytes:
    """Sign a block with eight bytes of padding and garbage behind the digest (CVE-2006-4339)."""
    n, d = rsa_numbers()
    block = b"\0\1" + b"\xff" * 8 + b"\0" + _DIGEST_INFO + sha256(message).digest()
    return pow(int.from_bytes(block.ljust(len(signature), b"\0")), d, n).to_bytes(len(signature))


def by_rsa(padding: Any, algorithm: Any) -> Forge:
    """Return what signs with our own key, by another scheme."""
    return lambda message, _signature: native_key("RSA", "ours").sign(message, padding, algorithm)


LENGTHS: dict[str, Forge] = {
    "nothing": lambda _message, _signature: b"",
    "one byte": lambda _message, signature: signature[:1],
    "one byte short": lambda _message, signature: signature[:-1],
    "one byte long": lambda _message, signature: signature + b"\0",
    "a zero before": lambda _message, signature: b"\0" + signature,
    "twice": lambda _message, signature: signature * 2,
    "zeros": lambda _message, signature: bytes(len(signature)),
    "ones": lambda _message, signature: b"\xff" * len(signature),
    "backwards": lambda _message, signature: signature[::-1],
    "digest of the message": lambda message, _signature: sha256(message).digest(),
}
NUMBERS: dict[str, Forge] = {
    "one": constant(lambda _n: 1),
    "the modulus": constant(lambda n: n),
    "the modulus but one": constant(lambda n: n - 1),
    "plus the modulus": shifted(1),
    "plus twice the modulus": shifted(2),
}
PKCS1: dict[str, Forge] = {
    "no algorithm": padded(lambda message: sha256(message).digest()),
    "no NULL": padded(
        lambda message: (
            bytes.fromhex("302f300b0609608648016503040201" + "0420") + sha256(message).digest()
        )
    ),
    "long form of a length": padded(
        lambda message: (
            bytes.fromhex("308131300d060960864801650304020105000420") + sha256(message).digest()
        )
    ),
    "SHA-1": padded(
        lambda message: (
            bytes.fromhex("3021300906052b0e03021a05000414") + sha1(message).digest()  # noqa: S324
        )
    ),
    "SHA-256 called SHA-512": padded(
        lambda message: (
            bytes.fromhex("3051300d060960864801650304020305000440") + sha512(message).digest()
        )
    ),
    "block type 2": padded(lambda message: _DIGEST_INFO + sha256(message).digest(), kind=b"\0\2"),
    "padding of zeros": padded(lambda message: _DIGEST_INFO + sha256(message).digest(), fill=b"\0"),
    "short padding": short_padding,
    "by PSS": by_rsa(PSS(MGF1(SHA256()), 32), SHA256()),
    "by SHA-1": by_rsa(PKCS1v15(), SHA1()),  # noqa: S303
}
SALTS: dict[str, Forge] = {
    **{
        f"a salt of {length}": by_rsa(PSS(MGF1(SHA256()), length), SHA256())
        for length in (0, 20, 31, 33, 222)
    },
    "another mask": by_rsa(PSS(MGF1(SHA1()), 32), SHA256()),  # noqa: S303
    "another digest": by_rsa(PSS(MGF1(SHA384()), 48), SHA384()),
    "by PKCS1": by_rsa(PKCS1v15(), SHA256()),
}
CURVE: dict[str, Forge] = {
    name: lambda message, _signature, name=name: ecdsa_signatures(message)[name]
    for name in ecdsa_signatures(b"")
}
EDWARDS: dict[str, Forge] = {
    **{
        f"R of small order {number}": lambda _message, signature, point=point: (
            bytes.fromhex(point) + signature[32:]
        )
        for number, point in enumerate(SMALL_POINTS)
    },
    "R of small order, S zero": lambda _message, _signature: (
        bytes.fromhex(SMALL_POINTS[0]) + bytes(32)
    ),
    **{
        f"S plus {times} times the order": lambda _message, signature, times=times: (
            signature[:32]
            + (int.from_bytes(signature[32:], "little") + times * _ORDER).to_bytes(32, "little")
        )
        for times in (1, 2, 8)
    },
    "S is the order": lambda _message, signature: signature[:32] + _ORDER.to_bytes(32, "little"),
    "S with its top bit": lambda _message, signature: (
        signature[:63] + bytes([signature[63] | 0x80])
    ),
    "R with its sign bit": lambda _message, signature: (
        signature[:31] + bytes([signature[31] ^ 0x80]) + signature[32:]
    ),
    "of the digest": lambda message, _signature: native_key("Ed25519", "ours").sign(
        sha512(message).digest()
    ),
}
# Of PS256 see ``test_found.py``.
SHORT: dict[str, Forge] = {"first byte left out": lambda _message, signature: signature[1:]}
FAMILIES = {
    "RS256": LENGTHS | SHORT | NUMBERS | PKCS1,
    "PS256": LENGTHS | NUMBERS | SALTS,
    "ES256": LENGTHS | SHORT | CURVE,
    "Ed25519": LENGTHS | SHORT | EDWARDS,
    "HS256": LENGTHS | SHORT | {"half": lambda _message, signature: signature[:16]},
}
EVERY = [
    (algorithm, name, kind)
    for algorithm, family in FAMILIES.items()
    for name in family
    for kind in KINDS
]


@pytest.mark.parametrize(("algorithm", "name", "kind"), EVERY)
def test_a_signature_has_one_form(algorithm: str, name: str, kind: Kind) -> None:
    """RFC 8725 section 3.4: of the right length, in range, by the very scheme that alg names."""
    withstand(signed(FAMILIES[algorithm][name]), kind, algorithm)
