"""The name of another package in; an app that uses it, with one protected view, out."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch

import flask_restful
import flask_restx
from apiflask import APIBlueprint, APIFlask
from asgiref.sync import SyncToAsync
from asgiref.testing import ApplicationCommunicator
from asgiref.wsgi import WsgiToAsgi
from flask import Blueprint, Flask, Response
from flask.views import MethodView
from flask_admin import Admin, BaseView, expose
from flask_cors import CORS
from flask_limiter import Limiter

from flask_connector_auth import (
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)

Answers = TypeVar("Answers")


def ids() -> dict[str, str]:
    """What every view returns."""
    return {"app": current_app_jwt.install_id, "consumer": current_consumer_jws.ext_consumer_id}


def url(blueprint: bool) -> str:
    """Return where the view is: below that of the blueprint, if there is one."""
    return "/b/x" if blueprint else "/x"


def function_view(app: Flask, target: Any) -> None:
    """Add a decorated function to *target*, and that to *app*."""

    @target.get("/x")
    @require_app_jwt
    @require_consumer_jws
    def x() -> dict[str, str]:
        return ids()

    if target is not app:
        app.register_blueprint(target, url_prefix="/b")


def flask(app: Flask, blueprint: bool) -> None:
    """Flask alone."""
    function_view(app, Blueprint("b", __name__) if blueprint else app)


def asynchronous(app: Flask, blueprint: bool) -> None:
    """An ``async def`` view."""
    target = Blueprint("b", __name__) if blueprint else app

    @target.get("/x")
    @require_consumer_jws
    @require_app_jwt
    async def x() -> dict[str, str]:
        await asyncio.sleep(0)
        return ids()

    if isinstance(target, Blueprint):
        app.register_blueprint(target, url_prefix="/b")


def restx(app: Flask, blueprint: bool) -> None:
    """A Resource whose method is decorated."""
    target = Blueprint("b", __name__) if blueprint else app
    api = flask_restx.Api(target)

    @api.route("/x")
    class X(flask_restx.Resource):  # type: ignore[misc]
        @require_app_jwt
        @require_consumer_jws
        def get(self) -> dict[str, str]:
            return ids()

    if isinstance(target, Blueprint):
        app.register_blueprint(target, url_prefix="/b")


def restful(app: Flask, blueprint: bool) -> None:
    """A Resource, one token for all its methods and one for this method."""
    target = Blueprint("b", __name__) if blueprint else app

    class X(flask_restful.Resource):  # type: ignore[misc]
        method_decorators = (require_consumer_jws,)

        @require_app_jwt
        def get(self) -> dict[str, str]:
            return ids()

    flask_restful.Api(target).add_resource(X, "/x")
    if isinstance(target, Blueprint):
        app.register_blueprint(target, url_prefix="/b")


def smorest(app: Flask, blueprint: bool) -> None:
    """A MethodView of its own kind of blueprint; or a plain view, with its handlers on the app."""
    # The oldest Flask that we support is older than the oldest that it does.
    import flask_smorest

    config = {"API_TITLE": "X", "API_VERSION": "1", "OPENAPI_VERSION": "3.1.0"}
    app.config.update(config)
    api = flask_smorest.Api(app)
    if not blueprint:
        function_view(app, app)
        return
    target = flask_smorest.Blueprint("b", __name__, url_prefix="/b")

    @target.route("/x")
    class X(MethodView):
        @target.response(200)
        @require_app_jwt
        @require_consumer_jws
        def get(self) -> dict[str, str]:
            return ids()

    api.register_blueprint(target)


def apiflask(app: Flask, blueprint: bool) -> None:
    """Its app, or its blueprint, and its decorators around ours."""
    target: Any = APIBlueprint("b", __name__) if blueprint else app

    @target.get("/x")
    @target.output({}, status_code=200)
    @require_app_jwt
    @require_consumer_jws
    def x() -> Response:
        return app.json.response(ids())

    if target is not app:
        app.register_blueprint(target, url_prefix="/b")


def cors(app: Flask, blueprint: bool) -> None:
    """Its headers on all answers of the app, or of the blueprint."""
    target = Blueprint("b", __name__) if blueprint else app
    CORS(target)
    function_view(app, target)


def limiter(app: Flask, blueprint: bool) -> None:
    """A limit for each install, of one view or of the blueprint."""
    limits = Limiter(lambda: "anybody", app=app, storage_uri="memory://", headers_enabled=True)
    target = Blueprint("b", __name__) if blueprint else app

    @target.get("/x")
    @require_app_jwt
    @require_consumer_jws
    @limits.limit("100/second", key_func=lambda: current_app_jwt.install_id)
    def x() -> dict[str, str]:
        return ids()

    if isinstance(target, Blueprint):
        limits.limit("100/second")(target)
        app.register_blueprint(target, url_prefix="/b")


def admin(app: Flask, blueprint: bool) -> None:
    """One of its views, which are blueprints all; or a plain view beside it."""
    pages = Admin(app)
    if not blueprint:
        function_view(app, app)
        return

    class Page(BaseView):  # type: ignore[misc]
        @expose("/")
        @expose("/x")
        @require_app_jwt
        @require_consumer_jws
        def index(self) -> dict[str, str]:
            return ids()

    pages.add_view(Page(name="page", endpoint="page", url="/b"))


def over_wsgi(app: Flask, path: str, headers: dict[str, str]) -> Response:
    """Return the answer that a WSGI server gets."""
    return app.test_client().get(path, headers=headers)


def over_asgi(app: Flask, path: str, headers: dict[str, str]) -> Response:
    """Return the answer that an ASGI server gets."""
    return run(ask_over_asgi(WsgiToAsgi(app), path, headers))  # type: ignore[no-untyped-call]


def run(asking: Coroutine[Any, Any, Answers]) -> Answers:
    """Return what comes of *asking*; the thread in which asgiref calls WSGI apps ends with it."""
    with ThreadPoolExecutor(1) as one, patch.object(SyncToAsync, "single_thread_executor", one):
        return asyncio.run(asking)


async def ask_over_asgi(asgi_app: Any, path: str, headers: dict[str, str]) -> Response:
    """Ask an ASGI *app* as its server does (ASGI specification, HTTP)."""
    scope = {
        **{"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http"},
        **{"path": path, "query_string": b"", "server": ("localhost", 80)},
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    server = ApplicationCommunicator(asgi_app, scope)
    await server.send_input({"type": "http.request", "body": b""})
    start, body, more = await server.receive_output(10), b"", True
    while more:
        event = await server.receive_output(10)
        body, more = body + event.get("body", b""), event.get("more_body", False)
    await server.wait(10)
    answer = Response(body, start["status"])
    answer.headers.clear()
    answer.headers.extend((name.decode(), value.decode()) for name, value in start["headers"])
    return answer


class Combination(NamedTuple):
    """An app that uses another package."""

    declare: Callable[[Flask, bool], None]
    app_class: type[Flask] = Flask
    ask: Callable[[Flask, str, dict[str, str]], Response] = over_wsgi
    exact: bool = True  #: whether the body has the same bytes, or but the same members in order
    handlers: bool = True  #: whether the app's own error handlers are asked


COMBINATIONS = {
    "Flask": Combination(flask),
    "``async def`` views": Combination(asynchronous),
    "asgiref": Combination(flask, ask=over_asgi),
    "Flask-RESTX": Combination(restx, exact=False, handlers=False),
    "Flask-RESTful": Combination(restful, handlers=False),
    "flask-smorest": Combination(smorest),
    "APIFlask": Combination(apiflask, app_class=APIFlask),
    "Flask-CORS": Combination(cors),
    "Flask-Limiter": Combination(limiter),
    "Flask-Admin": Combination(admin),
}
