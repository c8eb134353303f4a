"""Requirements of an endpoint are remembered only while its view and its hooks are the same.

Each case changes an app that has answered before. The answers then are those that the audit says.
"""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from weakref import ref

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.routing import Rule

from flask_connector_auth import ConnectorAuth, public, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import Access, audit
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

Change = Callable[[Flask], None]


class Resource(MethodView):
    """A class whose methods are changed."""

    def get(self) -> str:
        """Answer."""
        return "x"


class Page(View):
    """A class that answers by one method."""

    def dispatch_request(self) -> str:
        """Answer."""
        return "x"


def accesses(app: Flask, method: str = "GET") -> dict[str, Access]:
    """Return what the audit of *app* says of each endpoint."""
    return {each.endpoint: each.access for each in audit(app) if method in each.methods}


def by_hand(app: Flask, endpoint: str) -> None:
    """Dispatch a request as a warm-up in an application factory does."""
    [rule] = app.url_map.iter_rules(endpoint)
    with app.test_request_context(rule.rule):
        assert app.dispatch_request() == "x"


def test_an_app_that_is_protected_after_a_view_was_dispatched_by_hand(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Requirements of ``protect()`` hold even if the factory sent a request before."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(lambda: "x", optional=True))
    app.add_url_rule("/free", "free", lambda: "x")
    by_hand(app, "x")
    by_hand(app, "free")
    ConnectorAuth().protect(app, scopes="admin")
    client = app.test_client()
    for url in ("/x", "/free"):
        assert_row(client.get(url), 40105)
        assert_row(client.get(url, headers=headers(issuer.app_jwt(), issuer.consumer_jws())), 40102)
        admin = issuer.app_jwt(scope="admin")
        assert_row(client.get(url, headers=headers(admin)), 40104)
        assert client.get(url, headers=headers(admin, issuer.consumer_jws())).data == b"x"
    assert {*accesses(app).values()} == {Access.PROTECTED}


def replace_view(app: Flask) -> None:
    """Register another view at the endpoint."""
    app.view_functions["api.view"] = lambda: "x"


def replace_method(app: Flask) -> None:
    """Let the class of the view have another method."""
    app.view_functions["api.class"].view_class.get = lambda _self: "x"  # type: ignore[attr-defined]


def replace_dispatch(app: Flask) -> None:
    """Let the class of the view have another way to answer."""
    page = app.view_functions["api.page"].view_class  # type: ignore[attr-defined]
    page.dispatch_request = lambda _self: "x"


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("target", ["app", "api"])
@cases(
    "endpoint, change",
    {
        "view": ("view", replace_view),
        "method of a class": ("class", replace_method),
        "dispatch_request": ("page", replace_dispatch),
    },
)
def test_a_public_view_that_is_replaced_is_no_longer_exempt(
    endpoint: str, change: Change, target: str, back: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """While running: only the function that is marked is exempt, whatever stood there before; and
    where it comes back, it is exempt again."""
    app, api = make_app(), Blueprint("api", __name__)
    ConnectorAuth().protect({"app": app, "api": api}[target], consumer_jws=False)
    class_ = type("Marked", (Resource,), {"get": public(lambda _self: "x")})
    page = type("MarkedPage", (Page,), {"dispatch_request": public(lambda _self: "x")})
    api.add_url_rule("/view", "view", public(lambda: "x"))
    api.add_url_rule("/class", view_func=class_.as_view("class"))
    api.add_url_rule("/page", view_func=page.as_view("page"))
    app.register_blueprint(api)
    client, view = app.test_client(), app.view_functions[f"api.{endpoint}"]
    collected_requirements = (view, class_.get, page.dispatch_request)  # type: ignore[attr-defined]
    assert client.get(f"/{endpoint}").data == b"x"
    assert accesses(app)[f"api.{endpoint}"] is Access.PUBLIC
    change(app)
    assert accesses(app)[f"api.{endpoint}"] is Access.PROTECTED
    assert_row(client.get(f"/{endpoint}"), 40105)
    assert client.get(f"/{endpoint}", headers=headers(issuer.app_jwt())).data == b"x"
    if back:
        app.view_functions[f"api.{endpoint}"], class_.get, page.dispatch_request = (
            collected_requirements  # type: ignore[attr-defined]
        )
        assert accesses(app)[f"api.{endpoint}"] is Access.PUBLIC
        assert client.get(f"/{endpoint}").data == b"x"


def test_another_class_behind_a_view_is_not_exempt(make_app: MakeApp) -> None:
    """Flask reads ``view_class`` from the view for each request, and so does the check."""

    class Open(MethodView):
        @public
        def get(self) -> str:
            return "x"

    app, view = make_app(), Open.as_view("view")
    ConnectorAuth().protect(app)
    app.add_url_rule("/", view_func=view)
    assert app.test_client().get("/").text == "x"
    assert accesses(app)["view"] is Access.PUBLIC
    view.view_class = Resource  # type: ignore[attr-defined]
    assert_row(app.test_client().get("/"), 40105)
    assert accesses(app)["view"] is Access.PROTECTED


def test_a_method_that_a_class_gets_later(make_app: MakeApp, issuer: Issuer) -> None:
    """HEAD runs ``get`` only as long as there is no ``head``."""
    app = make_app()
    class_ = type("Growing", (Resource,), {"get": require_app_jwt(lambda _self: "x")})
    app.add_url_rule("/x", view_func=class_.as_view("x"))
    client = app.test_client()
    assert client.head("/x").status_code == 401
    class_.head = require_consumer_jws(lambda _self: "")  # type: ignore[attr-defined]
    sent = headers(issuer.app_jwt())
    assert client.head("/x", headers=sent).status_code == 401
    [head] = [
        each.requirements
        for each in audit(app)
        if "HEAD" in each.methods and each.access is Access.PROTECTED
    ]
    assert (head.app_jwt, bool(head.consumer_jws)) == (None, True)
    both = headers(None, issuer.consumer_jws())
    assert client.head("/x", headers=both).status_code == 200


@pytest.mark.parametrize("name", [None, "outer", "outer.inner"])
@pytest.mark.parametrize("way", ["added", "replaced"])
def test_hooks_that_change_by_hand_are_counted_anew(
    way: str, name: str | None, make_app: MakeApp, issuer: Issuer
) -> None:
    """Also in a list of the same length: the order of errors is that of all requirements."""
    app, strict = make_app(), Flask("strict")
    ConnectorAuth().protect(strict, consumer_jws=False, scopes="admin")
    [hook] = strict.before_request_funcs[None]
    outer, inner = (Blueprint(each, __name__) for each in ("outer", "inner"))
    inner.add_url_rule("/x", "x", require_consumer_jws(lambda: "x"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    hooks = app.before_request_funcs.setdefault(name, [])
    if way == "replaced":
        hooks.append(lambda: None)
    # It runs before all others, whatever they find on the request then.
    app.url_value_preprocessor(lambda *_: None)
    client, consumer = app.test_client(), headers(None, issuer.consumer_jws())
    assert client.get("/x", headers=consumer).data == b"x"
    [before] = [each for each in audit(app) if each.endpoint == "outer.inner.x"]
    hooks[:] = [hook]
    [after] = [each for each in audit(app) if each.endpoint == "outer.inner.x"]
    assert (before.requirements.app_jwt, bool(after.requirements.app_jwt)) == (None, True)
    assert_row(client.get("/x", headers=consumer), 40105)
    admin = headers(issuer.app_jwt(scope="admin"), issuer.consumer_jws())
    assert client.get("/x", headers=admin).data == b"x"
    # By hand, no hook runs; the view's own wrapper requires what the hook would have required.
    with app.test_request_context("/x", headers=consumer), pytest.raises(Exception) as caught:
        app.dispatch_request()
    assert caught.value.row.error_code == 40105
    hooks.clear()
    assert client.get("/x", headers=consumer).data == b"x"


def test_a_rule_without_a_view_is_asked_what_its_hooks_ask(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Where nothing is registered, Flask fails as it does without us, but behind the hook."""
    app = make_app()
    ConnectorAuth().protect(app, consumer_jws=False)
    app.url_map.add(Rule("/nothing", endpoint="nothing"))
    client = app.test_client()
    assert_row(client.get("/nothing"), 40105)
    assert client.get("/nothing", headers=headers(issuer.app_jwt())).status_code == 500


def test_threads_at_first_contact_find_the_same(make_app: MakeApp, issuer: Issuer) -> None:
    """Each request must fulfil the requirements of its own wrapper, however many come first at
    once; requirements of a wrapper made for an earlier request do not count."""
    app, scope, together = make_app(), ["a"], Barrier(8)

    @app.get("/x")
    def view() -> Any:
        together.wait(10)
        return require_app_jwt(scopes=scope[0])(lambda: {})()

    def status(_number: int) -> int:
        sent = headers(issuer.app_jwt(scope="a"))
        return app.test_client().get("/x", headers=sent).status_code

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(status, range(8))] == [200] * 8
        gc.collect()
        scope[0] = "admin"
        assert {*pool.map(status, range(80))} == {401}


def test_what_is_remembered_of_a_view_goes_when_it_is_replaced(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """A view that is registered anew each minute adds up to nothing."""
    app, sent = make_app(), headers(issuer.app_jwt())
    app.add_url_rule("/x", "x", require_app_jwt(lambda: "x"))
    client = app.test_client()
    views = []
    for _ in range(50):
        app.view_functions["x"] = require_app_jwt(lambda: "x")
        assert client.get("/x", headers=sent).data == b"x"
        views.append(ref(app.view_functions["x"]))
    gc.collect()
    assert [each() is None for each in views] == [True] * 49 + [False]
