"""OPTIONS: a view that answers it is a view, and a preflight runs none.

Fetch standard, CORS preflight.
"""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import PREFLIGHT, assert_row, headers
from tests.support.types import MakeApp


def options_function(app: Flask, ran: list[str], _auth: ConnectorAuth) -> None:
    """A function that asks for both tokens, for OPTIONS too."""

    @app.route("/x", methods=["GET", "OPTIONS"], provide_automatic_options=False)
    @require_app_jwt
    @require_consumer_jws
    def x() -> dict[str, Any]:
        ran.append("x")
        return {}


def options_method(app: Flask, ran: list[str], _auth: ConnectorAuth) -> None:
    """A class with an ``options`` method."""

    class Resource(MethodView):
        decorators = (require_app_jwt, require_consumer_jws)

        def options(self) -> dict[str, Any]:
            ran.append("x")
            return {}

    app.add_url_rule("/x", view_func=Resource.as_view("x"))


def options_protected(app: Flask, ran: list[str], auth: ConnectorAuth) -> None:
    """A protected blueprint with a view for OPTIONS."""
    blueprint = Blueprint("b", __name__)
    auth.protect(blueprint)
    blueprint.add_url_rule("/x", "x", lambda: ran.append("x") or {}, methods=["OPTIONS"])
    app.register_blueprint(blueprint)


@pytest.mark.parametrize("declare", [options_function, options_method, options_protected])
def test_a_view_for_options_is_a_view(
    declare: Callable[[Flask, list[str], ConnectorAuth], None],
    make_app: MakeApp,
    issuer: Issuer,
) -> None:
    """Fetch standard: half a preflight is asked for tokens; a whole one never runs the view."""
    app, ran = make_app(), []
    declare(app, ran, ConnectorAuth())
    client = app.test_client()
    for name in PREFLIGHT:
        half = {name: PREFLIGHT[name]}
        assert_row(client.options("/x", headers=half), 40105)
        assert_row(client.options("/x", headers={**half, **headers("junk", "junk")}), 40102)
    tokens = headers(issuer.app_jwt(), issuer.consumer_jws())
    for sent in ({}, headers("junk", "junk"), tokens):
        answer = client.options("/x", headers={**PREFLIGHT, **sent})
        assert (answer.status_code, answer.data) == (200, b"")
    assert ran == []
    assert client.options("/x", headers=tokens).status_code == 200
    assert ran == ["x"]
