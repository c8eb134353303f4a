"""What other packages do beside the four answers: CORS, limits, admin pages, ASGI servers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import flask_restx
import pytest
from asgiref.wsgi import WsgiToAsgi
from flask import Flask, Response
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_cors import CORS
from flask_limiter import Limiter
from werkzeug.exceptions import HTTPException

from flask_connector_auth import (
    AppJWTMissing,
    ConnectorAuth,
    ConnectorAuthError,
    ErrorRow,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import ConnectorClient, Issuer, assert_connector_error
from tests.support.combinations import ask_over_asgi, asynchronous, run
from tests.support.http_helpers import ROWS, assert_row, headers
from tests.support.types import MakeApp

ORIGIN = {"Origin": "https://agent.example"}
PREFLIGHT = {
    **ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, x-lp-on-behalf",
}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app that knows no other package yet."""
    return make_app()


@pytest.mark.parametrize("way", ["decorators", "protect"])
def test_a_browser_may_read_a_refusal_and_ask_first(
    way: str, app: Flask, connector_client: ConnectorClient
) -> None:
    """Fetch standard: the headers of Flask-CORS on each answer, and a preflight without tokens."""
    CORS(app, origins=ORIGIN["Origin"])
    view = require_app_jwt(require_consumer_jws(lambda: {})) if way == "decorators" else lambda: {}
    app.add_url_rule("/x", "x", view, methods=["POST"])
    if way == "protect":
        ConnectorAuth().protect(app)
    without = {"app_jwt": None, "consumer_jws": None}
    asked = connector_client.options("/x", headers=PREFLIGHT, **without)
    refused = connector_client.post("/x", headers=ORIGIN, **without)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Headers"] == "authorization, x-lp-on-behalf"
    assert_row(refused, 40105)
    for answer in (asked, refused, connector_client.post("/x", headers=ORIGIN)):
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]


def test_a_view_that_answers_options_itself_is_asked_by_a_preflight_only(
    app: Flask, connector_client: ConnectorClient
) -> None:
    """A preflight (Fetch standard) never runs the view; any other OPTIONS is asked for tokens."""
    CORS(app)
    app.add_url_rule("/x", "x", require_app_jwt(lambda: "ran"), methods=["OPTIONS"])
    without = {"app_jwt": None, "consumer_jws": None}
    asked = connector_client.options("/x", headers=PREFLIGHT, **without)
    assert (asked.status_code, asked.data) == (200, b"")
    assert_row(connector_client.options("/x", **without), 40105)
    assert connector_client.options("/x").data == b"ran"


def by_install() -> str:
    """Return who a limit is for, wherever it is asked for."""
    identity = verify_request(consumer_jws=False)
    assert identity.app_jwt is not None
    return identity.app_jwt.install_id


def limited(app: Flask, place: str) -> None:
    """Add a view that each install may ask for twice a minute."""
    default = ["2/minute"] if place == "default" else []
    limiter = Limiter(by_install, app=app, default_limits=default, storage_uri="memory://")
    limit = limiter.limit("2/minute")
    decorate: dict[str, Callable[[Callable[[], Any]], Callable[[], Any]]] = {
        "within": lambda view: require_app_jwt(limit(view)),
        "around": lambda view: limit(require_app_jwt(view)),
        "default": require_app_jwt,
    }
    app.add_url_rule("/x", "x", decorate[place](lambda: {}))


