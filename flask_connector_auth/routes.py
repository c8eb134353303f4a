"""An endpoint and a method in; all that its blueprints, its view and its method ask for out."""

from functools import reduce

from flask import Flask, current_app

from .requirements import NOTHING, Requirements, is_public, mark_of, marked
from .state import State

# More than a view has wrappers; what is decorated anew in each request must not add up.
_MAX_INCLUDED = 32


class Route:
    """What one endpoint asks of a request with one method."""

    __slots__ = ("included", "requirements")

    def __init__(self, requirements: Requirements) -> None:
        self.requirements = requirements
        #: Requirements of wrappers that are known to be part of these, by their ``id()``: comparing
        #: values takes longer than all the rest. Being kept here, none gives its id to another.
        self.included: dict[int, Requirements] = {}

    def join(self, own: Requirements, keep: bool) -> Requirements:
        """Return what the endpoint and a caller with *own* requirements ask for together.

        :param keep: whether *own* will come again.
        """
        together = self.requirements | own
        if together != self.requirements:
            return together
        if keep and len(self.included) < _MAX_INCLUDED:
            self.included[id(own)] = own
        return self.requirements


def route_of(state: State, endpoint: str, method: str) -> Route:
    """Work out what *endpoint* asks of a request with *method*, and keep it with the app.

    The requirement belongs to the endpoint, not to the wrapper that happens to run first: so the
    order of errors is the same however it was declared.
    """
    route = state.routes[endpoint, method] = Route(resolve(current_app, endpoint, method))
    return route


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
