"""Requests that overlap, fail, nest and stream: each has its own identity, or none."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext
from asgiref.wsgi import WsgiToAsgi
from flask import Flask, Response, copy_current_request_context, request, stream_with_context
from werkzeug.datastructures import Headers
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    require_app_jwt,
    verify_request,
)
from flask_connector_auth.integrations.authlib import AppJWTValidator
from flask_connector_auth.testing import Issuer
from tests.support.combinations import ask_over_asgi
from tests.support.floor_helpers import cases
from tests.support.http_helpers import headers
from tests.support.types import MakeApp

AT_ONCE = 8
NOBODY = "nobody"


def who() -> str:
    """Return the app that the current request's AppJWT names."""
    try:
        return current_app_jwt.install_id
    except RuntimeError:
        return NOBODY


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app for which pytest-flask pushes a context around the whole test."""
    app = make_app()
    app.add_url_rule("/who", "who", require_app_jwt(who))
    app.add_url_rule("/open", "open", who)
    return app


def sent(issuer: Issuer, name: str) -> dict[str, str]:
    """Return the header of the app of that *name*."""
    return headers(issuer.app_jwt(azp=name))


class Meeting:
    """Where no thread goes on until as many as :data:`AT_ONCE` have come."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(AT_ONCE, timeout=20)
        self._come = 0

    def wait(self) -> None:
        """Wait in a thread."""
        self._barrier.wait()

    async def wait_in_a_loop(self) -> None:
        """Wait once in an event loop, which may be that of the others too."""
        self._come += 1
        async with asyncio.timeout(20):
            while self._come < AT_ONCE:
                await asyncio.sleep(0)


def in_threads(app: Flask, issuer: Issuer) -> dict[str, str]:
    """Return what each app is told that asks ``/x``, all at once."""

    def ask(number: int) -> tuple[str, str]:
        answer = app.test_client().get("/x", headers=sent(issuer, f"app-{number}"))
        return f"app-{number}", answer.get_data(as_text=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(ask, range(AT_ONCE)))


def over_asgi(app: Flask, issuer: Issuer) -> dict[str, str]:
    """As :func:`in_threads`, from one event loop, as by an ASGI server with a thread a request."""
    wrapped = WsgiToAsgi(app)  # type: ignore[no-untyped-call]

    async def asgi_app(*events: Any) -> None:
        async with ThreadSensitiveContext():
            await wrapped(*events)

    async def ask(number: int) -> tuple[str, str]:
        answer = await ask_over_asgi(asgi_app, "/x", sent(issuer, f"app-{number}"))
        return f"app-{number}", answer.get_data(as_text=True)

    async def ask_all() -> list[tuple[str, str]]:
        return await asyncio.gather(*map(ask, range(AT_ONCE)))

    return dict(asyncio.run(ask_all()))


def plain(meeting: Meeting) -> Any:
    """Return a view that looks when all are there."""

    def view() -> str:
        meeting.wait()
        return who()

    return view


def asynchronous(meeting: Meeting) -> Any:
    """Return a view that looks in three tasks of its own."""

    async def look() -> str:
        await asyncio.sleep(0)
        return who()

    async def view() -> str:
        await meeting.wait_in_a_loop()
        return "".join({*await asyncio.gather(look(), look(), look()), who()})

    return view


def streaming(meeting: Meeting) -> Any:
    """Return a view whose pieces are sent in turn with those of the others."""

    def view() -> Response:
        def pieces() -> Iterator[str]:
            name = who()
            for piece in name:
                meeting.wait()
                assert who() == name
                yield piece

        return Response(stream_with_context(pieces()))

    return view


