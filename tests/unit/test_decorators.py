"""The decorators and their arguments: scopes, optional tokens, misuse, views of every kind."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

SCOPES = [
    ({"scopes": "a"}, "a", True),
    ({"scopes": "a"}, "a b", True),
    ({"scopes": "a"}, "ab", False),
    ({"scopes": "a"}, "A", False),
    ({"scopes": "a"}, "", False),
    ({"scopes": "a b"}, "b a", True),
    ({"scopes": "a b"}, "a", False),
    ({"scopes": ["a", "b"]}, "a b c", True),
    ({"any_scope": "a b"}, "b", True),
    ({"any_scope": ("a", "b")}, "c", False),
    ({"scopes": "a", "any_scope": "b c"}, "a c", True),
    ({"scopes": "a", "any_scope": "b c"}, "b c", False),
    ({"scopes": "a", "any_scope": "b c"}, "a", False),
]


@pytest.mark.parametrize(("asked", "granted", "passes"), SCOPES)
@pytest.mark.parametrize("way", ["decorator", "call"])
def test_scopes_are_compared_exactly(
    way: str, asked: dict[str, Any], granted: str, passes: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 6749 section 3.3, row 40102: all of scopes, one of any_scope; there is no 403."""
    app = make_app()

    def called() -> Any:
        verify_request(consumer_jws=False, **asked)
        return {}

    view = require_app_jwt(**asked)(lambda: {}) if way == "decorator" else called
    app.add_url_rule("/x", "x", view)
    response = app.test_client().get("/x", headers=headers(issuer.app_jwt(scope=granted)))
    if passes:
        assert response.status_code == 200
    else:
        assert_row(response, 40102)


def test_two_decorators_ask_for_what_both_ask_for(make_app: MakeApp, issuer: Issuer) -> None:
    """Scopes of class and method add up; a token that is optional in one place only is required."""

    class Resource(MethodView):
        decorators = (require_app_jwt(scopes="a", optional=True),)

        @require_app_jwt(any_scope="b c")
        def post(self) -> dict[str, str]:
            return {}

        def get(self) -> dict[str, str]:
            return {}

    app = make_app()
    app.add_url_rule("/x", view_func=Resource.as_view("x"))
    client = app.test_client()
    assert client.get("/x").status_code == 200
    assert client.head("/x").status_code == 200
    assert client.get("/x", headers=headers(issuer.app_jwt(scope="a"))).status_code == 200
    assert_row(client.post("/x"), 40105)
    assert_row(client.post("/x", headers=headers(issuer.app_jwt(scope="a"))), 40102)
    assert client.post("/x", headers=headers(issuer.app_jwt(scope="a b"))).status_code == 200


def optional_views(app: Flask) -> Flask:
    """Add a view with optional tokens."""

    @app.get("/x")
    @require_app_jwt(optional=True, scopes="msg.consumer")
    @require_consumer_jws(optional=True)
    def x() -> dict[str, Any]:
        return {"app": bool(current_app_jwt), "consumer": bool(current_consumer_jws)}

    return app


OPTIONAL = [
    ("missing", "missing", {"app": False, "consumer": False}),
    ("missing", "valid", {"app": False, "consumer": True}),
    ("valid", "missing", {"app": True, "consumer": False}),
    ("valid", "valid", {"app": True, "consumer": True}),
    ("invalid", "missing", 40102),
    ("invalid", "valid", 40102),
    ("no scope", "valid", 40102),
    ("missing", "invalid", 40103),
    ("valid", "invalid", 40103),
]


@pytest.mark.parametrize(("app_jwt", "consumer_jws", "expected"), OPTIONAL)
def test_an_optional_token_may_be_missing_but_never_invalid(
    app_jwt: str,
    consumer_jws: str,
    expected: Any,
    make_app: MakeApp,
    issuer: Issuer,
    stranger: Issuer,
) -> None:
    """``optional`` lets a missing token pass; a forged or insufficient one never does."""
    apps = {
        "missing": None,
        "invalid": stranger.app_jwt(),
        "no scope": issuer.app_jwt(scope="other"),
        "valid": issuer.app_jwt(),
    }
    consumers = {
        "missing": None,
        "invalid": stranger.consumer_jws(),
        "valid": issuer.consumer_jws(),
    }
    client = optional_views(make_app()).test_client()
    response = client.get("/x", headers=headers(apps[app_jwt], consumers[consumer_jws]))
    if isinstance(expected, int):
        assert_row(response, expected)
    else:
        assert (response.status_code, response.json) == (200, expected)


