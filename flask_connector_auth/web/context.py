"""The current request in; the tokens that were verified for it out."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from flask import Flask, Request, globals, request
from flask.ctx import AppContext
from werkzeug.local import LocalProxy

from ..core import AppJWT, ConsumerJWS, Requirements

# Where a request keeps its identity, with the account that it was judged by. On the request object,
# which lives as long as one request of one app: ``g`` belongs to the app context, which outlives a
# request in tests, and an environ can be dispatched twice.
IDENTITY_ATTRIBUTE = "_connector_auth_judged"


class Identity(NamedTuple):
    """Who is calling: the tokens that passed all that was asked for."""

    requirements: Requirements  #: what was asked for
    app_jwt: AppJWT | None  #: ``None`` if not asked for, or optional and not sent
    consumer_jws: ConsumerJWS | None  #: likewise


#: Returns the request object itself, unwrapped once: each attribute read through the proxy looks
#: the request up again.
current_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]


class RequestContext(Protocol):
    """What Flask keeps of the current request: its ``RequestContext``."""

    app: Flask  #: the app that the request came to
    request: Request


# From Flask 3.2 on the two contexts are one, in which there is no request of another app.
_CONTEXT: str = "app_ctx" if hasattr(AppContext, "request") else "request_ctx"
#: Returns the context of the current request: a request object itself knows of no app.
current_request_context: Callable[[], RequestContext] = getattr(
    globals, _CONTEXT
)._get_current_object


def identity_of(request: Request) -> Identity | None:
    """Return the identity of *request*, or ``None`` if it was not protected (yet)."""
    judged = getattr(request, IDENTITY_ATTRIBUTE, None)
    return judged[0] if judged else None


class _NotSent:
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
            f"{name!r}: @{self._decorator}(optional=True) let this request pass without the token; "
            "test the proxy for truth first"
        )


class _TokenProxy(LocalProxy[Any]):
    """A proxy whose truth value is the token's.

    Unlike its base, it raises where no token was verified, instead of being false.
    """

    def __init__(self, name: str) -> None:
        decorator = f"require_{name}"
        not_sent = _NotSent(decorator)

        def find() -> Any:
            try:
                identity = identity_of(current_request())
            except RuntimeError:
                identity = None  # outside of any request
            token = getattr(identity, name, None)
            if token is not None:
                return token
            if identity is None or getattr(identity.requirements, name) is None:
                raise RuntimeError(
                    f"current_{name} is there only in a request that was asked for this token: "
                    f"put @{decorator} on the view, or call verify_request() first."
                )
            return not_sent

        super().__init__(find)

    def __bool__(self) -> bool:
        return bool(self._get_current_object())


def _proxy(name: str, token_class: type) -> Any:
    """Return the proxy of the tokens of *token_class*.

    Each of their fields is a property of the proxy: five times as fast as what finds any attribute.
    """
    index = Identity._fields.index(name)

    def forwarded(field: str) -> property:
        value_of = attrgetter(field)

        def read(self: _TokenProxy) -> Any:
            try:
                # What nearly every view reads, without the functions in between.
                return value_of(getattr(current_request(), IDENTITY_ATTRIBUTE)[0][index])
            except (AttributeError, RuntimeError):
                return getattr(self._get_current_object(), field)

        return property(read)

    namespace = {field.name: forwarded(field.name) for field in fields(token_class)}
    return type("_TokenProxy", (_TokenProxy,), {**namespace, "__slots__": ()})(name)


#: The verified AppJWT of the current request; false where an optional one was not sent.
current_app_jwt: AppJWT = _proxy("app_jwt", AppJWT)
#: The verified ConsumerJWS of the current request; false where an optional one was not sent.
current_consumer_jws: ConsumerJWS = _proxy("consumer_jws", ConsumerJWS)
