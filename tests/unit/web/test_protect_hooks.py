"""Requirements of ``protect()`` hold however an app wraps or moves the hook that checks them."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_connector_auth import ConnectorAuth, public, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import Access, Route, audit
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

Hook = Callable[[], Any]


def by_a_closure(hook: Hook) -> Hook:
    """Wrap *hook* as a timer or tracer does, without ``functools.wraps``."""

    def timed() -> Any:
        return hook()

    return timed


def by_a_decorator(hook: Hook) -> Hook:
    """Wrap *hook* with ``functools.wraps``."""

    @wraps(hook)
    def timed() -> Any:
        return hook()

    return timed


def by_a_partial(hook: Hook) -> Hook:
    """Wrap *hook* in a partial of a function that calls it."""
    return partial(lambda call: call(), hook)


class ByAnObject:
    """Wraps a hook where only its own method finds it."""

    def __init__(self, hook: Hook) -> None:
        self._hooks = [hook]

    def __call__(self) -> Any:
        """Run the hook."""
        return self._hooks[0]()


Wrap = Callable[[Hook], Hook]
WRAPPED: dict[str, tuple[Wrap, Access]] = {
    "functools.wraps": (by_a_decorator, Access.PROTECTED),
    "closure": (by_a_closure, Access.UNCERTAIN),
    "two closures": (lambda hook: by_a_closure(by_a_closure(hook)), Access.UNCERTAIN),
    "partial": (by_a_partial, Access.UNCERTAIN),
    "object": (ByAnObject, Access.UNCERTAIN),
}


class Resource(MethodView):
    """Reading is exempt, writing is not."""

    @public
    def get(self) -> str:
        """Answer."""
        return "open"

    def post(self) -> str:
        """Answer."""
        return "closed"


def wrapping(base: type[Any], wrap: Wrap) -> type[Any]:
    """Return a class of app or blueprint whose ``before_request`` wraps each hook."""

    class Wrapping(base):  # type: ignore[misc]
        def before_request(self, f: Any) -> Any:
            return super().before_request(wrap(f))

    return Wrapping


def app_with(issuer: Issuer, target: str, wrap: Wrap) -> Flask:
    """Return an app with a nested blueprint, where *target* is protected, and hooks are wrapped."""
    app: Flask = wrapping(Flask, wrap)("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    outer = wrapping(Blueprint, wrap)("outer", __name__, url_prefix="/outer")
    inner = wrapping(Blueprint, wrap)("inner", __name__, url_prefix="/inner")
    auth = ConnectorAuth(app)
    targets = {"app": app, "outer": outer, "inner": inner}
    auth.protect(targets[target], consumer_jws=False, scopes="admin")
    inner.add_url_rule("/closed", "closed", lambda: "closed")
    inner.add_url_rule("/open", "open", public(lambda: "open"))
    inner.add_url_rule("/class", view_func=Resource.as_view("class"))
    inner.add_url_rule("/both", "both", require_consumer_jws(lambda: "both"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def found(app: Flask) -> dict[tuple[str, str], Route]:
    """Return the routes of *app* by method and endpoint."""
    return {(method, each.endpoint): each for each in audit(app) for method in each.methods}


@pytest.mark.parametrize("target", ["app", "outer", "inner"])
@cases("wrap, access", WRAPPED)
def test_a_hook_that_is_wrapped_asks_all_the_same(
    wrap: Wrap, access: Access, target: str, issuer: Issuer
) -> None:
    """The hook itself has its requirements; no attribute of a registered function is trusted."""
    app = app_with(issuer, target, wrap)
    client, good = app.test_client(), headers(issuer.app_jwt(scope="admin"))
    for url, method in (("closed", "GET"), ("class", "POST")):
        url = f"/outer/inner/{url}"
        assert_row(client.open(url, method=method), 40105)
        other = headers(issuer.app_jwt(scope="other"))
        assert_row(client.open(url, method=method, headers=other), 40102)
        assert client.open(url, method=method, headers=good).data == b"closed"
    for url in ("open", "class"):
        assert client.get(f"/outer/inner/{url}").data == b"open"
    assert_row(client.get("/outer/inner/both"), 40105)
    assert_row(client.get("/outer/inner/both", headers=good), 40104)
    routes = found(app)
    for method, name in (("GET", "closed"), ("POST", "class")):
        assert routes[method, f"outer.inner.{name}"].access is access
    for name in ("open", "class"):
        assert routes["GET", f"outer.inner.{name}"].access is Access.PUBLIC
    both = routes["GET", "outer.inner.both"]
    assert both.access is Access.PROTECTED
    assert both.requirements.app_jwt
    assert both.requirements.consumer_jws


class Hooked(Flask):
    """Keeps its hooks in an attribute of its own, and runs them from one registered hook."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.hooks: list[Any] = []
        super().before_request(self.run_hooks)

    def before_request(self, f: Any) -> Any:
        """Keep *f*."""
        self.hooks.append(f)
        return f

    def run_hooks(self) -> Any:
        """Run what was kept."""
        return next(filter(None, [hook() for hook in self.hooks]), None)


