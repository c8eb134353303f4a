"""A token validator for Authlib's ``ResourceProtector``.

It is loaded only by apps that import it: most need nothing of Authlib.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from authlib.oauth2.rfc6750 import (  # type: ignore[import-untyped]
    BearerTokenValidator,
    InsufficientScopeError,
    InvalidTokenError,
)

from ..core import AppJWT, Requirements, TokenRequirement
from ..verification import APP_JWT, missing_scope
from ..web import (
    InvalidAppJWT,
    MissingParameter,
    current_request,
    current_runtime,
    entries_of,
    guard,
    report_failure,
)

__all__ = ["AppJWTToken", "AppJWTValidator"]

_APP_JWT = Requirements(app_jwt=TokenRequirement())


class AppJWTToken(Mapping[str, Any]):
    """The value of Authlib's ``current_token``: a read-only mapping of the AppJWT's claims.

    The values are plain dicts, lists, strings and numbers, copied for each request. The mapping
    also has the methods that Authlib's ``BearerTokenValidator`` calls on a token.

    :param app_jwt: the verified token.

    .. versionadded:: 0.1
    """

    def __init__(self, app_jwt: AppJWT) -> None:
        self.app_jwt = app_jwt  #: the object that ``current_app_jwt`` is a proxy of

    @cached_property
    def _claims(self) -> dict[str, Any]:
        # One copy for each request that reads them, not one for each claim that it reads.
        return self.app_jwt.claims

    def __getitem__(self, name: str) -> Any:
        return self._claims[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def get_scope(self) -> list[str]:
        """Return the scopes as a sorted list; Authlib would split a string again."""
        return sorted(self.app_jwt.scopes)

    def is_expired(self) -> bool:
        """Return ``False``: an expired token was refused before."""
        return False

    def is_revoked(self) -> bool:
        """Return ``False``: a revoked token was refused before."""
        return False

    def __repr__(self) -> str:
        return f"<AppJWTToken {self.app_jwt!r}>"


class AppJWTValidator(BearerTokenValidator):  # type: ignore[misc]
    """Verifies AppJWTs for Authlib's ``ResourceProtector``, by the rules of ``@require_app_jwt``.

    Register it with ``require_oauth.register_token_validator(AppJWTValidator())``. It uses the
    :class:`~flask_connector_auth.ConnectorAuth` of the current app: its keys, settings,
    revocations, log and signals. The view can read ``current_app_jwt``.

    Requests with a bad token get Authlib's errors. If the token cannot be verified at the moment,
    they get row 50301. ``@require_consumer_jws`` below the protector answers with its own rows.

    :param realm: of the challenge in ``WWW-Authenticate`` (RFC 6750 section 3); by default none.
    :param extra_attributes: a dict of further parameters of the challenge.

    .. versionadded:: 0.1
    """

    def authenticate_token(self, token_string: str) -> AppJWTToken:
        """Return the verified token of the current request.

        :param token_string: the token of ``Authorization``.
        :raises authlib.oauth2.rfc6750.InvalidTokenError: if the token is invalid, for any reason
            (RFC 6750 section 3.1).
        :raises AuthenticationUnavailable: if the token cannot be verified at the moment.
        :raises ConsumerJWSMissing, InvalidConsumerJWS: if the view requires that token too.
        :raises RuntimeError: if *token_string* is not the token of ``Authorization``, or the app
            has no extension.
        """
        sent = current_request().headers.get("Authorization", "").split(None, 1)
        if sent[1:] != [token_string]:
            # Account, log and current_app_jwt belong to the request, and so must the token.
            raise RuntimeError(
                "AppJWTValidator verifies only the token of the request's Authorization header"
            )
        try:
            identity = guard.identify(_APP_JWT)
        except (InvalidAppJWT, MissingParameter):
            raise InvalidTokenError(
                realm=self.realm, extra_attributes=self.extra_attributes
            ) from None
        return AppJWTToken(cast(AppJWT, identity.app_jwt))

    def validate_token(
        self, token: AppJWTToken, scopes: Sequence[str] | None, request: object
    ) -> None:
        """Check the scopes by Authlib's rules: all scopes in one of the strings must be granted.

        If they are not, the rejection is logged, and ``token_rejected`` is sent, after
        ``token_verified``.

        :param token: as :meth:`authenticate_token` returned it.
        :param scopes: strings of scopes, separated by spaces. One string must be granted as a
            whole.
        :param request: Authlib's request, which is not used.
        :raises authlib.oauth2.rfc6750.InsufficientScopeError: if none of the strings is granted
            (RFC 6750 section 3.1).
        """
        try:
            super().validate_token(token, scopes, request)
        except InsufficientScopeError:
            request = current_request()
            entry: Any = entries_of(request)[0]
            rejected = missing_scope(token.app_jwt, ["|".join(scopes or ())], entry.verifier)
            report_failure(current_runtime(), request, APP_JWT, rejected, [entry])
            raise
