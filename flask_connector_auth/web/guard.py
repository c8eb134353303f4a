"""The check of a request before its view runs: who is calling, or the error that is sent."""

from collections.abc import Mapping
from typing import Any, cast

from flask import Request, Response

from ..core import (
    NO_REQUIREMENTS,
    Declaration,
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
    check_same_account,
    check_scopes,
)
from .callbacks import load_user
from .context import (
    EXTENSION,
    IDENTITY_ATTRIBUTE,
    Identity,
    RequestContext,
    current_app,
    current_request_context,
    identity_of,
)
from .recognition import NO_POSITION, remember_plan
from .reporting import report_failure
from .routes import account_id_of_call, cached_requirements
from .runtime import Runtime, current_runtime

_OTHER_APP = (
    "A token is required in the context of another app than the one that the request came to: "
    "call the view, or verify_request(), in the context of the request's own app."
)
# Not raised: a request without a token is the most frequent one that is refused.
_MISSING = Rejected(Reason.MISSING)


def enforce(
    declared: Declaration, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}
) -> Response | None:
    """Let the current request reach its view only with the tokens that are required.

    :param declared: the requirements of the caller, as one object for all requests.
    :param args: the positional arguments of the view, as *kwargs* are those by keyword.
    :returns: the response to a CORS preflight, to be sent instead of running the view, or ``None``.
    :raises ConnectorAuthError: the error that the request is answered with.
    :raises RuntimeError: if the app has no extension, or is not the app of the request.
    """
    # Hot path, deliberately inline, with each proxy unwrapped once: inside a request a call costs
    # about twice what a micro-benchmark shows.
    context = current_request_context()
    app, request = context.app, context.request
    if current_app() is not app:
        raise RuntimeError(_OTHER_APP)
    runtime: Runtime = app.extensions.get(EXTENSION) or current_runtime(app)
    rule, required, endpoint = request.url_rule, declared.requirements, None
    if rule is not None:
        # Merged in the first request; later requests look the result up.
        endpoint = runtime.endpoints.get((rule.endpoint, request.method))
        # The same comparison as in cached_requirements().
        if (
            endpoint is None
            or app.view_functions.get(rule.endpoint) is not endpoint.view
            or app.before_request_funcs.get(None) != endpoint.app_hooks
            or (endpoint.has_other_sources and endpoint.has_changed_sources(app))
        ):
            endpoint = cached_requirements(app, runtime, rule, request.method)
        combined = endpoint.combined.get(declared)
        required = endpoint.combine_with(declared, remember=True) if combined is None else combined
    if required is NO_REQUIREMENTS:
        return None
    name, view_args = runtime.account_argument, request.view_args
    account = view_args.get(name) if view_args else None
    if (
        account is None
        or kwargs.get(name, account) is not account
        or (args and declared.positions.get(name, NO_POSITION) < len(args))
    ):
        account = account_id_of_call(request, name, declared, args, kwargs)
    if (kept := getattr(request, IDENTITY_ATTRIBUTE, None)) is not None:
        return _enforce_again(context, required, account, kept[0], kept[1])
    if request.method == "OPTIONS" and _is_preflight(request):
        return _answer_preflight(context)
    _authenticate(runtime, request, required, account, None)
    if rule is not None and endpoint is not None:
        remember_plan(runtime, request, declared, rule, endpoint, required)
    return None


def identify(requirements: Requirements) -> Identity:
    """Return the identity of the current request, with the tokens that are required.

    The tokens are checked again in each call, since a WebSocket is one request that can last for
    hours. A CORS preflight needs the tokens too, because this function cannot send a response
    instead of the view's.

    :param requirements: the requirements of the caller, beside those of the endpoint.
    :raises ConnectorAuthError: the error that the request is answered with.
    :raises RuntimeError: if the app has no extension, or is not the app of the request.
    """
    context = current_request_context()
    app, request = context.app, context.request
    if current_app() is not app:
        raise RuntimeError(_OTHER_APP)
    runtime, declared = current_runtime(app), Declaration(requirements)
    if request.url_rule is not None:
        endpoint = cached_requirements(app, runtime, request.url_rule, request.method)
        requirements = endpoint.combine_with(declared, remember=False)
    account = account_id_of_call(request, runtime.account_argument, declared, (), {})
    identity = identity_of(request)
    if identity is not None:
        requirements = _combined_with(identity, requirements)
    _authenticate(runtime, request, requirements, account, identity)
    return cast(Identity, identity_of(request))


