"""Import of configured key material as verification keys, with checks of type and strength."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..core import decode_base64url
from .material import KeyProblem, PrivateKeyError, load_public_key, split_keys
from .public_material import PRIVATE_MEMBERS, is_public_key_material
from .source import MAX_KID, VerificationKey, Verify

logger: logging.Logger = logging.getLogger(__name__)

#: The algorithms that an allow-list may name (RFC 7518 section 3.1, RFC 8037, RFC 9864).
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
    *("HS256", "HS384", "HS512"),
)
_MAX_RSA_BITS = 8192
_PSS = ("PS256", "PS384", "PS512")
_MIN_SECRET_BYTES = 32
# A huge public exponent makes each verification as slow as a signature.
_MAX_EXPONENT_BITS = 64
_VALUE_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e"), "oct": ("k",)}
_CURVES = {
    "EC": ("P-256", "P-384", "P-521", "secp256k1"),
    "OKP": ("Ed25519", "Ed448", "X25519", "X448"),
}
_KEY_CLASSES: tuple[tuple[type, Callable[[Any, Any], Key]], ...] = (
    (RSAPublicKey, RSAKey),
    (EllipticCurvePublicKey, ECKey),
    (Ed25519PublicKey, OKPKey),
    (Ed448PublicKey, OKPKey),
)
# The field of each Edwards curve, and y of its points of small order (RFC 8032 section 5).
_P_25519 = 2**255 - 19
_Y_OF_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_25519 = {0, 1, _P_25519 - 1, _Y_OF_ORDER_8, _P_25519 - _Y_OF_ORDER_8}
_P_448 = 2**448 - 2**224 - 1
_SMALL_448 = {0, 1, _P_448 - 1}
_ED25519_BYTES = 32


class UnsuitableKey(KeyProblem):
    """A key that is meant for something else, or that no allowed algorithm can use."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The requirements that a key must meet."""

    algorithms: Sequence[str]  #: the allow-list
    min_rsa_bits: int = 2048
    #: Numbers that no secret may equal: see :func:`public_numbers`.
    public_numbers: frozenset[bytes] = field(default=frozenset(), repr=False)


def parse_keys(
    value: Any, rules: KeyRules, is_skipped: Callable[[Any], bool] = lambda item: False
) -> tuple[list[VerificationKey], list[str]]:
    """Return the keys in *value*, and a sentence on each problem found.

    :param value: PEM text, bare base64 of a DER SubjectPublicKeyInfo, a JWK or JWK Set (object or
        JSON text), the path of a file that holds one of these, or a list of any of them.
    :param is_skipped: whether to leave an item of the list out; it still has a number.
    """
    keys: list[VerificationKey] = []
    problems: list[str] = []
    is_list = isinstance(value, list | tuple)
    items = value if is_list else [value]
    for number, item in enumerate(items, 1):
        if is_skipped(item):
            continue
        place = f"item {number}: " if is_list else ""
        try:
            entries = split_keys(item)
        except KeyProblem as problem:
            problems.append(f"{place}{problem}")
            continue
        for entry in entries:
            try:
                keys.append(import_key(entry.material, rules))
            except KeyProblem as problem:
                message = f"{place}{entry.place}{problem}"
                # RFC 7517 section 5: a set may contain keys that are meant for other uses.
                if entry.place and isinstance(problem, UnsuitableKey):
                    logger.warning("key left out: %s", message)
                else:
                    problems.append(message)
    if not keys and not problems and not any(map(is_skipped, items)):
        problems.append("no usable key")
    return keys, problems


def import_key(material: Any, rules: KeyRules) -> VerificationKey:
    """Return the key in *material* if it is sound and meets *rules*.

    :param material: a JWK, the text of one PEM block, or the bytes of a DER SubjectPublicKeyInfo.
    :raises UnsuitableKey: if the key is meant for something else.
    :raises PrivateKeyError: if it is private.
    :raises KeyProblem: if it is weak or malformed.
    """
    if not isinstance(material, Mapping):
        native, limited_to = load_public_key(material)
        allowed = [name for name in rules.algorithms if limited_to is None or name in limited_to]
        return _verification_key(_joserfc_key(native), None, allowed, rules)
    kid, algorithm = material.get("kid"), material.get("alg")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID):
        raise KeyProblem(f"a kid is a string of 1 to {MAX_KID} characters")
    if PRIVATE_MEMBERS & material.keys():
        raise PrivateKeyError
    if material.get("use", "sig") != "sig":
        raise UnsuitableKey("its use is not sig (RFC 7517 section 4.2)")
    operations = material.get("key_ops", ("verify",))
    if not isinstance(operations, list | tuple) or "verify" not in operations:
        raise UnsuitableKey("its key_ops lack verify (RFC 7517 section 4.3)")
    if algorithm is not None and algorithm not in rules.algorithms:
        raise UnsuitableKey("its alg is not on the allow-list (RFC 7517 section 4.4)")
    algorithms = rules.algorithms if algorithm is None else (algorithm,)
    return _verification_key(_load_jwk(material, rules.public_numbers), kid, algorithms, rules)


