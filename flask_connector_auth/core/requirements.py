"""What an endpoint asks of a request, as values that merge, and the mark that a view carries."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, reduce
from inspect import CO_VARKEYWORDS
from types import CodeType, FunctionType, MethodType
from typing import Any

_MARK = "_connector_auth_requirements"
_PUBLIC = "_connector_auth_public"
_PROTECTION = "_connector_auth_protection"
_FUNCTIONS = (FunctionType, MethodType, partial)
# More than any real stack of decorators holds: a bound on a walk through other people's closures.
_MAX_LAYERS = 64


@dataclass(frozen=True, slots=True)
class TokenRequirement:
    """What is asked of one token.

    .. versionadded:: 0.1
    """

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

    .. versionadded:: 0.1
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


class Declared:
    """What one caller asks for: a decorator's wrapper, a hook of ``protect()``, or one call.

    Equal to itself alone, so that it is a key that costs next to nothing.

    :param requirements: what the caller asks for.
    :param positions: the names of the view's arguments, with their places, for those that can be
        passed by place.
    :param for_target: whether it is asked for a blueprint or an app, and not of a public view.
    """

    __slots__ = ("for_target", "positions", "requirements")

    def __init__(
        self,
        requirements: Requirements,
        positions: Mapping[str, int] = {},
        *,
        for_target: bool = False,
    ) -> None:
        self.requirements = requirements
        self.positions = positions
        self.for_target = for_target


def merged(requirements: Iterable[Requirements]) -> Requirements:
    """Return what asks for all of *requirements*; :data:`NOTHING` itself if none asks for any."""
    return reduce(Requirements.__or__, requirements, NOTHING) or NOTHING


def attach_requirements(marked_object: Any, requirements: Requirements) -> None:
    """Let a view, a blueprint or an app carry *requirements*.

    ``functools.wraps`` hands those of a view on to what wraps it.
    """
    setattr(marked_object, _MARK, requirements)


def attached_requirements(marked_object: Any) -> Requirements:
    """Return what *marked_object* itself is marked with; what it may call does not count."""
    found: Requirements = getattr(marked_object, _MARK, NOTHING)
    return found


def collected_requirements(view: Any) -> Requirements:
    """Return all that *view*, and the functions it wraps or seems to wrap, ask for."""
    return merged(map(attached_requirements, _layers(view, _decorated)))


def certain_requirements(view: Any) -> Requirements:
    """Return what *view*, and the functions it says that it wraps, ask for."""
    return merged(map(attached_requirements, _layers(view, _handed_on)))


def attach_protection(hook: Callable[..., Any], requirements: Requirements) -> None:
    """Let *hook*, which ``protect()`` registers, carry *requirements*."""
    setattr(hook, _PROTECTION, requirements)


def attached_protection(hook: Any) -> Requirements:
    """Return what *hook* asks for: as one of ``protect()``, as a wrapper of one, or decorated.

    Only whoever registers hooks is ever given one of ``protect()``. So a function that holds one
    wraps it, while a decorated view that it holds is something that it may call.
    """
    protections = (getattr(each, _PROTECTION, NOTHING) for each in _layers(hook, _called))
    return merged([attached_requirements(hook), *protections])


def mark_public(view: Callable[..., Any]) -> None:
    """Let *view* be exempt from what is asked for its blueprint or app."""
    setattr(view, _PUBLIC, True)


def is_public(view: Any) -> bool:
    """Whether *view* carries the mark itself: nothing is exempt by what it may call."""
    return getattr(view, _PUBLIC, False) is True


def _layers(view: Any, inside: Callable[[Any], list[Any]]) -> list[Any]:
    """Return *view* and the functions found in it, and in these, by *inside*."""
    layers = [view]
    for layer in layers:
        # By exact type: asking a proxy for anything may raise outside its context.
        layers += [
            found
            for found in inside(layer)
            if type(found) in _FUNCTIONS and not any(found is known for known in layers)
        ]
        if len(layers) > _MAX_LAYERS:
            break
    return layers


def _handed_on(layer: Any) -> list[Any]:
    """Return what *layer* itself says that it wraps."""
    return [getattr(layer, "__wrapped__", None), getattr(layer, "__func__", None)]


def _decorated(layer: Any) -> list[Any]:
    """Return what *layer* says that it wraps, or holds as a decorator would.

    A decorator without ``functools.wraps`` drops the mark, but its closure still holds the view
    that it wraps. Without this look inside, a view with such a decorator between ours would ask
    for the tokens in the order of the wrappers, and answer 40104 where 40105 is documented.
    """
    code = getattr(layer, "__code__", None)
    # What takes any keyword hands them on: a decorator. A view's closure holds what the view may
    # call, and asks for nothing until it is called.
    is_decorator = isinstance(code, CodeType) and code.co_flags & CO_VARKEYWORDS
    return [*_handed_on(layer), *(_enclosed(layer) if is_decorator else ())]


def _called(layer: Any) -> list[Any]:
    """Return what *layer* says that it wraps, or holds in any way that a function can."""
    bound = [layer.func, *layer.args] if type(layer) is partial else []
    return [*_handed_on(layer), *_enclosed(layer), *bound]


def _enclosed(function: Any) -> list[Any]:
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        # A cell is empty while the function it is to hold is still being decorated.
        with suppress(ValueError):
            found.append(cell.cell_contents)
    return found