MISUSES: dict[str, Callable[[], Any]] = {
    "a scope as the view": lambda: require_app_jwt("msg.consumer"),  # type: ignore[call-overload]
    "a class": lambda: require_app_jwt(type("Resource", (MethodView,), {})),
    "a class, called": lambda: require_consumer_jws()(type("Resource", (MethodView,), {})),
    "not callable": lambda: require_consumer_jws(42),  # type: ignore[call-overload]
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_what_is_not_a_view_is_refused_at_import(misuse: str) -> None:
    """A misused decorator says at import what to write instead."""
    with pytest.raises(TypeError, match=r"as in @require_(app_jwt|consumer_jws)\("):
        MISUSES[misuse]()


@pytest.mark.parametrize("scope", ["a  b", " a", "a\tb", 'a"', "ä", ["a b"], [""], "a\\"])
def test_a_scope_that_no_token_can_carry_is_refused_at_import(scope: Any) -> None:
    """RFC 6749 section 3.3: printable ASCII without space, quote and backslash."""
    with pytest.raises(ValueError, match="is not a scope"):
        require_app_jwt(scopes=scope)


@pytest.mark.parametrize("argument", ["scopes", "any_scope"])
@cases(
    "require",
    {
        "decorator": require_app_jwt,
        "both tokens": verify_request,
        "ConsumerJWS alone": partial(verify_request, app_jwt=False),
        "protect()": partial(ConnectorAuth().protect, Blueprint("a_blueprint", __name__)),
    },
)
def test_empty_scopes_are_refused_where_they_are_passed(
    require: Callable[..., Any], argument: str, make_app: MakeApp
) -> None:
    """``scopes=os.environ.get("SCOPE", "")`` must not open a view to tokens without scopes."""
    with (
        make_app().test_request_context(),
        pytest.raises(ValueError, match=f"^{argument} is empty: leave it out"),
    ):
        require(**{argument: os.environ.get("A_SCOPE_THAT_IS_NOT_SET", "")})


@pytest.mark.parametrize(
    "arguments",
    [
        {"app_jwt": False, "consumer_jws": False},
        {"app_jwt": False, "scopes": "a"},
        {"app_jwt": False, "any_scope": "a"},
    ],
)
def test_a_call_that_asks_for_nothing_is_refused(arguments: Any, make_app: MakeApp) -> None:
    """verify_request() and protect() require a token; scopes are those of the AppJWT."""
    with make_app().test_request_context(), pytest.raises(ValueError, match="at least one token"):
        verify_request(**arguments)


def test_the_view_keeps_its_name_signature_and_kind() -> None:
    """A decorated view looks like the view, and a coroutine function stays one."""

    def view(account_id: str, page: int = 1) -> str:
        """The view's docstring."""
        return account_id * page

    async def async_view(account_id: str) -> str:
        return account_id

    decorated = require_app_jwt(require_consumer_jws(view))
    assert decorated.__name__ == "view"
    assert decorated.__doc__ == "The view's docstring."
    assert inspect.signature(decorated) == inspect.signature(view)
    assert not inspect.iscoroutinefunction(decorated)
    assert inspect.iscoroutinefunction(require_app_jwt(async_view))


def test_a_call_returns_the_identity_and_holds_for_the_request(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """verify_request() verifies as the decorators do: the tokens can be read afterwards."""
    app = make_app()

    @app.get("/x")
    @require_consumer_jws
    def x() -> dict[str, Any]:
        identity = verify_request(scopes="msg.consumer")
        again = verify_request()
        return {
            "app": identity.app_jwt == current_app_jwt._get_current_object(),  # type: ignore[attr-defined]
            "consumer": identity.consumer_jws.ext_consumer_id,
            "same": again is identity,
        }

    client = app.test_client()
    both = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/x", headers=both).json == {
        "app": True,
        "consumer": "consumer-1",
        "same": True,
    }
    assert_row(client.get("/x", headers=headers(None, issuer.consumer_jws())), 40105)


@pytest.mark.parametrize(
    ("arguments", "app_jwt", "consumer_jws"),
    [
        ({}, True, True),
        ({"consumer_jws": False}, True, False),
        ({"app_jwt": False}, False, True),
        ({"optional": True}, False, False),
    ],
)
def test_a_token_that_is_required_is_never_none(
    arguments: Any, app_jwt: bool, consumer_jws: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """tests/typing: the types of verify_request() hold, also where the endpoint says optional."""
    app = make_app()

    @app.get("/x")
    @require_app_jwt(optional=True)
    @require_consumer_jws(optional=True)
    def x() -> dict[str, bool]:
        identity = verify_request(**arguments)
        return {
            "app_jwt": identity.app_jwt is not None,
            "consumer_jws": identity.consumer_jws is not None,
        }

    client, sent = app.test_client(), headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/x", headers=sent).json == {"app_jwt": True, "consumer_jws": True}
    for name, is_required, row in (
        ("Authorization", app_jwt, 40105),
        ("X-LP-ON-BEHALF", consumer_jws, 40104),
    ):
        response = client.get("/x", headers={each: sent[each] for each in sent if each != name})
        if is_required:
            assert_row(response, row)
        else:
            assert list(response.json.values()).count(False) == 1


def test_a_decorated_helper_asks_for_its_own_token(make_app: MakeApp, issuer: Issuer) -> None:
    """A wrapper called outside its endpoint enforces what it was given."""
    helper = require_consumer_jws(lambda: {"called": True})
    app = make_app()

    @app.get("/x")
    @require_app_jwt
    def x() -> dict[str, bool]:
        return globals_of_test["helper"]()

    globals_of_test = {"helper": helper}
    client = app.test_client()
    assert_row(client.get("/x", headers=headers(issuer.app_jwt())), 40104)
    both = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/x", headers=both).json == {"called": True}


def test_a_view_that_asks_for_the_consumer_alone(make_app: MakeApp, issuer: Issuer) -> None:
    """One decorator requires one token; the other header is not read."""
    app = make_app()
    app.add_url_rule("/x", "x", require_consumer_jws(lambda: {}))
    client = app.test_client()
    assert client.get("/x", headers=headers("junk", issuer.consumer_jws())).status_code == 200
    assert_row(client.get("/x", headers=headers(issuer.app_jwt())), 40104)


@pytest.mark.parametrize("where", ["query", "form", "json", "cookie"])
def test_tokens_are_read_from_the_headers_only(
    where: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 6750 section 2: neither query nor body nor cookie is looked at."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}), methods=["POST"])
    client, token = app.test_client(), issuer.app_jwt()
    values = {"access_token": token, "Authorization": token, "authorization": token}
    if where == "cookie":
        client.set_cookie("Authorization", token)
        client.set_cookie("access_token", token)
    sent = {"query": {"query_string": values}, "form": {"data": values}, "json": {"json": values}}
    assert_row(client.post("/x", **sent.get(where, {})), 40105)


def test_the_consumer_header_has_a_setting(make_app: MakeApp, issuer: Issuer) -> None:
    """Protocol page, Messaging REST API: a sibling API names the header LP-On-Behalf."""
    app = make_app(CONSUMER_HEADER="LP-On-Behalf")
    app.add_url_rule("/x", "x", require_consumer_jws(lambda: {}))
    client, token = app.test_client(), issuer.consumer_jws()
    assert client.get("/x", headers={"lp-on-behalf": token}).status_code == 200
    assert_row(client.get("/x", headers={"X-LP-ON-BEHALF": token}), 40104)


def test_a_call_works_before_any_view_is_found(make_app: MakeApp, issuer: Issuer) -> None:
    """verify_request() in a before_request hook applies to unknown URLs too."""
    app = make_app()
    app.before_request(lambda: verify_request(consumer_jws=False) and None)
    client = app.test_client()
    assert_row(client.get("/nowhere"), 40105)
    assert client.get("/nowhere", headers=headers(issuer.app_jwt())).status_code == 404


@pytest.mark.parametrize("name", ["Authorization", "X-LP-ON-BEHALF"])
def test_a_header_that_is_sent_twice_is_invalid(
    name: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 9110 section 5.3: servers join repeated headers by a comma; a credential is no list."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(lambda: {})))
    sent = list(headers(issuer.app_jwt(), issuer.consumer_jws()).items())
    client = app.test_client()
    assert client.get("/x", headers=sent).status_code == 200
    twice = [*sent, *(pair for pair in sent if pair[0] == name)]
    assert_row(client.get("/x", headers=twice), 40102 if name == "Authorization" else 40103)


def test_a_view_that_is_decorated_anew_in_each_request_adds_up_to_nothing(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """What is known of an endpoint's wrappers is bounded, and right beyond the bound."""
    app = make_app()

    @app.get("/x")
    @require_app_jwt
    def x() -> Any:
        for _ in range(100):
            answer = require_app_jwt(lambda: {})()
        return answer

    client = app.test_client()
    for _ in range(2):
        assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 200
        assert_row(client.get("/x"), 40105)
    ((key, endpoint),) = app.extensions["connector_auth"].endpoints.items()
    assert key == ("x", "GET")
    assert len(endpoint.combined) <= 32


def test_a_decorated_helper_works_where_no_view_is_found(make_app: MakeApp, issuer: Issuer) -> None:
    """A wrapper called for an unknown URL enforces what it was given, once."""
    app = make_app()
    helper = require_app_jwt(lambda: None)

    @app.before_request
    def check() -> None:
        helper()
        helper()

    client = app.test_client()
    assert_row(client.get("/nowhere"), 40105)
    assert client.get("/nowhere", headers=headers(issuer.app_jwt())).status_code == 404


def test_a_preflight_with_an_identity_is_answered_where_more_is_required(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Fetch standard: a preflight has no tokens, so what a view requires cannot refuse it."""
    app, helper = make_app(), require_consumer_jws(lambda: "x")

    @app.before_request
    def check() -> None:
        verify_request(consumer_jws=False)

    @app.route("/x", methods=["OPTIONS"])
    def x() -> Any:
        return helper()

    client, sent = app.test_client(), headers(issuer.app_jwt())
    preflight = {"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}
    response = client.options("/x", headers={**sent, **preflight})
    assert (response.status_code, response.data, response.allow) == (200, b"", {"OPTIONS"})
    assert_row(client.options("/x", headers=sent), 40104)
    assert client.options("/nowhere", headers=sent).status_code == 404
