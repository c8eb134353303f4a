"""The user of the application: when it is loaded, who it is, and what refuses the request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.local import LocalProxy

from flask_connector_auth import (
    AuthenticationUnavailable,
    ClaimRejected,
    ConnectorAuth,
    Identity,
    InvalidAppJWT,
    Reason,
    current_app_jwt,
    current_user,
    require_app_jwt,
    require_consumer_jws,
    token_verified,
    verify_request,
)
from flask_connector_auth.core import forget_origin
from flask_connector_auth.testing import ConnectorClient, Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.recorded_logs import listening
from tests.support.types import MakeApp

LOOP = asyncio.new_event_loop()
LOOP.close()


class User:
    """What the app knows of an app install."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __len__(self) -> int:
        """Make a user false, as an empty collection is."""
        return 0


class Desk:
    """An app whose user loader records its calls; installs ``nobody`` have no user."""

    def __init__(self, issuer: Issuer, *, lazy: bool = False, load: Any = None) -> None:
        self.calls: list[Identity] = []
        self.raises: Exception | None = None
        self.auth = ConnectorAuth()
        self.app = app = Flask("an_app")
        app.testing = True
        app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
        self.auth.init_app(app)
        self.auth.user_loader(lazy=lazy)(load or self.load)
        self.client = ConnectorClient(app, issuer)

    def load(self, identity: Identity) -> User | None:
        """Return the user of *identity*."""
        self.calls.append(identity)
        if self.raises is not None:
            raise self.raises
        name = (identity.app_jwt and identity.app_jwt.install_id) or "consumer"
        return None if name == "nobody" else User(name)

    def add(self, url: str, *decorators: Callable[..., Any], view: Any = None) -> None:
        """Add a view below *decorators*; it returns the name of the user twice."""
        view = view or (lambda **_: [current_user.name, current_user.name])
        for decorator in reversed(decorators):
            view = decorator(view)
        self.app.add_url_rule(url, url.strip("/").replace("/", "_"), view)


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def desk(request: pytest.FixtureRequest, issuer: Issuer) -> Desk:
    """An app with a user loader of either kind."""
    return Desk(issuer, lazy=request.param)


def with_ways(desk: Desk) -> Desk:
    """Add a view for each way of asking for tokens."""

    async def asynchronous() -> list[str]:
        await asyncio.sleep(0)
        return [current_user.name, current_user.name]

    class Resource(MethodView):
        decorators = (require_app_jwt,)

        @require_consumer_jws
        def get(self) -> list[str]:
            return [current_user.name, current_user.name]

    def call() -> list[str]:
        verify_request()
        return [current_user.name, current_user.name]

    part = Blueprint("part", __name__)
    part.add_url_rule("/protected", "x", lambda: [current_user.name, current_user.name])
    desk.auth.protect(part)
    desk.app.register_blueprint(part)
    desk.add("/both", require_app_jwt, require_consumer_jws)
    desk.add("/async", require_app_jwt, require_consumer_jws, view=asynchronous)
    desk.add("/call", view=call)
    desk.app.add_url_rule("/class", view_func=Resource.as_view("class"))
    return desk


WAYS = ["/both", "/async", "/class", "/protected", "/call"]


@pytest.mark.parametrize("url", WAYS)
def test_a_view_finds_its_user(url: str, desk: Desk, issuer: Issuer) -> None:
    """docs/callbacks.rst: loaded once a request, from the identity, however tokens are required."""
    client = with_ways(desk).client
    for name in ("one", "two"):
        answer = client.get(url, app_jwt=issuer.app_jwt(azp=name))
        assert answer.json == [name, name]
    assert [identity.app_jwt.install_id for identity in desk.calls if identity.app_jwt] == [
        "one",
        "two",
    ]
    assert all(isinstance(identity, Identity) for identity in desk.calls)
    assert all(identity.consumer_jws for identity in desk.calls)


@pytest.mark.parametrize("url", WAYS)
def test_a_caller_without_a_user_is_refused(
    url: str, desk: Desk, issuer: Issuer, refusals: list[Reason | str]
) -> None:
    """Row 40103, since a ConsumerJWS was asked for; with log line and signal, once."""
    client = with_ways(desk).client
    with listening() as recorder:
        assert_row(client.get(url, app_jwt=issuer.app_jwt(azp="nobody")), 40103)
    assert refusals == [Reason.UNKNOWN_USER]
    assert len(desk.calls) == 1
    [line] = [line for line in recorder.lines() if "refused" in line]
    assert line.startswith(
        "INFO flask_connector_auth.web.reporting refused: unknown_user row=40103"
    )
    assert "app_jwt.install_id='nobody' consumer_jws.kid='dev-1'" in line


