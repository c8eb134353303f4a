"""What we lean on in others beyond their documentation: a release that changes it fails here.

Whatever fails names the package, what it did until now, and why we need it.
"""

import gc
import http.client
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Blueprint, Flask, current_app, request
from flask.views import MethodView
from marshmallow import Schema, fields
from redis import ConnectionPool, Redis
from redis.connection import parse_url
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from tests.dependencies.private_names import private_names

#: Every private name of others that the package uses, and why; those of a namedtuple are its
#: documented ones.
PRIVATE = {
    "_create_connection": "http.client: sockets that the watchdog has before anything is read",
    "_deserialize": "marshmallow: what a field type of one's own defines, by its documentation",
    "_fields": "namedtuple",
    "_got_first_request": "Flask: what is registered later would not hold for requests before it",
    "_get_current_object": "werkzeug: a proxy is unwrapped once a request; no stale identity",
    "_replace": "namedtuple",
}


def test_every_private_name_is_listed() -> None:
    """A private name of another package is used only where the list above says why."""
    assert private_names() == PRIVATE.keys()


def test_flask_remembers_its_first_request() -> None:
    """Flask: _got_first_request is false until a request is dispatched, whatever is answered."""
    app = Flask("an_app")
    assert app._got_first_request is False
    assert app.test_client().get("/").status_code == 404
    assert app._got_first_request is True


def test_werkzeug_unwraps_a_proxy() -> None:
    """werkzeug: _get_current_object() is the request itself, which takes an attribute of ours and
    is another one each time; outside of a request it raises RuntimeError."""
    unwrapped: Callable[[], Any] = request._get_current_object  # type: ignore[attr-defined]
    app, seen = Flask("an_app"), []

    @app.get("/")
    def view() -> str:
        unwrapped()._of_ours = 1
        seen.append(unwrapped())
        assert unwrapped()._of_ours == request._of_ours == 1  # type: ignore[attr-defined]
        return ""

    for _ in range(2):
        assert app.test_client().get("/").status_code == 200
    assert seen[0] is not seen[1]
    for proxy in (request, current_app):
        with pytest.raises(RuntimeError):
            proxy._get_current_object()  # type: ignore[attr-defined]


def test_werkzeug_sends_the_response_of_an_exception_as_it_is() -> None:
    """werkzeug: HTTPException(response=…) is that very response, which Flask-RESTful sends."""
    ours = Response(b"{}", 401)
    error = HTTPException("text", ours)
    assert error.response is ours
    assert error.get_response() is ours


def test_werkzeug_adds_nothing_to_the_headers_it_is_given() -> None:
    """werkzeug: what is assigned to Headers[:] is sent, in this order, with no header beside it."""
    pairs = [("Content-Type", "application/json"), ("Content-Length", "2"), ("X-Any", "a")]
    headers = Headers()
    headers[:] = pairs
    response = Response([b"{}"], "401 UNAUTHORIZED", headers)
    assert response.get_wsgi_headers({"REQUEST_METHOD": "GET"}).to_wsgi_list() == pairs
    assert (response.status, response.status_code) == ("401 UNAUTHORIZED", 401)


def test_werkzeug_writes_a_challenge() -> None:
    """werkzeug: the text of WWW-Authenticate (RFC 9110 section 11.6.1)."""
    challenge = WWWAuthenticate("bearer", {"realm": 'a "b"', "error": "invalid_token"})
    assert challenge.to_header() == r'Bearer realm="a \"b\"", error=invalid_token'


def test_werkzeug_hands_headers_on_as_latin_1() -> None:
    """werkzeug's server: a header is latin-1 text without the white space around it, two of one
    name are joined by a comma, and a name with an underscore is dropped (PEP 3333)."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ)
        start_response("204 NO CONTENT", [])
        return []

    server = make_server("127.0.0.1", 0, app)
    server.timeout = 10
    serving = threading.Thread(target=server.handle_request)
    serving.start()
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: \xe9\xa0\r\nAuthorization: b\r\n"
            b"X-LP-ON-BEHALF: \t one \r\nX_LP_ON_BEHALF: two\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.")
    serving.join()
    server.server_close()
    assert seen[0]["HTTP_AUTHORIZATION"] in ("é\xa0,b", "é,b")
    assert seen[0]["HTTP_X_LP_ON_BEHALF"].strip(" \t") == "one"


def test_flask_knows_what_will_run() -> None:
    """Flask: rule, endpoint, view class and hooks of a request are where we look for the marks;
    HEAD runs get(); the path is decoded once, as UTF-8."""
    app, hook = Flask("an_app"), lambda: None
    outer, inner = Blueprint("outer", "an_app"), Blueprint("inner", "an_app")

    class View(MethodView):
        def get(self, account_id: str) -> str:
            rule = request.url_rule
            assert rule
            assert rule.endpoint == "outer.inner.view" == request.endpoint
            assert rule.provide_automatic_options is True  # type: ignore[attr-defined]
            return account_id

    inner.add_url_rule("/<account_id>", view_func=View.as_view("view"))
    for each in (outer, inner):
        each.before_request(hook)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    view: Any = app.view_functions["outer.inner.view"]
    assert view.view_class is View
    assert dict(app.before_request_funcs) == {"outer": [hook], "outer.inner": [hook]}
    client = app.test_client()
    assert client.get("/a%2525%C3%A9").text == "a%25é"
    assert client.head("/a").status_code == client.options("/a").status_code == 200


def test_flask_awaits_what_is_a_coroutine_function() -> None:
    """Flask: ensure_sync() runs an async view, or a wrapper of one that is async itself."""
    app = Flask("an_app")

    async def view() -> str:
        return "awaited"

    async def wrapper() -> str:
        return await view()

    assert app.ensure_sync(wrapper)() == "awaited"


def test_blinker_tells_whether_anybody_listens() -> None:
    """blinker: receivers is true while there is one, which is held weakly: a signal without any
    costs a request nothing."""

    def listener(_sender: object) -> None: ...

    signal = NamedSignal("a-signal")
    assert not signal.receivers
    signal.connect(listener)
    assert signal.receivers
    del listener
    gc.collect()
    assert not signal.receivers


def test_marshmallow_dumps_members_in_the_order_of_declaration() -> None:
    """marshmallow: so the envelope has the documented order (protocol page, Error Responses)."""

    class Declared(Schema):
        z = fields.Constant("1")
        a = fields.Integer(attribute="b")
        m = fields.String()

    assert [*Declared().dump({"m": "3", "b": 2})] == ["z", "a", "m"]


def test_redis_connects_only_when_it_is_asked() -> None:
    """redis-py: a pool, a client and a connection can be made of any URL, to see whether its
    options are good ones, without a packet to the server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        options = parse_url(f"redis://127.0.0.1:{server.getsockname()[1]}/3")  # type: ignore[no-untyped-call]
        assert options["db"] == 3
        ConnectionPool(**options).make_connection()
        Redis(**options).close()
        with pytest.raises(BlockingIOError):
            server.accept()
    with pytest.raises(TypeError):
        ConnectionPool(**options, no_such_option=1).make_connection()


def test_the_standard_library_connects_by_a_hook() -> None:
    """http.client: connect() makes its socket by _create_connection, and by nothing else."""
    connection = http.client.HTTPConnection("host.invalid", 7)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as ours,
    ):
        connection._create_connection = lambda address, *_: ours  # type: ignore[attr-defined]
        connection.connect()
        assert connection.sock is ours
