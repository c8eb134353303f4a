"""An issuer of both types of token, its use with Authlib's token endpoint, and a clock to set."""

import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, get_args

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidScopeError,
    UnsupportedGrantTypeError,
)
from joserfc.jwk import Key
from marshmallow import ValidationError

from ..config import Claims
from ..core import (
    APP_JWT_CLAIMS,
    CONSUMER_JWS_CLAIMS,
    ClaimNames,
    token_requirement,
    wall_time,
)
from .signer import OMIT, Signer, without_omitted
from .tampering import TokenKind, ValidToken, apply_fault


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

    :param key: the private key, as for :class:`Signer`; a new one if not given.
    :param kid: the key id, in every token and in :meth:`~.Signer.key_set`.
    :param algorithm: ``alg`` of the tokens.
    :param name: ``iss`` of the AppJWTs.
    :param account_id: the account in both types of token.
    :param lifetime: seconds from ``iat`` to ``exp`` of an AppJWT.
    :param clock: returns the time in seconds since the epoch.
    :param claims: other names of the claims of an AppJWT, as ``CONNECTOR_AUTH_APP_JWT_CLAIMS``.
    :param consumer_claims: other names of the claims of a ConsumerJWS, as
        ``CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS``.
    :param type: ``typ`` of the AppJWTs.
    :param consumer_type: ``typ`` of the ConsumerJWSs.
    :param extra_claims: further claims of each AppJWT, such as ``{"aud": "connector-api"}``, or
        other values; ``OMIT`` leaves a claim out.
    :raises ValueError: if *claims* or *consumer_claims* is no such mapping.

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
        clock: Callable[[], float] = wall_time,
        claims: Mapping[str, Any] | ClaimNames | None = None,
        consumer_claims: Mapping[str, Any] | ClaimNames | None = None,
        type: str = "JWT",
        consumer_type: str = "JWT",
        extra_claims: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(key, kid=kid, algorithm=algorithm)
        self.names: ClaimNames = _claim_names(APP_JWT_CLAIMS, claims)
        self.consumer_names: ClaimNames = _claim_names(CONSUMER_JWS_CLAIMS, consumer_claims)
        self.type = type
        self.consumer_type = consumer_type
        self.extra_claims: dict[str, Any] = dict(extra_claims or {})
        self.name = name
        self.account_id = account_id
        self.lifetime = lifetime
        self.clock = clock

    def app_jwt(self, **claims: Any) -> str:
        """Return an AppJWT with the protocol's claims, replaced or extended by *claims*.

        They can also replace claims of *extra_claims*.

        :raises TypeError: if a claim has the name of an attribute of
            :class:`~flask_connector_auth.AppJWT`, such as ``account_id``: the claim is ``aud``.
        """
        return self.sign(self._app_jwt_claims(claims), {"typ": self.type})

    def consumer_jws(self, **claims: Any) -> str:
        """Return a ConsumerJWS with the protocol's claims, replaced or extended by *claims*.

        :raises TypeError: if *consumer_claims* has another name for one of them.
        """
        return self.sign(self._consumer_jws_claims(claims), {"typ": self.consumer_type})

    def broken(self, name: str, kind: TokenKind = "app_jwt", /, **claims: Any) -> str:
        """Return a token that is valid except for one fault.

        :param name: the fault; :doc:`/testing` lists them.
        :param kind: ``app_jwt`` or ``consumer_jws``.
        :param claims: as for :meth:`app_jwt` and :meth:`consumer_jws`.
        :raises ValueError: if a token of that type has no such fault.
        """
        if kind not in get_args(TokenKind):
            raise ValueError(f"no token {kind!r} to break; there are app_jwt and consumer_jws")
        makers = {
            "app_jwt": (self._app_jwt_claims, self.names, self.type),
            "consumer_jws": (self._consumer_jws_claims, self.consumer_names, self.consumer_type),
        }
        (claims_of, names, type), [(other_claims_of, *_)] = makers.pop(kind), makers.values()
        now = int(self.clock())
        valid = ValidToken(kind, self, now, claims_of(claims), other_claims_of({}), names, type)
        return apply_fault(name, valid)

    def _app_jwt_claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        names = {**self.names.ids, "scopes": self.names.scopes[0]}
        claims = {**self.extra_claims, **claims}
        _refuse_attributes("an AppJWT", names, claims)
        now = int(self.clock())
        documented = {
            names["account_id"]: self.account_id,
            names["install_id"]: "75588e18-0000-4000-8000-000000000000",
            names["scopes"]: "msg.consumer",
            "iss": self.name,
            "exp": now + self.lifetime,
            "iat": now,
        }
        return without_omitted({**documented, **claims})

    def _consumer_jws_claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        ids = self.consumer_names.ids
        _refuse_attributes("a ConsumerJWS", ids, claims)
        account, ext_consumer_id = ids["account_id"], ids["ext_consumer_id"]
        issuer = {"iss": self.name} if self.consumer_names.requires_issuer else {}
        claims = {account: self.account_id, ext_consumer_id: "consumer-1", **issuer, **claims}
        # Like the real service, one lp_consumer_id for each account and external id.
        identity = json.dumps([claims[account], claims[ext_consumer_id]], default=str)
        lp_consumer_id = sha256(identity.encode()).hexdigest()
        return without_omitted({ids["lp_consumer_id"]: lp_consumer_id, **claims})

    def __repr__(self) -> str:
        return f"<Issuer {self.name!r} kid={self.kid!r}>"


