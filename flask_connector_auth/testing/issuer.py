"""The time of the machine in; the time as a test has set it out."""

import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from joserfc.jwk import Key

from .broken import Good, Kind, broken
from .signer import OMIT, Signer


class Clock:
    """A clock that can be set: call it for the time in seconds since the epoch."""

    def __init__(self) -> None:
        #: Seconds by which it is ahead of the machine's.
        self.ahead: float = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time() + self.ahead


class Issuer(Signer):
    """Signs tokens with one private key.

    :param key: the private key; a new RSA key of 2048 bits if not given.
    :param kid: the key's id, in every token and in :meth:`~.Signer.key_set`.
    :param algorithm: ``alg`` of the tokens.
    :param name: ``iss`` of the AppJWTs.
    :param account_id: the account of both tokens.
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
        """Return an AppJWT with the protocol's claims, *claims* in place of theirs."""
        return self.sign(self._app_jwt(claims))

    def consumer_jws(self, **claims: Any) -> str:
        """Return a ConsumerJWS with the protocol's claims, *claims* in place of theirs."""
        return self.sign(self._consumer_jws(claims))

    def broken(self, name: str, kind: Kind = "app_jwt", /, **claims: Any) -> str:
        """Return a token with a fault, for which it is refused.

        :param name: of the fault; :doc:`/testing` lists them.
        :param kind: ``app_jwt`` or ``consumer_jws``.
        :param claims: as for :meth:`app_jwt` and :meth:`consumer_jws`.
        :raises ValueError: if a token of that type cannot be broken so.
        """
        makers = {"app_jwt": self._app_jwt, "consumer_jws": self._consumer_jws}
        own, other = makers.pop(kind), *makers.values()
        return broken(name, Good(kind, self, int(self.clock()), own(claims), other({})))

    def _app_jwt(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        now = int(self.clock())
        documented = {
            "aud": self.account_id,
            "azp": "75588e18-0000-4000-8000-000000000000",
            "scope": "msg.consumer",
            "iss": self.name,
            "exp": now + self.lifetime,
            "iat": now,
        }
        return _present({**documented, **claims})

    def _consumer_jws(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        documented = {"account_id": self.account_id, "ext_consumer_id": "consumer-1"}
        claims = {**documented, **claims}
        # The service's own id of a consumer: one for each account and external id.
        named = json.dumps([claims["account_id"], claims["ext_consumer_id"]], default=str)
        return _present({"lp_consumer_id": sha256(named.encode()).hexdigest(), **claims})

    def __repr__(self) -> str:
        return f"<Issuer {self.name!r} kid={self.kid!r}>"


def _present(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not OMIT}