def _load_jwk(jwk: Mapping[str, Any], public_numbers: frozenset[bytes]) -> Key:
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _VALUE_MEMBERS:
        raise UnsuitableKey("its kty is not known (RFC 7518 section 6.1)")
    if isinstance(jwk.get("crv"), str) and kind in _CURVES and jwk["crv"] not in _CURVES[kind]:
        raise UnsuitableKey("its crv is not known (RFC 7518 section 6.2.1.1, RFC 8037 section 2)")
    # Only the members that make up the key: x5c, jku and the like are ignored.
    members: dict[str, Any] = {name: jwk.get(name) for name in _VALUE_MEMBERS[kind]}
    try:
        if kind == "RSA":
            # Not by joserfc: it only warns about weak keys, and they are refused here.
            n, e = (int.from_bytes(decode_base64url(members[name].encode())) for name in "ne")
            return _joserfc_key(RSAPublicNumbers(e, n).public_key())
        if kind == "oct":
            secret = decode_base64url(members["k"].encode())
            if len(secret) < _MIN_SECRET_BYTES:
                raise KeyProblem("a secret shorter than any hash (RFC 7518 section 3.2)")
            if is_public_key_material(secret, public_numbers):
                raise KeyProblem("a public key, which is no secret (RFC 8725 section 2.1)")
            return JWKRegistry.import_key({"kty": "oct", **members})
        return _joserfc_key(JWKRegistry.import_key({"kty": kind, **members}).public_key)
    except KeyProblem:
        raise
    except Exception:
        raise KeyProblem(f"not a sound {kind} key (RFC 7518 section 6)") from None


def _joserfc_key(public_key: Any) -> Key:
    """Return the joserfc key for a *public_key* of the library ``cryptography``."""
    for native, key_class in _KEY_CLASSES:
        if isinstance(public_key, native):
            return key_class(public_key, public_key)
    raise UnsuitableKey("a key of a type that no supported algorithm uses")


def _verification_key(
    key: Key, kid: str | None, algorithms: Sequence[str], rules: KeyRules
) -> VerificationKey:
    if isinstance(key, RSAKey):
        _check_rsa_strength(key.public_key, rules.min_rsa_bits)
    if isinstance(key, OKPKey) and is_of_small_order(key.public_key.public_bytes_raw()):
        raise KeyProblem("a point of small order, for which anyone can forge signatures")
    usable: dict[str, Verify] = {}
    for name in algorithms:
        # Not get_alg(): it warns about EdDSA, which RFC 9864 has only renamed.
        model = JWSRegistry.algorithms[name]
        try:
            model.check_key(key)
        except JoseError:
            continue
        usable[name] = model.verify
        if isinstance(key, RSAKey) and name in _PSS:
            usable[name] = _ExactLengthVerify((key.public_key.key_size + 7) // 8, model.verify)
        if isinstance(key, OctKey) and len(key.raw_value) * 8 < model.algorithm_security:
            raise KeyProblem(f"a secret shorter than the hash of {name} (RFC 7518 section 3.2)")
    if not usable:
        raise UnsuitableKey("no algorithm of the allow-list can use it")
    return VerificationKey(kid, key.thumbprint(), usable, key)


@dataclass(frozen=True, slots=True)
class _ExactLengthVerify:
    """Accepts only signatures of the exact length (RFC 8017 section 8.1.2 step 1).

    OpenSSL also accepts an RSASSA-PSS signature without its leading zeros. One token would then
    have two spellings.
    """

    octets: int
    verify: Verify

    def __call__(self, message: bytes, signature: bytes, key: Any) -> bool:
        return len(signature) == self.octets and self.verify(message, signature, key)


def _check_rsa_strength(key: RSAPublicKey, min_bits: int) -> None:
    bits, numbers = key.key_size, key.public_numbers()
    if not min_bits <= bits <= _MAX_RSA_BITS:
        raise KeyProblem(f"an RSA key of {bits} bits; {min_bits} to {_MAX_RSA_BITS} are accepted")
    if numbers.e % 2 == 0 or numbers.e.bit_length() > _MAX_EXPONENT_BITS:
        raise KeyProblem("an RSA key with an unusable public exponent")
    if numbers.n % 2 == 0:
        raise KeyProblem("an RSA key with an even modulus, which is no product of two odd primes")
    if bits < 2048:
        logger.warning("an RSA key of %d bits is accepted, by configuration", bits)


def is_of_small_order(encoded: bytes) -> bool:
    """Whether a key is a point of small order (RFC 8725 section 3.5), such as all zeros.

    OpenSSL accepts such a key, and with it many or all forged signatures.

    :param encoded: the bytes of an Ed25519 or Ed448 key (RFC 8032 sections 5.1.2 and 5.2.2).
    """
    number = int.from_bytes(encoded, "little")
    # The powers of two remove the sign of x. An encoding may contain y, or y plus the prime.
    if len(encoded) == _ED25519_BYTES:
        return number % 2**255 % _P_25519 in _SMALL_25519
    return number % 2**455 % _P_448 in _SMALL_448
