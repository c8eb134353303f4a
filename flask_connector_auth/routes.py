"""An endpoint and a method in; all that its blueprints, its view and its method ask for out."""

from functools import reduce
from typing import Any, cast

from flask import Flask, Request
from flask.views import MethodView
from werkzeug.routing import MapAdapter, Rule

from .requirements import NOTHING, Requirements, is_public, mark_of, marked
from .state import State, current_app

# More than a view has wrappers; what is decorated anew in each request must not add up.
_MAX_INCLUDED = 32


class Asked:
    """What one endpoint asks of a request with one method."""

    __slots__ = ("included", "requirements")

    def __init__(self, requirements: Requirements) -> None:
        self.requirements: Requirements = requirements
        #: Of the wrappers whose part is known. Being kept here, none gives its id to another.
        self.included: list[Requirements] = []


def asked_at(
    state: State, rule: Rule, method: str, own: Requirements, *, keep: bool
) -> Requirements:
    """Return what the endpoint of *rule* and a caller with *own* requirements ask for together.

    The requirement belongs to the endpoint, not to the wrapper that happens to run first: so the
    order of errors is the same however it was declared. It is worked out at first contact.

    :param keep: whether *own* will come again, and is worth remembering with the app.
    :returns: :data:`NOTHING` itself where nothing is asked.
    """
    endpoint = rule.endpoint
    # Where a rule takes any method, a stranger invents as many as they like.
    bounded = rule.methods is not None
    whole = state.routes.get((endpoint, method))
    if whole is None:
        whole = Asked(resolve(current_app(), endpoint, method))
        if bounded:
            # Of two threads here at once, both go on with one: what the other one had included
            # would be freed, and its id given to somebody else.
            whole = state.routes.setdefault((endpoint, method), whole)
    together = whole.requirements | own
    if together == whole.requirements:
        together = whole.requirements
    asked = together or NOTHING
    if keep and bounded and len(whole.included) < _MAX_INCLUDED:
        # By its id: comparing values takes longer than all the rest.
        whole.included.append(own)
        state.asked[id(own), endpoint, method] = asked
    return asked


def names(rule: Rule, argument: str) -> bool:
    """Whether a URL of *rule* has *argument*; a default of ``None`` says that it has none."""
    return argument in rule.arguments and (rule.defaults or {}).get(argument, "") is not None


def argument_in_url(request: Request, name: str) -> Any:
    """Return what the URL of *request* says for *name*, which its rule has; never ``None``.

    For where the app takes it out of the view's arguments before the view runs, as Flask's manual
    does with a language code: it names the account all the same.

    :raises werkzeug.exceptions.HTTPException: if the URL was changed meanwhile, and fits no rule.
    """
    adapter = cast(MapAdapter, current_app().create_url_adapter(request))
    value = adapter.match()[1].get(name)
    # A converter that finds nobody by that name has not said that everybody is meant.
    return "" if value is None else value


def resolve(app: Flask, endpoint: str, method: str) -> Requirements:
    """Merge the marks of app, blueprints, view function, view class and method."""
    layers = _layers(app, endpoint, method)
    requirements = reduce(Requirements.__or__, map(marked, layers), NOTHING)
    if exempt(app, endpoint, method):
        return requirements
    return reduce(Requirements.__or__, map(mark_of, _hooks(app, endpoint)), requirements)


def exempt(app: Flask, endpoint: str, method: str) -> bool:
    """Whether what is asked for app and blueprints is not asked there."""
    return any(map(is_public, _layers(app, endpoint, method)))


def _layers(app: Flask, endpoint: str, method: str) -> list[object]:
    view = app.view_functions.get(endpoint)
    view_class = getattr(view, "view_class", None)
    if not issubclass(view_class or object, MethodView):
        # A plain View has no method for each HTTP method, whatever its helpers are called.
        return [view, getattr(view_class, "dispatch_request", None)]
    name = method.lower()
    if name == "head" and not hasattr(view_class, name):
        name = "get"  # as MethodView does
    return [view, *(getattr(view_class, each, None) for each in ("dispatch_request", name))]


def _hooks(app: Flask, endpoint: str) -> list[object]:
    """Return what runs before the view: ``protect()`` marks the function it registers there."""
    names: list[str | None] = [None]
    for part in endpoint.split(".")[:-1]:
        names.append(part if names[-1] is None else f"{names[-1]}.{part}")
    return [hook for name in names for hook in app.before_request_funcs.get(name, ())]
