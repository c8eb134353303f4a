"""A request and what is asked of it in; its identity remembered, or one HTTP error out."""

import logging
from typing import cast

from flask import Flask, Request, Response, current_app

from .context import IDENTITY, Identity, current_request, identity_of
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
from .policy import check_account, check_distinct, check_same_account, check_scopes
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile
from .reasons import Reason, Rejected, Unavailable
from .requirements import NOTHING, Requirements, TokenRequirement
from .routes import route_of
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
    asked = _outstanding(state, req, own, keep=True)
    if asked is None:
        return None
    if req.method == "OPTIONS" and _is_preflight(req):
        return current_app.make_default_options_response()
    _identify(state, req, asked)
    return None


def identify(own: Requirements) -> Identity:
    """Return who sends the current request, with the tokens that are asked for.

    As :func:`enforce`, but for a caller that is no view: a preflight is asked for them too.
    """
    state, req = current(), current_request()
    asked = _outstanding(state, req, own, keep=False)
    return cast(Identity, identity_of(req)) if asked is None else _identify(state, req, asked)


def _outstanding(
    state: State, req: Request, own: Requirements, *, keep: bool
) -> Requirements | None:
    """Return all that is asked of *req*, unless it was enforced before, or is nothing: ``None``.

    :param keep: whether *own* is a wrapper's, and so the same object for every request.
    """
    asked, rule, known = own, req.url_rule, identity_of(req)
    if rule is not None:
        # What the endpoint asks for was merged at first contact: two look-ups remain of it.
        route = state.routes.get((rule.endpoint, req.method))
        if route is None:
            route = route_of(state, rule.endpoint, req.method)
        asked = route.requirements if route.included.get(id(own)) is own else route.join(own, keep)
    if known is None:
        return asked or None
    if known.requirements is not asked:
        asked = known.requirements | asked
        if asked != known.requirements:
            return asked
    return None


def _identify(state: State, req: Request, asked: Requirements) -> Identity:
    """Read, verify, judge, remember: the AppJWT first, whatever the order of declaration."""
    settings, environ = state.settings, req.environ
    audience = settings.audience
    account = req.view_args.get(settings.account_argument) if req.view_args else None
    bound = account is not None or audience is not None
    now = state.clock()
    app_text = app_jwt = consumer_jws = None
    profile: TokenProfile[AppJWT] | TokenProfile[ConsumerJWS] = APP_JWT
    try:
        if (app_asked := asked.app_jwt) is not None:
            header = environ.get("HTTP_AUTHORIZATION")
            if header is not None:
                # The two spellings that nearly all clients use; any other is read first.
                app_text = header[7:] if header[:7] == "Bearer " else header
                app_jwt = state.app_jwt.recall(app_text, now)
            if app_jwt is None:
                tried, app_text = app_text, _read(header, app_asked, bearer=True)
                if app_text is not None and app_text != tried:
                    app_jwt = state.app_jwt.recall(app_text, now)
                if app_text is not None and app_jwt is None:
                    app_jwt = state.app_jwt.verify(app_text, now)
            if app_jwt is not None:
                if bound:
                    check_account(app_jwt.account_id, account, audience)
                if app_asked.scopes or app_asked.any_scopes:
                    check_scopes(app_jwt, app_asked)
        if (consumer_asked := asked.consumer_jws) is not None:
            profile = CONSUMER_JWS
            header = environ.get(state.consumer_key)
            if header is not None:
                consumer_jws = state.consumer_jws.recall(header, now)
            if consumer_jws is None:
                text = _read(header, consumer_asked, bearer=False)
                if text is not None:
                    check_distinct(app_text, text)
                    consumer_jws = state.consumer_jws.verify(text, now)
            if consumer_jws is not None:
                if bound:
                    check_account(consumer_jws.account_id, account, audience)
                check_same_account(app_jwt, consumer_jws)
    except Rejected as rejected:
        error = _refusal(profile, rejected.reason, settings.missing_parameter_row)
    except Unavailable as unavailable:
        error = AuthenticationUnavailable(unavailable.reason, unavailable.retry_after)
    else:
        identity = Identity(asked, app_jwt, consumer_jws)
        req.__dict__[IDENTITY] = identity
        if token_verified.receivers:
            token_verified.send(_app(), app_jwt=app_jwt, consumer_jws=consumer_jws)
        return identity
    _report(req, error)
    # Outside of the handlers, so without a cause: a log of the error must not get what was sent.
    raise error


def _read(header: str | None, requirement: TokenRequirement, *, bearer: bool) -> str | None:
    try:
        return read_token(header, bearer=bearer)
    except Rejected as rejected:
        if requirement.optional and rejected.reason is Reason.MISSING:
            return None
        raise


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
    """Whether an OPTIONS request is a true CORS preflight (Fetch standard)."""
    environ = req.environ
    return "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


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
