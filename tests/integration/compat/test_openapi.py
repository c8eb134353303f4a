"""Documents that other packages make: valid, and saying of each view what is asked for there."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIBlueprint, APIFlask, fields
from flask import Flask
from flask.views import MethodView
from openapi_spec_validator import validate

from flask_connector_auth import ConnectorAuth, public, require_app_jwt, require_consumer_jws
from flask_connector_auth.integrations.openapi import ConnectorAuthPlugin
from flask_connector_auth.testing import Issuer
from tests.support.project import blocks

VERSIONS = ("3.0.3", "3.1.0")
OUTPUT = {"id": fields.String()}
#: What is asked for, by path and method, with the roles of OpenAPI 3.1.
ASKED = {
    ("/b/own/{account_id}", "get"): [{"AppJWT": [], "ConsumerJWS": []}],
    ("/b/class", "get"): [{"ConsumerJWS": []}, {}],
    ("/b/class", "post"): [{"AppJWT": ["write"], "ConsumerJWS": []}, {"AppJWT": ["write"]}],
    ("/b/open", "get"): None,
    ("/b/inner/x", "get"): [{"AppJWT": ["inner"], "ConsumerJWS": []}],
    ("/b/inner/out", "get"): None,
}


def declare(outer: Any, inner: Any, output: Any, view_class: Any) -> None:
    """Add views to both blueprints: decorated, a class, protected as a part of *inner*, public."""

    @outer.get("/own/<account_id>")
    @output
    @require_app_jwt
    @require_consumer_jws
    def own(account_id: str) -> Any:
        """Return the account."""
        return {"id": account_id}

    @view_class("/class")
    class Views(MethodView):
        decorators = (require_consumer_jws(optional=True),)

        @output
        def get(self) -> Any:
            return {}

        @output
        @require_app_jwt(scopes="write")
        def post(self) -> Any:
            return {}

    @outer.get("/open")
    @output
    def open_view() -> Any:
        return {}

    ConnectorAuth().protect(inner, scopes="inner")

    @inner.get("/x")
    @output
    def x() -> Any:
        return {}

    @inner.get("/out")
    @output
    @public
    def out() -> Any:
        return {}


def smorest(app: Flask, version: str) -> dict[str, Any]:
    """Return the document that flask-smorest serves."""
    # The oldest Flask that we support is older than the oldest that it does.
    import flask_smorest
    from marshmallow import Schema

    app.config.update(API_TITLE="X", API_VERSION="1", OPENAPI_VERSION=version)
    app.config["OPENAPI_URL_PREFIX"] = "/"
    api = flask_smorest.Api(app, spec_kwargs={"extra_plugins": [ConnectorAuthPlugin(app)]})
    outer = flask_smorest.Blueprint("b", __name__, url_prefix="/b")
    inner = flask_smorest.Blueprint("inner", __name__, url_prefix="/inner")
    output = outer.response(200, Schema.from_dict(OUTPUT, name="Output"))
    declare(outer, inner, output, outer.route)
    outer.register_blueprint(inner)
    api.register_blueprint(outer)
    return app.test_client().get("/openapi.json").json


def apiflask(app: APIFlask, version: str) -> dict[str, Any]:
    """Return the document that APIFlask serves."""
    app.config["OPENAPI_VERSION"] = version
    app.spec_plugins.append(ConnectorAuthPlugin(app))
    outer, inner = APIBlueprint("b", __name__), APIBlueprint("inner", __name__)

    def view_class(rule: str) -> Any:
        return lambda views: outer.add_url_rule(rule, view_func=views.as_view("views"))

    declare(outer, inner, app.output(OUTPUT, schema_name="Output"), view_class)
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/b")
    return app.test_client().get("/openapi.json").json


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("app_class", "document_of"),
    [pytest.param(Flask, smorest, id="smorest"), pytest.param(APIFlask, apiflask, id="apiflask")],
)
def test_a_document_says_what_is_asked_for(
    app_class: type[Flask], document_of: Any, version: str, issuer: Issuer
) -> None:
    """Valid (openapi-spec-validator), and security, scopes and 401 are those of each view."""
    app = app_class("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app)
    document = document_of(app, version)
    validate(document)
    operations = {(path, method): document["paths"][path].get(method) for path, method in ASKED}
    roles = version == "3.1.0"
    for at, security in ASKED.items():
        expected = security and [
            {name: scopes if roles else [] for name, scopes in each.items()} for each in security
        ]
        assert operations[at].get("security") == expected, at
        assert ("401" in operations[at]["responses"]) is (security is not None), at
        assert "200" in operations[at]["responses"]
    assert operations["/b/inner/x", "get"]["x-app-jwt-scopes"] == {"all": ["inner"]}
    assert (
        "in the URL" in operations["/b/own/{account_id}", "get"]["responses"]["401"]["description"]
    )
    assert {"ConnectorAuthError", "Output"} <= document["components"]["schemas"].keys()


def test_the_recipe_for_smorest_is_all_that_is_needed(tmp_path: Path) -> None:
    """What the page has, taken from the page, makes its app's document say what is asked for."""
    import flask_smorest

    page = tmp_path / "page.py"
    page.write_text("".join(blocks("docs/openapi.rst", "python")))
    names = runpy.run_path(str(page))
    blueprint = flask_smorest.Blueprint("b", __name__)
    blueprint.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    api = names["create_api"](names["app"])
    api.register_blueprint(blueprint)
    assert api.spec.to_dict()["paths"]["/x"]["get"]["security"] == [{"AppJWT": []}]
