"""A request and what is asked of it in; its identity remembered, or one HTTP error out."""

from collections.abc import Mapping
from sys import maxsize
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from flask import Request, Response

from ..core import (
    NOTHING,
    AppJWT,
    ConsumerJWS,
    Declared,
    Reason,
    Rejected,
    Requirements,
    Unavailable,
    token_verified,
)
from ..verification import (
    APP_JWT,
    CONSUMER_JWS,
    TokenProfile,
    check_account,
    check_distinct,
    check_same_account,
    check_scopes,
    read_token,
)
from .context import (
    IDENTITY_ATTRIBUTE,
    Identity,
    current_request,
    current_request_context,
    identity_of,
)
from .exceptions import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
)
from .reporting import log_rejection
from .routes import account_of, remember_requirements
from .runtime import EXTENSION, Runtime, current, current_app

_OTHER_APP = (
    "A token is asked for in the context of another app than the one that the request came to: ask "
    "in that app's own context."
)
# Behind all arguments that a view is called with.
_NOWHERE = maxsize
_TOLD_APART = (Reason.MISSING_CLAIM, Reason.WRONG_ISSUER)
_Profile = TokenProfile[AppJWT] | TokenProfile[ConsumerJWS]


def identify(requirements: Requirements) -> Identity:
    """Return who sends the current request, with the tokens that are asked for.

    As :func:`enforce`, but for a caller that is no view: a preflight is asked for them too, and
    what was found before in the same request is looked at again.
    """
    enforce(Declared(requirements), view=False)
    return cast(Identity, identity_of(current_request()))


