"""Decorators that require tokens, and the function that requires them of the current request."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Literal, ParamSpec, TypeVar, cast, overload

from .core import (
    AppJWT,
    ConsumerJWS,
    Declaration,
    Requirements,
    Scopes,
    TokenRequirement,
    attach_requirements,
    collect_requirements,
    get_attached_requirements,
    mark_public,
    requirements_of,
    token_requirement,
)
from .web import Identity, guard, recognise, remember_decoration

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound=Callable[..., Any])

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
    """Run *view* only for requests with a valid AppJWT in ``Authorization``.

    Use it with or without arguments, on functions, ``async def`` views and methods, or in the
    ``decorators`` of a ``MethodView``.

    :param scopes: scopes that must all be granted: a list, or a string that is split at single
        spaces (RFC 6749 section 3.3).
    :param any_scope: scopes of which at least one must be granted; a list or a string.
    :param optional: accept requests without the token. An invalid token is still refused.
    :raises TypeError: when decorating, if the decorated object is not a view.
    :raises ValueError: when decorating, if a scope has characters that a token cannot carry (RFC
        6749 section 3.3), or scopes are passed and empty.
    :raises AppJWTMissing: in a request without the token: row 40105 (protocol page, Error
        Responses).
    :raises InvalidAppJWT: in a request with an invalid token: row 40102, or :exc:`MissingParameter`
        (row 40001) where it is switched on.
    :raises AuthenticationUnavailable: in a request, if the token cannot be verified at the moment:
        row 50301.

    .. versionadded:: 0.1
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
    """Run *view* only for requests with a valid ConsumerJWS in ``X-LP-ON-BEHALF``.

    Add :func:`require_app_jwt` to require both tokens, in either order. The AppJWT is then verified
    first, and both must name the same account. ``CONNECTOR_AUTH_CONSUMER_HEADER`` changes the
    header.

    :param optional: accept requests without the token. An invalid token is still refused.
    :raises TypeError: when decorating, if the decorated object is not a view.
    :raises ConsumerJWSMissing: in a request without the token: row 40104 (protocol page, Error
        Responses).
    :raises InvalidConsumerJWS: in a request with an invalid token: row 40103.
    :raises AuthenticationUnavailable: in a request, if the token cannot be verified at the moment:
        row 50301.

    .. versionadded:: 0.1
    """
    requirements = Requirements(consumer_jws=TokenRequirement(optional=optional))
    return _decorator(view, requirements, "require_consumer_jws(optional=True)")


def public(view: V) -> V:
    """Exempt *view* from what ``protect()`` requires for its blueprint or app.

    Requirements of decorators on *view* remain. The function itself is marked. If it is registered
    at two endpoints, it is exempt at both.

    :param view: a view function, or a method of a view class.
    :returns: *view* itself.

    .. versionadded:: 0.1
    """
    mark_public(view)
    return view


