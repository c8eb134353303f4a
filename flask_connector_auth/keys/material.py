"""Reading key material: PEM, DER, JWK, JWK Set and files, split into single keys.

A public key in PEM or DER is loaded with the algorithms that its type limits it to.
"""

import os
import re
from binascii import Error as Base64Error, a2b_base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from ..core import Malformed, load_json_object
from .urls import is_url

_PEM_BLOCK = re.compile("-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \\1-----", re.DOTALL)
_PEM_LINE = re.compile("-----[^-]*-----")
# The tag of a DER SEQUENCE, with which every encoded key begins (X.690 section 8.9).
_DER_START = b"0"
_INTEGER, _OID, _SEQUENCE = 0x02, 0x06, 0x30
_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")
_MGF1 = bytes.fromhex("2a864886f70d010108")
# The hash of each algorithm and its length in bytes, which is also the length of the salt
# (RFC 7518 section 3.5).
_PSS_HASHES = {
    "PS256": (bytes.fromhex("608648016503040201"), 32),
    "PS384": (bytes.fromhex("608648016503040202"), 48),
    "PS512": (bytes.fromhex("608648016503040203"), 64),
}
_DEFAULT_SALT = bytes([_INTEGER, 1, 20])
_DEFAULT_TRAILER = bytes([_INTEGER, 1, 1])


class KeyProblem(ValueError):
    """What is wrong with a key. The text never contains key material."""


class PrivateKeyError(KeyProblem):
    """A private key or secret in a place meant for public keys, where it may have leaked."""

    def __init__(self, problem: str = "a private key where a public one belongs") -> None:
        super().__init__(problem)


class KeyEntry(NamedTuple):
    """The material of one key, not parsed yet."""

    material: Mapping[str, Any] | str | bytes  #: a JWK, the text of a PEM block, or DER
    place: str = ""  #: which key of a JWK Set it is, for messages; empty outside of a set


class PublicKey(NamedTuple):
    """A public key loaded from PEM or DER."""

    native: Any  #: the key object of the library ``cryptography``
    #: The algorithms that the key's type limits it to; ``None`` if the type sets no limit.
    limited_to: frozenset[str] | None


def split_keys(value: Any) -> list[KeyEntry]:
    """Return the single keys in *value*: anything that :func:`parse_keys` takes but a list.

    :raises KeyProblem: if *value* is none of those, or its file cannot be read.
    """
    if isinstance(value, Mapping):
        return _entries_of_object(value)
    if isinstance(value, os.PathLike):
        return _entries_of_file(Path(value))
    if not isinstance(value, str):
        raise KeyProblem(f"a key cannot be given as {type(value).__name__}")
    entries = _entries_of_text(value)
    # Text that cannot be a key is used as a path, but never quoted: it may be a secret.
    return _entries_of_file(Path(value)) if entries is None else entries


def _entries_of_object(value: Mapping[str, Any]) -> list[KeyEntry]:
    if "keys" not in value:
        return [KeyEntry(value)]
    if not isinstance(value["keys"], list | tuple):
        raise KeyProblem("the member keys of a JWK Set is a list (RFC 7517 section 5.1)")
    keys = enumerate(value["keys"], 1)
    return [KeyEntry(jwk, f"key {number} of the set: ") for number, jwk in keys]


def _entries_of_text(text: str) -> list[KeyEntry] | None:
    """Return the keys in *text*, or ``None`` if it may be the path of a file."""
    text = text.strip()
    if text.startswith("{"):
        try:
            return _entries_of_object(load_json_object(text.encode()))
        except (Malformed, UnicodeEncodeError):
            raise KeyProblem("a JWK or JWK Set that is not strict JSON") from None
    if "-----BEGIN" in text:
        blocks = [match.group() for match in _PEM_BLOCK.finditer(text)]
        if not blocks:
            raise KeyProblem("an incomplete PEM block")
        return [KeyEntry(block) for block in blocks]
    if is_url(text):
        raise KeyProblem("a URL, where only a key or the path of a file is accepted")
    try:
        der = a2b_base64("".join(text.split()), strict_mode=True)
    except (Base64Error, ValueError):
        return None
    # A file name can happen to be base64; the DER of a key is longer than such a name.
    return [KeyEntry(der)] if der[:1] == _DER_START and len(der) > 40 else None


