"""Which error wins: the nine cells, the same for every way of declaring."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def ids() -> dict[str, str]:
    """What every view of this module returns."""
    return {"app": current_app_jwt.install_id, "consumer": current_consumer_jws.ext_consumer_id}


def plain(view: Callable[..., Any]) -> Callable[..., Any]:
    """A foreign decorator that keeps no metadata."""

    def inner(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return inner


def polite(view: Callable[..., Any]) -> Callable[..., Any]:
    """A foreign decorator with ``functools.wraps``."""
    return wraps(view)(plain(view))


def polite_async(view: Callable[..., Any]) -> Callable[..., Any]:
    """A foreign decorator that awaits what it wraps."""

    @wraps(view)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await view(*args, **kwargs)

    return inner


def stacked(*decorators: Callable[..., Any], asynchronous: bool = False) -> Callable[..., None]:
    """Declare on a function view, outermost decorator first."""

    def declare(app: Flask, _auth: ConnectorAuth) -> None:
        async def async_view() -> dict[str, str]:
            return ids()

        view: Callable[..., Any] = async_view if asynchronous else (lambda: ids())
        for decorator in reversed(decorators):
            view = decorator(view)
        app.add_url_rule("/x", "x", view)

    return declare


def on_class_and_method(app: Flask, _auth: ConnectorAuth) -> None:
    """The ConsumerJWS for the whole MethodView, the AppJWT for one method."""

    class Resource(MethodView):
        decorators = (require_consumer_jws,)

        @require_app_jwt
        def get(self) -> dict[str, str]:
            return ids()

    app.add_url_rule("/x", view_func=Resource.as_view("x"))


def on_method_and_class(app: Flask, _auth: ConnectorAuth) -> None:
    """The AppJWT for the whole MethodView, the ConsumerJWS for one method, with wraps between."""

    class Resource(MethodView):
        decorators = (polite, require_app_jwt)

        @polite
        @require_consumer_jws
        def get(self) -> dict[str, str]:
            return ids()

    app.add_url_rule("/x", view_func=Resource.as_view("x"))


def on_dispatch_request(app: Flask, _auth: ConnectorAuth) -> None:
    """A plain View: its one method is decorated."""

    class Page(View):
        @require_consumer_jws
        @require_app_jwt
        def dispatch_request(self) -> dict[str, str]:
            return ids()

    app.add_url_rule("/x", view_func=Page.as_view("x"))


def on_async_method(app: Flask, _auth: ConnectorAuth) -> None:
    """Both on an async method."""

    class Resource(MethodView):
        @require_consumer_jws
        @require_app_jwt
        async def get(self) -> dict[str, str]:
            return ids()

    app.add_url_rule("/x", view_func=Resource.as_view("x"))


def protected(target: str, protect: dict[str, bool], *decorators: Callable[..., Any]) -> Any:
    """``protect()`` on the app, a blueprint or its parent, and *decorators* on the view."""

    def declare(app: Flask, auth: ConnectorAuth) -> None:
        parent, child = Blueprint("parent", __name__), Blueprint("child", __name__)
        view: Callable[..., Any] = lambda: ids()  # noqa: E731
        for decorator in reversed(decorators):
            view = decorator(view)
        child.add_url_rule("/x", "x", view)
        auth.protect({"app": app, "parent": parent, "child": child}[target], **protect)
        parent.register_blueprint(child)
        app.register_blueprint(parent)

    return declare


def as_a_call(app: Flask, _auth: ConnectorAuth) -> None:
    """``verify_request()`` inside an undecorated view."""

    @app.get("/x")
    def x() -> dict[str, str]:
        verify_request()
        return ids()


APP, CONSUMER = require_app_jwt, require_consumer_jws
ONLY_APP = {"app_jwt": True, "consumer_jws": False}
ONLY_CONSUMER = {"app_jwt": False, "consumer_jws": True}
WAYS = {
    "app over consumer": stacked(APP, CONSUMER),
    "consumer over app": stacked(CONSUMER, APP),
    "called": stacked(CONSUMER(), APP()),
    "wraps between, app outside": stacked(APP, polite, CONSUMER),
    "wraps between, consumer outside": stacked(CONSUMER, polite, APP),
    "no wraps between, app outside": stacked(APP, plain, CONSUMER),
    "no wraps between, consumer outside": stacked(CONSUMER, plain, APP),
    "no wraps outside": stacked(plain, CONSUMER, APP),
    "no wraps everywhere": stacked(plain, CONSUMER, plain, plain, APP, plain),
    "async, app over consumer": stacked(APP, CONSUMER, asynchronous=True),
    "async, consumer over app": stacked(CONSUMER, APP, asynchronous=True),
    "async, awaiting decorator between": stacked(CONSUMER, polite_async, APP, asynchronous=True),
    "MethodView.decorators and method": on_class_and_method,
    "method and MethodView.decorators": on_method_and_class,
    "View.dispatch_request": on_dispatch_request,
    "async method": on_async_method,
    "protect(app)": protected("app", {}),
    "protect(parent blueprint)": protected("parent", {}),
    "protect(blueprint)": protected("child", {}),
    "protect(app, consumer) and app": protected("app", ONLY_CONSUMER, APP),
    "protect(parent, consumer), no wraps, app": protected("parent", ONLY_CONSUMER, plain, APP),
    "protect(blueprint, app) and consumer": protected("child", ONLY_APP, CONSUMER),
    "protect and both decorators": protected("child", {}, CONSUMER, APP),
    "verify_request()": as_a_call,
}

CELLS = [
    ("missing", "missing", 40105),
    ("missing", "invalid", 40105),
    ("missing", "valid", 40105),
    ("invalid", "missing", 40102),
    ("invalid", "invalid", 40102),
    ("invalid", "valid", 40102),
    ("valid", "missing", 40104),
    ("valid", "invalid", 40103),
    ("valid", "valid", None),
]


@pytest.mark.parametrize(("app_jwt", "consumer_jws", "expected"), CELLS)
@pytest.mark.parametrize("sent_before", [0, 3], ids=["first request", "recognised"])
@pytest.mark.parametrize("way", WAYS)
def test_the_app_jwt_is_judged_first(
    way: str,
    sent_before: int,
    app_jwt: str,
    consumer_jws: str,
    expected: int | None,
    make_app: MakeApp,
    issuer: Issuer,
    stranger: Issuer,
) -> None:
    """Decision 0002: both tokens on one view mean the same however declared."""
    app = make_app()
    WAYS[way](app, ConnectorAuth())
    apps = {"missing": None, "invalid": stranger.app_jwt(), "valid": issuer.app_jwt()}
    consumers = {
        "missing": None,
        "invalid": stranger.consumer_jws(),
        "valid": issuer.consumer_jws(ext_consumer_id="anna"),
    }
    client = app.test_client()
    for _ in range(sent_before):
        good = headers(apps["valid"], consumers["valid"])
        assert client.get("/x", headers=good).status_code == 200
    response = client.get("/x", headers=headers(apps[app_jwt], consumers[consumer_jws]))
    if expected is None:
        assert response.json == {
            "app": "75588e18-0000-4000-8000-000000000000",
            "consumer": "anna",
        }
        assert response.status_code == 200
    else:
        assert_row(response, expected)


@pytest.mark.parametrize("blank", ["", " ", "\t", " \t "])
def test_a_blank_header_is_a_missing_one(blank: str, make_app: MakeApp, issuer: Issuer) -> None:
    """Rows 40104 and 40105: spaces and tabs alone are no token."""
    app = make_app()
    stacked(APP, CONSUMER)(app, ConnectorAuth())
    client = app.test_client()
    assert_row(client.get("/x", headers=headers(blank, issuer.consumer_jws())), 40105)
    assert_row(client.get("/x", headers=headers(issuer.app_jwt(), blank)), 40104)
