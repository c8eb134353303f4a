"""An audit of an app: each route, and what a request must send to reach its view.

It also finds decorators above a route decorator, where they protect nothing. A route decorator
registers the function that it gets, and returns that function. A decorator above it makes a wrapper
of the same function afterwards, and no request runs that wrapper.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from inspect import currentframe
from types import CodeType, FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from flask import Flask
from werkzeug.routing import Rule

from ..core import Requirements, find_decorated, find_wrapped, get_attached_requirements
from .routes import EndpointRequirements, cached_requirements, rule_has_argument, view_class_of
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
    runtime, reachable = current_runtime(app), _find_reachable(app)
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
        misplaced = tuple(dict.fromkeys(_find_misplaced(view, requirements, reachable)))
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


class _Decoration(NamedTuple):
    """A decorator of this package that is written above a function."""

    wrapper: "ref[Any]"  #: to what it returned
    requirements: Requirements
    place: str  #: file and line of the decorator


# By the function below the decorators. Nothing in a value keeps the function or a wrapper alive.
_decorations: WeakKeyDictionary[Any, list[_Decoration]] = WeakKeyDictionary()


def remember_decoration(view: Any, wrapper: Any) -> None:
    """Remember that *wrapper* was made of *view* by a decorator in its ``def`` statement.

    Only then is the function itself out of reach for code below, so that it can have been
    registered by a decorator between the two alone. Code that calls ``require_app_jwt(view)`` may
    register both on purpose.
    """
    # A bound method is decorated anew for each request by some frameworks, and never by ``@``.
    if type(view) is not FunctionType:
        return
    for function in find_decorated(view):
        if type(function) is FunctionType and (place := _decorator_place(function.__code__)):
            decoration = _Decoration(ref(wrapper), get_attached_requirements(wrapper), place)
            _decorations.setdefault(function, []).append(decoration)


def _decorator_place(code: CodeType) -> str | None:
    """Return file and line of the decorator that runs now in the ``def`` statement of *code*."""
    first = code.co_firstlineno
    last = max((line for *_, line in code.co_lines() if line is not None), default=first)
    frame = currentframe()
    # The frame of a decorator of the app, which calls ours, may lie between.
    while frame is not None:
        # By its constants: the body of the function, where it is running, has the same lines.
        is_maker = any(constant is code for constant in frame.f_code.co_consts)
        if is_maker and first <= frame.f_lineno <= last:
            return f"{code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def _find_reachable(app: Flask) -> set[int]:
    """Return the ``id()`` of each function that requests to *app* run, or that these wrap."""
    return {
        id(function)
        for view in app.view_functions.values()
        for layer in (view, *_methods(view_class_of(view)))
        for function in find_decorated(layer)
    }


def _methods(view_class: type | None) -> Iterable[Any]:
    return [each for base in getattr(view_class, "__mro__", ()) for each in vars(base).values()]


def _find_misplaced(view: Any, required: Requirements, reachable: set[int]) -> Iterator[str]:
    """Yield file and line of each decorator that stands above the registration of *view*.

    Not if *view* has all requirements of the decorator anyway, by ``protect()`` for example.

    :param required: what is required of requests to *view*.
    :param reachable: see :func:`_find_reachable`.
    """
    for function in find_wrapped(view):
        if type(function) is not FunctionType:
            continue
        for wrapper, requirements, place in _decorations.get(function, ()):
            if id(wrapper()) not in reachable and required | requirements != required:
                yield place