@cases(
    "decorators, row",
    {
        "AppJWT": ([require_app_jwt], 40102),
        "ConsumerJWS": ([require_consumer_jws], 40103),
        "both": ([require_app_jwt, require_consumer_jws], 40103),
        "ConsumerJWS optional": ([require_app_jwt, require_consumer_jws(optional=True)], 40103),
    },
)
@pytest.mark.parametrize("lazy", [False, True])
def test_the_row_is_that_of_the_last_token_that_was_asked_for(
    decorators: list[Any], row: int, lazy: bool, issuer: Issuer
) -> None:
    """40103 if a ConsumerJWS was asked for, else 40102."""
    desk = Desk(issuer, lazy=lazy, load=lambda identity: None)
    desk.add("/x", *decorators)
    assert_row(desk.client.get("/x"), row)


def test_a_user_is_loaded_before_the_view_and_the_signal(issuer: Issuer) -> None:
    """The default: the view does not run, and ``token_verified`` is not sent, without a user."""
    desk, seen = Desk(issuer), []
    desk.add("/x", require_app_jwt, view=lambda: seen.append("view") or {})

    def note(_app: Flask, **_tokens: Any) -> None:
        seen.append(f"verified {len(desk.calls)}, {current_user.name}")

    with token_verified.connected_to(note):
        assert desk.client.get("/x", app_jwt=issuer.app_jwt(azp="me")).status_code == 200
        assert_row(desk.client.get("/x", app_jwt=issuer.app_jwt(azp="nobody")), 40102)
    assert seen == ["verified 1, me", "view"]
    assert len(desk.calls) == 2


def test_a_lazy_loader_is_called_where_the_user_is_read(issuer: Issuer) -> None:
    """A view that reads no user costs none; the refusal is raised in the view."""
    desk, seen = Desk(issuer, lazy=True), []

    def view() -> dict[str, Any]:
        seen.append(len(desk.calls))
        for _ in range(2):
            with pytest.raises(InvalidAppJWT) as raised:
                str(current_user.name)
            seen.append(str(raised.value.reason))
        return {}

    desk.add("/none", require_app_jwt, view=lambda: {})
    desk.add("/x", require_app_jwt, view=view)
    assert desk.client.get("/none", app_jwt=issuer.app_jwt(azp="nobody")).status_code == 200
    assert desk.calls == []
    assert desk.client.get("/x", app_jwt=issuer.app_jwt(azp="nobody")).status_code == 200
    assert seen == [0, "unknown_user", "unknown_user"]
    assert len(desk.calls) == 1


@cases(
    "error",
    {
        "any": KeyError("db"),
        "AttributeError": AttributeError("name"),
        "RuntimeError": RuntimeError("db"),
        "a refusal of checks": ClaimRejected("no"),
    },
)
def test_what_a_loader_raises_is_a_500(error: Exception, desk: Desk, issuer: Issuer) -> None:
    """In a lazy one too, where ``getattr()`` with a default would swallow an AttributeError."""
    desk.raises, desk.app.testing = error, False
    desk.add("/x", require_app_jwt, view=lambda: {"banned": getattr(current_user, "banned", False)})
    desk.add("/class", require_app_jwt, view=lambda: {"is": isinstance(current_user, User)})
    for url in ("/x", "/class"):
        assert desk.client.get(url).status_code == 500
    desk.raises = None
    assert desk.client.get("/x").json == {"banned": False}
    assert desk.client.get("/class").json == {"is": True}
    forget_origin(error)  # a parameter is kept until all tests have run


def test_the_error_of_an_eager_loader_is_raised_as_it_is(issuer: Issuer) -> None:
    """Before the view, where nothing takes it for a value that is absent."""
    desk = Desk(issuer)
    desk.add("/x", require_app_jwt)
    desk.raises = AttributeError("in the loader")
    with pytest.raises(AttributeError, match="in the loader"):
        desk.client.get("/x")


def test_after_an_error_of_the_loader_there_is_no_identity(issuer: Issuer) -> None:
    """A second attempt in the same request loads again, and does not pass unnoticed."""
    desk = Desk(issuer)
    with desk.app.test_request_context(headers=headers(issuer.app_jwt())):
        desk.raises = KeyError("db")
        for _ in range(2):
            with pytest.raises(KeyError):
                verify_request(consumer_jws=False)
            with pytest.raises(RuntimeError, match="exists only in a request"):
                str(current_app_jwt.install_id)
        desk.raises = None
        verify_request(consumer_jws=False)
        assert current_user.name
    assert len(desk.calls) == 3


