"""What an endpoint asks of a request, as values that merge, and the mark that a view carries."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from inspect import CO_VARKEYWORDS
from types import CodeType, FunctionType, MethodType
from typing import Any

_MARK = "_connector_auth_requirements"
_PUBLIC = "_connector_auth_public"
_FUNCTIONS = (FunctionType, MethodType)
# More than any real stack of decorators holds: a bound on a walk through other people's closures.
_MAX_LAYERS = 64


@dataclass(frozen=True, slots=True)
class TokenRequirement:
    """What is asked of one token."""

    optional: bool = False  #: a missing token passes; an invalid one never does
    scopes: frozenset[str] = frozenset()  #: all of these must be granted
    any_scopes: frozenset[frozenset[str]] = frozenset()  #: of each of these, at least one

    def __or__(self, other: "TokenRequirement") -> "TokenRequirement":
        return TokenRequirement(
            self.optional and other.optional,
            self.scopes | other.scopes,
            self.any_scopes | other.any_scopes,
        )


@dataclass(frozen=True, slots=True)
class Requirements:
    """Which tokens an endpoint asks for; ``None`` where it does not ask for that one.

    ``a | b`` asks for everything that *a* or *b* asks for.
    """

    app_jwt: TokenRequirement | None = None
    consumer_jws: TokenRequirement | None = None

    def __or__(self, other: "Requirements") -> "Requirements":
        return Requirements(
            _merge(self.app_jwt, other.app_jwt), _merge(self.consumer_jws, other.consumer_jws)
        )

    def __bool__(self) -> bool:
        return self.app_jwt is not None or self.consumer_jws is not None


NOTHING = Requirements()


def _merge(one: TokenRequirement | None, other: TokenRequirement | None) -> TokenRequirement | None:
    if one is None or other is None:
        return one or other
    return one | other


def token_requirement(
    scopes: str | Iterable[str] = (), any_scope: str | Iterable[str] = (), optional: bool = False
) -> TokenRequirement:
    """Return what a decorator's arguments ask for.

    :param scopes: scopes that must all be granted; a string is split at single spaces.
    :param any_scope: scopes of which one must be granted; a string is split likewise.
    :raises ValueError: if a scope is not one that a token can carry (RFC 6749 section 3.3).
    """
    any_scopes = _scopes(any_scope)
    return TokenRequirement(
        optional, _scopes(scopes), frozenset({any_scopes}) if any_scopes else frozenset()
    )


def _scopes(value: str | Iterable[str]) -> frozenset[str]:
    scopes = frozenset(value.split(" ") if isinstance(value, str) and value else value)
    for scope in scopes:
        # The scope-token of RFC 6749: printable ASCII but space, quote and backslash.
        if not scope or not all("!" <= sign <= "~" and sign not in '"\\' for sign in scope):
            raise ValueError(f"{scope!r} is not a scope (RFC 6749 section 3.3)")
    return scopes


def mark(view: Callable[..., Any], requirements: Requirements) -> None:
    """Let *view* carry *requirements*; ``functools.wraps`` hands them on to what wraps it."""
    setattr(view, _MARK, requirements)


def mark_of(hook: Any) -> Requirements:
    """Return what *hook* itself is marked with; what it may call does not count."""
    found: Requirements = getattr(hook, _MARK, NOTHING)
    return found


def marked(view: Any) -> Requirements:
    """Return all that *view* and the functions it wraps ask for."""
    return reduce(Requirements.__or__, map(mark_of, _layers(view)), NOTHING)


def mark_public(view: Callable[..., Any]) -> None:
    """Let *view* be exempt from what is asked for its blueprint or app."""
    setattr(view, _PUBLIC, True)


def is_public(view: Any) -> bool:
    """Whether *view* carries the mark itself: nothing is exempt by what it may call."""
    return getattr(view, _PUBLIC, False) is True


def _layers(view: Any) -> list[Any]:
    """Return *view* and the functions it wraps.

    A decorator without ``functools.wraps`` drops the mark, but its closure still holds the view
    that it wraps. Without this look inside, a view with such a decorator between ours would ask
    for the tokens in the order of the wrappers, and answer 40104 where 40105 is documented.
    """
    layers = [view]
    for layer in layers:
        inner = [getattr(layer, "__wrapped__", None), getattr(layer, "__func__", None)]
        inner += _enclosed(layer)
        # By exact type: asking a proxy for anything may raise outside its context.
        layers += [
            found
            for found in inner
            if type(found) in _FUNCTIONS and not any(found is known for known in layers)
        ]
        if len(layers) > _MAX_LAYERS:
            break
    return layers


def _enclosed(function: Any) -> list[Any]:
    code = getattr(function, "__code__", None)
    # What takes any keyword hands them on: a decorator. A view's closure holds what the view may
    # call, and asks for nothing until it is called.
    if not isinstance(code, CodeType) or not code.co_flags & CO_VARKEYWORDS:
        return []
    found = []
    for cell in function.__closure__ or ():
        # A cell is empty while the function it is to hold is still being decorated.
        with suppress(ValueError):
            found.append(cell.cell_contents)
    return found
