"""A request and what is asked of it in; its identity remembered, or one HTTP error out."""

import logging

from flask import Flask, Request, Response, current_app

from . import policy
from .context import Identity, current_request, identity_of, remember
from .errors import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
)
from .headers import read_token
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile
from .reasons import Reason, Rejected, Unavailable
from .requirements import NOTHING, Requirements, TokenRequirement
from .routes import requirements_of
from .signals import token_rejected, token_verified
from .state import State, current
from .tokens import AppJWT, ConsumerJWS

logger = logging.getLogger("flask_connector_auth")


def enforce(own: Requirements = NOTHING) -> Response | None:
    """Let the current request go on to its view only with the tokens that are asked for.

    :param own: what the caller asks for, beside all that the endpoint asks for.
    :returns: the answer to a CORS preflight, to be sent instead of running the view, or ``None``.
    :raises ConnectorAuthError: the one row that the request is answered with.
    :raises RuntimeError: if the app has no extension.
    """
    state, req = current(), current_request()
    asked = _asked(state, req, own)
    if asked and _is_preflight(req):
        return current_app.make_default_options_response()
    if asked:
        _identity(state, req, asked)
    return None


def identify(own: Requirements) -> Identity:
    """Return who sends the current request, with the tokens that are asked for.

    As :func:`enforce`, but for a caller that is no view: a preflight is asked for them too.
    """
    state, req = current(), current_request()
    return _identity(state, req, _asked(state, req, own))


def _asked(state: State, req: Request, own: Requirements) -> Requirements:
    known = identity_of(req)
    if known is not None:
        own |= known.requirements
    if req.endpoint is not None:
        own |= requirements_of(state, req.endpoint, req.method)
    return own


def _identity(state: State, req: Request, asked: Requirements) -> Identity:
    known = identity_of(req)
    if known is not None and known.requirements == asked:
        return known
    try:
        identity = _verify(state, req, asked, known)
    except ConnectorAuthError as error:
        _report(req, error)
        raise
    remember(req, identity)
    if token_verified.receivers:
        token_verified.send(_app(), app_jwt=identity.app_jwt, consumer_jws=identity.consumer_jws)
    return identity


def _verify(state: State, req: Request, asked: Requirements, known: Identity | None) -> Identity:
    """Read, verify, judge: the AppJWT first, whatever the order of declaration."""
    settings, environ = state.settings, req.environ
    account = _view_account(req, settings.account_argument)
    now = state.clock()
    app_text: str | None = None
    app_jwt: AppJWT | None = None
    consumer_jws: ConsumerJWS | None = None
    profile: TokenProfile[AppJWT] | TokenProfile[ConsumerJWS] = APP_JWT
    try:
        if asked.app_jwt is not None:
            app_text = _read(environ.get("HTTP_AUTHORIZATION"), profile, asked.app_jwt)
            if app_text is not None:
                app_jwt = known.app_jwt if known else None
                app_jwt = app_jwt or state.app_jwt.verify(app_text, now)
                policy.check_account(app_jwt.account_id, account, settings.audience)
                policy.check_scopes(app_jwt, asked.app_jwt)
        profile = CONSUMER_JWS
        if asked.consumer_jws is not None:
            text = _read(environ.get(state.consumer_key), profile, asked.consumer_jws)
            if text is not None:
                policy.check_distinct(app_text, text)
                consumer_jws = known.consumer_jws if known else None
                consumer_jws = consumer_jws or state.consumer_jws.verify(text, now)
                policy.check_account(consumer_jws.account_id, account, settings.audience)
                policy.check_same_account(app_jwt, consumer_jws)
    except Rejected as rejected:
        # Without its cause: whoever logs the error must not get what the client sent.
        raise _refusal(profile, rejected.reason, settings.missing_parameter_row) from None
    except Unavailable as unavailable:
        raise AuthenticationUnavailable(
            unavailable.reason, unavailable.retry_after
        ) from unavailable
    return Identity(asked, app_jwt, consumer_jws)


def _read(
    header: str | None,
    profile: TokenProfile[AppJWT] | TokenProfile[ConsumerJWS],
    requirement: TokenRequirement,
) -> str | None:
    try:
        return read_token(header, bearer=profile.bearer)
    except Rejected as rejected:
        if requirement.optional and rejected.reason is Reason.MISSING:
            return None
        raise


def _view_account(req: Request, argument: str) -> str | None:
    account = (req.view_args or {}).get(argument)
    return None if account is None else str(account)


def _refusal(
    profile: TokenProfile[AppJWT] | TokenProfile[ConsumerJWS], reason: Reason, tell_missing: bool
) -> ConnectorAuthError:
    """The one place where a reason becomes an HTTP error."""
    if profile is CONSUMER_JWS:
        return (ConsumerJWSMissing if reason is Reason.MISSING else InvalidConsumerJWS)(reason)
    if reason is Reason.MISSING:
        return AppJWTMissing(reason)
    if tell_missing and reason in (Reason.MISSING_CLAIM, Reason.WRONG_ISSUER):
        return MissingParameter(reason)
    return InvalidAppJWT(reason)


def _is_preflight(req: Request) -> bool:
    """Whether this is a true CORS preflight, and not merely an OPTIONS request (Fetch standard)."""
    return (
        req.method == "OPTIONS"
        and "HTTP_ORIGIN" in req.environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in req.environ
    )


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def _report(req: Request, error: ConnectorAuthError) -> None:
    level = logging.ERROR if isinstance(error, AuthenticationUnavailable) else logging.INFO
    if logger.isEnabledFor(level):
        # The endpoint is the app's own name for the view; nothing of the request is logged.
        row = error.row.error_code
        logger.log(level, "refused: %s (row %d, endpoint %s)", error.reason, row, req.endpoint)
    if token_rejected.receivers:
        token_rejected.send(_app(), error=error)