class AppJWTGenerator:
    """A token generator for Authlib's ``AuthorizationServer``.

    Register it with ``server.register_token_generator("client_credentials", AppJWTGenerator(…))``.
    As with Authlib's own generator, a token has the scopes that the client's
    ``get_allowed_scope(scope)`` returns: a string, with single spaces between the scopes.

    :param issuer: signs the tokens.
    :param account_of: returns the account of a client.

    .. versionadded:: 0.1
    """

    def __init__(self, issuer: Issuer, account_of: Callable[[Any], str]) -> None:
        self._issuer = issuer
        self._account_of = account_of

    def __call__(
        self,
        grant_type: str,
        client: Any,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = False,
    ) -> dict[str, Any]:
        """Return the response of RFC 6749 section 5.1, without a refresh token (section 4.4.3).

        :param scope: the requested scopes. Without any, ``client.get_allowed_scope()`` gets
            ``None``, and may return a default (section 3.3).
        :param expires_in: lifetime of the token in seconds; by default the issuer's lifetime.
        :raises authlib.oauth2.rfc6749.InvalidScopeError: if none of the requested scopes is
            allowed, or ``get_allowed_scope()`` returns anything but a string of scopes
            (section 5.2).
        :raises authlib.oauth2.rfc6749.UnsupportedGrantTypeError: for any grant but client
            credentials: an AppJWT stands for the app itself, whatever a user has granted.
        """
        if grant_type != "client_credentials":
            raise UnsupportedGrantTypeError(grant_type)
        granted = _granted_scopes(client, scope or None)
        lifetime = self._issuer.lifetime if expires_in is None else expires_in
        now = int(self._issuer.clock())
        names = self._issuer.names
        ids = {
            names.ids["account_id"]: self._account_of(client),
            names.ids["install_id"]: client.get_client_id(),
            names.scopes[0]: granted or OMIT,
        }
        token = self._issuer.app_jwt(**ids, iat=now, exp=now + lifetime)
        response = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
        # Required if it differs from the request, and never empty (sections 5.1 and 3.3).
        return {**response, "scope": granted} if granted else response


def _granted_scopes(client: Any, scope: str | None) -> str:
    """Return the scopes that *client* gets, each once; may be empty if none were requested."""
    allowed = client.get_allowed_scope(scope)
    # An empty scope cannot be stated in the response, so no token is issued without any.
    if not isinstance(allowed, str) or (scope and not allowed):
        raise InvalidScopeError
    try:
        token_requirement(allowed or ())
    except ValueError:
        raise InvalidScopeError from None
    return " ".join(dict.fromkeys(allowed.split(" ")))


def _refuse_attributes(token: str, names: Mapping[str, str], claims: Mapping[str, Any]) -> None:
    for name in names.keys() & claims.keys() - set(names.values()):
        raise TypeError(f"{token} has no claim {name}: give it as {names[name]}")


def _claim_names(default: ClaimNames, given: Mapping[str, Any] | ClaimNames | None) -> ClaimNames:
    if isinstance(given, ClaimNames):
        return given
    try:
        names: ClaimNames = Claims(default, "").deserialize({} if given is None else given)
    except ValidationError as error:
        raise ValueError(f"no names of claims: {error.messages}") from None
    claims = [*names.ids.values(), *names.scopes]
    if len(claims) > len(set(claims)):
        raise ValueError(f"no names of claims: two are the same claim: {', '.join(claims)}")
    return names
