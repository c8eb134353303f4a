"""Other packages around the views: the same four answers, as the table in the docs says."""

import re
from typing import Any

import flask_restful
import flask_restx
import pytest
from flask import Flask, Response, got_request_exception

from flask_connector_auth import AppJWTMissing, ConnectorAuth
from flask_connector_auth.testing import Issuer, assert_connector_error
from tests.support.combinations import COMBINATIONS, url
from tests.support.http_helpers import ROWS, headers
from tests.support.outages import Outage
from tests.support.project import PAGES

ANSWERS = {True: "the same bytes", False: "the same members, in the same order"}
HANDLERS = {True: "called", False: "not called"}
ROW = re.compile(r"^   \* - (.+)\n     - (.+)\n     - (.+)$", re.MULTILINE)


def an_app(
    name: str, keys: Any, *, debug: bool = False, blueprint: bool = True, late: bool = False
) -> Flask:
    """Return an app with the combination of that *name*, set up *late*, after it, or before."""
    declare, app_class, *_ = COMBINATIONS[name]
    app = app_class("an_app")
    app.debug = debug
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = keys
    if late:
        declare(app, blueprint)
        ConnectorAuth(app)
    else:
        ConnectorAuth(app)
        declare(app, blueprint)
    return app


@pytest.mark.parametrize("late", [False, True], ids=["set up first", "set up last"])
@pytest.mark.parametrize("blueprint", [False, True], ids=["app", "blueprint"])
@pytest.mark.parametrize("debug", [False, True], ids=["production", "debug"])
@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_answers_are_the_same_everywhere(
    name: str, debug: bool, blueprint: bool, late: bool, issuer: Issuer
) -> None:
    """Rows 40102 to 40105, and the view itself: by whichever package, in whichever mode."""
    app = an_app(name, issuer.key_set(), debug=debug, blueprint=blueprint, late=late)
    _, _, ask, exact, _ = COMBINATIONS[name]

    def answer(app_jwt: str | None = None, consumer_jws: str | None = None) -> Response:
        return ask(app, url(blueprint), headers(app_jwt, consumer_jws))

    app_jwt, consumer_jws = issuer.app_jwt(azp="install-1"), issuer.consumer_jws()
    assert answer(app_jwt, consumer_jws).json == {"app": "install-1", "consumer": "consumer-1"}
    for code, refused in {
        40102: answer(issuer.broken("forged"), consumer_jws),
        40103: answer(app_jwt, issuer.broken("forged", "consumer_jws")),
        40104: answer(app_jwt),
        40105: answer(None, consumer_jws),
    }.items():
        assert_connector_error(refused, code, exact=exact)
        assert (refused.data == ROWS[code]) is exact


@pytest.mark.parametrize("name", COMBINATIONS)
def test_an_outage_is_told_everywhere(name: str, issuer: Issuer) -> None:
    """Row 50301: no package makes a 500 of it, and each sends Retry-After along."""
    _, _, ask, exact, _ = COMBINATIONS[name]
    refused = ask(an_app(name, Outage(7)), url(True), headers(issuer.app_jwt()))
    assert_connector_error(refused, 50301, exact=exact)
    assert refused.headers["Retry-After"] == "7"


@pytest.mark.parametrize("name", COMBINATIONS)
def test_an_apps_own_handler_is_asked_where_the_table_says_so(name: str, issuer: Issuer) -> None:
    """Flask-RESTX and Flask-RESTful answer for their resources before Flask looks for a handler."""
    _, _, ask, exact, handlers = COMBINATIONS[name]
    app = an_app(name, issuer.key_set())
    app.register_error_handler(AppJWTMissing, lambda _: ("mine", 418))
    answer = ask(app, url(True), {})
    if handlers:
        assert (answer.status_code, answer.data) == (418, b"mine")
    else:
        assert_connector_error(answer, 40105, exact=exact)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_table_says_what_was_found(name: str) -> None:
    """The page has each package, what becomes of the envelope, and of a handler of the app's."""
    rows = {package: cells for package, *cells in ROW.findall(PAGES["docs/compatibility.rst"])}
    *_, exact, handlers = COMBINATIONS[name]
    assert rows[name] == [ANSWERS[exact], HANDLERS[handlers]]
    assert rows.keys() == {"Package", *COMBINATIONS}


@pytest.mark.parametrize("package", [flask_restful, flask_restx])
def test_what_ends_a_preflight_says_that_it_is_no_error(package: Any, issuer: Issuer) -> None:
    """docs/compatibility.rst: both send ``got_request_exception`` for it, as for a refusal."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app).protect(app)

    def options(_resource: object) -> None:
        raise AssertionError("a preflight runs no view")

    package.Api(app).add_resource(type("X", (package.Resource,), {"options": options}), "/x")
    reported: list[Exception] = []

    def receive(_app: Flask, exception: Exception) -> None:
        reported.append(exception)

    sent = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    with got_request_exception.connected_to(receive, app):
        assert app.test_client().options("/x", headers=sent).status_code == 200
        assert_connector_error(app.test_client().options("/x"), 40105, exact=False)
    answered, refused = reported
    assert str(answered) == "a CORS preflight was answered; no error"
    assert repr(answered) == "<PreflightAnswered: a CORS preflight was answered; no error>"
    assert repr(refused) == "<AppJWTMissing 40105: missing>"
