"""Decorators above the route decorator: found where they protect nothing, and nowhere else."""

import gc
import linecache
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import ref

from flask import Blueprint, Flask
from flask.views import MethodView

from flask_connector_auth import (
    ConnectorAuth,
    public,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.web import audit
from flask_connector_auth.web.audit import _decorations
from tests.support.floor_helpers import cases
from tests.support.types import MakeApp


def of_the_project(view: Callable[..., Any]) -> Callable[..., Any]:
    """Require both tokens, as a decorator of a project does."""
    return require_app_jwt(require_consumer_jws(view))


def with_wraps(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate *view* as Flask's documentation shows it."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def without_wraps(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate *view* without ``functools.wraps``."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def bare(app: Flask) -> None:
    """The decorator without arguments."""

    @require_app_jwt
    @app.get("/")
    def view() -> dict[str, Any]:
        return {}


def called(app: Flask) -> None:
    """With arguments, over several lines."""

    @require_app_jwt(
        scopes="msg.consumer",
    )
    @app.get("/")
    def view() -> dict[str, Any]:
        return {}


def one_above_one_below(app: Flask) -> None:
    """The route requires one token, and the decorator above it the other."""

    @require_app_jwt
    @app.get("/")
    @require_consumer_jws
    def view() -> dict[str, Any]:
        return {}


def more_scopes_above(app: Flask) -> None:
    """The route requires the token, and the decorator above it scopes as well."""

    @require_app_jwt(scopes="msg.consumer")
    @app.get("/")
    @require_app_jwt
    def view() -> dict[str, Any]:
        return {}


def own_decorator(app: Flask) -> None:
    """A decorator of the project calls ours."""

    @of_the_project
    @app.get("/")
    def view() -> dict[str, Any]:
        return {}


def others_between(app: Flask) -> None:
    """Decorators of others stand on both sides of the route decorator."""

    @require_app_jwt
    @with_wraps
    @without_wraps
    @app.get("/")
    @with_wraps
    def view() -> dict[str, Any]:
        return {}


def coroutine(app: Flask) -> None:
    """An ``async def`` view."""

    @require_app_jwt
    @app.get("/")
    async def view() -> dict[str, Any]:
        return {}


def blueprint(app: Flask) -> None:
    """A route of a blueprint."""
    target = Blueprint("api", __name__)

    @require_app_jwt
    @target.get("/")
    def view() -> dict[str, Any]:
        return {}

    app.register_blueprint(target)


def optional_above_public(app: Flask) -> None:
    """A view that is said to be open, with a decorator all the same."""

    @require_app_jwt(optional=True)
    @app.get("/")
    @public
    def view() -> dict[str, Any]:
        return {}


def replaced(app: Flask) -> None:
    """Another extension wraps all views that are registered."""
    bare(app)
    app.view_functions["view"] = with_wraps(app.view_functions["view"])


MISPLACED = (
    *(bare, called, one_above_one_below, more_scopes_above, own_decorator, others_between),
    *(coroutine, blueprint, optional_above_public, replaced),
)


def places(app: Flask) -> list[str]:
    """Return the places of the misplaced decorators of *app*."""
    return [place for route in audit(app) for place in route.misplaced]


@cases("declare", {each.__name__: (each) for each in MISPLACED})
def test_a_decorator_above_the_route_is_found(
    make_app: MakeApp, declare: Callable[[Flask], None]
) -> None:
    """The registered view lacks what the decorator requires; its file and line are named."""
    app = make_app()
    declare(app)
    [place] = places(app)
    file, _, line = place.rpartition(":")
    assert file == __file__
    assert linecache.getline(file, int(line)).strip().startswith(("@require_", "@of_the_project"))


def test_each_of_two_decorators_is_found(make_app: MakeApp) -> None:
    """They stand on lines of their own, and neither protects anything."""
    app = make_app()

    @require_app_jwt
    @require_consumer_jws
    @app.get("/")
    def view() -> dict[str, Any]:
        return {}

    lines = [linecache.getline(*_split(place)).strip() for place in places(app)]
    assert sorted(lines) == ["@require_app_jwt", "@require_consumer_jws"]


def _split(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)


def test_what_is_found_is_open_all_the_same(make_app: MakeApp) -> None:
    """The audit reports it and changes nothing: the view that is registered runs."""
    app = make_app()
    bare(app)
    assert app.test_client().get("/").status_code == 200
    assert places(app) != []
    assert app.test_client().get("/").status_code == 200


def below(app: Flask) -> None:
    """Where the decorators belong."""

    @app.get("/")
    @with_wraps
    @require_app_jwt
    @require_consumer_jws
    def view() -> dict[str, Any]:
        return {}


def added_later(app: Flask) -> None:
    """No route decorator at all."""

    @require_app_jwt
    def view() -> dict[str, Any]:
        return {}

    app.add_url_rule("/", view_func=view)


def open_and_protected(app: Flask) -> None:
    """One function, registered as it is and decorated."""

    def view() -> dict[str, Any]:
        return {}

    app.add_url_rule("/open", "open", view)
    app.add_url_rule("/", "protected", require_app_jwt(view))


def open_and_protected_by_routes(app: Flask) -> None:
    """The same by route decorators, with ours between them."""

    @app.get("/")
    @require_app_jwt
    @app.get("/open", endpoint="open")
    def view() -> dict[str, Any]:
        return {}


def shared() -> dict[str, Any]:
    """Answer: a view of a module, with which several apps are made."""
    return {}


def open_in_one_app(app: Flask) -> None:
    """An internal app has the view that another app protects."""
    Flask("other").add_url_rule("/", view_func=require_app_jwt(shared))
    app.add_url_rule("/", view_func=shared)


def class_with_decorators(app: Flask) -> None:
    """``decorators`` of a class-based view are called by ``as_view()``."""

    class Items(MethodView):
        decorators = (require_app_jwt,)

        def get(self) -> dict[str, Any]:
            return {}

    app.add_url_rule("/", view_func=Items.as_view("items"))


def class_with_an_open_method(app: Flask) -> None:
    """A method is open, and another one is the same function, decorated."""

    class Items(MethodView):
        @staticmethod
        def get() -> dict[str, Any]:
            return {}

        post = staticmethod(require_app_jwt(get))

        @require_app_jwt
        def put(self) -> dict[str, Any]:
            return {}

    app.add_url_rule("/", view_func=Items.as_view("items"))


def helper_of_a_class(app: Flask) -> None:
    """The wrapper of an open view is the method of a class-based one."""

    class Items(MethodView):
        @require_app_jwt
        @app.get("/open")
        def get(*_self: Any) -> dict[str, Any]:
            return {}

    app.add_url_rule("/", view_func=Items.as_view("items"))


def class_that_is_decorated_twice(app: Flask) -> None:
    """The view of a class, registered as it is and decorated."""

    class Items(MethodView):
        def get(self) -> dict[str, Any]:
            return {}

    view = Items.as_view("items")
    app.add_url_rule("/open", "open", view)
    app.add_url_rule("/", "protected", require_app_jwt(view))


def protected_anyway(app: Flask) -> None:
    """The blueprint requires what the decorator requires."""
    target = Blueprint("api", __name__)
    ConnectorAuth().protect(target)

    @require_app_jwt
    @target.get("/")
    def view() -> dict[str, Any]:
        return {}

    app.register_blueprint(target)


def no_function(app: Flask) -> None:
    """An object is a view too."""

    class Callable_:
        def __call__(self) -> dict[str, Any]:
            return {}

    view = Callable_()
    app.add_url_rule("/open", "open", view)
    app.add_url_rule("/", "protected", require_app_jwt(view))


WELL_PLACED = (
    *(below, added_later, open_and_protected, open_and_protected_by_routes, open_in_one_app),
    *(class_with_decorators, class_with_an_open_method, helper_of_a_class),
    *(class_that_is_decorated_twice, protected_anyway, no_function),
)


@cases("declare", {each.__name__: (each) for each in WELL_PLACED})
def test_what_is_meant_is_not_reported(make_app: MakeApp, declare: Callable[[Flask], None]) -> None:
    """Decorators that protect a route, and functions that are registered twice on purpose."""
    app = make_app()
    declare(app)
    assert places(app) == []
    assert any(each.requirements for each in audit(app)) is (declare is not open_in_one_app)


def test_nothing_is_kept_alive(make_app: MakeApp) -> None:
    """Neither the function nor its wrapper, once the app is gone."""
    app = make_app()
    bare(app)
    known = ref(app.view_functions["view"])
    assert places(app) != []
    app.view_functions.clear()
    gc.collect()
    assert known() is None


def test_decorating_in_a_request_is_not_reported(make_app: MakeApp) -> None:
    """Some frameworks decorate functions and bound methods anew in each request."""
    app = make_app()

    @app.get("/<account_id>")
    @with_decoration_in_requests
    def view(account_id: str) -> dict[str, Any]:
        return {}

    assert app.test_client().get("/le1").status_code == 401
    assert places(app) == []


def test_decorating_in_the_body_of_a_view_is_not_reported(make_app: MakeApp) -> None:
    """A ``def`` statement is run by the code around it: a view that is running is not. Requests
    leave nothing behind."""
    app = make_app()

    @app.get("/<account_id>/direct")
    def direct(**kwargs: Any) -> Any:
        return require_app_jwt(direct)(**kwargs)

    @app.get("/<account_id>/inner")
    def inner(depth: int = 0, **_kwargs: Any) -> Any:
        @require_app_jwt
        def guarded(**_kwargs: Any) -> Any:
            return "done" if depth else inner(depth + 1)

        return guarded()

    client = app.test_client()
    for _ in range(3):
        assert client.get("/le1/direct").status_code == 401
        assert client.get("/le1/inner").status_code == 401
    assert places(app) == []
    gc.collect()
    assert not {direct, inner} & {*_decorations}


def with_decoration_in_requests(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate *view*, as Flask-RESTful does with its ``method_decorators``."""

    @wraps(view)
    def wrapper(**kwargs: Any) -> Any:
        bound = require_app_jwt(view.__call__)
        return require_app_jwt(view)(**kwargs) or bound(**kwargs)

    return wrapper