def enforce(
    declared: Declared,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] = {},
    *,
    view: bool = True,
) -> Response | None:
    """Let the current request go on to its view only with the tokens that are asked for.

    :param declared: what the caller asks for, beside all that the endpoint asks for.
    :param args: what the view is called with, by place.
    :param kwargs: what it is called with by name.
    :param view: whether the caller stands before a view, with the same *declared* each time.
    :returns: the answer to a CORS preflight, to be sent instead of running the view, or ``None``.
    :raises ConnectorAuthError: the one row that the request is answered with.
    :raises RuntimeError: if the app has no extension, or is not the one that the request came to.
    """
    # All in one function, each proxy unwrapped once: in a request, whose code leaves nothing in
    # the processor's caches, each call and each object touched costs twice what it costs alone.
    context = current_request_context()
    app, request = context.app, context.request
    if current_app() is not app:
        raise RuntimeError(_OTHER_APP)
    state: Runtime = app.extensions.get(EXTENSION) or current(app)
    rule, judged = request.url_rule, getattr(request, IDENTITY_ATTRIBUTE, None)
    asked = declared.requirements
    if rule is not None:
        # What the endpoint asks for was merged at first contact: look-ups remain of it.
        endpoint = state.routes.get((rule.endpoint, request.method))
        # As EndpointRequirements.is_current() does.
        if (
            endpoint is None
            or app.view_functions.get(rule.endpoint) is not endpoint.view
            or app.before_request_funcs.get(None) != endpoint.app_hooks
            or (endpoint.has_more and endpoint.has_changed(app))
        ):
            endpoint = remember_requirements(app, state, rule, request.method)
        merged = endpoint.included.get(declared)
        asked = endpoint.together_with(declared, keep=view) if merged is None else merged
    if asked is NOTHING:
        return None
    name, view_args = state.account_argument, request.view_args
    account = view_args.get(name) if view_args else None
    if (
        account is None
        or kwargs.get(name, account) is not account
        or (args and declared.positions.get(name, _NOWHERE) < len(args))
    ):
        account = account_of(request, name, declared, args, kwargs)
    if judged is not None:
        # An outer wrapper was here before; an app may have routed the request anew since.
        known, for_account = judged
        if known.requirements is not asked:
            together = known.requirements | asked
            asked = known.requirements if together == known.requirements else together
        # Not where somebody asks once more: a socket is one request for hours.
        if view and asked is known.requirements and for_account == account:
            return None
    if view and request.method == "OPTIONS" and _is_preflight(request):
        return app.make_default_options_response()
    audience, now = state.audience, state.clock()
    app_jwt = consumer_jws = None
    profile: _Profile = APP_JWT
    try:
        # The AppJWT first, whatever the order of declaration.
        if (requirement := asked.app_jwt) is not None:
            header = request.environ.get("HTTP_AUTHORIZATION")
            if header is not None:
                app_jwt = state.app_jwt.authenticate(header, now)
            if app_jwt is not None:
                if app_jwt.account_id != account or audience is not None:
                    check_account(app_jwt.account_id, account, audience)
                if requirement.scopes or requirement.any_scopes:
                    check_scopes(app_jwt, requirement)
            elif not requirement.optional:
                raise log_rejection(state, request, AppJWTMissing(Reason.MISSING))
        if (requirement := asked.consumer_jws) is not None:
            profile = CONSUMER_JWS
            header = request.environ.get(state.consumer_key)
            if header is not None:
                consumer_jws = state.consumer_jws.authenticate(header, now)
            if consumer_jws is not None:
                # Where the URL names an account, and both tokens that one, they name the same.
                if consumer_jws.account_id != account or audience is not None:
                    check_account(consumer_jws.account_id, account, audience)
                    check_same_account(app_jwt, consumer_jws)
            elif not requirement.optional:
                raise log_rejection(
                    state, request, ConsumerJWSMissing(Reason.MISSING), app_jwt=app_jwt
                )
    except Rejected as rejected:
        reason, retry_after, verified = rejected.reason, None, rejected.verified
        header = None
    except Unavailable as unavailable:
        reason, retry_after, verified = unavailable.reason, unavailable.retry_after, {}
        header = None
    else:
        # Past the constructor, which takes five times as long.
        identity = tuple.__new__(Identity, (asked, app_jwt, consumer_jws))
        if judged is not None and judged[0] == identity:
            # It is as it was: no news, and the same object.
            setattr(request, IDENTITY_ATTRIBUTE, (judged[0], account))
            return None
        setattr(request, IDENTITY_ATTRIBUTE, (identity, account))
        if token_verified.receivers:
            token_verified.send(app, app_jwt=app_jwt, consumer_jws=consumer_jws)
        return None
    # Outside of the handlers, so without a cause: a log of the error must not get what was sent.
    # And not by a local name, which would close a circle with the traceback: all that the request
    # has would wait for the garbage collector. Nor does any local name hold a token: there are
    # reporters of errors that show them.
    raise log_rejection(
        state,
        request,
        _refusal(state, request.environ, profile, reason, retry_after),
        verified,
        app_jwt,
        consumer_jws,
    )


def _refusal(
    state: Runtime,
    environ: WSGIEnvironment,
    profile: _Profile,
    reason: Reason,
    retry_after: float | None,
) -> ConnectorAuthError:
    """Make the error for *reason*: the one place where one becomes the other.

    :param retry_after: seconds, if it is not the client's fault.
    """
    if retry_after is not None:
        return AuthenticationUnavailable(reason, retry_after)
    if profile is CONSUMER_JWS:
        # What is too large is not searched once more.
        twice = reason is not Reason.TOO_LARGE and _sent_twice(state, environ)
        return InvalidConsumerJWS(Reason.SAME_TOKEN if twice else reason)
    if state.settings.missing_parameter_row and reason in _TOLD_APART:
        return MissingParameter(reason)
    return InvalidAppJWT(reason)


def _sent_twice(state: Runtime, environ: WSGIEnvironment) -> bool:
    """Whether both headers hold one text: it has failed as a ConsumerJWS; this is why."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if len(header) > 2 * state.settings.max_token_bytes:
        return False
    try:
        app_text = read_token(header, bearer=True)
        check_distinct(app_text, read_token(environ.get(state.consumer_key), bearer=False))
    except Rejected as rejected:
        return rejected.reason is Reason.SAME_TOKEN
    return False


def _is_preflight(req: Request) -> bool:
    """Whether an OPTIONS request is a true CORS preflight (Fetch standard)."""
    environ = req.environ
    return "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
