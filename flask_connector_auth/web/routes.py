"""The requirements of an endpoint, and the account that a request to it names."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, cast

from flask import Flask, Request
from flask.typing import RouteCallable
from flask.views import MethodView
from werkzeug.routing import MapAdapter, Rule

from ..core import (
    Declaration,
    Requirements,
    collect_certain_requirements,
    collect_hook_requirements,
    collect_requirements,
    get_attached_requirements,
    is_public,
    merge_requirements,
)
from .context import current_app
from .runtime import Runtime

# No view has as many decorators. The limit keeps memory bounded if an app decorates a function in
# every request.
_MAX_COMBINED = 32
# Stands for an argument that was not passed.
_NOT_PASSED = object()


class EndpointRequirements:
    """The requirements of one endpoint for requests with one method, and their sources.

    Requirements belong to the endpoint, and not to the wrapper that runs first: so the order of
    errors does not depend on how they were declared.
    """

    __slots__ = (
        "_hooks", "_methods", "app_hooks", "combined",
        "has_other_sources", "is_certain", "is_public", "plans", "requirements", "view",
    )  # fmt: skip

    def __init__(self, app: Flask, endpoint: str, method: str) -> None:
        # The sources are read once: all below is computed from these copies.
        self.view: RouteCallable | None = app.view_functions.get(endpoint)
        self.app_hooks: list[Any] | None = _hooks_of(app, None)
        parts = endpoint.split(".")[:-1]
        # The blueprints that the endpoint is in, from the outermost one on.
        names = [".".join(parts[: place + 1]) for place in range(len(parts))]
        self._hooks = [(name, _hooks_of(app, name)) for name in names]
        view_class = view_class_of(self.view)
        self._methods = [
            (view_class, name, getattr(view_class, name, None))
            for name in _method_names(view_class, method)
        ]
        #: Whether there are sources beside the view and the hooks of the app.
        self.has_other_sources: bool = bool(self._hooks or self._methods)
        layers = [self.view, *(function for *_, function in self._methods)]
        #: Whether the endpoint is exempt from what app and blueprints require.
        self.is_public: bool = any(map(is_public, layers))
        hooks: list[Any] = []
        targets: list[Any] = []
        if not self.is_public:
            of_blueprints = (hooks for _, hooks in self._hooks)
            hooks = [*chain.from_iterable(filter(None, [self.app_hooks, *of_blueprints]))]
            targets = [app, *map(app.blueprints.get, names)]
        #: All that the endpoint requires; the object ``NO_REQUIREMENTS`` if it requires nothing.
        self.requirements: Requirements = merge_requirements(
            [
                *map(collect_requirements, layers),
                *map(collect_hook_requirements, hooks),
                *map(get_attached_requirements, targets),
            ]
        )
        #: Whether it is certain that a token is checked before the view runs.
        self.is_certain: bool = any(map(collect_certain_requirements, [*layers, *hooks]))
        #: The requirements of endpoint and caller together, for each caller seen so far.
        self.combined: dict[Declaration, Requirements] = {}
        #: Each ``Plan`` of :mod:`.recognition`, for each of these callers.
        self.plans: dict[Declaration, tuple[Any, ...]] = {}

    def has_changed_sources(self, app: Flask) -> bool:
        """Whether hooks of blueprints, or methods of the view's class, were replaced."""
        hooks = app.before_request_funcs
        for name, known in self._hooks:
            if hooks.get(name) != known:
                return True
        # Flask reads the class from the view for each request.
        current_class = getattr(self.view, "view_class", None)
        for view_class, name, method in self._methods:
            if current_class is not view_class or getattr(view_class, name, None) is not method:
                return True
        return False

    def combine_with(self, declared: Declaration, *, remember: bool) -> Requirements:
        """Return what endpoint and caller require together; ``NO_REQUIREMENTS`` itself if nothing.

        :param remember: whether the caller uses the same *declared* for each request.
        """
        combined = self.requirements
        if not (self.is_public and declared.for_target):
            together = merge_requirements([combined, declared.requirements])
            # One object for all callers that add nothing: identity is faster to compare.
            combined = combined if together == combined else together
        if remember and len(self.combined) < _MAX_COMBINED:
            self.combined[declared] = combined
        return combined


