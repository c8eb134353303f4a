"""The proxies of the user and of tokens: no use of them hides why there is none."""

import asyncio
import copy
import math
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from jinja2 import Template
from werkzeug.exceptions import BadRequestKeyError, NotFound
from werkzeug.local import LocalProxy

from flask_connector_auth import (
    ConnectorAuth,
    InvalidAppJWT,
    current_app_jwt,
    current_user,
    require_app_jwt,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers

Use = Callable[[Any], Any]


class Other:
    """An object that answers each operator itself, once the other operand does not."""


def answer(*_operands: Any) -> str:
    """Return what no refused request may get."""
    return "not refused"


OPERATORS = "lt le eq ne gt ge add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"
for operator_name in OPERATORS.split():
    for method_name in (f"__{operator_name}__", f"__r{operator_name}__"):
        setattr(Other, method_name, answer)


def operation(name: str) -> Use:
    """Return the use of a value by the method *name* of it, an operator's."""
    word = name.strip("_")
    if word[0] == "r" and word not in OPERATORS:
        return lambda value: getattr(operator, f"__{word[1:]}__")(1, value)
    return lambda value: getattr(operator, name)(value, Other())


async def async_for(value: Any) -> list[Any]:
    """Loop over *value*."""
    return [each async for each in value]


async def async_with(value: Any) -> None:
    """Enter *value*."""
    async with value:
        pass


async def awaited(value: Any) -> Any:
    """Await *value*."""
    return await value


async def awaited_next(value: Any) -> Any:
    """Await the next item of *value*."""
    return await anext(value)


def with_statement(value: Any) -> None:
    """Enter *value*."""
    with value:
        pass


#: Uses of a value, by the method that Python calls.
USES: dict[str, Use] = {
    "__repr__": repr,
    "__str__": str,
    "__bytes__": bytes,
    "__format__": format,
    "__hash__": hash,
    "__bool__": bool,
    "__getattr__": lambda value: getattr(value, "name", None),
    "__setattr__": lambda value: setattr(value, "name", 1),
    "__delattr__": lambda value: delattr(value, "name"),
    "__dir__": dir,
    "__class__": lambda value: isinstance(value, str),
    "__wrapped__": lambda value: value.__wrapped__,
    "__instancecheck__": lambda value: isinstance(1, value),
    "__subclasscheck__": lambda value: issubclass(int, value),
    "__call__": lambda value: value(),
    "__len__": len,
    "__length_hint__": operator.length_hint,
    "__getitem__": lambda value: value[0],
    "__setitem__": lambda value: operator.setitem(value, 0, 0),
    "__delitem__": lambda value: operator.delitem(value, 0),
    "__iter__": list,
    "__next__": next,
    "__reversed__": reversed,
    "__contains__": lambda value: 1 in value,
    "__divmod__": lambda value: divmod(value, 1),
    "__rdivmod__": lambda value: divmod(1, value),
    "__complex__": complex,
    "__int__": int,
    "__float__": float,
    "__round__": round,
    "__trunc__": math.trunc,
    "__floor__": math.floor,
    "__ceil__": math.ceil,
    "__enter__": with_statement,
    "__exit__": with_statement,
    "__await__": lambda value: asyncio.run(awaited(value)),
    "__aiter__": lambda value: asyncio.run(async_for(value)),
    "__anext__": lambda value: asyncio.run(awaited_next(value)),
    "__aenter__": lambda value: asyncio.run(async_with(value)),
    "__aexit__": lambda value: asyncio.run(async_with(value)),
    "__copy__": copy.copy,
    "__deepcopy__": copy.deepcopy,
    **{
        name: lambda value, name=name: getattr(operator, name)(value)
        for name in ("__neg__", "__pos__", "__abs__", "__invert__", "__index__")
    },
}
# ``__doc__`` is the text of the class, whatever the object is.
METHODS = {
    name
    for name, method in vars(LocalProxy).items()
    if isinstance(method, type(vars(LocalProxy)["__call__"])) and name != "__doc__"
}
USES |= {name: operation(name) for name in METHODS - USES.keys()}
#: Further uses, which Python builds on those.
INDIRECT: dict[str, Use] = {
    "on the right": lambda value: 1 == value,  # noqa: SIM300
    "in a list": lambda value: value in [1],
    "in a set": lambda value: value in {1},
    "count": [1].count,
    "key of a dict": lambda value: {}.get(value),
    "member": lambda value: {value},
    "zip": lambda value: list(zip(value, strict=True)),
    "f-string": lambda value: f"{value!r}",
}
#: What is harmless where no token was verified: debuggers and inspections use these of each object.
TOLERATED = {"__repr__", "__dir__", "__class__", "__wrapped__", "f-string"}


def an_app(
    issuer: Issuer, load: Callable[[Any], Any], view: Callable[[], Any] = lambda: {}
) -> Flask:
    """Return an app with a lazy user loader, and *view* below an AppJWT."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app).user_loader(lazy=True)(load)
    app.add_url_rule("/x", "x", require_app_jwt(view))
    return app


def test_each_method_of_a_proxy_is_used_here() -> None:
    """Those of the installed Werkzeug: a new one is held to the same rule."""
    assert USES.keys() == METHODS


@pytest.mark.parametrize("use", sorted([*USES, *INDIRECT]))
def test_no_use_of_the_user_hides_a_refusal(use: str, issuer: Issuer) -> None:
    """docs/callbacks.rst: ``current_user == "banned"`` is no false where there is no user."""
    app = an_app(issuer, lambda identity: None)
    with app.test_request_context(headers=headers(issuer.app_jwt())):
        verify_request(consumer_jws=False)
        with pytest.raises(InvalidAppJWT):
            (USES | INDIRECT)[use](current_user)


@pytest.mark.parametrize("use", sorted({*USES, *INDIRECT} - TOLERATED))
def test_no_use_of_a_token_hides_that_none_was_verified(use: str, issuer: Issuer) -> None:
    """docs/decorators.rst: the error says what to do; of the user too."""
    app = an_app(issuer, lambda identity: "bob")
    for proxy in (current_app_jwt, current_user):
        with pytest.raises(RuntimeError, match="exists only in a request"):
            (USES | INDIRECT)[use](proxy)
        with app.test_request_context(), pytest.raises(RuntimeError, match="exists only in"):
            (USES | INDIRECT)[use](proxy)


class Robot:
    """A user that can be awaited only by others, and looped over by both kinds of loop."""

    def __iter__(self) -> Iterator[int]:
        return iter([1])

    async def __aiter__(self) -> AsyncIterator[int]:
        yield 2

    async def __anext__(self) -> int:
        return 3


@cases(
    "user, use, result",
    {
        "equal": ("bob", lambda user: user == "bob", True),
        "not equal": ("bob", lambda user: user == "eve", False),
        "unequal": ("bob", lambda user: user != "eve", True),
        "itself": ("bob", lambda user: user == current_user, True),
        "on the right": ("bob", lambda user: "bob" == user, True),  # noqa: SIM300
        "in": ("bob", lambda user: user in ["eve", "bob"], True),
        "not in": ("bob", lambda user: user in {"eve"}, False),
        "hash": ("bob", lambda user: {"bob": 1}[user], 1),
        "less": ("bob", lambda user: [user < "c", user <= "bob", user > "c", user >= "c"], None),
        "order": ("bob", lambda user: sorted(["c", user, "a"]), ["a", "bob", "c"]),
        "other operand": ("bob", lambda user: user < Other(), "not refused"),
        "iteration": ("bob", list, ["b", "o", "b"]),
        "repr": ("bob", repr, "'bob'"),
        "loop": (Robot(), list, [1]),
        "async loop": (Robot(), lambda user: asyncio.run(async_for(user)), [2]),
        "anext": (Robot(), lambda user: asyncio.run(awaited_next(user)), 3),
    },
)
def test_a_proxy_does_what_its_object_does(
    user: Any, use: Use, result: Any, issuer: Issuer
) -> None:
    """The object answers, not the proxy."""
    app = an_app(issuer, lambda identity: user)
    with app.test_request_context(headers=headers(issuer.app_jwt())):
        verify_request(consumer_jws=False)
        assert use(current_user) == ([True, True, False, False] if result is None else result)


def test_an_object_that_cannot_be_used_so_says_so(issuer: Issuer) -> None:
    """An operation that the user does not have is an error of its own."""
    app = an_app(issuer, lambda identity: 1)
    with app.test_request_context(headers=headers(issuer.app_jwt())):
        verify_request(consumer_jws=False)
        for use, error in ((list, TypeError), (lambda user: user < "x", TypeError)):
            with pytest.raises(error, match="'int'"):
                use(current_user)
        with pytest.raises(AttributeError, match="__await__"):
            asyncio.run(awaited(current_user))


READS: dict[str, Callable[[], Any]] = {
    "attribute": lambda: current_user.name,
    "getattr": lambda: getattr(current_user, "banned", False),
    "equal": lambda: current_user == "banned",
    "class": lambda: isinstance(current_user, str),
    "map": lambda: list(map(lambda key: current_user[key], [0, 1])),  # noqa: C417
    "truth": lambda: bool(current_user),
    **{
        template: lambda template=template: Template(template).render(u=current_user)
        for template in (
            "{% if u[0] %}banned{% endif %}",
            "{% if u['x'] %}banned{% endif %}",
            "{% if u.x %}banned{% endif %}",
            "{% if u == 'x' %}banned{% endif %}",
            "{{ u|attr('name') }}{{ [u]|map(attribute='x', default='anonymous')|join }}",
        )
    },
}
ERRORS = [
    AttributeError("db-1"),
    RuntimeError("db-1"),
    NotImplementedError("db-1"),
    TypeError("db-1"),
    ValueError("db-1"),
    KeyError("db-1"),
    IndexError("db-1"),
    StopIteration("db-1"),
    BadRequestKeyError("db-1"),
    OSError("db-1"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_no_reader_hides_the_error_of_a_lazy_loader(
    read: Callable[[], Any], error: Exception, issuer: Issuer
) -> None:
    """docs/callbacks.rst: a 500, with the error as the cause, and none of its text."""

    def load(_identity: Any) -> Any:
        raise error

    app = an_app(issuer, load, lambda: {"x": str(read())})
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get("/x", headers=sent).status_code == 500
    app.testing = True
    with pytest.raises(Exception, match=r"^the user loader failed$") as raised:
        client.get("/x", headers=sent)
    assert raised.value.__cause__ is error
    assert raised.type.__bases__ == (Exception,)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_an_http_error_of_a_lazy_loader_is_the_answer(
    read: Callable[[], Any], issuer: Issuer
) -> None:
    """As that of a view is; and so is the refusal of a caller without a user."""

    def load(_identity: Any) -> Any:
        if missing:
            return None
        raise NotFound

    missing = False
    client = an_app(issuer, load, lambda: {"x": str(read())}).test_client()
    sent = headers(issuer.app_jwt())
    assert client.get("/x", headers=sent).status_code == 404
    missing = True
    assert_row(client.get("/x", headers=sent), 40102)
