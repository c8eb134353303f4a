"""A token generator that lets Authlib's token endpoint issue AppJWTs."""

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidScopeError,
    UnsupportedGrantTypeError,
)

from ..core import token_requirement
from .issuer import Issuer
from .signer import OMIT

_GRANT_TYPE = "client_credentials"


class AppJWTGenerator:
    """A token generator for Authlib's ``AuthorizationServer``.

    Register it with ``server.register_token_generator("client_credentials", AppJWTGenerator(…))``.
    As with Authlib's own generator, a token has the scopes that the client's
    ``get_allowed_scope(scope)`` returns, a string in which they are separated by single spaces.

    :param issuer: signs the tokens.
    :param account_of: returns the account that a client belongs to.

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
        """Return the answer of RFC 6749 section 5.1, without a refresh token (section 4.4.3).

        :param scope: the scopes that the client asks for; ``client.get_allowed_scope()`` gets
            ``None`` if there are none, and may return a default then (section 3.3).
        :param expires_in: seconds that the token is good for; by default, the issuer's lifetime.
        :raises authlib.oauth2.rfc6749.InvalidScopeError: if the client may have none of the scopes
            that it asks for, or ``get_allowed_scope()`` returns ``None`` or what is no scope
            (section 5.2).
        :raises authlib.oauth2.rfc6749.UnsupportedGrantTypeError: for any grant but client
            credentials: an AppJWT stands for the app itself, whatever a user has granted.
        """
        if grant_type != _GRANT_TYPE:
            raise UnsupportedGrantTypeError(grant_type)
        granted = _granted(client, scope or None)
        lifetime = self._issuer.lifetime if expires_in is None else expires_in
        now = int(self._issuer.clock())
        token = self._issuer.app_jwt(
            aud=self._account_of(client),
            azp=client.get_client_id(),
            scope=granted or OMIT,
            iat=now,
            exp=now + lifetime,
        )
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
        # Mandatory where it differs from what was asked for, and never empty (sections 5.1, 3.3).
        return {**answer, "scope": granted} if granted else answer


def _granted(client: Any, scope: str | None) -> str:
    """Return the scopes that *client* gets, each once; an empty string if none were asked for."""
    allowed = client.get_allowed_scope(scope)
    # No token is issued without any of the scopes asked for: its answer could not say so.
    if allowed is None or (scope and not allowed):
        raise InvalidScopeError
    try:
        token_requirement(allowed)
    except ValueError:
        raise InvalidScopeError from None
    return " ".join(dict.fromkeys(allowed.split(" ")))
