"""A Bearer token that Authlib's ResourceProtector read in; who is calling, or Authlib's error, out.

Imported by its own name only: an app that does not use Authlib's Flask integration never loads it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from authlib.oauth2.rfc6750 import (  # type: ignore[import-untyped]
    BearerTokenValidator,
    InsufficientScopeError,
    InvalidTokenError,
)

from ..core import AppJWT, Reason, Requirements, TokenRequirement
from ..web import (
    InvalidAppJWT,
    MissingParameter,
    current_request,
    current_runtime,
    guard,
    log_rejection,
)

__all__ = ["AppJWTToken", "AppJWTValidator"]

_APP_JWT = Requirements(app_jwt=TokenRequirement())


class AppJWTToken(Mapping[str, Any]):
    """What Authlib's ``current_token`` is: a read-only mapping of the AppJWT's claims.

    Beside that it has what Authlib's ``BearerTokenValidator`` asks of a token.
    """

    def __init__(self, app_jwt: AppJWT) -> None:
        self.app_jwt = app_jwt  #: the same object as ``current_app_jwt`` stands for

    def __getitem__(self, name: str) -> Any:
        return self.app_jwt.claims[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.app_jwt.claims)

    def __len__(self) -> int:
        return len(self.app_jwt.claims)

    def get_scope(self) -> list[str]:
        """Return the scopes: a list, which Authlib takes as it is; a string it splits anew."""
        return sorted(self.app_jwt.scopes)

    def is_expired(self) -> bool:
        """Whether it has expired: no, or it would have been refused before."""
        return False

    def is_revoked(self) -> bool:
        """Whether it was revoked: no, or it would have been refused before."""
        return False

    def __repr__(self) -> str:
        return f"<AppJWTToken {self.app_jwt!r}>"


class AppJWTValidator(BearerTokenValidator):  # type: ignore[misc]
    """Verifies AppJWTs for Authlib's ``ResourceProtector``, as ``@require_app_jwt`` would.

    Register it with ``require_oauth.register_token_validator(AppJWTValidator())``. The current app
    has a :class:`~flask_connector_auth.ConnectorAuth`: keys, settings, revocations, log and signals
    are its own, and the view can read ``current_app_jwt``. What is wrong with a token is told by
    Authlib's errors. An outage on our side is row 50301; where ``@require_consumer_jws`` stands
    below, its rows are its own.

    :param realm: of the challenge in ``WWW-Authenticate``; none, if not given.
    :param extra_attributes: further parameters of the challenge.
    """

    def authenticate_token(self, token_string: str) -> AppJWTToken:
        """Return the token of the current request.

        :param token_string: as it stands in ``Authorization``.
        :raises authlib.oauth2.rfc6750.InvalidTokenError: if it is not good, whatever the reason
            (RFC 6750 section 3.1).
        :raises AuthenticationUnavailable: if it cannot be judged just now.
        :raises ConsumerJWSMissing, InvalidConsumerJWS: if the view asks for that token too.
        :raises RuntimeError: if it is not what ``Authorization`` holds, or the app has no
            extension.
        """
        sent = current_request().headers.get("Authorization", "").split(None, 1)
        if sent[1:] != [token_string]:
            # The account, the log and current_app_jwt are those of the request, so only its own.
            raise RuntimeError("AppJWTValidator verifies what the Authorization header holds")
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
        """Check the scopes, by Authlib's rules: all those in one of *scopes* must be granted.

        A missing one is logged and told by ``token_rejected``, after ``token_verified``.

        :raises authlib.oauth2.rfc6750.InsufficientScopeError: if none is granted
            (RFC 6750 section 3.1).
        """
        try:
            super().validate_token(token, scopes, request)
        except InsufficientScopeError:
            error = InvalidAppJWT(Reason.MISSING_SCOPE)
            log_rejection(current_runtime(), current_request(), error, app_jwt=token.app_jwt)
            raise
