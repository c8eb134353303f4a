"""The current app and request, the identity of the request, and the proxies of its tokens."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol

from flask import Flask, Request, current_app as current_app_proxy, globals, request
from flask.ctx import AppContext
from werkzeug.local import LocalProxy
from werkzeug.routing import MapAdapter

from ..core import AppJWT, ConsumerJWS, Requirements
from ..verification import CachedToken

#: The key in ``app.extensions`` under which an app's ``Runtime`` is kept.
EXTENSION = "connector_auth"
# The attribute of the request object with its identity, the account that was required then, and the
# entries of its tokens. A request object lives as long as one request of one app. The app context,
# and ``g`` with it, may live longer in tests, and an environ can be dispatched twice.
IDENTITY_ATTRIBUTE = "_connector_auth_identity"
#: The entries of the AppJWT and the ConsumerJWS in the caches; ``None`` for a token not verified.
Entries = Sequence[CachedToken[Any] | None]


if TYPE_CHECKING:
    # Type checkers know PEP 696 for every version of Python: so plain ``Identity`` has a meaning.
    from typing_extensions import TypeVar

    AppT = TypeVar("AppT", covariant=True, default=AppJWT | None)
    ConsumerT = TypeVar("ConsumerT", covariant=True, default=ConsumerJWS | None)
else:
    from typing import TypeVar

    AppT, ConsumerT = TypeVar("AppT"), TypeVar("ConsumerT")


class Identity(NamedTuple, Generic[AppT, ConsumerT]):
    """The verified tokens of a request, which meet all its requirements.

    It is generic, for type checkers: they know from the arguments of :func:`verify_request` which
    of the tokens cannot be ``None``. In plain ``Identity``, both may be ``None``.

    .. versionadded:: 0.1
    """

    requirements: Requirements  #: what was required
    app_jwt: AppT  #: ``None`` if not required, or optional and not sent
    consumer_jws: ConsumerT  #: a :class:`ConsumerJWS`, or ``None``


#: Returns the app object itself: the sender of signals, and one look-up instead of two.
current_app: Callable[[], Flask] = current_app_proxy._get_current_object  # type: ignore[attr-defined]
#: Returns the request object itself: each attribute that is read through the proxy looks the
#: request up again.
current_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]


class RequestContext(Protocol):
    """What is used of Flask's ``RequestContext``."""

    app: Flask  #: the app that the request came to
    request: Request
    url_adapter: MapAdapter


# From Flask 3.2 on there is one kind of context, and in another app's context no request.
_CONTEXT: str = "app_ctx" if hasattr(AppContext, "request") else "request_ctx"
#: Returns the context of the current request: a request object has no reference to its app.
current_request_context: Callable[[], RequestContext] = getattr(
    globals, _CONTEXT
)._get_current_object


def identity_of(request: Request) -> Identity | None:
    """Return the identity of *request*, or ``None`` if no token was required (yet)."""
    kept = getattr(request, IDENTITY_ATTRIBUTE, None)
    return kept[0] if kept else None


def entries_of(request: Request) -> Entries:
    """Return the entries of the tokens of *request*, which has an identity."""
    return getattr(request, IDENTITY_ATTRIBUTE)[2]  # type: ignore[no-any-return]


class TokenNotSent:
    """Stands for an optional token that was not sent: false, and without attributes."""

    __slots__ = ("_decorator",)

    def __init__(self, decorator: str) -> None:
        self._decorator = decorator

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<not sent>"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"no attribute {name!r}: @{self._decorator}(optional=True) let this request pass "
            "without the token; test the proxy for truth first"
        )


def _forwarding(function: Callable[..., Any]) -> Any:
    """Return a method that calls *function* with the object of the proxy, and the arguments."""

    def method(self: "IdentityProxy", *args: Any) -> Any:
        return function(self._get_current_object(), *args)

    return method


class IdentityProxy(LocalProxy[Any]):
    """A proxy of a token or user, which raises the error if there is none, however it is used.

    ``LocalProxy`` alone would be false then. Its methods are found by a descriptor, and for those
    below CPython takes any error of that for an absent method: so ``==`` would be false too.
    """

    __slots__ = ()

    __bool__: Any = _forwarding(bool)
    __eq__: Any = _forwarding(operator.eq)
    __ne__: Any = _forwarding(operator.ne)
    __lt__: Any = _forwarding(operator.lt)
    __le__: Any = _forwarding(operator.le)
    __gt__: Any = _forwarding(operator.gt)
    __ge__: Any = _forwarding(operator.ge)
    __hash__: Any = _forwarding(hash)
    __iter__: Any = _forwarding(iter)
    __aiter__: Any = _forwarding(aiter)
    __anext__: Any = _forwarding(anext)
    __await__: Any = _forwarding(operator.methodcaller("__await__"))

    def __repr__(self) -> str:
        try:
            found = self._get_current_object()
        except RuntimeError:
            return f"<{type(self).__name__} unbound>"
        return repr(found)


def _token_proxy(name: str, token_class: type) -> Any:
    """Return a proxy of the tokens of *token_class*.

    Each of their fields is a property of the proxy, which takes a fifth of the time that
    ``LocalProxy`` takes for any attribute.
    """
    index, decorator = Identity._fields.index(name), f"require_{name}"
    not_sent = TokenNotSent(decorator)

    def find_token() -> Any:
        try:
            identity = identity_of(current_request())
        except RuntimeError:
            identity = None  # outside of any request
        token = getattr(identity, name, None)
        if token is not None:
            return token
        if identity is None or getattr(identity.requirements, name) is None:
            raise RuntimeError(
                f"current_{name} exists only in a request for which this token is required: "
                f"put @{decorator} on the view, or call verify_request() first."
            )
        return not_sent

    def property_of(field: str) -> property:
        value_of = attrgetter(field)

        def read(self: IdentityProxy) -> Any:
            try:
                # Hot path: nearly every view reads these, so without any function in between.
                return value_of(getattr(current_request(), IDENTITY_ATTRIBUTE)[0][index])
            except (AttributeError, RuntimeError):
                return getattr(self._get_current_object(), field)

        return property(read)

    properties = {field.name: property_of(field.name) for field in fields(token_class)}
    proxy_class = type("_TokenProxy", (IdentityProxy,), {**properties, "__slots__": ()})
    return proxy_class(find_token)


#: The verified AppJWT of the current request; false if it is optional and was not sent.
current_app_jwt: AppJWT = _token_proxy("app_jwt", AppJWT)
#: The verified ConsumerJWS of the current request; false if it is optional and was not sent.
current_consumer_jws: ConsumerJWS = _token_proxy("consumer_jws", ConsumerJWS)