def _enforce_again(
    context: RequestContext,
    required: Requirements,
    account: Any,
    identity: Identity,
    known_account: Any,
) -> Response | None:
    """Do what :func:`enforce` does for a request that has an identity already.

    An outer decorator, a hook of ``protect()`` or ``verify_request()`` ran before. The tokens are
    verified again if more is required now, or if the app has matched the URL again since then and
    the account is another one.
    """
    required = _combined_with(identity, required)
    if required is identity.requirements and known_account == account:
        return None
    request = context.request
    if request.method == "OPTIONS" and _is_preflight(request):
        return _answer_preflight(context)
    _authenticate(current_runtime(context.app), request, required, account, identity)
    return None


def _combined_with(identity: Identity, required: Requirements) -> Requirements:
    """Return *required* together with the requirements that *identity* was verified for.

    If *required* adds nothing, ``identity.requirements`` itself is returned: compare with ``is``.
    """
    known = identity.requirements
    if known is required:
        return known
    combined = known | required
    return known if combined == known else combined


def _authenticate(
    runtime: Runtime, request: Request, required: Requirements, account: Any, known: Identity | None
) -> None:
    """Verify the *required* tokens; keep the identity on *request*, which has *known* already."""
    now, header, callbacks = runtime.clock(), None, runtime.callbacks
    app_entry = consumer_entry = app_jwt = consumer_jws = None
    failure: Rejected | Unavailable | None = None
    profile: TokenProfile[Any] = APP_JWT
    try:
        # The AppJWT first, whatever the order of declaration.
        if (requirement := required.app_jwt) is not None:
            header = request.environ.get("HTTP_AUTHORIZATION")
            if header is not None:
                app_entry = runtime.app_jwt.authenticate(header, now)
            if app_entry is not None:
                # Error reporters show what local variables hold: from here on no header.
                app_jwt, audience, header = app_entry.token, app_entry.verifier.rules.audience, None
                if app_jwt.account_id != account or audience is not None:
                    check_account(app_jwt.account_id, account, audience)
                if requirement.scopes or requirement.any_scopes:
                    check_scopes(app_jwt, requirement, app_entry.verifier)
                if callbacks.checks:
                    callbacks.check_claims(app_entry)
            elif not requirement.optional:
                failure = _MISSING
        if failure is None and (requirement := required.consumer_jws) is not None:
            profile, issuer = CONSUMER_JWS, app_jwt.issuer if app_jwt else None
            header = request.environ.get(runtime.consumer_environ_key)
            if header is not None:
                consumer_entry = runtime.consumer_jws.authenticate(header, now, issuer)
            if consumer_entry is not None:
                consumer_jws, header = consumer_entry.token, None
                audience = consumer_entry.verifier.rules.audience
                # If each token is of the account of the URL, both are of the same account.
                if consumer_jws.account_id != account or audience is not None:
                    check_account(consumer_jws.account_id, account, audience)
                    check_same_account(app_jwt, consumer_jws)
                if callbacks.checks:
                    callbacks.check_claims(consumer_entry)
            elif not requirement.optional:
                failure = _MISSING
    except (Rejected, Unavailable) as error:
        failure, header = error, None
    entries = app_entry, consumer_entry
    if failure is not None:  # outside the `except` block, and no local variable: see the function
        raise report_failure(runtime, request, profile, failure, entries)
    # Without the constructor, which takes five times as long.
    identity = tuple.__new__(Identity, (required, app_jwt, consumer_jws))
    is_new = known is None or known != identity  # else the same object, and no signal
    if callbacks.loads_before_view and is_new:
        load_user(runtime, request, identity, entries)
    setattr(request, IDENTITY_ATTRIBUTE, (identity if is_new else known, account, entries))
    if is_new and token_verified.receivers:
        token_verified.send(current_app(), app_jwt=app_jwt, consumer_jws=consumer_jws)


def _is_preflight(request: Request) -> bool:
    """Whether an OPTIONS request is a CORS preflight (Fetch standard)."""
    environ = request.environ
    return "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def _answer_preflight(context: RequestContext) -> Response:
    """Return the response that Flask itself gives to OPTIONS.

    Flask's method for that, ``make_default_options_response``, takes an argument more from Flask
    3.2 on.
    """
    response = context.app.response_class()
    response.allow.update(context.url_adapter.allowed_methods())
    return response
