"""Whole blueprints and apps: protect(), public, nested blueprints, CORS preflight."""

from collections.abc import Callable
from functools import wraps

import pytest
from flask import Blueprint, Flask, request
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from flask_connector_auth import (
    ConnectorAuth,
    ConnectorAuthError,
    current_app_jwt,
    public,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def nested(app: Flask, protected: str) -> Flask:
    """Add a view on the app, on a blueprint and on a nested one; protect one of the three."""
    targets = {
        "app": app,
        "outer": Blueprint("outer", __name__, url_prefix="/outer"),
        "inner": Blueprint("inner", __name__, url_prefix="/inner"),
    }
    for name, target in targets.items():
        target.add_url_rule("/open", f"{name}_open", public(lambda: "open"))
        target.add_url_rule("/closed", f"{name}_closed", lambda: "closed")
    ConnectorAuth().protect(targets[protected], consumer_jws=False)
    targets["outer"].register_blueprint(targets["inner"])  # type: ignore[union-attr]
    app.register_blueprint(targets["outer"])  # type: ignore[arg-type]
    return app


@pytest.mark.parametrize(
    ("protected", "closed"),
    [
        ("app", ["/closed", "/outer/closed", "/outer/inner/closed"]),
        ("outer", ["/outer/closed", "/outer/inner/closed"]),
        ("inner", ["/outer/inner/closed"]),
    ],
)
def test_protect_covers_what_is_below_and_public_is_exempt(
    protected: str, closed: list[str], make_app: MakeApp, issuer: Issuer
) -> None:
    """protect() holds for nested blueprints, for nothing beside them, and not for public views."""
    client = nested(make_app(), protected).test_client()
    for prefix in ("", "/outer", "/outer/inner"):
        assert client.get(f"{prefix}/open").data == b"open"
        response = client.get(f"{prefix}/closed")
        if f"{prefix}/closed" in closed:
            assert_row(response, 40105)
            token = headers(issuer.app_jwt())
            assert client.get(f"{prefix}/closed", headers=token).data == b"closed"
        else:
            assert response.data == b"closed"


def test_public_does_not_lift_a_views_own_decorators(make_app: MakeApp, issuer: Issuer) -> None:
    """public exempts from protect(); the view's own requirements still hold."""
    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", "x", public(require_app_jwt(lambda: "x")))
    app.add_url_rule("/y", "y", require_app_jwt(public(lambda: "y")))
    between = require_app_jwt(public(require_app_jwt(require_app_jwt(lambda: "z"))))
    app.add_url_rule("/z", "z", between)
    client = app.test_client()
    for url in ("/x", "/y", "/z"):
        assert_row(client.get(url), 40105)
        assert client.get(url, headers=headers(issuer.app_jwt())).status_code == 200


def test_public_is_not_caught_from_a_view_that_is_called(make_app: MakeApp) -> None:
    """A view is never exempt because of what it calls: only its own mark counts."""
    status = public(lambda: "ok")

    def view() -> str:
        return status()

    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", "x", view)
    assert_row(app.test_client().get("/x"), 40105)


def test_nothing_is_asked_for_because_of_what_a_view_or_a_hook_may_call(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """In a factory everything is a closure: a helper checks its token when it is called."""
    app = make_app()
    for_apps = require_app_jwt(lambda: "for apps")

    @app.before_request
    def check() -> None:
        if request.args.get("hook"):
            for_apps()

    @app.get("/x")
    @require_consumer_jws
    def x() -> str:
        return for_apps() if request.args.get("view") else "for consumers"

    client, consumer = app.test_client(), headers(None, issuer.consumer_jws())
    assert client.get("/x", headers=consumer).data == b"for consumers"
    assert_row(client.get("/x?view=1", headers=consumer), 40105)
    assert_row(client.get("/x?hook=1", headers=consumer), 40105)
    both = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/x?view=1&hook=1", headers=both).data == b"for apps"


def test_one_method_of_a_view_class_is_public(make_app: MakeApp) -> None:
    """public works for a single method; the others stay protected."""

    class Resource(MethodView):
        @public
        def get(self) -> str:
            return "open"

        def post(self) -> str:
            return "closed"

    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", view_func=Resource.as_view("x"))
    client = app.test_client()
    assert client.get("/x").data == b"open"
    assert client.head("/x").status_code == 200
    assert_row(client.post("/x"), 40105)


def test_an_unknown_url_is_not_found_under_protect(make_app: MakeApp) -> None:
    """protect() guards views: where there is none, Flask answers 404 and 405 itself."""
    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", "x", lambda: "x")
    client = app.test_client()
    assert client.get("/nowhere").status_code == 404
    assert client.post("/x").status_code == 405
    assert_row(client.get("/static/file"), 40105)


def test_a_public_view_has_no_identity(make_app: MakeApp, issuer: Issuer) -> None:
    """If nothing was required, nothing was verified, and the proxy raises an error."""
    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/x", "x", public(lambda: current_app_jwt.install_id))
    app.testing = True
    with pytest.raises(RuntimeError, match="@require_app_jwt"):
        app.test_client().get("/x", headers=headers(issuer.app_jwt()))


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
RAN: list[str] = []


def options_views(app: Flask, *, protect: bool) -> Flask:
    """Add a view with automatic OPTIONS and two that answer OPTIONS themselves."""

    class Resource(MethodView):
        decorators = () if protect else (require_consumer_jws, require_app_jwt)

        def options(self) -> str:
            RAN.append("method")
            return "mine"

    def by_hand() -> str:
        RAN.append("function")
        return "mine"

    auth = ConnectorAuth()
    if protect:
        auth.protect(app)
    wrap = (lambda view: view) if protect else require_app_jwt
    app.add_url_rule("/automatic", "automatic", wrap(lambda: "x"), methods=["POST"])
    app.add_url_rule("/by-hand", "by_hand", wrap(by_hand), methods=["OPTIONS"])
    app.add_url_rule("/method", view_func=Resource.as_view("method"))
    app.add_url_rule("/public", "public", public(lambda: "mine"), methods=["OPTIONS"])
    RAN.clear()
    return app


@pytest.mark.parametrize("protect", [False, True])
@pytest.mark.parametrize("url", ["/automatic", "/by-hand", "/method"])
def test_a_preflight_needs_no_token_and_runs_no_view(
    protect: bool, url: str, make_app: MakeApp
) -> None:
    """Fetch standard: a preflight has no credentials; it gets Allow and runs no view."""
    response = (
        options_views(make_app(), protect=protect).test_client().options(url, headers=PREFLIGHT)
    )
    assert (response.status_code, response.data) == (200, b"")
    assert "OPTIONS" in response.headers["Allow"]
    assert RAN == []


@pytest.mark.parametrize("protect", [False, True])
@pytest.mark.parametrize("left_out", PREFLIGHT)
@pytest.mark.parametrize("url", ["/by-hand", "/method"])
def test_an_options_view_is_protected_like_any_other(
    protect: bool, left_out: str, url: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """Without Origin or Access-Control-Request-Method, OPTIONS is a request like any other."""
    client = options_views(make_app(), protect=protect).test_client()
    sent = {name: value for name, value in PREFLIGHT.items() if name != left_out}
    assert_row(client.options(url, headers=sent), 40105)
    assert RAN == []
    both = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.options(url, headers={**sent, **both}).data == b"mine"


def drop_result(hook: Callable[[], object]) -> Callable[[], None]:
    """Wrap *hook* as a decorator that logs or measures may do: it returns nothing."""

    @wraps(hook)
    def wrapper() -> None:
        hook()

    return wrapper


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("url", ["/by-hand", "/method"])
def test_a_preflight_runs_no_view_if_the_result_of_the_hook_is_dropped(
    trap: bool, url: str, make_app: MakeApp
) -> None:
    """The hook stops a preflight by itself, whatever handlers of exceptions the app has."""
    app = options_views(make_app(), protect=True)
    app.config["TRAP_HTTP_EXCEPTIONS"] = trap
    hooks = app.before_request_funcs
    hooks[None] = [drop_result(hook) for hook in hooks[None]]
    for kind in (HTTPException, Exception, 401, ConnectorAuthError):
        app.register_error_handler(kind, lambda _error: ("handled", 418))
    response = app.test_client().options(url, headers=PREFLIGHT)
    assert (response.status_code, response.data) == (200, b"")
    assert "OPTIONS" in response.headers["Allow"]
    assert RAN == []


@pytest.mark.parametrize("protect", [False, True])
def test_a_preflight_needs_no_method_of_the_app(protect: bool, make_app: MakeApp) -> None:
    """Flask 3.2 passes the context to ``make_default_options_response``, Flask 3.1 does not."""
    app = options_views(make_app(), protect=protect)
    app.make_default_options_response = lambda _context: app.response_class("no")  # type: ignore[method-assign,misc,assignment]
    response = app.test_client().options("/by-hand", headers=PREFLIGHT)
    assert (response.status_code, response.data) == (200, b"")
    assert response.allow == {"OPTIONS"}


def test_flasks_own_answer_to_options_needs_no_token(make_app: MakeApp) -> None:
    """Automatic OPTIONS reaches no view, under protect() as under a decorator."""
    for protect in (False, True):
        client = options_views(make_app(), protect=protect).test_client()
        assert client.options("/automatic").status_code == 200


def test_a_public_options_view_runs_for_a_preflight(make_app: MakeApp) -> None:
    """If nothing is required, the view itself answers."""
    client = options_views(make_app(), protect=True).test_client()
    assert client.options("/public", headers=PREFLIGHT).data == b"mine"
