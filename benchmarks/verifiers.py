"""Verification of a token with each of the libraries, under the same rules.

The rules: RS256 with the key of the set that ``kid`` names; the issuer; ``exp`` and ``iat`` with 30
seconds of leeway; the account of the URL in both tokens; every other claim present and not empty.
"""

from typing import Any

import jwt as pyjwt
from authlib.oauth2.rfc6750 import InvalidTokenError  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from flask import g
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from .mint import ISSUER
from .views import CONSUMER_HEADER, account_of_url

LEEWAY = 30
APP_CLAIMS = ("iss", "aud", "azp", "exp", "iat")
CONSUMER_CLAIMS = ("account_id", "ext_consumer_id", "lp_consumer_id")
_ESSENTIAL = {"essential": True}
_CONSUMER_OPTIONS: dict[str, Any] = dict.fromkeys(CONSUMER_CLAIMS, _ESSENTIAL)
_APP_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(APP_CLAIMS, _ESSENTIAL),
    "iss": {"essential": True, "value": ISSUER},
}


class Joserfc:
    """joserfc: ``jwt.decode`` and a claims registry."""

    def __init__(self, keys: KeySetSerialization) -> None:
        self.keys = KeySet.import_key_set(keys)
        self._app_rules = jwt.JWTClaimsRegistry(leeway=LEEWAY, **_APP_OPTIONS)
        self._consumer_rules = jwt.JWTClaimsRegistry(leeway=LEEWAY, **_CONSUMER_OPTIONS)

    def app_jwt(self, token: str, account_id: str) -> dict[str, Any]:
        """Return the claims of an AppJWT; raise ``JoseError`` or ``ValueError``."""
        claims = jwt.decode(token, self.keys, algorithms=["RS256"]).claims
        self._app_rules.validate(claims)
        return _of_account(claims, "aud", account_id)

    def consumer_jws(self, token: str, account_id: str) -> dict[str, Any]:
        """Return the claims of a ConsumerJWS; raise ``JoseError`` or ``ValueError``."""
        claims = jwt.decode(token, self.keys, algorithms=["RS256"]).claims
        self._consumer_rules.validate(claims)
        return _of_account(claims, "account_id", account_id)


class PyJWT:
    """PyJWT: ``jwt.decode`` with the key that ``PyJWKSet`` has for the token's ``kid``."""

    def __init__(self, keys: KeySetSerialization) -> None:
        self.keys = {key.key_id: key for key in pyjwt.PyJWKSet.from_dict({**keys})}

    def app_jwt(self, token: str, account_id: str) -> dict[str, Any]:
        """Return the claims of an AppJWT; raise ``PyJWTError``, ``KeyError`` or ``ValueError``."""
        claims: dict[str, Any] = pyjwt.decode(
            token,
            self._key(token),
            algorithms=["RS256"],
            audience=account_id,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": [*APP_CLAIMS]},
        )
        return _not_empty(claims, APP_CLAIMS)

    def consumer_jws(self, token: str, account_id: str) -> dict[str, Any]:
        """Return the claims of a ConsumerJWS; raise the same errors as :meth:`app_jwt`."""
        claims: dict[str, Any] = pyjwt.decode(
            token,
            self._key(token),
            algorithms=["RS256"],
            leeway=LEEWAY,
            options={"require": [*CONSUMER_CLAIMS]},
        )
        return _of_account(_not_empty(claims, CONSUMER_CLAIMS), "account_id", account_id)

    def _key(self, token: str) -> pyjwt.PyJWK:
        return self.keys[pyjwt.get_unverified_header(token)["kid"]]


class AuthlibValidator(JWTBearerTokenValidator):  # type: ignore[misc]
    """Authlib: its validator of JWTs, with the claims of an AppJWT.

    ``@require_oauth(consumer=True)`` requires the second token too: Authlib passes the keywords of
    its decorator to the validator.
    """

    def __init__(self, second: Joserfc) -> None:
        super().__init__(second.keys, leeway=LEEWAY)
        self.claims_options = _APP_OPTIONS
        self._second = second

    def validate_token(self, token: Any, scopes: Any, request: Any, consumer: bool = False) -> None:
        """Accept the claims of a request; raise Authlib's ``InvalidTokenError``."""
        super().validate_token(token, scopes, request)
        try:
            _of_account(token, "aud", account_of_url())
            if consumer:
                text = request.headers.get(CONSUMER_HEADER, "")
                g.consumer_jws = self._second.consumer_jws(text, account_of_url())
        except (JoseError, ValueError):
            raise InvalidTokenError() from None


def _of_account(claims: dict[str, Any], name: str, account_id: str) -> dict[str, Any]:
    if claims[name] != account_id:
        raise ValueError("the token is of another account")
    return claims


def _not_empty(claims: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    if not all(map(claims.get, names)):
        raise ValueError("a claim is empty")
    return claims
