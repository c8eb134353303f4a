"""``routes``: what the audit found, and a build that fails where a route slipped through."""

import json
from pathlib import Path

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth, public, require_app_jwt, require_consumer_jws
from tests.support.floor_helpers import cases
from tests.support.types import MakeApp, RunCommand


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app with a protected, an optional, a public and a forgotten route."""
    app = make_app(AUDIENCE="le1")
    both = require_consumer_jws(
        require_app_jwt(lambda account_id: {}, scopes="b a", any_scope="c d")
    )
    app.add_url_rule("/account/<account_id>/send", "send", both, methods=["POST"])
    app.add_url_rule("/account", "maybe", require_app_jwt(lambda: {}, optional=True))
    app.add_url_rule("/docs", "docs", public(lambda: {}))
    app.add_url_rule("/docs/forgotten", "api.forgotten", lambda: {})
    return app


#: The rule of each route that needs no token, by a word for it.
RULES = {
    "maybe": "/account",
    "docs": "/docs",
    "forgotten": "/docs/forgotten",
    "static": "/static/<path:filename>",
}


def test_the_json_of_a_route(run: RunCommand, app: Flask) -> None:
    """Rule, methods, endpoint, what becomes of a request without tokens, and what is asked."""
    result = run("routes", "--json", app=app)
    assert result.exit_code == 0
    told = {each["endpoint"]: each for each in json.loads(result.stdout)["routes"]}
    assert set(told) == {"send", "maybe", "docs", "api.forgotten", "static"}
    assert told["send"] == {
        "rule": "/account/<account_id>/send",
        "host": None,
        "methods": ["POST"],
        "endpoint": "send",
        "access": "protected",
        "app_jwt": {"optional": False, "scopes": ["a", "b"], "any_scopes": [["c", "d"]]},
        "consumer_jws": {"optional": False, "scopes": [], "any_scopes": []},
        "account": "url and audience",
        "misplaced": [],
    }
    assert told["docs"] == {
        "rule": "/docs",
        "host": None,
        "methods": ["GET", "HEAD"],
        "endpoint": "docs",
        "access": "public",
        "app_jwt": None,
        "consumer_jws": None,
        "account": None,
        "misplaced": [],
    }


def test_the_host_stands_before_the_rule(run: RunCommand, make_app: MakeApp) -> None:
    """Where the app tells hosts apart, in the table and in what fails a build."""
    app = make_app()
    app.add_url_rule("/x", "x", lambda: {}, subdomain="api")
    result = run("routes", "--require-auth", "--allow", "static", app=app)
    assert "GET,HEAD  api/x " in result.stdout
    assert result.stderr.splitlines()[0] == "unprotected: GET,HEAD api/x"


def test_the_text_is_a_table(run: RunCommand, app: Flask) -> None:
    """One aligned line for each route, by rule."""
    lines = [" ".join(line.split()) for line in run("routes", app=app).stdout.splitlines()]
    assert lines == [
        "METHODS RULE ENDPOINT ACCESS APPJWT CONSUMERJWS SCOPES ACCOUNT",
        "GET,HEAD /account maybe optional optional - - audience",
        "POST /account/<account_id>/send send protected required required a b c|d url and audience",
        "GET,HEAD /docs docs public - - - -",
        "GET,HEAD /docs/forgotten api.forgotten unprotected - - - -",
        "GET,HEAD /static/<path:filename> static unprotected - - - -",
    ]


@cases(
    "allowed, open_ones",
    {
        "nothing": ([], ["maybe", "docs", "forgotten", "static"]),
        "endpoints": (["static", "maybe", "docs"], ["forgotten"]),
        "endpoints by pattern": (["static", "api.*", "maybe"], ["docs"]),
        "rules": (["/static/*", "/account", "/docs/*"], ["docs"]),
        "a pattern is for the whole": (
            ["stat", "/doc", "ocs", "Maybe"],
            ["static", "docs", "forgotten", "maybe"],
        ),
        "all": (["*"], []),
    },
)
def test_a_build_fails_where_a_route_is_open(
    run: RunCommand, app: Flask, allowed: list[str], open_ones: list[str]
) -> None:
    """Status 1 and the routes on stderr, unless each route without a token is allowed by name."""
    options = [part for pattern in allowed for part in ("--allow", pattern)]
    result = run("routes", "--require-auth", *options, app=app)
    assert result.exit_code == (1 if open_ones else 0)
    assert bool(result.stderr) is bool(open_ones)
    told = {line.rpartition(" ")[2] for line in result.stderr.splitlines()}
    assert told == {RULES[name] for name in open_ones}
    assert run("routes", *options, app=app).exit_code == 0


def test_an_optional_route_is_open(run: RunCommand, app: Flask) -> None:
    """A request without a token gets to its view, so it has to be allowed too."""
    options = ["--allow", "static", "--allow", "/docs*", "--require-auth"]
    result = run("routes", *options, app=app)
    assert (result.exit_code, result.stderr) == (1, "optional: GET,HEAD /account\n")
    assert run("routes", *options, "--allow", "maybe", app=app).exit_code == 0


def test_a_route_that_may_be_open_fails_a_build(run: RunCommand, make_app: MakeApp) -> None:
    """What is asked for in a closure may never be asked, so it has to be allowed too."""
    app, decorated = make_app(), require_app_jwt(lambda: {})
    app.add_url_rule("/x", "x", lambda **arguments: decorated() if arguments else {})
    assert app.test_client().get("/x").status_code == 200
    options = ["--require-auth", "--allow", "static"]
    result = run("routes", *options, app=app)
    assert (result.exit_code, result.stderr) == (1, "uncertain: GET,HEAD /x\n")
    assert run("routes", *options, "--allow", "x", app=app).exit_code == 0


def test_a_protected_app_passes(run: RunCommand, make_app: MakeApp) -> None:
    """With protect() on the app, all is asked for, static files too."""
    app = make_app()
    ConnectorAuth().protect(app)
    app.add_url_rule("/", "index", lambda: {})
    assert run("routes", "--require-auth", app=app).exit_code == 0


def test_a_decorator_above_the_route_is_named(run: RunCommand, make_app: MakeApp) -> None:
    """Below the table, with its file and line; a build fails, though the route is protected by the
    decorator below, unless the route is allowed by name."""
    app = make_app()

    @require_app_jwt
    @app.get("/x")
    @app.get("/y")
    @require_consumer_jws
    def view() -> dict[str, str]:
        return {}

    options = ["--require-auth", "--allow", "static"]
    result = run("routes", *options, app=app)
    line = _line_of("    @require_app_jwt\n")
    assert result.stdout.splitlines()[-1] == (
        f"warning: The decorator at {__file__}:{line} stands above the route decorator, so it does "
        "not protect view. Move it below the route decorator."
    )
    misplaced = "misplaced: GET,HEAD /x\nmisplaced: GET,HEAD /y\n"
    assert (result.exit_code, result.stderr) == (1, misplaced)
    assert run("routes", *options, "--allow", "view", app=app).exit_code == 0
    found = json.loads(run("routes", "--json", app=app).stdout)["routes"]
    assert [each["misplaced"] for each in found] == [
        [],
        *([f"{__file__}:{line}"], [f"{__file__}:{line}"]),
    ]


def _line_of(text: str) -> int:
    return Path(__file__).read_text().splitlines(keepends=True).index(text) + 1