@pytest.mark.parametrize("place", ["within", "around", "default"])
def test_each_install_has_a_limit_of_its_own(
    place: str, app: Flask, connector_client: ConnectorClient, issuer: Issuer, stranger: Issuer
) -> None:
    """A verified id is what is counted by: a forged one uses up no limit."""
    limited(app, place)

    def answer(app_jwt: str) -> Response:
        return connector_client.get("/x", app_jwt=app_jwt)

    for _ in range(5):
        assert_row(answer(stranger.app_jwt(azp="one")), 40102)
    statuses = [answer(issuer.app_jwt(azp="one")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert answer(issuer.app_jwt(azp="two")).status_code == 200


def test_each_consumer_has_a_limit_of_its_own(
    app: Flask, connector_client: ConnectorClient, issuer: Issuer
) -> None:
    """Within the decorators the proxies are there; the limit is of the consumer, not the app."""
    limiter = Limiter(lambda: "", app=app, storage_uri="memory://")

    @app.get("/x")
    @require_app_jwt
    @require_consumer_jws
    @limiter.limit("1/minute", key_func=lambda: current_consumer_jws.lp_consumer_id)
    def x() -> dict[str, Any]:
        return {}

    anna, ben = (issuer.consumer_jws(ext_consumer_id=name) for name in ("anna", "ben"))
    statuses = [
        connector_client.get("/x", consumer_jws=consumer).status_code
        for consumer in (anna, anna, ben)
    ]
    assert statuses == [200, 429, 200]


class Page(BaseView):  # type: ignore[misc]
    """A page of Flask-Admin that asks for a scope."""

    def is_accessible(self) -> bool:
        """Ask for it by a call, where Flask-Admin asks whether the page may be seen."""
        return bool(verify_request(consumer_jws=False, scopes="admin"))

    @expose("/")
    def index(self) -> str:
        """Return who sees it."""
        return current_app_jwt.install_id


def test_a_page_of_flask_admin_asks_by_a_call(
    app: Flask, connector_client: ConnectorClient, issuer: Issuer
) -> None:
    """Row 40102: is_accessible() raises, so Flask-Admin's own 403 is not sent."""
    Admin(app).add_view(Page(name="page", endpoint="page", url="/page"))
    admin = issuer.app_jwt(azp="install-1", scope="admin")
    assert connector_client.get("/page/", app_jwt=admin).text == "install-1"
    assert_row(connector_client.get("/page/"), 40102)
    assert_row(connector_client.get("/page/", app_jwt=None), 40105)


def test_all_pages_of_flask_admin_are_protected_with_the_app(
    app: Flask, connector_client: ConnectorClient
) -> None:
    """protect(app) holds for the blueprints that Flask-Admin makes, its index and files too."""
    ConnectorAuth().protect(app, consumer_jws=False)
    Admin(app, index_view=AdminIndexView())
    for path in ("/admin/", "/admin/static/bootstrap/bootstrap4/css/bootstrap.min.css"):
        with connector_client.get(path) as page:
            assert page.status_code == 200
        assert_row(connector_client.get(path, app_jwt=None), 40105)


def test_requests_on_one_event_loop_never_mix(app: Flask, issuer: Issuer) -> None:
    """ASGI: thirty requests at once, by async views, good and forged: each has its own answer."""
    asynchronous(app, blueprint=False)
    asgi_app = WsgiToAsgi(app)  # type: ignore[no-untyped-call]

    async def answers() -> list[Response]:
        tokens = [
            issuer.app_jwt(azp=f"app-{n}") if n % 3 else issuer.broken("forged") for n in range(30)
        ]
        sent = [headers(token, issuer.consumer_jws()) for token in tokens]
        return await asyncio.gather(*(ask_over_asgi(asgi_app, "/x", each) for each in sent))

    for number, answer in enumerate(run(answers())):
        if number % 3:
            assert answer.json == {"app": f"app-{number}", "consumer": "consumer-1"}
        else:
            assert_row(answer, 40102)


class NoSuchConversation(ConnectorAuthError):
    """An app's own row, with the one status that Flask-RESTX helps with."""

    row = ErrorRow(40401, "No such conversation", "Open another one")


@pytest.mark.parametrize("helping", [True, False])
def test_flask_restx_helps_with_a_404_unless_told_not_to(helping: bool, app: Flask) -> None:
    """An own row 404xx gets a member more, but for a setting of Flask-RESTX."""
    app.config["RESTX_ERROR_404_HELP"] = helping

    @flask_restx.Api(app).route("/conversation")
    class Conversation(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> None:
            raise NoSuchConversation

    answer = app.test_client().get("/conversation")
    assert answer.status_code == 404
    assert ("message" in answer.json) is helping
    if not helping:
        assert_connector_error(answer, NoSuchConversation, exact=False)


@pytest.mark.parametrize("handled", [AppJWTMissing, HTTPException, Exception])
def test_a_handler_of_flask_restx_takes_status_and_headers(
    handled: type[Exception], app: Flask, connector_client: ConnectorClient
) -> None:
    """Its own kind of handler, a generic one too, is asked; the body stays the envelope's."""
    api = flask_restx.Api(app)

    @api.route("/x")
    class X(flask_restx.Resource):  # type: ignore[misc]
        @require_app_jwt
        def get(self) -> dict[str, str]:
            return {}

    @api.errorhandler(handled)  # type: ignore[untyped-decorator]
    def handle(_error: Exception) -> tuple[dict[str, str], int]:
        return {"mine": "yes"}, 418

    answer = connector_client.get("/x", app_jwt=None)
    assert (answer.status_code, answer.json) == (418, json.loads(ROWS[40105]))
    assert "WWW-Authenticate" not in answer.headers
    assert connector_client.get("/x").status_code == 200
