"""The audit: what it says of a route is what a request without tokens is answered there."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.routing import Rule

from flask_connector_auth import (
    ConnectorAuth,
    public,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import Access, Binding, Route, audit
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def view(**_arguments: Any) -> dict[str, Any]:
    """Answer."""
    return {}


class Conversations(MethodView):
    """Reading is free, writing is not."""

    def get(self) -> dict[str, Any]:
        """Answer."""
        return {}

    @require_app_jwt(scopes="write")
    def post(self) -> dict[str, Any]:
        """Answer."""
        return {}

    @require_app_jwt(scopes="write")
    @require_consumer_jws
    def put(self) -> dict[str, Any]:
        """Answer."""
        return {}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app with each way of declaring requirements."""
    app = make_app()
    app.add_url_rule("/open", "open", view)
    app.add_url_rule("/public", "public", public(lambda: {}))
    app.add_url_rule("/app", "app", require_app_jwt(view))
    app.add_url_rule("/consumer", "consumer", require_consumer_jws(view))
    app.add_url_rule("/optional", "optional", require_app_jwt(view, optional=True))
    half = require_app_jwt(require_consumer_jws(view), optional=True)
    app.add_url_rule("/half", "half", half)
    app.add_url_rule("/class", "class", Conversations.as_view("class"))
    app.add_url_rule("/options", "options", require_app_jwt(view), methods=["OPTIONS"])
    for name, optional in (("strict", False), ("lax", True)):
        blueprint = Blueprint(name, __name__, url_prefix=f"/{name}")
        ConnectorAuth().protect(blueprint, optional=optional)
        blueprint.add_url_rule("/in", "in", lambda: {})
        blueprint.add_url_rule("/out", "out", public(lambda: {}))
        blueprint.add_url_rule("/own", "own", public(require_app_jwt(lambda: {})))
        app.register_blueprint(blueprint)
    return app


def found(app: Flask) -> dict[tuple[str, str], Route]:
    """Return the routes of *app* by method and endpoint."""
    return {(method, each.endpoint): each for each in audit(app) for method in each.methods}


def test_what_is_said_of_a_route_is_what_is_answered(app: Flask) -> None:
    """A request without tokens is refused where the audit says so, and gets in elsewhere."""
    for (method, endpoint), route in found(app).items():
        if endpoint != "static":
            status = app.test_client().open(route.rule, method=method).status_code
            assert (status == 401) is (route.access is Access.PROTECTED), (method, route)
            assert status in (200, 401)


@cases(
    "endpoint, access",
    {
        "nothing asked": ("open", Access.UNPROTECTED),
        "static files": ("static", Access.UNPROTECTED),
        "marked as public": ("public", Access.PUBLIC),
        "one token": ("app", Access.PROTECTED),
        "an optional one": ("optional", Access.OPTIONAL),
        "an optional one and one that is not": ("half", Access.PROTECTED),
        "blueprint": ("strict.in", Access.PROTECTED),
        "exempt from it": ("strict.out", Access.PUBLIC),
        "exempt, with a decorator": ("strict.own", Access.PROTECTED),
        "optional blueprint": ("lax.in", Access.OPTIONAL),
    },
)
def test_what_becomes_of_a_request_without_tokens(
    app: Flask, endpoint: str, access: Access
) -> None:
    """Protected, optional, public by a mark, or unprotected; HEAD as GET."""
    routes = found(app)
    assert routes["GET", endpoint] is routes["HEAD", endpoint]
    assert routes["GET", endpoint].access is access


def test_methods_that_ask_for_the_same_are_one_route(app: Flask) -> None:
    """A class has one route for each set of requirements, with these."""
    told = [
        (each.methods, each.access, each.requirements.app_jwt is not None)
        for each in audit(app)
        if each.endpoint == "class"
    ]
    assert told == [
        (("GET", "HEAD"), Access.UNPROTECTED, False),
        (("POST",), Access.PROTECTED, True),
        (("PUT",), Access.PROTECTED, True),
    ]
    [scopes] = [each.scopes for each in [found(app)["PUT", "class"].requirements.app_jwt] if each]
    assert scopes == {"write"}


def test_options_counts_only_where_a_view_answers_it(app: Flask) -> None:
    """What Flask answers by itself gets to no view; a view for OPTIONS is one like any other."""
    assert {name for method, name in found(app) if method == "OPTIONS"} == {"options"}
    assert found(app)["OPTIONS", "options"].access is Access.PROTECTED


