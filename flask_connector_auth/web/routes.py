"""What an endpoint asks for: the marks of its blueprints, its view and its method, merged."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, cast

from flask import Flask, Request
from flask.views import MethodView
from werkzeug.routing import MapAdapter, Rule

from ..core import (
    NO_REQUIREMENTS,
    Declaration,
    Requirements,
    collect_certain_requirements,
    collect_hook_requirements,
    collect_requirements,
    get_attached_requirements,
    is_public,
    merge_requirements,
)
from .runtime import Runtime, current_app

# More than a view has wrappers; what is decorated anew in each request must not add up.
_MAX_INCLUDED = 32
# Stands for an argument that was not passed.
_NOT_PASSED = object()


class EndpointRequirements:
    """What one endpoint asks of a request with one method, and what that was worked out from.

    The requirement belongs to the endpoint, not to the wrapper that happens to run first: so the
    order of errors is the same however it was declared.
    """

    __slots__ = (
        "_endpoint", "_hooks", "_methods", "app_hooks", "has_more",
        "included", "is_public", "is_sure", "requirements", "view",
    )  # fmt: skip

    def __init__(self, app: Flask, endpoint: str, method: str) -> None:
        # Read once, and first: all below is worked out from what is remembered here.
        self.view = app.view_functions.get(endpoint)
        self.app_hooks = _hooks_of(app, None)
        self._endpoint = endpoint
        names = _blueprint_names(endpoint)
        self._hooks = [(name, _hooks_of(app, name)) for name in names]
        view_class = getattr(self.view, "view_class", None)
        self._methods = [
            (view_class, name, getattr(view_class, name, None))
            for name in _method_names(view_class, method)
        ]
        #: Whether it was worked out from more than the view and the hooks of the app.
        self.has_more = bool(self._hooks or self._methods)
        layers = [self.view, *(function for *_, function in self._methods)]
        #: Whether what is asked for app and blueprints is not asked here.
        self.is_public = any(map(is_public, layers))
        by_hooks = by_targets = NO_REQUIREMENTS
        if not self.is_public:
            hooks = [self.app_hooks, *(hooks for _, hooks in self._hooks)]
            by_hooks = merge_requirements(
                map(collect_hook_requirements, chain.from_iterable(filter(None, hooks)))
            )
            by_targets = merge_requirements(
                map(get_attached_requirements, [app, *map(app.blueprints.get, names)])
            )
        #: What the endpoint asks for; ``NO_REQUIREMENTS`` itself where that is nothing.
        self.requirements = merge_requirements(
            [*map(collect_requirements, layers), by_hooks, by_targets]
        )
        #: Whether that is certain to be asked before the view runs.
        self.is_sure = bool(
            merge_requirements([*map(collect_certain_requirements, layers), by_hooks])
        )
        #: What it asks for together with each caller whose part is known.
        self.included: dict[Declaration, Requirements] = {}

    def is_current(self, app: Flask) -> bool:
        """Whether view and hooks are still those that this was worked out from."""
        return (
            app.view_functions.get(self._endpoint) is self.view
            and app.before_request_funcs.get(None) == self.app_hooks
            and not (self.has_more and self.has_changed(app))
        )

    def has_changed(self, app: Flask) -> bool:
        """Whether hooks of blueprints, or methods of the view's class, are others by now."""
        hooks = app.before_request_funcs
        for name, known in self._hooks:
            if hooks.get(name) != known:
                return True
        for view_class, name, method in self._methods:
            if getattr(view_class, name, None) is not method:
                return True
        return False

    def together_with(self, declared: Declaration, *, keep: bool) -> Requirements:
        """Return what the endpoint and a caller ask for together; ``NO_REQUIREMENTS`` if nothing.

        :param keep: whether the caller will come again, and is worth remembering.
        """
        asked = self.requirements
        if not (self.is_public and declared.for_target):
            together = merge_requirements([asked, declared.requirements])
            # One object for all callers that add nothing: to compare values takes longer.
            asked = asked if together == asked else together
        if keep and len(self.included) < _MAX_INCLUDED:
            self.included[declared] = asked
        return asked


