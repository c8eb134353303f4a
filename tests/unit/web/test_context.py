"""Whose identity a view sees: that of its own request, and of no other."""

import copy
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    copy_current_request_context,
    g,
    jsonify,
    request,
    stream_with_context,
)
from flask.testing import FlaskClient
from marshmallow import Schema, fields
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_connector_auth import (
    ConnectorAuth,
    InvalidConsumerJWS,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.http_helpers import headers
from tests.support.types import MakeApp


def with_views(app: Flask) -> Flask:
    """Add a protected view and one that looks at the identity without asking for it."""

    @app.get("/protected")
    @require_app_jwt
    @require_consumer_jws
    def protected() -> dict[str, str]:
        return {
            "app": current_app_jwt.install_id,
            "consumer": current_consumer_jws.ext_consumer_id,
        }

    @app.get("/open")
    def open_() -> dict[str, str]:
        try:
            return {"app": current_app_jwt.install_id}
        except RuntimeError as error:
            return {"error": str(error)}

    return app


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app for which pytest-flask pushes one context around the whole test."""
    return with_views(make_app())


def test_a_request_never_sees_the_identity_of_the_one_before(
    app: Flask, client: FlaskClient, issuer: Issuer
) -> None:
    """Under pytest-flask's pushed context, g outlives a request; the identity does not."""
    g.survives = True
    first = headers(issuer.app_jwt(azp="first"), issuer.consumer_jws())
    assert client.get("/protected", headers=first).json["app"] == "first"
    assert g.survives
    assert "require_app_jwt" in client.get("/open").json["error"]
    assert "require_app_jwt" in client.get("/open", headers=first).json["error"]
    second = headers(issuer.app_jwt(azp="second"), issuer.consumer_jws())
    assert client.get("/protected", headers=second).json["app"] == "second"


def test_an_environ_that_is_dispatched_again_is_verified_again(
    app: Flask, client: FlaskClient, issuer: Issuer
) -> None:
    """An identity is bound to one request object, not to the environ it came with."""
    sent = headers(issuer.app_jwt(azp="first"), issuer.consumer_jws())

    @app.get("/batch")
    @require_app_jwt
    def batch() -> dict[str, Any]:
        answers = []
        for token in (issuer.app_jwt(azp="second"), "junk"):
            environ = {**request.environ, "PATH_INFO": "/protected", "HTTP_AUTHORIZATION": token}
            answers.append(Client(app.wsgi_app).open(environ).json)  # type: ignore[arg-type]
        return {"answers": answers, "mine": current_app_jwt.install_id}

    answer = client.get("/batch", headers=sent).json
    assert answer["mine"] == "first"
    assert answer["answers"][0]["app"] == "second"
    assert answer["answers"][1]["body"]["errorCode"] == 40102


def test_two_apps_in_one_process_never_mix(
    make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """Each app has its own keys, also where one hands its environ on to the other."""
    mine = with_views(make_app())
    theirs = with_views(make_app(APP_JWT_KEYS=stranger.key_set()))
    both = Client(DispatcherMiddleware(mine.wsgi_app, {"/theirs": theirs.wsgi_app}))
    for signer, good, bad in ((issuer, "", "/theirs"), (stranger, "/theirs", "")):
        sent = headers(signer.app_jwt(azp="a"), signer.consumer_jws())
        assert both.get(f"{good}/protected", headers=sent).json["app"] == "a"
        assert both.get(f"{bad}/protected", headers=sent).json["body"]["errorCode"] == 40102


def test_threads_never_mix(make_app: MakeApp, issuer: Issuer, stranger: Issuer) -> None:
    """32 threads, good and forged tokens, two apps: every answer is that of its own request."""
    apps = {
        "mine": with_views(make_app()),
        "theirs": with_views(make_app(APP_JWT_KEYS=stranger.key_set())),
    }
    signers = {"mine": issuer, "theirs": stranger}
    barrier = threading.Barrier(32)

    def one(number: int) -> None:
        target, signer = [("mine", "mine"), ("theirs", "theirs"), ("mine", "theirs")][number % 3]
        token = signers[signer].app_jwt(azp=f"app-{number}")
        consumer = signers[signer].consumer_jws(ext_consumer_id=f"consumer-{number}")
        client = apps[target].test_client()
        barrier.wait()
        for _ in range(20):
            answer = client.get("/protected", headers=headers(token, consumer)).json
            if target == signer:
                assert answer == {"app": f"app-{number}", "consumer": f"consumer-{number}"}
            else:
                assert answer["body"]["errorCode"] == 40102
            assert "error" in client.get("/open").json

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(32)))


