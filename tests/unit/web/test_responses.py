"""The responses to refused requests: each is an ordinary Flask response of its own."""

from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest
from flask import Flask, Response, after_this_request, make_response, session
from werkzeug.datastructures import Headers
from werkzeug.test import create_environ, run_wsgi_app

from flask_connector_auth import AppJWTMissing, InvalidAppJWT, require_app_jwt
from tests.support.http_helpers import CHALLENGES, ROWS, assert_row
from tests.support.types import MakeApp

DOCUMENTED = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(ROWS[40105]))),
    ("Cache-Control", "no-store"),
    ("WWW-Authenticate", CHALLENGES[40105]),
]


@pytest.fixture
def service(make_app: MakeApp) -> Flask:
    """An app with one protected view: pytest-flask gives one called ``app`` its response class."""
    service = make_app()
    service.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    return service


def sent(response: Response, method: str = "GET") -> tuple[bytes, str, list[tuple[str, str]]]:
    """Return what *response* sends to a server."""
    body, status, headers = run_wsgi_app(response, create_environ(method=method), buffered=True)
    return b"".join(body), status, [*headers]


def replace_headers(response: Response) -> None:
    """As a hook that keeps no header of a refusal."""
    response.headers = Headers({"X-Only": "1"})


def stream(response: Response) -> None:
    """As a hook that compresses the body."""
    response.response = iter([b"streamed"])
    response.content_length = None


def answer_conditionally(response: Response) -> None:
    """As a hook that adds an ETag to every response."""
    response.add_etag()
    response.make_conditional(create_environ(headers={"If-None-Match": response.headers["ETag"]}))