@overload
def verify_request(
    *,
    app_jwt: Literal[True] = True,
    consumer_jws: Literal[True] = True,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: Literal[False] = False,
) -> Identity[AppJWT, ConsumerJWS]: ...
@overload
def verify_request(
    *,
    app_jwt: Literal[True] = True,
    consumer_jws: Literal[False],
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: Literal[False] = False,
) -> Identity[AppJWT, ConsumerJWS | None]: ...
@overload
def verify_request(
    *,
    app_jwt: Literal[False],
    consumer_jws: Literal[True] = True,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: Literal[False] = False,
) -> Identity[AppJWT | None, ConsumerJWS]: ...
@overload
def verify_request(
    *,
    app_jwt: bool = True,
    consumer_jws: bool = True,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: bool = False,
) -> Identity: ...
def verify_request(
    *,
    app_jwt: bool = True,
    consumer_jws: bool = True,
    scopes: Scopes = (),
    any_scope: Scopes = (),
    optional: bool = False,
) -> Identity:
    """Require tokens of the current request, as the decorators do, where no view can be decorated.

    Each call verifies the tokens again: a token that expired or was revoked since the last call is
    refused. Requirements of the endpoint apply too.

    :param app_jwt: whether the AppJWT is required.
    :param consumer_jws: whether the ConsumerJWS is required.
    :param scopes: scopes of the AppJWT that must all be granted: a list, or a string that is split
        at single spaces (RFC 6749 section 3.3).
    :param any_scope: scopes of which at least one must be granted; a list or a string.
    :param optional: accept missing tokens. Invalid tokens are still refused.
    :returns: the verified tokens, as ``app_jwt`` and ``consumer_jws``. A type checker knows from
        the literal arguments which of them may be ``None``.
    :raises ConnectorAuthError: with the row that the request should be answered with.
    :raises ValueError: if no token is required; if scopes are passed without an AppJWT or are
        empty; or if a scope has characters that a token cannot carry.
    :raises RuntimeError: outside of a request, in an app without the extension, or in the context
        of another app than the request's.

    .. versionadded:: 0.1
    """
    requirements = requirements_of(app_jwt, consumer_jws, scopes, any_scope, optional)
    return guard.identify(requirements)


def _decorator(view: Any, requirements: Requirements, usage: str) -> Any:
    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if not callable(view) or isinstance(view, type):
            raise TypeError(
                f"only a view function or method can be decorated, not {view!r}: pass arguments by "
                f"keyword, as in @{usage}, or list the decorator in the class's decorators"
            )
        return _wrap(view, requirements)

    return decorate if view is None else decorate(view)


def _wrap(view: Callable[P, R], requirements: Requirements) -> Callable[P, R]:
    inner: Callable[..., Any] = view
    wrapper_and_view: Any = getattr(view, _WRAPPER, None)
    # By exact type: a lazy proxy or a mock has every attribute.
    if type(wrapper_and_view) is tuple and wrapper_and_view[0] is view:
        # Two of these decorators directly on each other share one wrapper, which calls the view.
        inner = wrapper_and_view[1]
        requirements |= get_attached_requirements(view)
    declared = Declaration(requirements, _positions(inner))
    # A coroutine function gets a wrapper that is one too: Flask and other decorators await it.
    guarded = _guarded_coroutine if iscoroutinefunction(inner) else _guarded
    wrapper = _copy_attributes(view, guarded(inner, declared))
    attach_requirements(wrapper, requirements | collect_requirements(view))
    # The wrapper itself is part of the value: functools.wraps copies the attribute to further
    # wrappers, and the comparison above tells these from this one.
    setattr(wrapper, _WRAPPER, (wrapper, inner))
    remember_decoration(view, wrapper)
    return cast(Callable[P, R], wrapper)


def _copy_attributes(view: Callable[..., Any], wrapper: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return wraps(view)(wrapper)
    except TypeError:
        # The name of a lazy proxy may be no text.
        return wraps(view, assigned=())(wrapper)


def _positions(view: Callable[..., Any]) -> dict[str, int]:
    """Return the names of the arguments that *view* takes by position, with their positions."""
    parameters: Iterable[Parameter] = ()
    # A callable that is written in C may have no signature.
    with suppress(TypeError, ValueError):
        # A function that *view* wraps may have other arguments.
        parameters = signature(view, follow_wrapped=False).parameters.values()
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return {each.name: place for place, each in enumerate(parameters) if each.kind in positional}


def _guarded(view: Callable[..., Any], declared: Declaration) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if recognise(declared, args, kwargs):
            return view(*args, **kwargs)
        response = guard.enforce(declared, args, kwargs)
        return view(*args, **kwargs) if response is None else response

    return wrapper


def _guarded_coroutine(view: Callable[..., Any], declared: Declaration) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if recognise(declared, args, kwargs):
            return await view(*args, **kwargs)
        response = guard.enforce(declared, args, kwargs)
        return await view(*args, **kwargs) if response is None else response

    return wrapper
