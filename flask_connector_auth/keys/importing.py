"""Import of single keys as verification keys, with checks of type and strength."""

import hashlib
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..core import decode_base64url
from .der import KeyProblem, PrivateKeyError, joserfc_key, load_public_key, rsa_verify
from .material import without_nulls
from .source import MAX_KID, VerificationKey, Verify
from .weak_secrets import PRIVATE_MEMBERS, is_public_key_material

logger: logging.Logger = logging.getLogger(__name__)

#: The algorithms that an allow-list may name (RFC 7518 section 3.1, RFC 8037, RFC 9864).
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
    *("HS256", "HS384", "HS512"),
)
_MAX_RSA_BITS = 8192
_MIN_SECRET_BYTES = 32
# A huge public exponent makes each verification as slow as a signature.
_MAX_EXPONENT_BITS = 64
_VALUE_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e"), "oct": ("k",)}
_OTHER_KTY = f"its kty is none of {', '.join(_VALUE_MEMBERS)} (RFC 7518 section 6.1)"
_NO_KTY = "it has no kty (RFC 7517 section 4.1)"
_TOO_SHORT = "a secret shorter than {} (RFC 7518 section 3.2); it must have {} bytes or more"
_KINDS = {"EC": "an EC key", "OKP": "an Edwards key", "RSA": "an RSA key", "oct": "a secret"}
_NOT_BASE64URL = re.compile(r"[+/=\s]")
_CURVES = {
    "EC": ("P-256", "P-384", "P-521", "secp256k1"),
    "OKP": ("Ed25519", "Ed448", "X25519", "X448"),
}
# The field of each Edwards curve, and y of its points of small order (RFC 8032 section 5).
_P_25519 = 2**255 - 19
_Y_OF_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_25519 = {0, 1, _P_25519 - 1, _Y_OF_ORDER_8, _P_25519 - _Y_OF_ORDER_8}
_P_448 = 2**448 - 2**224 - 1
_SMALL_448 = {0, 1, _P_448 - 1}
_ED25519_BYTES = 32


class OtherUse(KeyProblem):
    """A key that is meant for something else, as encryption keys in most key sets are."""

    log_level: ClassVar[int] = logging.INFO


class WeakSecret(KeyProblem):
    """A secret that others know or can guess. A set that has one is refused as a whole."""


class AlgorithmMismatch(KeyProblem):
    """A key that could be used if the allow-list had another algorithm."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The requirements that a key must meet."""

    algorithms: Sequence[str]  #: the allow-list
    min_rsa_bits: int = 2048
    #: Numbers that no secret may equal: see :func:`public_numbers`.
    public_numbers: frozenset[bytes] = field(default=frozenset(), repr=False)


def import_key(material: Any, rules: KeyRules) -> VerificationKey:
    """Return the key in *material* if it is sound and meets *rules*.

    :param material: a JWK, or the bytes of a DER SubjectPublicKeyInfo.
    :raises OtherUse: if the key is meant for something else.
    :raises AlgorithmMismatch: if it is for algorithms that are not allowed.
    :raises PrivateKeyError: if it is private.
    :raises WeakSecret: if it is a secret that others may know.
    :raises KeyProblem: if it is weak or malformed.
    """
    if isinstance(material, bytes):
        key, limited_to = load_public_key(material)
        algorithms: Collection[str] = ALGORITHMS if limited_to is None else limited_to
        return _verification_key(key, None, algorithms, rules)
    if not isinstance(material, Mapping):
        raise KeyProblem("not an object")
    jwk = without_nulls(material)
    # An empty kid counts as absent, as in a token.
    kid, algorithm = jwk.get("kid") or None, jwk.get("alg")
    if not isinstance(jwk.get("kid", ""), str) or len(kid or "") > MAX_KID:
        raise KeyProblem(f"a kid is a string of at most {MAX_KID} characters")
    if private := sorted(PRIVATE_MEMBERS & jwk.keys()):
        raise PrivateKeyError(
            "a private key where a public one belongs; leave out its private members: "
            + ", ".join(private)
        )
    if jwk.get("use", "sig") != "sig":
        raise OtherUse("its use is not sig (RFC 7517 section 4.2)")
    operations = jwk.get("key_ops", ("verify",))
    if not isinstance(operations, list | tuple) or "verify" not in operations:
        raise OtherUse("its key_ops lack verify (RFC 7517 section 4.3)")
    if algorithm is not None and algorithm not in ALGORITHMS:
        # It is not quoted: it may be anything.
        raise KeyProblem("its alg is none that is supported (RFC 7517 section 4.4)")
    algorithms = ALGORITHMS if algorithm is None else (algorithm,)
    return _verification_key(_load_jwk(jwk, rules.public_numbers), kid, algorithms, rules)