@pytest.mark.parametrize("option", ["host", "subdomain"])
def test_rules_of_several_hosts_are_told_apart(option: str, make_app: MakeApp) -> None:
    """By the host or the subdomain that a rule is for; ``None`` where it has none."""
    app = make_app()
    app.url_map.host_matching = option == "host"
    for name in ("b", "a"):
        app.add_url_rule("/x", f"on-{name}", view, **{option: name})
    app.add_url_rule("/y", "anywhere", view)
    told = {each.endpoint: each.host for each in audit(app) if each.endpoint != "static"}
    assert told == {"on-a": "a", "on-b": "b", "anywhere": None}
    assert [*told] == ["on-a", "on-b", "anywhere"]


def test_only_rules_with_a_view_are_routes(make_app: MakeApp) -> None:
    """A rule that only builds URLs, or that has no view, is none; one for any method is one."""
    app = make_app(AUDIENCE="le1")
    app.url_map.add(Rule("/built", endpoint="built", build_only=True))
    app.url_map.add(Rule("/nothing", endpoint="nothing"))
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions |= {"any": view, "built": view}
    [route] = [each for each in audit(app) if each.endpoint != "static"]
    assert route.rule == "/any"
    assert {"GET", "OPTIONS", "PATCH", "TRACE"} <= set(route.methods)


@cases(
    "rule, settings, binding",
    {
        "URL": ("/<account_id>", {}, Binding.URL),
        "another name": ("/<brand>", {"ACCOUNT_ARGUMENT": "brand"}, Binding.URL),
        "audience": ("/<brand>", {"AUDIENCE": "le1"}, Binding.AUDIENCE),
        "both": ("/<account_id>", {"AUDIENCE": ["le1", "le2"]}, Binding.BOTH),
        "nothing": ("/<brand>", {}, Binding.ANY),
    },
)
def test_what_binds_a_token_to_an_account(
    make_app: MakeApp, rule: str, settings: dict[str, Any], binding: Binding
) -> None:
    """The argument of the rule, AUDIENCE, both or nothing; and nothing to bind without a token."""
    app = make_app(**settings)
    app.add_url_rule(rule, "asks", require_app_jwt(view))
    app.add_url_rule(f"/open{rule}", "open", view)
    assert found(app)["GET", "asks"].binding is binding
    assert found(app)["GET", "open"].binding is None


