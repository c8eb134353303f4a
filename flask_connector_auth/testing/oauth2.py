"""A token generator with which Authlib's token endpoint issues AppJWTs."""

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidScopeError,
    UnsupportedGrantTypeError,
)

from ..core import token_requirement
from .issuer import Issuer
from .signer import OMIT


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
        token = self._issuer.app_jwt(
            aud=self._account_of(client),
            azp=client.get_client_id(),
            scope=granted or OMIT,
            iat=now,
            exp=now + lifetime,
        )
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
        token_requirement(allowed)
    except ValueError:
        raise InvalidScopeError from None
    return " ".join(dict.fromkeys(allowed.split(" ")))