def test_the_identity_goes_with_the_request(make_app: MakeApp, issuer: Issuer) -> None:
    """A stream, a thread with the copied context, and a teardown see their request's identity."""
    app = make_app()
    seen: list[str] = []

    @app.get("/x")
    @require_app_jwt
    def x() -> Response:
        @copy_current_request_context
        def in_thread() -> None:
            seen.append(current_app_jwt.install_id)

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()

        def stream() -> Iterator[str]:
            yield current_app_jwt.install_id

        return Response(stream_with_context(stream()))

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        seen.append(current_app_jwt.account_id)

    response = app.test_client().get("/x", headers=headers(issuer.app_jwt(azp="streamed")))
    assert response.data == b"streamed"
    response.close()
    # Flask runs a teardown for each of the two copies of the context, and for the request.
    assert set(seen) == {"streamed", "le81823118"}


def test_a_refused_request_has_no_identity(make_app: MakeApp, issuer: Issuer) -> None:
    """RFC 8725 section 3.3: no partly verified token can be reached, not even in a handler."""
    app = with_views(make_app())
    seen: list[str] = []

    @app.after_request
    def look(response: Response) -> Response:
        for proxy in (current_app_jwt, current_consumer_jws):
            with pytest.raises(RuntimeError) as caught:
                _ = proxy.claims
            seen.append(str(caught.value))
        return response

    @app.errorhandler(InvalidConsumerJWS)
    def handle(error: InvalidConsumerJWS) -> Response:
        return look(error.response)

    sent = headers(issuer.app_jwt(), issuer.consumer_jws(account_id="other"))
    assert app.test_client().get("/protected", headers=sent).status_code == 401
    assert len(seen) == 4


def test_the_proxies_say_what_to_do_outside_a_protected_request(make_app: MakeApp) -> None:
    """Neither an attribute nor a truth test passes silently where nothing was verified."""
    for use in (lambda: current_app_jwt.install_id, lambda: bool(current_app_jwt)):
        with pytest.raises(RuntimeError, match="put @require_app_jwt on the view"):
            use()
        with make_app().test_request_context(), pytest.raises(RuntimeError):
            use()
    with pytest.raises(RuntimeError, match="put @require_consumer_jws on the view"):
        bool(current_consumer_jws)
    assert "unbound" in repr(current_app_jwt)


def test_an_optional_token_that_was_not_sent(make_app: MakeApp) -> None:
    """The proxy is false, shows itself as not sent, and its attributes say what to test first."""
    app = make_app()

    @app.get("/x")
    @require_app_jwt(optional=True)
    def x() -> dict[str, str]:
        with pytest.raises(AttributeError, match="test the proxy for truth first") as caught:
            _ = current_app_jwt.install_id
        return {"false": str(not current_app_jwt), "repr": repr(current_app_jwt), "e": str(caught)}

    answer = app.test_client().get("/x").json
    assert answer["false"] == "True"
    assert answer["repr"] == "<not sent>"


def test_what_a_view_sees_of_the_tokens(make_app: MakeApp) -> None:
    """docs/request.rst: the attributes, and a repr that shows ids only."""
    minted = Issuer(clock=lambda: 1_000_000)
    app = make_app(clock=lambda: 1_000_000, APP_JWT_KEYS=minted.key_set())

    @app.get("/x")
    @require_app_jwt
    @require_consumer_jws
    def x() -> dict[str, Any]:
        token = current_app_jwt
        return {
            "app": [token.account_id, token.install_id, sorted(token.scopes), token.issuer],
            "times": [token.issued_at, token.expires_at],
            "consumer": [current_consumer_jws.account_id, current_consumer_jws.lp_consumer_id],
            "extra": token.claims["extra"]["list"],
            "repr": repr(token),
        }

    app_jwt = minted.app_jwt(azp="app", scope="a b", extra={"list": [1, 2]})
    answer = app.test_client().get("/x", headers=headers(app_jwt, minted.consumer_jws())).json
    assert answer["app"] == ["le81823118", "app", ["a", "b"], "Sentinel"]
    assert answer["times"] == [1_000_000, 1_003_600]
    assert answer["consumer"][0] == "le81823118"
    assert len(answer["consumer"][1]) == 64
    assert answer["extra"] == [1, 2]
    assert answer["repr"] == "AppJWT(account_id='le81823118', install_id='app')"