def without_wraps(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate without ``functools.wraps``."""

    def wrapper(*args: Any, **arguments: Any) -> Any:
        return inner(*args, **arguments)

    return wrapper


def with_wraps(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate with ``functools.wraps``."""
    return wraps(inner)(without_wraps(inner))


def choosing(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate :func:`view`, and run *decorated* instead of it for a URL with arguments."""

    @wraps(view)
    def wrapper(**arguments: Any) -> Any:
        return (decorated if arguments else view)()

    return wrapper


def calling(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view that runs *decorated* for a URL with arguments."""

    def wrapper(**arguments: Any) -> Any:
        return decorated() if arguments else view()

    return wrapper


@cases(
    "decorate, access, status",
    {
        "nothing": (lambda inner: inner, Access.PROTECTED, 401),
        "functools.wraps": (with_wraps, Access.PROTECTED, 401),
        "no functools.wraps": (without_wraps, Access.UNCERTAIN, 401),
        "ours upon that": (
            lambda inner: require_app_jwt(without_wraps(inner)),
            Access.PROTECTED,
            401,
        ),
        "a wrapper of another view": (choosing, Access.UNCERTAIN, 200),
        "a view that may call it": (calling, Access.UNCERTAIN, 200),
        "exempt": (lambda inner: public(without_wraps(inner)), Access.UNCERTAIN, 401),
    },
)
def test_a_route_is_protected_only_where_the_view_is_said_to_be_the_decorated_one(
    decorate: Any, access: Access, status: int, make_app: MakeApp
) -> None:
    """A decorated function in the closure of a view may be the wrapped one or any other."""
    app = make_app()
    app.add_url_rule("/x", "x", decorate(require_consumer_jws(view)))
    assert app.test_client().get("/x").status_code == status
    route = found(app)["GET", "x"]
    assert (route.access, bool(route.requirements.consumer_jws)) == (access, True)


def test_what_is_optional_is_so_however_certain(make_app: MakeApp) -> None:
    """A request without tokens gets to the view in any case."""
    app = make_app()
    app.add_url_rule("/x", "x", without_wraps(require_app_jwt(view, optional=True)))
    assert app.test_client().get("/x").status_code == 200
    assert found(app)["GET", "x"].access is Access.OPTIONAL


def test_what_the_audit_cannot_know(make_app: MakeApp) -> None:
    """verify_request() in a view counts as nothing, and what is wrapped as always called; a method
    of a class counts as called by ``dispatch_request``."""

    def asks() -> dict[str, Any]:
        verify_request()
        return {}

    decorated = require_app_jwt(view)

    @wraps(decorated)
    def caches(**arguments: Any) -> Any:
        return decorated() if arguments else {}

    class Dispatching(Conversations):
        def dispatch_request(self, **_arguments: Any) -> Any:
            return self.get()

    app = make_app()
    app.add_url_rule("/asks", "asks", asks)
    app.add_url_rule("/caches", "caches", caches)
    app.add_url_rule("/dispatches", view_func=Dispatching.as_view("dispatches"))
    client = app.test_client()
    assert client.get("/asks").status_code == 401
    assert found(app)["GET", "asks"].access is Access.UNPROTECTED
    assert client.get("/caches").status_code == 200
    assert found(app)["GET", "caches"].access is Access.PROTECTED

    assert client.post("/dispatches").status_code == 200
    assert found(app)["POST", "dispatches"].access is Access.PROTECTED


class Lazy:
    """A view with every attribute, as lazy proxies and service containers have them."""

    methods = provide_automatic_options = None  # which Flask reads
    required_methods = ()

    def __call__(self, **_arguments: Any) -> str:
        return "lazy"

    def __getattr__(self, name: str) -> "Lazy":
        return Lazy()


def a_mock() -> Any:
    """Return a mock as a view, but for the attributes that Flask reads."""
    return Mock(return_value="lazy", methods=None, required_methods=())


@cases("make_view", {"a proxy": Lazy, "a mock": a_mock})
@cases(
    "decorate, protect, access",
    {
        "nothing": (lambda view: view, False, Access.UNPROTECTED),
        "protect()": (lambda view: view, True, Access.PROTECTED),
        "our decorator": (require_app_jwt, False, Access.PROTECTED),
        "both": (require_app_jwt, True, Access.PROTECTED),
        "two decorators": (
            lambda view: require_app_jwt(require_app_jwt(view, scopes="msg.consumer")),
            False,
            Access.PROTECTED,
        ),
    },
)
def test_a_view_that_has_every_attribute_has_none_of_ours(
    decorate: Any, protect: bool, access: Access, make_view: Any, make_app: MakeApp, issuer: Issuer
) -> None:
    """Only what a decorator attached, and only a class as ``view_class``, counts."""
    app = make_app()
    if protect:
        ConnectorAuth().protect(app, consumer_jws=False)
    app.add_url_rule("/x", "x", decorate(make_view()), methods=["GET"])
    assert found(app)["GET", "x"].access is access
    client = app.test_client()
    assert client.get("/x", headers=headers(issuer.app_jwt())).text == "lazy"
    if access is Access.PROTECTED:
        assert_row(client.get("/x"), 40105)
        assert_row(client.get("/x", headers=headers("junk")), 40102)


def test_a_hook_that_has_every_attribute_has_none_of_ours(make_app: MakeApp) -> None:
    """As for views; the hook of ``protect()`` beside it is enforced."""

    class Hook(Lazy):
        def __call__(self, **_arguments: Any) -> Any:
            return None

    app = make_app()
    app.before_request(Hook())
    app.before_request(Mock(return_value=None))
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", "x", view)
    app.add_url_rule("/open", "open", public(lambda: "open"))
    assert found(app)["GET", "x"].access is Access.PROTECTED
    assert_row(app.test_client().get("/x"), 40105)
    assert app.test_client().get("/open").text == "open"


def test_an_app_without_the_extension_cannot_be_audited() -> None:
    """Nothing is verified there, so nothing is called protected."""
    with pytest.raises(RuntimeError, match="no ConnectorAuth"):
        audit(Flask("plain"))