@pytest.mark.parametrize("ask", [in_threads, over_asgi])
@cases("view", {each.__name__: each for each in (plain, asynchronous, streaming)})
def test_requests_at_once_have_an_identity_each(
    view: Any, ask: Any, make_app: MakeApp, issuer: Issuer
) -> None:
    """Each looks while all the others are at the same point, with tokens of their own."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(view(Meeting())))
    assert ask(app, issuer) == {f"app-{number}": f"app-{number}" for number in range(AT_ONCE)}


def test_a_view_that_asks_other_apps_keeps_its_identity(make_app: MakeApp, issuer: Issuer) -> None:
    """Nested dispatch, by a test client, at once: a good token inside, a bad one, and none."""
    inner, app = make_app(), make_app()
    meeting = Meeting()
    for each in (inner, app):
        each.add_url_rule("/who", "who", require_app_jwt(who))
        each.add_url_rule("/open", "open", who)
    both = Client(DispatcherMiddleware(app.wsgi_app, {"/inner": inner.wsgi_app}))

    @app.get("/x")
    @require_app_jwt
    def x() -> str:
        name = who()
        other = sent(issuer, f"inner-of-{name}")
        for mount in ("", "/inner"):
            meeting.wait()
            assert both.get(f"{mount}/who", headers=other).text == f"inner-of-{name}"
            assert both.get(f"{mount}/who", headers=headers("junk")).status_code == 401
            assert both.get(f"{mount}/open", headers=other).text == NOBODY
            assert who() == name
        return who()

    found = in_threads(app, issuer)
    assert found == {f"app-{number}": f"app-{number}" for number in range(AT_ONCE)}


#: Ways to ask for the AppJWT of the current request, given the current app.
WAYS: dict[str, Callable[[Flask], Any]] = {
    "call": lambda _app: verify_request(consumer_jws=False),
    "decorated function": lambda _app: require_app_jwt(lambda: None)(),
    "view": lambda app: app.view_functions["both"](),
    "hook": lambda app: app.before_request_funcs[None][-1](),
    "Authlib": lambda _app: AppJWTValidator().authenticate_token(
        request.headers["Authorization"].split()[1]
    ),
}


@pytest.mark.parametrize("verified", [False, True])
@cases(
    "path, way",
    {f"{way} at {path}": (path, way) for path in ("/both", "/one") for way in WAYS}
    # Where there is no view, protect() asks for nothing, in any app.
    | {f"{way} at /nowhere": ("/nowhere", way) for way in WAYS if way != "hook"},
)
def test_another_app_judges_no_request_of_this_one(
    path: str, way: str, verified: bool, make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """In another app's context a request has no caller, though its token is of that app's issuer:
    at an endpoint that both apps have, at one that the other has not, in a handler of 404; whether
    or not the app itself has verified a token before."""
    app, other = make_app(), make_app(APP_JWT_KEYS=stranger.key_set())
    for each in (app, other):
        ConnectorAuth().protect(each, consumer_jws=False)
        each.add_url_rule("/both", "both", require_app_jwt(lambda: "view"))
    app.add_url_rule("/one", "one", lambda: "view")
    told: list[str] = []

    def ask(context: Flask) -> None:
        with context.app_context():
            try:
                WAYS[way](context)
            except Exception as error:
                told.append(type(error).__name__)
            else:
                told.append(who())

    def ask_all(error: Any = None) -> Any:
        if verified:
            ask(app)
        ask(other)
        ask(app)
        return error

    if path == "/nowhere":
        app.register_error_handler(404, ask_all)
    else:
        app.before_request_funcs[None].insert(0, ask_all)
    client, refused = (
        app.test_client(),
        "Invalid" + ("TokenError" if way == "Authlib" else "AppJWT"),
    )
    for token, verdict in ((issuer.app_jwt(azp="mine"), "mine"), (stranger.app_jwt(), refused)):
        told.clear()
        client.get(path, headers=headers(f"Bearer {token}"))
        assert told == [verdict] * verified + ["RuntimeError", verdict]


def test_a_thread_that_outlives_its_request_keeps_its_identity(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """``copy_current_request_context``: also while the next request of the client is served."""
    app, go = make_app(), threading.Event()
    seen: list[str] = []
    threads: list[threading.Thread] = []

    @app.get("/starts")
    @require_app_jwt
    def starts() -> str:
        @copy_current_request_context
        def later() -> None:
            assert go.wait(20)
            seen.append(who())

        threads.append(threading.Thread(target=later))
        threads[0].start()
        return who()

    @app.get("/ends")
    @require_app_jwt
    def ends() -> str:
        go.set()
        threads[0].join()
        return who()

    client = app.test_client()
    assert client.get("/starts", headers=sent(issuer, "first")).text == "first"
    assert client.get("/ends", headers=sent(issuer, "second")).text == "second"
    assert seen == ["first"]


def fail() -> Any:
    """Stand for whatever breaks."""
    raise ZeroDivisionError


def failing_view(app: Flask) -> None:
    """The view raises."""
    app.add_url_rule("/x", "x", require_app_jwt(fail))


def failing_stream(app: Flask) -> None:
    """A stream breaks off after its first piece."""

    def pieces() -> Iterator[str]:
        yield who()
        fail()

    view = require_app_jwt(lambda: Response(stream_with_context(pieces())))
    app.add_url_rule("/x", "x", view)


def failing_after(app: Flask) -> None:
    """What runs after the view raises."""
    app.add_url_rule("/x", "x", require_app_jwt(who))
    app.after_request(lambda response: fail() if request.path == "/x" else response)


def failing_teardown(app: Flask) -> None:
    """What runs at the very end raises."""
    app.add_url_rule("/x", "x", require_app_jwt(who))
    app.teardown_request(lambda _error: fail() if request.path == "/x" else None)


def failing_handler(app: Flask) -> None:
    """The view raises, and so does the handler of that."""
    failing_view(app)
    app.register_error_handler(ZeroDivisionError, lambda _error: [][0])


def failing_before(app: Flask) -> None:
    """What runs before the view raises."""
    app.add_url_rule("/x", "x", require_app_jwt(who))
    app.before_request(lambda: fail() if request.path == "/x" else None)


@pytest.mark.parametrize("propagated", [False, True], ids=["answered", "propagated"])
@cases(
    "broken, seen",
    {
        "view": (failing_view, "first"),
        "stream": (failing_stream, "first"),
        "after": (failing_after, "first"),
        "teardown": (failing_teardown, "first"),
        "handler": (failing_handler, "first"),
        "before": (failing_before, NOBODY),
    },
)
def test_a_request_that_fails_leaves_no_identity(
    broken: Callable[[Flask], None],
    seen: str,
    propagated: bool,
    make_app: MakeApp,
    issuer: Issuer,
) -> None:
    """Its own hooks see its own, to the end; the next request of the thread sees no caller."""
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = propagated
    broken(app)
    found: list[str] = []
    # It runs before the one that fails, since the last one runs first.
    app.teardown_request(lambda _error: found.append(who()))
    app.add_url_rule("/open", "open", who)
    app.add_url_rule("/who", "who", require_app_jwt(who))
    client = app.test_client()
    with suppress(ZeroDivisionError, IndexError):
        client.get("/x", headers=sent(issuer, "first"))
    assert (who(), {*found}) == (NOBODY, {seen})
    assert client.get("/open", headers=sent(issuer, "first")).text == NOBODY
    assert client.get("/who", headers=sent(issuer, "second")).text == "second"


def test_a_client_that_preserves_a_context_shows_the_last_identity(
    app: Flask, issuer: Issuer
) -> None:
    """Flask's ``with client:`` keeps the last request only, and nothing after the block."""
    with app.test_client() as client:
        for name in ("first", "second"):
            client.get("/who", headers=sent(issuer, name))
            assert who() == name
        client.get("/open", headers=sent(issuer, "first"))
        assert who() == NOBODY
        client.get("/who", headers=headers("junk"))
        assert who() == NOBODY
    assert who() == NOBODY