def cached_requirements(
    app: Flask, runtime: Runtime, rule: Rule, method: str, *, remember: bool = True
) -> EndpointRequirements:
    """Return the requirements of the endpoint of *rule*: the remembered ones if still current.

    :param remember: whether to remember them for later requests.
    """
    endpoint = rule.endpoint
    found: EndpointRequirements | None = runtime.endpoints.get((endpoint, method))
    if (
        found is None
        or app.view_functions.get(endpoint) is not found.view
        or app.before_request_funcs.get(None) != found.app_hooks
        or (found.has_other_sources and found.has_changed_sources(app))
    ):
        found = EndpointRequirements(app, endpoint, method)
    # Rules without a method list accept arbitrary methods: a client could fill the memory.
    if remember and rule.methods is not None:
        runtime.endpoints[endpoint, method] = found
    return found


def rule_has_argument(rule: Rule, argument: str) -> bool:
    """Whether URLs of *rule* have *argument*; one whose default is ``None`` does not count."""
    return argument in rule.arguments and (rule.defaults or {}).get(argument, "") is not None


def account_id_of_call(
    request: Request,
    name: str,
    declared: Declaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Return the account that the URL of *request* and the call of its view name together.

    A decorator of the app may look the account up, and pass it to the view as an argument. That
    argument names the account as an argument of the URL does.

    :param name: of the argument that names the account.
    :param args: the positional arguments of the view.
    :param kwargs: the keyword arguments of the view.
    :returns: the account; ``None`` if neither names one. If the two differ, or if an account was
        looked up and not found, an empty string: no token is of that account.
    :raises werkzeug.exceptions.HTTPException: if the URL was changed since it was routed, and no
        rule matches it.
    """
    rule, view_args = request.url_rule, request.view_args or {}
    in_url = view_args.get(name)
    if in_url is None and rule is not None and rule_has_argument(rule, name):
        # The app may have removed it from the arguments, as Flask's manual does with a language
        # code (URL processors); the URL still names it.
        adapter = cast(MapAdapter, current_app().create_url_adapter(request))
        in_url = adapter.match()[1].get(name)
        # A converter that returns None means "unknown account", never "any account".
        in_url = "" if in_url is None else in_url
    position = declared.positions.get(name, len(args))
    passed = args[position] if position < len(args) else kwargs.get(name, _NOT_PASSED)
    if passed is _NOT_PASSED:
        return in_url
    if passed is None:
        # If the rule itself gives ``None``, no account is named. If a decorator passes ``None``,
        # the account was not found.
        return in_url if name in view_args else ""
    return passed if in_url is None or str(in_url) == str(passed) else ""


def view_class_of(view: Any) -> type | None:
    """Return the class that *view* was made from by ``as_view()``, or ``None``."""
    view_class = getattr(view, "view_class", None)
    # A lazy proxy or a mock has every attribute.
    return view_class if isinstance(view_class, type) else None


def _method_names(view_class: type | None, method: str) -> list[str]:
    """Return the names of the methods of *view_class* that a request with *method* runs."""
    if view_class is None:
        return []
    if not issubclass(view_class, MethodView):
        # A plain View runs no other method, even if it has one that is called ``get``.
        return ["dispatch_request"]
    name = method.lower()
    # HEAD runs ``get`` where there is no ``head``.
    fallback = ["get"] if name == "head" and not hasattr(view_class, name) else []
    return ["dispatch_request", name, *fallback]


def _hooks_of(app: Flask, name: str | None) -> list[Any] | None:
    """Return a copy of the hooks that run for the app, or for the blueprint of that *name*."""
    hooks = app.before_request_funcs.get(name)
    return None if hooks is None else [*hooks]
