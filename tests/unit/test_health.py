"""The blueprint of operators: ``health()`` over HTTP, whatever state the keys are in."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def test_health_is_served_as_json(make_app: MakeApp) -> None:
    """The route serves ``health()`` with a ``ready`` for all of it, and never from a cache."""
    app, auth = make_app(), ConnectorAuth()
    app.register_blueprint(auth.health_blueprint(), url_prefix="/internal")
    answer = app.test_client().get("/internal/health")
    assert answer.status_code == 200
    assert answer.json == {"ready": True, **auth.health(app)}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_head_is_answered_without_a_body(make_app: MakeApp) -> None:
    """RFC 9110 section 9.3.2: the status and headers of GET alone."""
    app = make_app()
    app.register_blueprint(ConnectorAuth().health_blueprint())
    client = app.test_client()
    head, get = client.head("/health"), client.get("/health")
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(get.headers)
    assert client.post("/health").status_code == 405


def test_health_needs_no_token_in_a_protected_app(make_app: MakeApp, issuer: Issuer) -> None:
    """It answers while the keys are out of reach, and takes nothing else with it."""
    auth = ConnectorAuth()
    with KeySetServer(issuer) as server:
        app = make_app(APP_JWT_KEYS=server.url)
        auth.protect(app, consumer_jws=False)
        app.register_blueprint(auth.health_blueprint())
        app.add_url_rule("/x", "x", lambda: {})
        client = app.test_client()
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json["ready"] is False
        assert answer.json["keys"]["app_jwt"]["state"] == "empty"
        assert answer.headers["Cache-Control"] == "no-store"
        assert server.requests == []  # asking for health is no I/O
        assert_row(client.get("/x"), 40105)
        assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 200
        assert client.get("/health").status_code == 200


def test_one_key_set_that_is_out_is_enough(make_app: MakeApp, issuer: Issuer) -> None:
    """Ready means ready for both tokens."""
    app = make_app(CONSUMER_JWS_KEYS="http://127.0.0.1:1/jwks")
    app.register_blueprint(ConnectorAuth().health_blueprint())
    answer = app.test_client().get("/health")
    assert answer.status_code == 503
    assert [answer.json["keys"][name]["ready"] for name in ("app_jwt", "consumer_jws")] == [
        True,
        False,
    ]


@cases(
    "told, status",
    {
        "nothing": ({}, 200),
        "ready": ({"a": {"ready": True}}, 200),
        "not ready": ({"a": {"ready": False}}, 503),
        "one of two": ({"a": {"ready": True}, "b": {"ready": False}}, 503),
        "deep inside": ({"a": {"b": {"ready": False}}}, 503),
        "below one that is": ({"a": {"ready": True, "b": {"ready": False}}}, 503),
        "above one that is": ({"a": {"ready": False, "b": {"ready": True}}}, 503),
        "no news": ({"a": {"size": 0}, "b": {"ready": True}}, 200),
    },
)
def test_every_member_that_can_be_ready_must_be(told: Mapping[str, Any], status: int) -> None:
    """The status is 503 as long as any part of ``health()``, at any depth, is not ready."""

    class Told(ConnectorAuth):
        def health(self, app: Flask | None = None) -> dict[str, Any]:
            return {**told}

    app = Flask("an_app")
    app.register_blueprint(Told().health_blueprint())
    answer = app.test_client().get("/health")
    assert answer.status_code == status
    assert answer.json == {**told, "ready": status == 200}


def test_an_app_without_the_extension_has_no_health() -> None:
    """As everywhere: a loud error that says what to call."""
    app = Flask("an_app")
    app.testing = True
    app.register_blueprint(ConnectorAuth().health_blueprint())
    with pytest.raises(RuntimeError, match=r"call ConnectorAuth\(app\)"):
        app.test_client().get("/health")