def requirements_for(
    app: Flask, state: Runtime, endpoint: str, method: str
) -> EndpointRequirements:
    """Return what is enforced at *endpoint*: what is remembered, as long as it is current."""
    known: EndpointRequirements | None = state.routes.get((endpoint, method))
    if known is not None and known.is_current(app):
        return known
    return EndpointRequirements(app, endpoint, method)


def remember_requirements(
    app: Flask, state: Runtime, rule: Rule, method: str
) -> EndpointRequirements:
    """Return what is enforced at *rule*, and remember it."""
    found = EndpointRequirements(app, rule.endpoint, method)
    # Rules without a method list accept arbitrary methods: a client could grow what is kept.
    if rule.methods is not None:
        state.routes[rule.endpoint, method] = found
    return found


def rule_has_argument(rule: Rule, argument: str) -> bool:
    """Whether a URL of *rule* has *argument*; a default of ``None`` says that it has none."""
    return argument in rule.arguments and (rule.defaults or {}).get(argument, "") is not None


def account_of(
    request: Request,
    name: str,
    declared: Declaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Return the account that the URL of *request* and the call of its view name together.

    What a decorator of the app passes to the view binds as the URL does: it may have looked the
    account up by another name.

    :param name: of the argument that names the account.
    :param args: what the view is called with, by place.
    :param kwargs: what it is called with by name.
    :returns: ``None`` if neither names an account; ``""``, which no token is of, if the two differ,
        or if one of them looked for an account and found none.
    :raises werkzeug.exceptions.HTTPException: if the URL was changed meanwhile, and fits no rule.
    """
    rule, view_args = request.url_rule, request.view_args or {}
    in_url = view_args.get(name)
    if in_url is None and rule is not None and rule_has_argument(rule, name):
        in_url = _argument_in_url(request, name)
    place = declared.positions.get(name, len(args))
    passed = args[place] if place < len(args) else kwargs.get(name, _NOT_PASSED)
    if passed is _NOT_PASSED:
        return in_url
    if passed is None:
        # A rule with a default of ``None`` passes it on: that is no account, not an unknown one.
        return in_url if name in view_args else ""
    return passed if in_url is None or str(in_url) == str(passed) else ""


def _argument_in_url(request: Request, name: str) -> Any:
    """Return what the URL of *request* says for *name*, which its rule has; never ``None``.

    For where the app takes it out of the view's arguments before the view runs, as Flask's manual
    does with a language code: it names the account all the same.

    :raises werkzeug.exceptions.HTTPException: if the URL was changed meanwhile, and fits no rule.
    """
    adapter = cast(MapAdapter, current_app().create_url_adapter(request))
    value = adapter.match()[1].get(name)
    # A converter that returns None means "unknown account", never "any account".
    return "" if value is None else value


def _method_names(view_class: Any, method: str) -> list[str]:
    """Return the names of the methods of *view_class* that a request with *method* runs."""
    if view_class is None:
        return []
    if not issubclass(view_class, MethodView):
        # A plain View has no method for each HTTP method, whatever its helpers are called.
        return ["dispatch_request"]
    name = method.lower()
    # HEAD runs ``get`` where there is no ``head``.
    fallback = ["get"] if name == "head" and not hasattr(view_class, name) else []
    return ["dispatch_request", name, *fallback]


def _hooks_of(app: Flask, name: str | None) -> list[Any] | None:
    """Return a copy of the hooks that run for the app, or for the blueprint of that *name*."""
    hooks = app.before_request_funcs.get(name)
    return None if hooks is None else [*hooks]


def _blueprint_names(endpoint: str) -> list[str]:
    """Return the names of the blueprints that *endpoint* is in, from the outermost one on."""
    parts = endpoint.split(".")[:-1]
    return [".".join(parts[: place + 1]) for place in range(len(parts))]
