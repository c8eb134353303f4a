"""Loads a public key from PEM or DER, with the algorithms that the key itself is limited to."""

import re
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from .material import KeyProblem, PrivateKeyError

#: What is said of a private key, in whatever form.
PRIVATE = "a private key where a public one belongs"
_PEM_LINE = re.compile("-----[^-]*-----")
_INTEGER, _OID, _SEQUENCE = 0x02, 0x06, 0x30
_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")
_MGF1 = bytes.fromhex("2a864886f70d010108")
# The hash of each algorithm, and its length in bytes, which is that of the salt too (RFC 7518
# section 3.5).
_HASHES = {
    "PS256": (bytes.fromhex("608648016503040201"), 32),
    "PS384": (bytes.fromhex("608648016503040202"), 48),
    "PS512": (bytes.fromhex("608648016503040203"), 64),
}
_USUAL_SALT = bytes([_INTEGER, 1, 20])
_USUAL_TRAILER = bytes([_INTEGER, 1, 1])


class PublicKey(NamedTuple):
    """A public key as its file has it."""

    native: Any  #: of the library cryptography
    #: The algorithms that its type limits it to; ``None``: all that its numbers are good for.
    limited_to: frozenset[str] | None


def load_public_key(material: str | bytes) -> PublicKey:
    """Return the public key in *material*.

    :param material: the text of one PEM block, or the bytes of a DER SubjectPublicKeyInfo.
    :raises PrivateKey: if it is a private key in PEM.
    :raises KeyProblem: if it is no public key.
    """
    if isinstance(material, str):
        if "PRIVATE KEY-----" in material:
            raise PrivateKeyError(PRIVATE)
        if "BEGIN CERTIFICATE" in material:
            raise KeyProblem("a certificate; extract its key with openssl x509 -pubkey -noout")
    try:
        if isinstance(material, str):
            # For its label. What is used is loaded below, from the bytes that are looked at there.
            load_pem_public_key(material.encode())
            material = a2b_base64("".join(_PEM_LINE.sub("", material).split()), strict_mode=True)
        return PublicKey(load_der_public_key(material), _limits(material))
    except Exception:
        raise KeyProblem("not a public key in PEM or DER") from None


def _limits(der: bytes) -> frozenset[str] | None:
    """Return what the type of the key in *der* limits it to.

    The library forgets that: it returns a key that is limited to RSASSA-PSS as any RSA key.
    """
    ((_, key),) = _elements(der)
    (tag, identifier), *_ = _elements(key)
    # In PKCS #1 there is none, but the modulus.
    if tag != _SEQUENCE:
        return None
    (_, kind), *parameters = _elements(identifier)
    if kind != _RSASSA_PSS:
        return None
    # RFC 4055 section 1.2: without parameters, it is for RSASSA-PSS with any.
    return _fitting(parameters[0][1]) if parameters else frozenset(_HASHES)


def _fitting(parameters: bytes) -> frozenset[str]:
    """Return the algorithms that RSASSA-PSS-params allow (RFC 4055 sections 3.1 and 3.3)."""
    given = dict(_elements(parameters))
    # Left out, either is SHA-1, by which no algorithm signs.
    digest, mask = (list(_object_identifiers(given.get(tag, b""))) for tag in (0xA0, 0xA1))
    ((_, salt),) = _elements(given.get(0xA2, _USUAL_SALT))
    return frozenset(
        name
        for name, (oid, length) in _HASHES.items()
        if (digest, mask) == ([oid], [_MGF1, oid])
        # The least that a signature may have.
        and int.from_bytes(salt) <= length
        and given.get(0xA3, _USUAL_TRAILER) == _USUAL_TRAILER
    )


def _object_identifiers(der: bytes) -> Iterator[bytes]:
    for tag, content in _elements(der):
        if tag == _OID:
            yield content
        elif tag == _SEQUENCE:
            yield from _object_identifiers(content)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and content of each element of *der*, which the library has found sound."""
    while der:
        start, length = 2, der[1]
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start])
        yield der[0], der[start : start + length]
        der = der[start + length :]
