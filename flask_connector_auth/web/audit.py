"""An audit of an app: each route, and what a request must send to reach its view."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask
from werkzeug.routing import Rule

from ..core import Requirements
from .misplaced import find_misplaced, find_reachable
from .routes import EndpointRequirements, cached_requirements, rule_has_argument
from .runtime import Runtime, current_runtime

# The methods of a rule that has no list of methods.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Access(StrEnum):
    """What happens to a request without any token."""

    PROTECTED = "protected"  #: it is refused
    OPTIONAL = "optional"  #: it reaches the view, since tokens are optional there
    PUBLIC = "public"  #: it reaches the view, which is marked with ``@public``
    UNPROTECTED = "unprotected"  #: it reaches the view, and nothing says that this is intended
    #: A token is required, but it is not certain that it is always checked before the view runs.
    UNCERTAIN = "uncertain"


class Binding(StrEnum):
    """What limits the accounts that a token may name."""

    URL = "url"  #: the account in the URL
    AUDIENCE = "audience"  #: ``CONNECTOR_AUTH_AUDIENCE``
    BOTH = "url and audience"  #: both of these
    ANY = "any"  #: nothing: a token of every account is accepted


@dataclass(frozen=True, slots=True)
class Route:
    """A rule, with those of its methods that have the same requirements."""

    rule: str
    host: str | None  #: the host or the subdomain that the rule is for, if there is one
    endpoint: str
    methods: tuple[str, ...]
    requirements: Requirements
    access: Access
    binding: Binding | None  #: ``None`` if no token is required
    #: File and line of each decorator that protects nothing, because it stands above the route
    #: decorator.
    misplaced: tuple[str, ...] = ()


def audit(app: Flask) -> list[Route]:
    """Return all routes of *app*, by rule.

    The audit reads what is enforced: the merged requirements of view, class, method, blueprints and
    app. If a check is not certain, it says :attr:`Access.UNCERTAIN`. Four things cannot be seen:

    - Requirements that a view has only when it runs, by ``verify_request()``: the route is called
      unprotected.
    - A wrapper, with ``functools.wraps``, of a decorated view or of a hook of ``protect()`` that
      does not always call what it wraps: the route is called protected.
    - A decorated method of a ``MethodView`` that an overridden ``dispatch_request`` does not call:
      the route is called protected, since the overrides of frameworks do call the method.
    - An account that a decorator looks up: it does not count as a binding.

    :raises RuntimeError: if the app has no extension.
    """
    runtime, reachable = current_runtime(app), find_reachable(app)
    routes = [
        route
        for rule in app.url_map.iter_rules()
        for route in _routes(app, runtime, rule, reachable)
    ]
    return sorted(routes, key=lambda route: (route.rule, route.host or "", route.methods))


def _routes(app: Flask, runtime: Runtime, rule: Rule, reachable: set[int]) -> Iterator[Route]:
    # A rule without a view is not a route.
    if rule.build_only or rule.endpoint not in app.view_functions:
        return
    methods = set(_METHODS if rule.methods is None else rule.methods)
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")  # Flask answers it without the view
    groups: dict[tuple[Requirements, Access], list[str]] = {}
    for method in sorted(methods):
        endpoint = cached_requirements(app, runtime, rule, method, remember=False)
        groups.setdefault((endpoint.requirements, _access(endpoint)), []).append(method)
    for (requirements, access), group in groups.items():
        binding = _binding(runtime, rule) if requirements else None
        host = rule.host or rule.subdomain or None
        view = app.view_functions[rule.endpoint]
        misplaced = tuple(dict.fromkeys(find_misplaced(view, requirements, reachable)))
        yield Route(
            *(rule.rule, host, rule.endpoint, tuple(group)),
            *(requirements, access, binding, misplaced),
        )


def _access(endpoint: EndpointRequirements) -> Access:
    tokens = (endpoint.requirements.app_jwt, endpoint.requirements.consumer_jws)
    required = [token for token in tokens if token is not None]
    if any(not token.optional for token in required):
        return Access.PROTECTED if endpoint.is_certain else Access.UNCERTAIN
    if required:
        return Access.OPTIONAL
    return Access.PUBLIC if endpoint.is_public else Access.UNPROTECTED


def _binding(runtime: Runtime, rule: Rule) -> Binding:
    has_account = rule_has_argument(rule, runtime.account_argument)
    if all(verifier.rules.audience is not None for verifier in runtime.verifiers):
        return Binding.BOTH if has_account else Binding.AUDIENCE
    return Binding.URL if has_account else Binding.ANY