@pytest.mark.parametrize("first", ["protect", "init_app", "dispatch"])
def test_hooks_that_flask_does_not_know_of_are_not_called_unprotected(
    first: str, issuer: Issuer
) -> None:
    """A route is called uncertain where its app is protected, but no hook of that is to be seen;
    whichever was first, ``protect()``, ``init_app()``, or a view that was dispatched by hand."""
    app, auth = Hooked("an_app"), ConnectorAuth()
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    app.add_url_rule("/x", "x", require_app_jwt(lambda: "x", optional=True))
    app.add_url_rule("/y", "y", lambda: "y")
    if first != "protect":
        auth.init_app(app)
    if first == "dispatch":
        with app.test_request_context("/x"):
            assert app.dispatch_request() == "x"
    auth.protect(app)
    if first == "protect":
        auth.init_app(app)
    assert found(app)["GET", "x"].access is Access.PROTECTED
    assert found(app)["GET", "y"].access is Access.UNCERTAIN
    both = headers(issuer.app_jwt(), issuer.consumer_jws())
    for url in ("/x", "/y"):
        client = app.test_client()
        assert_row(client.get(url), 40105)
        assert_row(client.get(url, headers=headers(issuer.app_jwt())), 40104)
        assert client.get(url, headers=both).status_code == 200


def two_blueprints(app: Flask) -> None:
    """Add a protected blueprint and another one, each with a view that requires the ConsumerJWS."""
    one, other = (Blueprint(name, __name__, url_prefix=f"/{name}") for name in ("one", "other"))
    ConnectorAuth().protect(one, consumer_jws=False, scopes="admin")
    for blueprint in (one, other):
        blueprint.add_url_rule("/x", "x", lambda: "x")
        blueprint.add_url_rule("/both", "both", require_consumer_jws(lambda: "both"))
        app.register_blueprint(blueprint)


@pytest.mark.parametrize("contact", [False, True])
@cases("wrap, access", WRAPPED)
def test_a_hook_that_is_moved_asks_where_it_was_moved_to(
    wrap: Wrap, access: Access, contact: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """Requirements of hooks and marks add up, the stricter one wins; before and after requests."""
    app = make_app()
    two_blueprints(app)
    client = app.test_client()
    assert found(app)["GET", "other.x"].access is Access.UNPROTECTED
    if contact:
        assert client.get("/other/x").data == b"x"
        assert_row(client.get("/other/both"), 40104)
        assert_row(client.get("/one/x"), 40105)
    hooks = app.before_request_funcs
    hooks["other"] = [wrap(hook) for hook in hooks.pop("one")]
    for url in ("/other/x", "/other/both", "/one/both"):
        assert_row(client.get(url), 40105)
        assert_row(client.get(url, headers=headers(issuer.app_jwt(scope="other"))), 40102)
        good = headers(issuer.app_jwt(scope="admin"), issuer.consumer_jws())
        assert client.get(url, headers=good).status_code == 200
    # The hook is gone from here, though the blueprint is still meant to be protected.
    assert client.get("/one/x").data == b"x"
    routes = found(app)
    assert routes["GET", "one.x"].access is Access.UNCERTAIN
    assert routes["GET", "one.both"].access is Access.PROTECTED
    seen = Access.UNPROTECTED if wrap is ByAnObject else access
    assert routes["GET", "other.x"].access is seen


def test_a_hook_that_only_refers_to_one_is_no_proof(make_app: MakeApp, issuer: Issuer) -> None:
    """The route is uncertain, as for a view; what is enforced and the order of errors stay."""
    app = make_app()
    two_blueprints(app)
    [hook] = app.before_request_funcs["one"]

    def log_size() -> None:
        """Refer to *hook* without calling it."""
        repr(hook)

    app.before_request_funcs["one"] = [log_size]
    client = app.test_client()
    assert client.get("/one/x").data == b"x"
    assert_row(client.get("/one/both"), 40105)
    assert_row(client.get("/one/both", headers=headers(issuer.app_jwt(scope="admin"))), 40104)
    routes = found(app)
    assert routes["GET", "one.x"].access is Access.UNCERTAIN
    assert routes["GET", "one.both"].access is Access.PROTECTED


def test_a_hook_may_be_a_decorated_function(make_app: MakeApp, issuer: Issuer) -> None:
    """Its requirements count like those of a hook of ``protect()``."""
    app = make_app()
    app.before_request(require_app_jwt(lambda: None))
    app.add_url_rule("/x", "x", require_consumer_jws(lambda: "x"))
    app.add_url_rule("/y", "y", lambda: "y")
    assert {each.access for each in audit(app)} == {Access.PROTECTED}
    client = app.test_client()
    assert_row(client.get("/x"), 40105)
    assert_row(client.get("/y"), 40105)
    assert client.get("/y", headers=headers(issuer.app_jwt())).data == b"y"
