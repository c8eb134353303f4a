"""Decorators above a route decorator, where they protect nothing.

A route decorator registers the function that it gets, and returns that function. A decorator above
it makes a wrapper of the same function afterwards, and no request runs that wrapper. The audit
reports it; nothing here is read in a request.
"""

from collections.abc import Iterable, Iterator
from inspect import currentframe
from types import CodeType, FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from flask import Flask

from ..core import Requirements, find_decorated, find_wrapped, get_attached_requirements
from .routes import view_class_of


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


def find_reachable(app: Flask) -> set[int]:
    """Return the ``id()`` of each function that requests to *app* run, or that these wrap."""
    return {
        id(function)
        for view in app.view_functions.values()
        for layer in (view, *_methods(view_class_of(view)))
        for function in find_decorated(layer)
    }


def _methods(view_class: type | None) -> Iterable[Any]:
    return [each for base in getattr(view_class, "__mro__", ()) for each in vars(base).values()]


def find_misplaced(view: Any, required: Requirements, reachable: set[int]) -> Iterator[str]:
    """Yield file and line of each decorator that stands above the registration of *view*.

    Not if *view* has all requirements of the decorator anyway, by ``protect()`` for example.

    :param required: what is required of requests to *view*.
    :param reachable: see :func:`find_reachable`.
    """
    for function in find_wrapped(view):
        if type(function) is not FunctionType:
            continue
        for wrapper, requirements, place in _decorations.get(function, ()):
            if id(wrapper()) not in reachable and required | requirements != required:
                yield place
