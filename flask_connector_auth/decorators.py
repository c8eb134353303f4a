"""A view in; the same view out, asking for tokens before it runs."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, ParamSpec, TypeVar, cast, overload

from .core import (
    Declaration,
    Requirements,
    TokenRequirement,
    attach_requirements,
    collect_requirements,
    get_attached_requirements,
    mark_public,
    token_requirement,
)
from .web import Identity, guard

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound=Callable[..., Any])

Scopes = str | Iterable[str]

_WRAPPER = "_connector_auth_wrapper"


@overload
def require_app_jwt(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def require_app_jwt(
    *, scopes: Scopes = (), any_scope: Scopes = (), optional: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def require_app_jwt(
    view: Any = None,
    /,
    *,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: bool = False,
) -> Any:
    """Let *view* run only for a request with a valid AppJWT in ``Authorization``.

    Works bare and called, on functions, ``async def`` views and methods, and in the ``decorators``
    of a ``MethodView``.

    :param scopes: scopes that must all be granted: a list, or a string split at single spaces
        (RFC 6749 section 3.3).
    :param any_scope: scopes of which one must be granted.
    :param optional: let a request without the token pass; one with an invalid token never does.
    :raises TypeError: at import, if what is decorated is not a view.
    :raises ValueError: at import, if a scope is not one that a token can carry.
    :raises AppJWTMissing, InvalidAppJWT: at request time; answered as rows 40105 and 40102.
    """
    requirements = Requirements(app_jwt=token_requirement(scopes, any_scope, optional))
    return _decorator(view, requirements, 'require_app_jwt(scopes="…")')


@overload
def require_consumer_jws(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def require_consumer_jws(
    *, optional: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def require_consumer_jws(view: Any = None, /, *, optional: bool = False) -> Any:
    """Let *view* run only for a request with a valid ConsumerJWS in ``X-LP-ON-BEHALF``.

    With :func:`require_app_jwt` on the same view, in either order, the AppJWT is judged first and
    both must name one account.

    :param optional: let a request without the token pass; one with an invalid token never does.
    :raises TypeError: at import, if what is decorated is not a view.
    :raises ConsumerJWSMissing, InvalidConsumerJWS: at request time; answered as rows 40104 and
        40103.
    """
    requirements = Requirements(consumer_jws=TokenRequirement(optional=optional))
    return _decorator(view, requirements, "require_consumer_jws(optional=True)")


def public(view: V) -> V:
    """Exempt *view* from what ``protect()`` asks for its blueprint or app.

    What decorators of its own ask for still holds. The function itself is marked: registered at
    two endpoints, it is exempt at both.
    """
    mark_public(view)
    return view


def verify_request(
    *,
    app_jwt: bool = True,
    consumer_jws: bool = True,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: bool = False,
) -> Identity:
    """Ask the current request for tokens, as the decorators do, where no view can be decorated.

    Each call judges as of now: what expired or was revoked since the last one is refused.

    :param app_jwt: whether to ask for the AppJWT, with *scopes* and *any_scope*.
    :param consumer_jws: whether to ask for the ConsumerJWS.
    :param optional: let missing tokens pass; invalid ones never do.
    :returns: the verified tokens, as ``app_jwt`` and ``consumer_jws``.
    :raises ConnectorAuthError: the row that the request is to be answered with.
    """
    return guard.identify(
        requirements_from_arguments(
            app_jwt=app_jwt,
            consumer_jws=consumer_jws,
            scopes=scopes,
            any_scope=any_scope,
            optional=optional,
        )
    )


def requirements_from_arguments(
    *, app_jwt: bool, consumer_jws: bool, scopes: Scopes, any_scope: Scopes, optional: bool
) -> Requirements:
    """Return what the arguments of ``protect()`` and :func:`verify_request` ask for.

    :raises ValueError: if they ask for no token, or for scopes of no AppJWT.
    """
    if not (app_jwt or consumer_jws) or (not app_jwt and (scopes or any_scope)):
        raise ValueError("ask for a token; scopes are those of the AppJWT")
    return Requirements(
        token_requirement(scopes, any_scope, optional) if app_jwt else None,
        TokenRequirement(optional) if consumer_jws else None,
    )


def _decorator(view: Any, requirements: Requirements, usage: str) -> Any:
    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if not callable(view) or isinstance(view, type):
            raise TypeError(
                f"a view function or method is decorated, not {view!r}: write @{usage} with "
                "keywords above it, or list the decorator in the class's decorators"
            )
        return _wrap(view, requirements)

    return decorate if view is None else decorate(view)


def _wrap(view: Callable[P, R], requirements: Requirements) -> Callable[P, R]:
    inner: Callable[..., Any] = view
    ours: Any = getattr(view, _WRAPPER, (None, None))
    if ours[0] is view:
        # One of ours directly on another: one wrapper does for both, and calls what is inside.
        inner = ours[1]
        requirements |= get_attached_requirements(view)
    declared = Declaration(requirements, _positions(inner))
    # A coroutine function stays one, for Flask and for decorators that await what they wrap.
    guarded = _guarded_coroutine if iscoroutinefunction(inner) else _guarded
    wrapper = wraps(view)(guarded(inner, declared))
    attach_requirements(wrapper, requirements | collect_requirements(view))
    # With its own name on it, since functools.wraps hands every attribute on to what wraps it.
    setattr(wrapper, _WRAPPER, (wrapper, inner))
    return cast(Callable[P, R], wrapper)


def _positions(view: Callable[..., Any]) -> dict[str, int]:
    """Return the names of the arguments that *view* takes by place too, with their places."""
    parameters: Iterable[Parameter] = ()
    # A callable that is written in C may have no signature.
    with suppress(TypeError, ValueError):
        # Its own one: that of what it wraps may have other arguments.
        parameters = signature(view, follow_wrapped=False).parameters.values()
    by_place = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return {each.name: place for place, each in enumerate(parameters) if each.kind in by_place}


def _guarded(view: Callable[..., Any], declared: Declaration) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        answer = guard.enforce(declared, args, kwargs)
        return view(*args, **kwargs) if answer is None else answer

    return wrapper


def _guarded_coroutine(view: Callable[..., Any], declared: Declaration) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        answer = guard.enforce(declared, args, kwargs)
        return await view(*args, **kwargs) if answer is None else answer

    return wrapper
