"""Requirements: which tokens and scopes an endpoint needs, and how a view carries them.

A decorator attaches requirements to the function that it returns. The collecting functions find
them again on a registered view, behind any decorators that were put around it.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial, reduce
from inspect import CO_VARKEYWORDS
from types import CodeType, FunctionType, MethodType
from typing import Any

#: Scopes as arguments: a list, or a string that is split at single spaces.
Scopes = str | Iterable[str]

_REQUIREMENTS_ATTRIBUTE = "_connector_auth_requirements"
_PUBLIC_ATTRIBUTE = "_connector_auth_public"
_HOOK_ATTRIBUTE = "_connector_auth_protection"
_FUNCTION_TYPES = (FunctionType, MethodType, partial)
# Limits the search in closures of unknown code; no real stack of decorators has so many.
_MAX_FUNCTIONS = 64


@dataclass(frozen=True, slots=True)
class TokenRequirement:
    """What is required of one token; ``a | b`` requires all that *a* and *b* do."""

    optional: bool = False  #: whether a missing token passes; an invalid token never does
    scopes: frozenset[str] = frozenset()  #: all of these must be granted
    any_scopes: frozenset[frozenset[str]] = frozenset()  #: of each set, one must be granted

    def __or__(self, other: "TokenRequirement") -> "TokenRequirement":
        return TokenRequirement(
            self.optional and other.optional,
            self.scopes | other.scopes,
            self.any_scopes | other.any_scopes,
        )

    def scope_texts(self) -> list[str]:
        """Return the required scopes. Scopes of which one must be granted are joined by ``|``."""
        return [*self.scopes, *("|".join(sorted(scopes)) for scopes in self.any_scopes)]


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is required of each token, or ``None``; ``a | b`` requires all that *a* and *b* do."""

    app_jwt: TokenRequirement | None = None
    consumer_jws: TokenRequirement | None = None

    def __or__(self, other: "Requirements") -> "Requirements":
        return Requirements(
            _merge(self.app_jwt, other.app_jwt), _merge(self.consumer_jws, other.consumer_jws)
        )

    def __bool__(self) -> bool:
        return self.app_jwt is not None or self.consumer_jws is not None


NO_REQUIREMENTS = Requirements()


def _merge(a: TokenRequirement | None, b: TokenRequirement | None) -> TokenRequirement | None:
    return a | b if a is not None and b is not None else a or b


def merge_requirements(requirements: Iterable[Requirements]) -> Requirements:
    """Return the union of *requirements*; :data:`NO_REQUIREMENTS` itself if all are empty."""
    return reduce(Requirements.__or__, requirements, NO_REQUIREMENTS) or NO_REQUIREMENTS


def token_requirement(
    scopes: Scopes = (), any_scope: Scopes = (), optional: bool = False
) -> TokenRequirement:
    """Return the requirement that a decorator's arguments describe.

    :param scopes: scopes that must all be granted; a string is split at single spaces.
    :param any_scope: scopes of which one must be granted; a string is split likewise.
    :raises ValueError: if a scope is not one that a token can carry (RFC 6749 section 3.3), or an
        argument is empty and not the default.
    """
    all_scopes, any_scopes = _parse_scopes("scopes", scopes), _parse_scopes("any_scope", any_scope)
    return TokenRequirement(optional, all_scopes, frozenset({any_scopes} if any_scopes else ()))


def requirements_of(
    app_jwt: bool, consumer_jws: bool, scopes: Scopes, any_scope: Scopes, optional: bool
) -> Requirements:
    """Return the requirements that the arguments of a call describe.

    :raises ValueError: see :func:`token_requirement`; or if no token is required, or scopes are
        passed without an AppJWT.
    """
    required = token_requirement(scopes, any_scope, optional)
    if not (app_jwt or consumer_jws) or (not app_jwt and required.scope_texts()):
        raise ValueError("require at least one token; scopes can be required of the AppJWT only")
    return Requirements(
        required if app_jwt else None, TokenRequirement(optional) if consumer_jws else None
    )


def _parse_scopes(argument: str, value: Scopes) -> frozenset[str]:
    scopes = frozenset(value.split(" ") if isinstance(value, str) and value else value)
    if not scopes and value != ():
        # From an unset variable, for example: the view would be open to tokens without scopes.
        raise ValueError(f"{argument} is empty: leave it out if no scope is required")
    for scope in scopes:
        # The scope-token of RFC 6749: printable ASCII but space, quote and backslash.
        if not scope or not all("!" <= sign <= "~" and sign not in '"\\' for sign in scope):
            raise ValueError(f"{scope!r} is not a scope (RFC 6749 section 3.3)")
    return scopes


@dataclass(slots=True, eq=False)
class Declaration:
    """The requirements that one decorator, one ``protect()`` or one call declares.

    Compared by identity, which makes it a cheap key.
    """

    requirements: Requirements
    #: The positions of the view's arguments that can be passed by position, by their names.
    positions: Mapping[str, int] = field(default_factory=dict)
    for_target: bool = False  #: of a blueprint or an app: public views are exempt


