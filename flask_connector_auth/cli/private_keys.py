"""An algorithm in; a new private key out; or the text of a private key in, and the key out."""

from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ..keys.parse import ALGORITHMS
from ..strict import load_object
from .loading import CannotRun

#: The algorithms that have a private key.
ASYMMETRIC = tuple(name for name in ALGORITHMS if not name.startswith("HS"))
_CURVES = {
    **{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"},
    **{"EdDSA": "Ed25519", "Ed25519": "Ed25519", "Ed448": "Ed448"},
}
# What a key signs by unless it says otherwise: by its curve, or else by its type.
_USUAL = {
    **{curve: name for name, curve in reversed(_CURVES.items())},
    **{"RSA": "RS256", "oct": "HS256"},
}
# What a JWK says of its use, in place of which an option may say something else.
_NAMED = frozenset({"kid", "alg", "use", "key_ops"})
_KEY_CLASSES: tuple[tuple[type, Callable[[Any, Any], Key]], ...] = (
    (RSAPrivateKey, RSAKey),
    (EllipticCurvePrivateKey, ECKey),
    (Ed25519PrivateKey, OKPKey),
    (Ed448PrivateKey, OKPKey),
)


class PrivateKey(NamedTuple):
    """A private key, and what it is used as."""

    key: Key
    kid: str | None  #: as its JWK names it
    algorithm: str


def generate(algorithm: str, bits: int) -> Key:
    """Return a new private key for *algorithm*.

    :param bits: of an RSA key.
    """
    curve: Any = _CURVES.get(algorithm)
    if curve is None:
        return RSAKey.generate_key(bits)
    return (ECKey if curve.startswith("P-") else OKPKey).generate_key(curve)


def read(text: bytes) -> PrivateKey:
    """Return the private key in *text*: a JWK, a secret one too, or PEM.

    :raises CannotRun: if there is none; what it says has nothing of *text*.
    """
    try:
        jwk: dict[str, Any] = {}
        if text.lstrip().startswith(b"{"):
            jwk = load_object(text)
            material = {name: one for name, one in jwk.items() if name not in _NAMED}
            key: Key = JWKRegistry.import_key(material)
        else:
            key = _wrap(load_pem_private_key(text, None))
        usual = _USUAL[getattr(key, "curve_name", key.key_type)]
        if key.is_private:
            return PrivateKey(key, jwk.get("kid"), jwk.get("alg", usual))
    except Exception:
        # Whatever it is: its text, or that of its cause, may quote the key.
        key = None  # type: ignore[assignment]
    raise CannotRun("The file has no private key: a JWK, or PEM without a password.")


def _wrap(native: Any) -> Key:
    [key_class] = [each for kind, each in _KEY_CLASSES if isinstance(native, kind)]
    return key_class(native, native)
