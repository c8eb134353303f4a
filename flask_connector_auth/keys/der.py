"""Native public keys: from DER, the algorithms their types allow, certificates, RSA signatures."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from .source import Verify

# The tag of a DER SEQUENCE, with which every encoded key begins (X.690 section 8.9).
DER_START = b"0"
_KEY_CLASSES: tuple[tuple[type, Callable[[Any, Any], Key]], ...] = (
    (RSAPublicKey, RSAKey),
    (EllipticCurvePublicKey, ECKey),
    (Ed25519PublicKey, OKPKey),
    (Ed448PublicKey, OKPKey),
)
_INTEGER, _OID, _SEQUENCE, _VERSION = 0x02, 0x06, 0x30, 0xA0
_RSASSA_PSS = bytes.fromhex("2a864886f70d01010a")
_MGF1 = bytes.fromhex("2a864886f70d010108")
# The hash of each algorithm, and its length in bytes, as of the salt (RFC 7518 section 3.5).
_PSS_HASHES = {
    "PS256": (bytes.fromhex("608648016503040201"), 32),
    "PS384": (bytes.fromhex("608648016503040202"), 48),
    "PS512": (bytes.fromhex("608648016503040203"), 64),
}
_HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_DEFAULT_SALT = bytes([_INTEGER, 1, 20])
_DEFAULT_TRAILER = bytes([_INTEGER, 1, 1])


class KeyProblem(ValueError):
    """What is wrong with a key. The text never contains key material."""

    #: How it is logged if the key is left out of a set.
    log_level: ClassVar[int] = logging.WARNING

    def at(self, place: str) -> "KeyProblem":
        """Return this problem with its *place* before its text."""
        return type(self)(f"{place}{self}")


class PrivateKeyError(KeyProblem):
    """A private key or secret in a place meant for public keys, where it may have leaked."""

    log_level: ClassVar[int] = logging.ERROR


def private_problem(command: str) -> PrivateKeyError:
    """Return the problem of a private key whose public half is printed by *command*."""
    return PrivateKeyError(
        "a private key where a public one belongs; take its public half, which this prints: "
        f"{command} FILE"
    )


def load_certificate(der: bytes) -> tuple[bytes, datetime] | None:
    """Return the key of the certificate in *der* as a DER SubjectPublicKeyInfo, and the expiry.

    ``None`` if *der* is something else.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        expiry = certificate.not_valid_after_utc
    except Exception:
        return None
    (body,) = _der_elements(certificate.tbs_certificate_bytes)
    # RFC 5280 section 4.1: the version is optional, and the key is the sixth field after it. Not
    # public_key(): that drops the parameters which limit a key to an algorithm.
    fields = [field for field in _der_elements(body.content) if field.tag != _VERSION]
    return fields[5].der, expiry


def load_public_key(der: bytes) -> tuple[Key, frozenset[str] | None]:
    """Return the public key in *der*, a SubjectPublicKeyInfo, and the algorithms it is limited to.

    ``None``: its type sets no limit.

    :raises PrivateKeyError: if it is a private key.
    :raises KeyProblem: if it is no public key, or one of another type.
    """
    try:
        public_key, limited_to = load_der_public_key(der), _limits(der)
    except Exception:
        if _is_private(der):
            raise private_problem("openssl pkey -pubout -inform DER -in") from None
        raise KeyProblem("not a public key in PEM or DER") from None
    return joserfc_key(public_key), limited_to


def joserfc_key(public_key: Any) -> Key:
    """Return the joserfc key for a *public_key* of the library ``cryptography``."""
    for native, key_class in _KEY_CLASSES:
        if isinstance(public_key, native):
            return key_class(public_key, public_key)
    raise KeyProblem("a key of a type that no supported algorithm uses")


@lru_cache(maxsize=128)
def rsa_verify(bits: int, algorithm: str) -> Verify:
    """Return the function that verifies signatures of RSA keys (RFC 7518 sections 3.3 and 3.5).

    joserfc's own searches the key for ``key_ops`` and makes a hash object, for each signature. This
    one accepts only signatures of the exact length (RFC 8017 sections 8.1.2 and 8.2.2, step 1):
    OpenSSL also accepts an RSASSA-PSS signature without its leading zeros. One token would then
    have two spellings.

    The same function is returned each time: keys are compared with it, and one that is read again
    from a key set must stay equal.

    :param bits: the size of the key.
    :param algorithm: the ``alg``, whose padding and hash alone are accepted.
    """
    digest, octets = _HASHES[algorithm[2:]], (bits + 7) // 8
    pss = PSS(MGF1(digest), digest.digest_size)
    padding = pss if algorithm.startswith("PS") else PKCS1v15()

    def verify(message: bytes, signature: bytes, key: RSAKey) -> bool:
        if len(signature) != octets:
            return False
        try:
            key.public_key.verify(signature, message, padding, digest)
        except InvalidSignature:
            return False
        return True

    return verify


def _is_private(der: bytes) -> bool:
    try:
        load_der_private_key(der, None)
    except TypeError:
        return True  # it is encrypted
    except Exception:
        return False
    return True


def _limits(der: bytes) -> frozenset[str] | None:
    """Return the algorithms that the type of the key in *der* limits it to.

    ``cryptography`` drops that: it loads a key limited to RSASSA-PSS as any other RSA key.
    """
    (key,) = _der_elements(der)
    identifier, *_ = _der_elements(key.content)
    # PKCS #1 has the modulus here, and no algorithm identifier.
    if identifier.tag != _SEQUENCE:
        return None
    algorithm, *parameters = _der_elements(identifier.content)
    if algorithm.content != _RSASSA_PSS:
        return None
    # RFC 4055 section 1.2: without parameters, the key is for RSASSA-PSS with any parameters.
    return _pss_algorithms(parameters[0].content) if parameters else frozenset(_PSS_HASHES)


def _pss_algorithms(parameters: bytes) -> frozenset[str]:
    """Return the algorithms that RSASSA-PSS-params allow (RFC 4055 sections 3.1 and 3.3)."""
    fields = {field.tag: field.content for field in _der_elements(parameters)}
    # The default of both is SHA-1, so without them no algorithm is allowed.
    digest, mask = (list(_object_identifiers(fields.get(tag, b""))) for tag in (0xA0, 0xA1))
    (min_salt_length,) = _der_elements(fields.get(0xA2, _DEFAULT_SALT))
    return frozenset(
        name
        for name, (oid, length) in _PSS_HASHES.items()
        if (digest, mask) == ([oid], [_MGF1, oid])
        and int.from_bytes(min_salt_length.content) <= length
        and fields.get(0xA3, _DEFAULT_TRAILER) == _DEFAULT_TRAILER
    )


def _object_identifiers(der: bytes) -> Iterator[bytes]:
    for element in _der_elements(der):
        if element.tag == _OID:
            yield element.content
        elif element.tag == _SEQUENCE:
            yield from _object_identifiers(element.content)


class _Element(NamedTuple):
    tag: int
    content: bytes
    der: bytes  #: all of the element


def _der_elements(der: bytes) -> Iterator[_Element]:
    """Yield the elements of *der*, which ``cryptography`` has validated."""
    while der:
        start, length = 2, der[1]
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start])
        end = start + length
        yield _Element(der[0], der[start:end], der[:end])
        der = der[end:]