class Profile(Schema):
    """What a service answers with, made by marshmallow."""

    claims = fields.Dict()


USES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "returned": lambda claims: claims,
    "jsonify": jsonify,
    "json": lambda claims: json.dumps(claims),
    "json of a dict": lambda claims: json.dumps(dict(claims)),
    "pickle": lambda claims: pickle.loads(pickle.dumps(claims)),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "marshmallow": lambda claims: Profile().dump({"claims": claims})["claims"],
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_claims_leave_the_view(
    use: Callable[[dict[str, Any]], Any], make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/decorators.rst: claims are plain JSON values, which every serializer takes."""
    app = make_app()
    views = {
        "app_jwt": require_app_jwt(lambda: use(current_app_jwt.claims)),
        "consumer_jws": require_consumer_jws(lambda: use(current_consumer_jws.claims)),
    }
    more = {"roles": ["admin"], "act": {"sub": "x", "of": [{"n": 1.5}, None, True]}}
    sent = headers(issuer.app_jwt(**more), issuer.consumer_jws(**more))
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    for name in views:
        claims = app.test_client().get(f"/{name}", headers=sent).get_json(force=True)
        assert {member: claims[member] for member in more} == more


def test_a_token_leaves_the_view_as_a_dict(make_app: MakeApp, issuer: Issuer) -> None:
    """docs/decorators.rst: to_dict() and hash() of the proxies are those of the tokens."""
    app = make_app()

    @app.get("/x")
    @require_app_jwt
    @require_consumer_jws
    def x() -> dict[str, Any]:
        tokens = verify_request()
        assert {current_app_jwt, current_consumer_jws} == {tokens.app_jwt, tokens.consumer_jws}
        return {"app": current_app_jwt.to_dict(), "consumer": current_consumer_jws.to_dict()}

    app_jwt = issuer.app_jwt(azp="app", scope="b a")
    answer = app.test_client().get("/x", headers=headers(app_jwt, issuer.consumer_jws())).json
    assert (answer["app"]["install_id"], answer["app"]["scopes"]) == ("app", ["a", "b"])
    assert answer["consumer"]["ext_consumer_id"] == "consumer-1"


def test_no_request_sees_what_an_earlier_one_did_to_the_claims(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Decision 0011: requests with one remembered token share its object, but no claims."""
    app = make_app()

    @app.get("/x")
    @require_app_jwt
    def x() -> dict[str, Any]:
        claims = current_app_jwt.claims
        seen = copy.deepcopy(claims)
        claims["roles"].append("admin")
        claims["act"]["sub"] = "somebody else"
        claims.clear()
        return {"roles": seen["roles"], "sub": seen["act"]["sub"], "id": id_of_token()}

    def id_of_token() -> int:
        return id(current_app_jwt._get_current_object())  # type: ignore[attr-defined]

    sent = headers(issuer.app_jwt(roles=["user"], act={"sub": "me"}))
    first, second = (app.test_client().get("/x", headers=sent).json for _ in range(2))
    assert first == second
    assert (first["roles"], first["sub"]) == (["user"], "me")


def test_an_instance_serves_several_apps(issuer: Issuer, stranger: Issuer) -> None:
    """One ConnectorAuth for an application factory; each app keeps its own configuration."""
    auth = ConnectorAuth()
    for signer in (issuer, stranger):
        app = with_views(Flask("an_app"))
        app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = signer.key_set()
        auth.init_app(app)
        sent = headers(signer.app_jwt(azp="a"), signer.consumer_jws())
        assert app.test_client().get("/protected", headers=sent).json["app"] == "a"
