"""A signer of compact JWS with any payload and header, valid or not."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySetSerialization, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

#: As the value of a claim or header parameter: leave that claim or parameter out.
OMIT: Final[Any] = object()


class Signer:
    """Signs with one private key.

    :param key: the private key; a new one that fits *algorithm* if not given, of 2048 bits for RSA.
    :param kid: the key id, in every token and in :meth:`key_set`.
    :param algorithm: ``alg`` of the tokens.
    :raises ValueError: if *algorithm* is unknown, or cannot sign with *key*, or needs a secret and
        there is none.
    :raises TypeError: if *key* is no key of joserfc.

    .. versionadded:: 0.1
    """

    def __init__(
        self, key: Key | None = None, *, kid: str = "dev-1", algorithm: str = "RS256"
    ) -> None:
        if algorithm not in JWSRegistry.algorithms:
            known = ", ".join(JWSRegistry.algorithms)
            raise ValueError(f"unknown algorithm {algorithm!r}; there are {known}")
        self._key: Key = _new_key(algorithm) if key is None else key
        _check_key(self._key, algorithm)
        self.kid = kid
        self.algorithm = algorithm

    def sign(
        self, payload: Mapping[str, Any] | bytes, header: Mapping[str, Any] | bytes | None = None
    ) -> str:
        """Return a compact JWS (RFC 7515 section 7.1) of any content, valid or not.

        :param payload: an object to encode, or the bytes themselves.
        :param header: parameters in place of or beside ``kid``, ``typ`` and ``alg``, or the bytes
            themselves.
        """
        if not isinstance(header, bytes):
            header = {"kid": self.kid, "typ": "JWT", "alg": self.algorithm, **(header or {})}
        message = b".".join(encode_base64url(_encode(part)) for part in (header, payload))
        signature = JWSRegistry.algorithms[self.algorithm].sign(message, self._key)
        return b".".join([message, encode_base64url(signature)]).decode()

    def key_set(self) -> KeySetSerialization:
        """Return the public JWK Set (RFC 7517 section 5).

        :raises ValueError: if the key is a secret, which has no public half.
        """
        members = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        return {"keys": [self._asymmetric_key.as_dict(private=False, **members)]}

    def pem(self) -> str:
        """Return the public key as PEM, as settings take it.

        :raises ValueError: if the key is a secret, which has no public half.
        """
        text: bytes = self._asymmetric_key.as_pem(private=False)
        return text.decode()

    @cached_property
    def forger(self) -> "Signer":
        """Another signer with the same ``kid`` and algorithm, but another key."""
        curve_or_bits: Any = getattr(self._key, "curve_name", 2048)
        return Signer(self._key.generate_key(curve_or_bits), kid=self.kid, algorithm=self.algorithm)

    @property
    def _asymmetric_key(self) -> Any:
        if isinstance(self._key, OctKey):
            raise ValueError("a secret has no public half")
        return self._key


def _new_key(algorithm: str) -> Any:
    if algorithm.startswith("HS"):
        raise ValueError(f"{algorithm} needs a secret that the app has: OctKey.import_key(secret)")
    model = JWSRegistry.algorithms[algorithm]
    if model.key_type not in ("EC", "OKP"):
        return RSAKey.generate_key(2048)
    return JWKRegistry.generate_key(model.key_type, getattr(model, "curve", "Ed25519"))


def _check_key(key: Any, algorithm: str) -> None:
    if not isinstance(key, RSAKey | ECKey | OKPKey | OctKey):
        raise TypeError(
            "the key of an issuer is a key of joserfc, such as RSAKey.import_key(pem) of its "
            f"private key, not {type(key).__name__}"
        )
    if not key.is_private:
        raise ValueError("this is a public key: an issuer signs, for which it needs a private one")
    try:
        # Unsigned tokens need no key.
        if algorithm != "none":
            JWSRegistry.algorithms[algorithm].check_key(key)
    except JoseError as error:
        raise ValueError(f"{algorithm} cannot sign with this key: {error.description}") from None


def encode_base64url(content: bytes) -> bytes:
    """Return *content* in base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=")


def _encode(part: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    return json.dumps(without_omitted(part), separators=(",", ":")).encode()


def without_omitted(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return *members* without those whose value is :data:`OMIT`."""
    return {name: value for name, value in members.items() if value is not OMIT}