def test_a_loader_may_answer_for_an_outage(desk: Desk) -> None:
    """It runs in the request: the errors of this package are its own to raise."""
    desk.raises = AuthenticationUnavailable(retry_after=3)
    desk.add("/x", require_app_jwt)
    answer = desk.client.get("/x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


def test_another_identity_has_another_user(issuer: Issuer) -> None:
    """Where more is required later in a request; the same identity is not loaded again."""
    desk = Desk(issuer)

    def view() -> list[str]:
        before = len(desk.calls)
        verify_request(consumer_jws=False)
        same = len(desk.calls)
        verify_request()
        return [current_user.name, before, same, len(desk.calls)]

    desk.add("/x", require_app_jwt, view=view)
    assert desk.client.get("/x", app_jwt=issuer.app_jwt(azp="me")).json == ["me", 1, 1, 2]
    assert [identity.consumer_jws is None for identity in desk.calls] == [True, False]


def test_without_a_token_there_is_no_user(desk: Desk, issuer: Issuer) -> None:
    """Optional tokens of which none was sent: the loader is not called, the user is false."""
    seen: list[Any] = []

    def view() -> dict[str, Any]:
        with pytest.raises(AttributeError, match="optional=True"):
            str(current_user.name)
        seen.append((bool(current_user), repr(current_user)))
        return {}

    desk.add("/x", require_app_jwt(optional=True), view=view)
    desk.add("/name", require_app_jwt(optional=True))
    sent: dict[str, Any] = {"app_jwt": None, "consumer_jws": None}
    assert desk.client.get("/x", **sent).status_code == 200
    assert (seen, desk.calls) == ([(False, "<not sent>")], [])
    assert desk.client.get("/name", app_jwt=issuer.app_jwt(azp="me")).json == ["me", "me"]


def test_the_truth_of_a_user_is_its_own(desk: Desk) -> None:
    """A proxy of the object; here one that is false, and found nevertheless."""
    desk.add(
        "/x", require_app_jwt, view=lambda: [bool(current_user), isinstance(current_user, User)]
    )
    assert desk.client.get("/x").json == [False, True]


@cases("use", {"attribute": lambda: current_user.name, "truth": lambda: bool(current_user)})
def test_without_a_protected_request_there_is_no_user(use: Callable[[], Any], desk: Desk) -> None:
    """An error that says what to do, and never a user that is false."""
    words = "current_user exists only in a request .*put @require_app_jwt on the view"
    with pytest.raises(RuntimeError, match=words):
        use()
    with desk.app.test_request_context(), pytest.raises(RuntimeError, match=words):
        use()


def test_without_a_loader_there_is_no_user(make_app: MakeApp, issuer: Issuer) -> None:
    """An error that says what to do."""
    with make_app().test_request_context(headers=headers(issuer.app_jwt())):
        verify_request(consumer_jws=False)
        with pytest.raises(RuntimeError, match="needs a user loader: see @connector_auth"):
            bool(current_user)


async def coroutine() -> User:
    """Return a user, once awaited."""
    return User("x")


def generator() -> Iterator[User]:
    """Yield a user, once asked."""
    yield User("x")


async def async_generator() -> AsyncIterator[User]:
    """Yield a user, once awaited."""
    yield User("x")


class Pending:
    """Can be awaited."""

    def __await__(self) -> Iterator[Any]:
        """Yield nothing."""
        return iter(())


@cases(
    "make, name",
    {
        "coroutine": (coroutine, "coroutine"),
        "generator": (generator, "generator"),
        "async generator": (async_generator, "async_generator"),
        "awaitable": (Pending, "Pending"),
        "future of a thread": (Future, "Future"),
        "future of a loop": (lambda: asyncio.Future(loop=LOOP), "Future"),
        "proxy of no user": (lambda: LocalProxy(lambda: None), "LocalProxy"),
    },
)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_loader_that_returns_what_is_no_user_yet_is_an_error(
    make: Callable[[], Any], name: str, lazy: bool, issuer: Issuer
) -> None:
    """Nothing waits for it, and as a user it would be true whoever calls."""
    made: list[Any] = []

    def load(_identity: Identity) -> Any:
        made.append(make())
        return made[0]

    desk = Desk(issuer, lazy=lazy, load=load)
    desk.add("/x", require_app_jwt, view=lambda: {"is": bool(current_user)})
    with pytest.raises(Exception, match="the user loader") as raised:
        desk.client.get("/x")
    error = raised.value.__cause__ if lazy else raised.value
    assert isinstance(error, TypeError)
    assert str(error) == f"the user loader returned a {name}: let it return the user itself"
    if isinstance(made[0], Coroutine):
        made[0].close()  # without a warning that nothing awaited it