def _load_jwk(jwk: Mapping[str, Any], public_numbers: frozenset[bytes]) -> Key:
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in _VALUE_MEMBERS:
        raise KeyProblem(_NO_KTY if kind is None else _OTHER_KTY)
    if isinstance(jwk.get("crv"), str) and kind in _CURVES and jwk["crv"] not in _CURVES[kind]:
        raise KeyProblem("its crv is not known (RFC 7518 section 6.2.1.1, RFC 8037 section 2)")
    _check_members(jwk, _VALUE_MEMBERS[kind])
    # Only the members that make up the key: x5c, jku and the like are ignored.
    members = {name: jwk[name] for name in _VALUE_MEMBERS[kind]}
    try:
        if kind == "RSA":
            # Not by joserfc: it only warns about weak keys, and they are refused here.
            n, e = (int.from_bytes(decode_base64url(members[name].encode())) for name in "ne")
            return joserfc_key(RSAPublicNumbers(e, n).public_key())
        if kind == "oct":
            secret = decode_base64url(members["k"].encode())
            if len(secret) < _MIN_SECRET_BYTES:
                raise WeakSecret(_TOO_SHORT.format("any hash", _MIN_SECRET_BYTES))
            if is_public_key_material(secret, public_numbers):
                raise WeakSecret("a public key, which is no secret (RFC 8725 section 2.1)")
            return JWKRegistry.import_key({"kty": "oct", **members})
        return joserfc_key(JWKRegistry.import_key({"kty": kind, **members}).public_key)
    except KeyProblem:
        raise
    except Exception:
        raise KeyProblem(f"not a sound {kind} key (RFC 7518 section 6)") from None


def _check_members(jwk: Mapping[str, Any], names: Sequence[str]) -> None:
    """Check that the members that make up the key are there, and not in another base64."""
    for name in names:
        if name not in jwk:
            advice = "; give the certificate in its x5c instead" if "x5c" in jwk else ""
            raise KeyProblem(f"without the member {name} (RFC 7518 section 6){advice}")
        value = jwk[name]
        if isinstance(value, str) and _NOT_BASE64URL.search(value):
            raise KeyProblem(
                f"its {name} is standard base64 or has padding or white space; it must be "
                "base64url without padding (RFC 7515 section 2)"
            )


def _verification_key(
    key: Key, kid: str | None, algorithms: Collection[str], rules: KeyRules
) -> VerificationKey:
    """Return the verification key of *key*, which may be used for *algorithms* at most."""
    if isinstance(key, RSAKey):
        _check_rsa_strength(key.public_key, rules.min_rsa_bits)
    if isinstance(key, OKPKey) and is_of_small_order(key.public_key.public_bytes_raw()):
        raise KeyProblem("a point of small order, for which anyone can forge signatures")
    fitting = [name for name in ALGORITHMS if name in algorithms and _can_use(key, name)]
    usable = {name: _verify_function(key, name) for name in rules.algorithms if name in fitting}
    kind = _KINDS[key.key_type]
    if not fitting:
        purpose = "any supported algorithm" if len(algorithms) != 1 else "its alg"
        raise KeyProblem(f"{kind} that cannot be used for {purpose}")
    if not usable:
        allowed = ", ".join(rules.algorithms)
        raise AlgorithmMismatch(f"{kind} for {', '.join(fitting)}; the allow-list has {allowed}")
    return VerificationKey(kid, key.thumbprint(), usable, key)


def key_identities(key: VerificationKey) -> Iterator[object]:
    """Yield what *key* has in common with each key that verifies the same signatures."""
    yield key.thumbprint
    if isinstance(key.key, OctKey):
        for name in key.algorithms:
            # HMAC hashes a secret longer than a block, and fills others with zeros (RFC 2104).
            digest, secret = f"sha{name[2:]}", key.key.raw_value
            if len(secret) > hashlib.new(digest).block_size:
                secret = hashlib.new(digest, secret).digest()
            yield name, secret.rstrip(b"\0")


def _can_use(key: Key, name: str) -> bool:
    # Not get_alg(): it warns about EdDSA, which RFC 9864 has only renamed.
    try:
        JWSRegistry.algorithms[name].check_key(key)
    except JoseError:
        return False
    return True


def _verify_function(key: Key, name: str) -> Verify:
    model = JWSRegistry.algorithms[name]
    if isinstance(key, OctKey) and len(key.raw_value) * 8 < model.algorithm_security:
        raise WeakSecret(_TOO_SHORT.format(f"the hash of {name}", model.algorithm_security // 8))
    if isinstance(key, RSAKey):
        return rsa_verify(key.public_key.key_size, name)
    return model.verify


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