def opened(app: Flask, path: str, header: dict[str, str]) -> Iterator[bytes]:
    """Return the pieces of an answer, of which none was asked for yet."""
    environ = EnvironBuilder(path, headers=Headers(header)).get_environ()
    pieces: Iterable[bytes] = run_wsgi_app(app, environ)[0]
    return iter(pieces)


def test_a_stream_without_its_context_has_no_identity(make_app: MakeApp, issuer: Issuer) -> None:
    """No caller rather than another one: a server reads the pieces when the request is over."""
    app = make_app()
    app.add_url_rule("/who", "who", require_app_jwt(who))
    app.add_url_rule("/x", "x", require_app_jwt(lambda: Response(who() for _ in range(2))))
    pieces = opened(app, "/x", sent(issuer, "first"))
    assert next(pieces) == NOBODY.encode()
    assert app.test_client().get("/who", headers=sent(issuer, "second")).text == "second"
    assert next(pieces) == NOBODY.encode()


def test_what_a_view_has_read_stays_in_its_stream(make_app: MakeApp, issuer: Issuer) -> None:
    """Also where one thread reads two streams in turn, which Flask's own contexts cannot bear."""
    app = make_app()

    def x() -> Response:
        name = who()
        return Response(name for _ in range(3))

    app.add_url_rule("/x", "x", require_app_jwt(x))
    first, second = (opened(app, "/x", sent(issuer, name)) for name in ("first", "second"))
    for _ in range(3):
        assert (next(first), next(second)) == (b"first", b"second")
