"""The short way of a request that is plainly like one that has passed before."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import maxsize
from typing import Any

from flask import Request
from werkzeug.routing import Rule

from ..core import Declaration, Rejected, Requirements, TokenRequirement, token_verified
from ..verification import CachedToken, check_account, check_scopes
from .context import (
    EXTENSION,
    IDENTITY_ATTRIBUTE,
    Entries,
    Identity,
    current_app,
    current_request_context,
)
from .routes import EndpointRequirements, rule_has_argument
from .runtime import Runtime

#: Greater than the number of arguments of any call.
NO_POSITION: int = maxsize
# For one endpoint, method and declaration: few views are registered under as many rules.
_MAX_PLANS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the guard has found for requests of one rule, method and declaration."""

    rule: Rule
    required: Requirements
    names_account: bool  #: whether each URL of the rule names an account
    is_limited: bool  #: whether scopes are required, or accounts are configured


def recognise(
    declared: Declaration, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = {}
) -> bool:
    """Let the current request pass if it is plainly like one that has passed before.

    This function refuses nothing and verifies nothing. It leaves whatever is unusual to
    :func:`.enforce`, which has the same arguments.

    :returns: whether the request has all that is required, and has its identity now. ``False`` says
        nothing about the request: :func:`.enforce` decides.
    """
    # Hot path, deliberately inline: inside a request a call costs about twice what a
    # micro-benchmark shows.
    context = current_request_context()
    app, request = context.app, context.request
    runtime: Runtime | None = app.extensions.get(EXTENSION)
    rule = request.url_rule
    if runtime is None or rule is None or current_app() is not app:
        return False
    endpoint: EndpointRequirements | None = runtime.endpoints.get((rule.endpoint, request.method))
    if endpoint is None:
        return False
    for plan in endpoint.plans.get(declared, ()):
        if plan.rule is rule:
            break
    else:
        return False
    name, view_args = runtime.account_argument, request.view_args
    account = view_args.get(name) if view_args else None
    if (
        # The same comparison as in cached_requirements().
        app.view_functions.get(rule.endpoint) is not endpoint.view
        or app.before_request_funcs.get(None) != endpoint.app_hooks
        or (endpoint.has_other_sources and endpoint.has_changed_sources(app))
        or (account is None and (plan.names_account or name in kwargs))
        or kwargs.get(name, account) is not account
        or (args and declared.positions.get(name, NO_POSITION) < len(args))
        or getattr(request, IDENTITY_ATTRIBUTE, None) is not None
    ):
        return False
    entries = _find_tokens(runtime, request, plan, account)
    if entries is None:
        return False
    app_entry, consumer_entry = entries
    app_jwt = consumer_jws = None
    # Only now: a request that is left to the guard is counted there.
    if app_entry is not None:
        app_entry.used, app_jwt = True, app_entry.token
        app_entry.verifier.cache.hits += 1
    if consumer_entry is not None:
        consumer_entry.used, consumer_jws = True, consumer_entry.token
        consumer_entry.verifier.cache.hits += 1
    # Without the constructor, which takes five times as long.
    identity = tuple.__new__(Identity, (plan.required, app_jwt, consumer_jws))
    setattr(request, IDENTITY_ATTRIBUTE, (identity, account, entries))
    if token_verified.receivers:
        token_verified.send(app, app_jwt=app_jwt, consumer_jws=consumer_jws)
    return True


def _find_tokens(
    runtime: Runtime, request: Request, plan: Plan, account: str | None
) -> Entries | None:
    """Return the remembered tokens of *request* if they are all that *plan* requires."""
    now, issuer, app_entry, consumer_entry = runtime.clock(), None, None, None
    if (requirement := plan.required.app_jwt) is not None:
        # Not by a local variable, which error reporters show if something here fails.
        app_entry = runtime.app_jwt.recognise(request.environ.get("HTTP_AUTHORIZATION"), now)
        if app_entry is None:
            return None
        token = app_entry.token
        if account is not None and token.account_id != account:
            return None
        if plan.is_limited and not _is_allowed(app_entry, requirement):
            return None
        account, issuer = token.account_id, token.issuer
    if plan.required.consumer_jws is not None:
        consumer_entry = runtime.consumer_jws.recognise(
            request.environ.get(runtime.consumer_environ_key), now, issuer
        )
        if consumer_entry is None:
            return None
        if account is not None and consumer_entry.token.account_id != account:
            return None
        if plan.is_limited and not _is_allowed(consumer_entry, None):
            return None
    return app_entry, consumer_entry


def _is_allowed(entry: CachedToken[Any], requirement: TokenRequirement | None) -> bool:
    """Whether the token has the required scopes, and is of one of the configured accounts."""
    try:
        check_account(entry.token.account_id, None, entry.verifier.rules.audience)
        if requirement is not None:
            check_scopes(entry.token, requirement, entry.verifier)
    except Rejected:
        return False
    return True


def remember_plan(
    runtime: Runtime,
    request: Request,
    declared: Declaration,
    rule: Rule,
    endpoint: EndpointRequirements,
    required: Requirements,
) -> None:
    """Remember how :func:`.enforce` has let *request* pass, for later ones like it.

    Nothing is remembered where each request must be decided: one that may be a preflight, an app
    with claim checks, or with a user loader that runs before the view.

    :param rule: that of *request*.
    :param endpoint: the requirements of the endpoint.
    :param required: those together with the *declared* ones.
    """
    plans, callbacks = endpoint.plans.get(declared, ()), runtime.callbacks
    # First, and without a generator: each request with a new token comes here.
    for known in plans:
        if known.rule is rule:
            return
    if (
        request.method == "OPTIONS"
        or callbacks.checks
        or callbacks.loads_before_view
        # A wrapper that was made for one request would stay in memory.
        or declared not in endpoint.combined
        or len(plans) >= _MAX_PLANS
    ):
        return
    app_jwt = required.app_jwt
    plan = Plan(
        *(rule, required),
        names_account=rule_has_argument(rule, runtime.account_argument),
        is_limited=bool(app_jwt and (app_jwt.scopes or app_jwt.any_scopes))
        or any(verifier.rules.audience is not None for verifier in runtime.verifiers),
    )
    endpoint.plans[declared] = (*plans, plan)