#: Each takes a response.
CHANGES = {
    "header": lambda response: response.headers.set("Access-Control-Allow-Origin", "*"),
    "no challenge": lambda response: response.headers.remove("WWW-Authenticate"),
    "other headers": replace_headers,
    "cookie": lambda response: response.set_cookie("seen", "1"),
    "vary": lambda response: response.vary.add("Origin"),
    "data": lambda response: response.set_data(b"changed"),
    "more data": lambda response: response.stream.write(b"more"),
    "stream": stream,
    "status": lambda response: setattr(response, "status_code", 204),
    "etag": answer_conditionally,
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_has_the_effect_that_it_has_on_any_response(
    service: Flask, change: Callable[[Response], object], method: str
) -> None:
    """A hook may change headers, cookies, status and body, as it may with Flask's own responses."""
    with service.app_context():
        ours, plain = AppJWTMissing().response, Response(ROWS[40105], 401, [*DOCUMENTED])
        change(ours)
        change(plain)
        assert sent(ours, method) == sent(plain, method)
        if method == "GET":
            assert sent(ours) != (ROWS[40105], "401 UNAUTHORIZED", DOCUMENTED)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_one_response_is_not_in_the_next(
    service: Flask, change: Callable[[Response], object]
) -> None:
    """No response shares what can be changed with another one of its row."""
    changes = [change, lambda _response: None]

    @service.after_request
    def change_the_first(response: Response) -> Response:
        changes.pop(0)(response)
        return response

    client = service.test_client()
    first, second = client.get("/x"), client.get("/x")
    assert first.headers != second.headers or first.data != second.data
    assert_row(second, 40105)
    assert [*second.headers] == DOCUMENTED


def test_what_a_server_does_to_the_list_of_headers_is_not_in_the_next_response(
    service: Flask,
) -> None:
    """PEP 3333: a server or a middleware may change the list that it gets."""

    def call() -> list[tuple[str, str]]:
        received: list[Any] = []
        for _ in service.wsgi_app(create_environ("/x"), lambda *args: received.extend(args)):  # type: ignore[arg-type, return-value]
            pass
        headers: list[tuple[str, str]] = received[1]
        return headers

    first = call()
    first.append(("X-Server", "1"))
    assert call() == DOCUMENTED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_servers_and_middleware_find_what_the_gateway_interface_asks(
    service: Flask, method: str
) -> None:
    """PEP 3333, as the standard library checks it: types, status, headers, and the close."""
    closed: list[str] = []

    @service.after_request
    def close(response: Response) -> Response:
        response.call_on_close(lambda: closed.append(method))
        return response

    body, status, _ = run_wsgi_app(
        validator(service.wsgi_app), create_environ("/x", method=method), buffered=True
    )
    assert (b"".join(body), status) == (ROWS[40105] * (method == "GET"), "401 UNAUTHORIZED")
    assert closed == [method]


def test_no_response_shares_an_attribute_that_can_be_changed(service: Flask) -> None:
    """Whatever attributes the installed Werkzeug gives a response, mutable ones are its own."""
    with service.app_context():
        one, other = vars(AppJWTMissing().response), vars(AppJWTMissing().response)
    shared = {type(value) for name, value in one.items() if other[name] is value}
    assert one.keys() == other.keys()
    assert {each.__name__ for each in shared} <= {"str", "int", "bool", "RenderedResponse"}


def test_a_response_has_all_attributes_of_a_response_of_flask(service: Flask) -> None:
    """What Flask's constructor sets is set, though it does not run."""
    with service.app_context():
        ours, plain = AppJWTMissing().response, Response(ROWS[40105], 401, [*DOCUMENTED])
    assert [*ours.headers] == DOCUMENTED
    assert vars(plain).keys() <= vars(ours).keys()
    for name in vars(plain):
        assert getattr(ours, name) == getattr(plain, name), name


def test_it_reads_as_any_response(service: Flask) -> None:
    """Body, JSON, type and length can be read, and close functions run."""
    closed: list[int] = []
    with service.app_context():
        response, untouched = AppJWTMissing().response, AppJWTMissing().response
    assert isinstance(response, Response)
    assert (response.status_code, response.get_data()) == (401, ROWS[40105])
    assert response.get_json()["body"]["errorCode"] == 40105
    assert (response.mimetype, response.content_length) == ("application/json", len(ROWS[40105]))
    assert response.www_authenticate.realm == "Connector API"
    untouched.call_on_close(lambda: closed.append(1))
    assert sent(untouched) == (ROWS[40105], "401 UNAUTHORIZED", DOCUMENTED)
    assert closed == [1]


class OwnResponse(Response):
    """An app's response class, with a header of its own."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        headers["X-Own"] = "1"
        return headers


def test_an_app_has_a_response_class_of_its_own(service: Flask) -> None:
    """``app.response_class`` makes every response of the app one of that class, ours too."""
    service.response_class = OwnResponse
    seen: list[type] = []
    service.after_request(lambda response: seen.append(type(response)) or response)  # type: ignore[func-returns-value]
    response = service.test_client().get("/x")
    assert (response.headers["X-Own"], response.data, seen) == ("1", ROWS[40105], [OwnResponse])
    assert response.headers["WWW-Authenticate"] == CHALLENGES[40105]


def test_hooks_sessions_and_handlers_work_on_a_refused_request(service: Flask) -> None:
    """The session is saved, a hook of the request runs, and a handler may replace the response."""
    service.secret_key = "a secret for this test"

    @service.before_request
    def before() -> None:
        session["visits"] = 1

        @after_this_request
        def mark(response: Response) -> Response:
            response.headers["X-Marked"] = "1"
            return response

    @service.errorhandler(InvalidAppJWT)
    def replace(error: InvalidAppJWT) -> Response:
        return make_response(error.response, 403, {"X-Handled": "1"})

    client = service.test_client()
    response = client.get("/x")
    assert response.headers["Set-Cookie"].startswith("session=")
    assert (response.headers["X-Marked"], response.data) == ("1", ROWS[40105])

    response = client.get("/x", headers={"Authorization": "no token"})
    assert (response.status_code, response.headers["X-Handled"]) == (403, "1")
    assert response.data == ROWS[40102]
