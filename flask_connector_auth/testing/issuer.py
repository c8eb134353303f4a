"""Claims in; a signed AppJWT or ConsumerJWS out, as the real issuer would make it."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from joserfc.jwk import Key, KeySetSerialization, OctKey, RSAKey
from joserfc.jws import JWSRegistry

#: Given as the value of a claim or header parameter: leave that one out.
OMIT: Final[Any] = object()


class Issuer:
    """Signs tokens with one private key.

    :param key: the private key; a new RSA key of 2048 bits if not given.
    :param kid: the key's id, in every token and in :meth:`key_set`.
    :param algorithm: ``alg`` of the tokens.
    :param name: ``iss`` of the AppJWTs.
    :param lifetime: seconds from ``iat`` to ``exp`` of an AppJWT.
    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        key: Key | None = None,
        *,
        kid: str = "dev-1",
        algorithm: str = "RS256",
        name: str = "Sentinel",
        lifetime: int = 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key: Key = RSAKey.generate_key(2048) if key is None else key
        self.kid = kid
        self.algorithm = algorithm
        self.name = name
        self.lifetime = lifetime
        self._clock = clock

    def app_jwt(self, **claims: Any) -> str:
        """Return an AppJWT with the protocol's claims, *claims* in place of theirs."""
        now = int(self._clock())
        documented = {
            "aud": "le81823118",
            "azp": "75588e18-0000-4000-8000-000000000000",
            "scope": "msg.consumer",
            "iss": self.name,
            "exp": now + self.lifetime,
            "iat": now,
        }
        return self.sign({**documented, **claims})

    def consumer_jws(self, **claims: Any) -> str:
        """Return a ConsumerJWS with the protocol's claims, *claims* in place of theirs."""
        documented = {"account_id": "le81823118", "ext_consumer_id": "consumer-1"}
        claims = {**documented, **claims}
        # The service's own id of a consumer: one for each account and external id.
        named = json.dumps([claims["account_id"], claims["ext_consumer_id"]], default=str)
        return self.sign({"lp_consumer_id": sha256(named.encode()).hexdigest(), **claims})

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
        message = b".".join(
            urlsafe_b64encode(_encode(part)).rstrip(b"=") for part in (header, payload)
        )
        signature = JWSRegistry.algorithms[self.algorithm].sign(message, self._key)
        return b".".join([message, urlsafe_b64encode(signature).rstrip(b"=")]).decode()

    def key_set(self) -> KeySetSerialization:
        """Return the public JWK Set (RFC 7517 section 5).

        :raises ValueError: if the key is a secret, which has no public half.
        """
        if isinstance(self._key, OctKey):
            raise ValueError("a secret has no public half")
        named = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        return {"keys": [self._key.as_dict(private=False, **named)]}

    def __repr__(self) -> str:
        return f"<Issuer {self.name!r} kid={self.kid!r}>"


def _encode(part: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    kept = {name: value for name, value in part.items() if value is not OMIT}
    return json.dumps(kept, separators=(",", ":")).encode()