def _entries_of_file(path: Path) -> list[KeyEntry]:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = describe_read_error(error)
        raise KeyProblem(f"neither a key nor a readable file ({reason})") from None
    if content[:1] == _DER_START:
        return [KeyEntry(content)]
    try:
        entries = _entries_of_text(content.decode())
    except UnicodeDecodeError:
        entries = None
    if entries is None:
        raise KeyProblem("a file that holds no PEM, DER, JWK or JWK Set")
    return entries


def describe_read_error(error: OSError | ValueError) -> str:
    """Return the system's reason why a file could not be read, without the name of the file."""
    return str(error.strerror) if isinstance(error, OSError) else "not a file name"


def load_public_key(material: str | bytes) -> PublicKey:
    """Return the public key in *material*.

    :param material: the text of one PEM block, or the bytes of a DER SubjectPublicKeyInfo.
    :raises PrivateKeyError: if it is a private key in PEM.
    :raises KeyProblem: if it is no public key.
    """
    if isinstance(material, str):
        if "PRIVATE KEY-----" in material:
            raise PrivateKeyError
        if "BEGIN CERTIFICATE" in material:
            raise KeyProblem("a certificate; extract its key with openssl x509 -pubkey -noout")
    try:
        if isinstance(material, str):
            # This checks the label. The key is loaded below, from the bytes that _limits() reads.
            load_pem_public_key(material.encode())
            material = a2b_base64("".join(_PEM_LINE.sub("", material).split()), strict_mode=True)
        return PublicKey(load_der_public_key(material), _limits(material))
    except Exception:
        raise KeyProblem("not a public key in PEM or DER") from None


def _limits(der: bytes) -> frozenset[str] | None:
    """Return the algorithms that the type of the key in *der* limits it to.

    ``cryptography`` drops that: it loads a key limited to RSASSA-PSS as any other RSA key.
    """
    ((_, key),) = _der_elements(der)
    (tag, identifier), *_ = _der_elements(key)
    # PKCS #1 has the modulus here, and no algorithm identifier.
    if tag != _SEQUENCE:
        return None
    (_, algorithm), *parameters = _der_elements(identifier)
    if algorithm != _RSASSA_PSS:
        return None
    # RFC 4055 section 1.2: without parameters, the key is for RSASSA-PSS with any parameters.
    return _pss_algorithms(parameters[0][1]) if parameters else frozenset(_PSS_HASHES)


def _pss_algorithms(parameters: bytes) -> frozenset[str]:
    """Return the algorithms that RSASSA-PSS-params allow (RFC 4055 sections 3.1 and 3.3)."""
    fields = dict(_der_elements(parameters))
    # The default of both is SHA-1, so without them no algorithm is allowed.
    digest, mask = (list(_object_identifiers(fields.get(tag, b""))) for tag in (0xA0, 0xA1))
    ((_, min_salt_length),) = _der_elements(fields.get(0xA2, _DEFAULT_SALT))
    return frozenset(
        name
        for name, (oid, length) in _PSS_HASHES.items()
        if (digest, mask) == ([oid], [_MGF1, oid])
        and int.from_bytes(min_salt_length) <= length
        and fields.get(0xA3, _DEFAULT_TRAILER) == _DEFAULT_TRAILER
    )


def _object_identifiers(der: bytes) -> Iterator[bytes]:
    for tag, content in _der_elements(der):
        if tag == _OID:
            yield content
        elif tag == _SEQUENCE:
            yield from _object_identifiers(content)


def _der_elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element of *der*, which ``cryptography`` has validated."""
    while der:
        start, length = 2, der[1]
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start])
        yield der[0], der[start : start + length]
        der = der[start + length :]
