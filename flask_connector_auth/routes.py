"""An endpoint and a method in; all that its blueprints, its view and its method ask for out."""

from functools import reduce

from flask import Flask, current_app

from .requirements import NOTHING, Requirements, is_public, mark_of, marked
from .state import State


def requirements_of(state: State, endpoint: str, method: str) -> Requirements:
    """Return what *endpoint* asks of a request with *method*, worked out once.

    The requirement belongs to the endpoint, not to the wrapper that happens to run first: so the
    order of errors is the same however it was declared.
    """
    found = state.routes.get((endpoint, method))
    if found is None:
        found = state.routes[endpoint, method] = resolve(current_app, endpoint, method)
    return found


def resolve(app: Flask, endpoint: str, method: str) -> Requirements:
    """Merge the marks of app, blueprints, view function, view class and method."""
    layers = _layers(app, endpoint, method)
    requirements = reduce(Requirements.__or__, map(marked, layers), NOTHING)
    if any(map(is_public, layers)):
        return requirements
    return reduce(Requirements.__or__, map(mark_of, _hooks(app, endpoint)), requirements)


def _layers(app: Flask, endpoint: str, method: str) -> list[object]:
    view = app.view_functions[endpoint]
    view_class = getattr(view, "view_class", None)
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
