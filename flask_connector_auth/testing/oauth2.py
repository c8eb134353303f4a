"""An OAuth 2.0 client in; the token answer with its AppJWT out, for Authlib's token endpoint."""

from collections.abc import Callable
from typing import Any

from .issuer import Issuer


class AppJWTGenerator:
    """A token generator for Authlib's ``AuthorizationServer``.

    Register it with ``server.register_token_generator("client_credentials", AppJWTGenerator(…))``.

    :param issuer: signs the tokens.
    :param account_of: returns the account that a client belongs to.
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
        """Return the answer of RFC 6749 section 5.1, without a refresh token (section 4.4.3)."""
        token = self._issuer.app_jwt(
            aud=self._account_of(client), azp=client.get_client_id(), scope=scope or ""
        )
        answer = {"access_token": token, "token_type": "Bearer"}
        return {
            **answer,
            "expires_in": self._issuer.lifetime,
            **({"scope": scope} if scope else {}),
        }
