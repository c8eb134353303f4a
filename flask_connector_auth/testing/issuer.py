"""An issuer of AppJWTs and ConsumerJWSs for tests and development, and a clock that can be set."""

import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from joserfc.jwk import Key

from .signer import Signer, without_omitted
from .tampering import TokenKind, ValidToken, break_token


class Clock:
    """A clock that can be set. Calling it returns the time in seconds since the epoch.

    .. versionadded:: 0.1
    """

    def __init__(self) -> None:
        #: Seconds by which this clock is ahead of the system clock.
        self.ahead: float = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time() + self.ahead


class Issuer(Signer):
    """Issues AppJWTs and ConsumerJWSs, signed with one private key.

    :param key: the private key; a new RSA key of 2048 bits if not given.
    :param kid: the key id, in every token and in :meth:`~.Signer.key_set`.
    :param algorithm: ``alg`` of the tokens.
    :param name: ``iss`` of the AppJWTs.
    :param account_id: the account in both types of token.
    :param lifetime: seconds from ``iat`` to ``exp`` of an AppJWT.
    :param clock: returns the time in seconds since the epoch.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        key: Key | None = None,
        *,
        kid: str = "dev-1",
        algorithm: str = "RS256",
        name: str = "Sentinel",
        account_id: str = "le81823118",
        lifetime: int = 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(key, kid=kid, algorithm=algorithm)
        self.name = name
        self.account_id = account_id
        self.lifetime = lifetime
        self.clock = clock

    def app_jwt(self, **claims: Any) -> str:
        """Return an AppJWT with the protocol's claims, replaced or extended by *claims*."""
        return self.sign(self._app_jwt_claims(claims))

    def consumer_jws(self, **claims: Any) -> str:
        """Return a ConsumerJWS with the protocol's claims, replaced or extended by *claims*."""
        return self.sign(self._consumer_jws_claims(claims))

    def broken(self, name: str, kind: TokenKind = "app_jwt", /, **claims: Any) -> str:
        """Return a token that is valid except for one fault.

        :param name: the fault; :doc:`/testing` lists them.
        :param kind: ``app_jwt`` or ``consumer_jws``.
        :param claims: as for :meth:`app_jwt` and :meth:`consumer_jws`.
        :raises ValueError: if a token of that type has no such fault.
        """
        makers = {"app_jwt": self._app_jwt_claims, "consumer_jws": self._consumer_jws_claims}
        claims_of, other_claims_of = makers.pop(kind), *makers.values()
        now = int(self.clock())
        valid = ValidToken(kind, self, now, claims_of(claims), other_claims_of({}))
        return break_token(name, valid)

    def _app_jwt_claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        now = int(self.clock())
        documented = {
            "aud": self.account_id,
            "azp": "75588e18-0000-4000-8000-000000000000",
            "scope": "msg.consumer",
            "iss": self.name,
            "exp": now + self.lifetime,
            "iat": now,
        }
        return without_omitted({**documented, **claims})

    def _consumer_jws_claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        documented = {"account_id": self.account_id, "ext_consumer_id": "consumer-1"}
        claims = {**documented, **claims}
        # Like the real service, one lp_consumer_id for each account and external id.
        identity = json.dumps([claims["account_id"], claims["ext_consumer_id"]], default=str)
        lp_consumer_id = sha256(identity.encode()).hexdigest()
        return without_omitted({"lp_consumer_id": lp_consumer_id, **claims})

    def __repr__(self) -> str:
        return f"<Issuer {self.name!r} kid={self.kid!r}>"
