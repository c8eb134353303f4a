"""Anything in; a compact JWS over it, under a real signature, out."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from joserfc.jwk import Key, KeySetSerialization, OctKey, RSAKey
from joserfc.jws import JWSRegistry

#: Given as the value of a claim or header parameter: leave that one out.
OMIT: Final[Any] = object()


class Signer:
    """Signs with one private key.

    :param key: the private key; a new RSA key of 2048 bits if not given.
    :param kid: the key's id, in every token and in :meth:`key_set`.
    :param algorithm: ``alg`` of the tokens.

    .. versionadded:: 0.1
    """

    def __init__(
        self, key: Key | None = None, *, kid: str = "dev-1", algorithm: str = "RS256"
    ) -> None:
        self._key: Key = RSAKey.generate_key(2048) if key is None else key
        self.kid = kid
        self.algorithm = algorithm

    def sign(
        self, payload: Mapping[str, Any] | bytes, header: Mapping[str, Any] | bytes | None = None
    ) -> str:
        """Return a compact JWS (RFC 7515 section 7.1) over anything, sound or not.

        :param payload: an object to encode, or the bytes themselves.
        :param header: parameters in place of or beside ``kid``, ``typ`` and ``alg``; or the bytes
            themselves.
        """
        if not isinstance(header, bytes):
            header = {"kid": self.kid, "typ": "JWT", "alg": self.algorithm, **(header or {})}
        message = b".".join(segment(_encode(part)) for part in (header, payload))
        signature = JWSRegistry.algorithms[self.algorithm].sign(message, self._key)
        return b".".join([message, segment(signature)]).decode()

    def key_set(self) -> KeySetSerialization:
        """Return the public JWK Set (RFC 7517 section 5).

        :raises ValueError: if the key is a secret, which has no public half.
        """
        named = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        return {"keys": [self._asymmetric.as_dict(private=False, **named)]}

    def pem(self) -> str:
        """Return the public key as PEM, as settings take it.

        :raises ValueError: if the key is a secret, which has no public half.
        """
        text: bytes = self._asymmetric.as_pem(private=False)
        return text.decode()

    @cached_property
    def stranger(self) -> "Signer":
        """Another signer, of the same ``kid`` and algorithm, with a key of its own."""
        strength: Any = getattr(self._key, "curve_name", 2048)  # or the number of bits
        return Signer(self._key.generate_key(strength), kid=self.kid, algorithm=self.algorithm)

    @property
    def _asymmetric(self) -> Any:
        if isinstance(self._key, OctKey):
            raise ValueError("a secret has no public half")
        return self._key


def segment(content: bytes) -> bytes:
    """Return *content* as a segment of a token (RFC 7515 section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=")


def _encode(part: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    kept = {name: value for name, value in part.items() if value is not OMIT}
    return json.dumps(kept, separators=(",", ":")).encode()