def attach_requirements(target: Any, requirements: Requirements) -> None:
    """Attach *requirements* to a view, a blueprint or an app, in place of earlier ones.

    ``functools.wraps`` copies those of a view to its wrapper.
    """
    setattr(target, _REQUIREMENTS_ATTRIBUTE, requirements)


def get_attached_requirements(
    target: Any, attribute: str = _REQUIREMENTS_ATTRIBUTE
) -> Requirements:
    """Return what is attached to *target* itself; the functions that it calls do not count."""
    requirements = getattr(target, attribute, None)
    # By exact type: a lazy proxy or a mock has every attribute, and each is a proxy or a mock.
    return requirements if type(requirements) is Requirements else NO_REQUIREMENTS


_hook_requirements = partial(get_attached_requirements, attribute=_HOOK_ATTRIBUTE)


def collect_requirements(view: Any) -> Requirements:
    """Return the requirements of *view* and of each function that it wraps or seems to wrap."""
    return merge_requirements(map(get_attached_requirements, find_decorated(view)))


def collect_certain_requirements(function: Any) -> Requirements:
    """Return the requirements of *function*, a view or a hook, and of all that it declares to wrap.

    Only these are certain to be checked: it may not call another function that it refers to.
    """
    functions = find_wrapped(function)
    return merge_requirements(
        [*map(get_attached_requirements, functions), *map(_hook_requirements, functions)]
    )


def attach_hook_requirements(hook: Callable[..., Any], requirements: Requirements) -> None:
    """Attach *requirements* to the *hook* that ``protect()`` registers."""
    setattr(hook, _HOOK_ATTRIBUTE, requirements)


def collect_hook_requirements(hook: Any) -> Requirements:
    """Return the requirements of *hook*, and of each hook of ``protect()`` that it refers to.

    A function that refers to a hook of ``protect()`` seems to wrap it. A decorated view that *hook*
    refers to does not count: *hook* may call it only in some requests.
    """
    hooks = map(_hook_requirements, _search(hook, _referenced_functions))
    return merge_requirements([get_attached_requirements(hook), *hooks])


def mark_public(view: Callable[..., Any]) -> None:
    """Exempt *view* from the requirements of its blueprint and its app."""
    setattr(view, _PUBLIC_ATTRIBUTE, True)


def is_public(view: Any) -> bool:
    """Whether *view* itself is marked public: a view that calls a public one is not exempt."""
    return getattr(view, _PUBLIC_ATTRIBUTE, False) is True


def find_decorated(view: Any) -> list[Any]:
    """Return *view* and each function that it wraps or seems to wrap, from the outermost one on."""
    return _search(view, _decorated_functions)


def find_wrapped(function: Any) -> list[Any]:
    """Return *function* and each one that it declares to wrap, from the outermost one on."""
    return _search(function, _wrapped_functions)


def _search(view: Any, find_inner: Callable[[Any], list[Any]]) -> list[Any]:
    """Return *view* and all functions that *find_inner* finds in it, and in those, in turn."""
    functions = [view]
    for function in functions:
        functions += [
            inner
            for inner in find_inner(function)
            # By exact type: isinstance() of a proxy can raise outside of its context.
            if type(inner) in _FUNCTION_TYPES and not any(inner is known for known in functions)
        ]
        if len(functions) > _MAX_FUNCTIONS:
            break
    return functions


def _wrapped_functions(function: Any) -> list[Any]:
    """Return what *function* declares to wrap, as ``functools.wraps`` and bound methods do."""
    return [getattr(function, "__wrapped__", None), getattr(function, "__func__", None)]


def _decorated_functions(function: Any) -> list[Any]:
    """Return what *function* declares to wrap, or has in its closure if it is a decorator.

    A decorator without ``functools.wraps`` drops the attached requirements, but its closure has the
    view. If closures were not searched, such a decorator between two of this package would change
    the order of the checks: a request without tokens would get 40104, not the documented 40105.
    """
    code = getattr(function, "__code__", None)
    # A function that accepts any keyword is taken for the wrapper of a decorator. The closure of
    # any other function, such as a view, has functions that it may call: their requirements apply
    # only when it calls them.
    is_decorator = isinstance(code, CodeType) and code.co_flags & CO_VARKEYWORDS
    return [*_wrapped_functions(function), *(_closure_contents(function) if is_decorator else ())]


def _referenced_functions(function: Any) -> list[Any]:
    """Return what *function* declares to wrap, has in its closure, or binds as a ``partial``."""
    bound = [function.func, *function.args] if type(function) is partial else []
    return [*_wrapped_functions(function), *_closure_contents(function), *bound]


def _closure_contents(function: Any) -> list[Any]:
    contents, cells = [], getattr(function, "__closure__", None)
    for cell in cells if type(cells) is tuple else ():
        # A cell is empty, and raises ValueError, until its name is bound.
        with suppress(ValueError):
            contents.append(cell.cell_contents)
    return contents
