"""A token's algorithm and settings in; apps to attack, whose good tokens are known, out."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_connector_auth import (
    ConnectorAuth,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing.tampering import TokenKind, ValidToken
from tests.support.floor_helpers import NOW, decoded, issuer_of, jwk
from tests.support.http_helpers import ACCOUNT

#: A claim of each good token, and of whatever is made of one. It may be told nowhere.
MARKER = "marker-that-only-a-token-holds"
#: What an attack puts where it wants to be told.
CANARY = "canary-of-the-attacker"
SCOPE = "msg.consumer"
KINDS: tuple[TokenKind, ...] = ("app_jwt", "consumer_jws")
#: Where WSGI keeps the header of each token.
HEADERS: dict[TokenKind, str] = {
    "app_jwt": "HTTP_AUTHORIZATION",
    "consumer_jws": "HTTP_X_LP_ON_BEHALF",
}

TWO_ISSUERS = "two issuers"
#: The issuer beside ours.
HOSTILE = "https://hostile.example"
#: Flask's switches that let an error out in another way, each on an app with a way to ask for the
#: tokens of its own. In "testing" no token is remembered. In the last one, an issuer with another
#: key under the same ``kid`` is accepted too.
MODES: dict[str, Mapping[str, Any]] = {
    "production": {},
    "debug": {"DEBUG": True, "CONNECTOR_AUTH_CACHE_SIZE": 1},
    "propagating": {"PROPAGATE_EXCEPTIONS": True, "TRAP_HTTP_EXCEPTIONS": True},
    "testing": {"TESTING": True, "CONNECTOR_AUTH_CACHE_SIZE": 0},
    TWO_ISSUERS: {},
}


class Stage(NamedTuple):
    """An app with one protected view."""

    mode: str
    app: Flask
    algorithm: str
    ran: list[str]  #: the accounts for which the view ran
    client: FlaskClient

    def environ(self, **headers: str) -> dict[str, str]:
        """Return the good headers of a request, *headers* in place of theirs."""
        return {HEADERS[kind]: good_token(kind, self.algorithm) for kind in KINDS} | headers

    def send(self, environ: Mapping[str, str], **request: Any) -> TestResponse:
        """Send a request with these headers and no others."""
        asked: dict[str, Any] = {"path": f"/api/{ACCOUNT}", "method": "GET", **request}
        return self.client.open(environ_overrides=dict(environ), **asked)


@cache
def _claims(kind: TokenKind) -> dict[str, Any]:
    issuer = issuer_of()
    minted = issuer.app_jwt if kind == "app_jwt" else issuer.consumer_jws
    claims: dict[str, Any] = json.loads(decoded(minted(sub=MARKER).split(".")[1]))
    return claims


def good(kind: TokenKind, algorithm: str = "RS256") -> ValidToken:
    """Return the good token of a *kind*, to be broken."""
    claims = {each: _claims(each) for each in KINDS}
    other = claims.pop("consumer_jws" if kind == "app_jwt" else "app_jwt")
    issuer = issuer_of(algorithm)
    names = issuer.names if kind == "app_jwt" else issuer.consumer_names
    return ValidToken(kind, issuer, NOW, claims[kind], other, names, issuer.type)


@cache
def good_token(kind: TokenKind, algorithm: str) -> str:
    """Return the good token that all attacks are beside; made once."""
    return issuer_of(algorithm).sign(_claims(kind))


@cache
def stages(algorithm: str = "RS256", **settings: Any) -> tuple[Stage, ...]:
    """Return an app for each mode; made once.

    :param settings: of the extension; algorithms and keys are those of *algorithm*, if not given.
    """
    return tuple(_stage(mode, algorithm, settings) for mode in MODES)


def _stage(mode: str, algorithm: str, settings: Mapping[str, Any]) -> Stage:
    app = Flask(f"an_app_in_{mode}")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = jwk(algorithm, kid="dev-1")
    app.config["CONNECTOR_AUTH_APP_JWT_ALGORITHMS"] = [algorithm]
    app.config["CONNECTOR_AUTH_MAX_LIFETIME"] = 7200
    app.config["CONNECTOR_AUTH_LOG_LIMIT"] = 0
    app.config.update(MODES[mode])
    if mode == TWO_ISSUERS:
        key = jwk(algorithm, owner="hostile", kid="dev-1")
        hostile = {"APP_JWT_KEYS": key, "CONSUMER_JWS_KEYS": key}
        app.config["CONNECTOR_AUTH_ISSUERS"] = {"Sentinel": {}, HOSTILE: hostile}
    for name, value in settings.items():
        app.config[f"CONNECTOR_AUTH_{name}"] = list(value) if isinstance(value, tuple) else value
    ran: list[str] = []
    _WAYS[mode](app, ConnectorAuth(app, clock=lambda: NOW), ran)
    return Stage(mode, app, algorithm, ran, app.test_client(use_cookies=False))


def _decorated(app: Flask, _auth: ConnectorAuth, ran: list[str]) -> None:
    @app.get("/api/<account_id>")
    @require_app_jwt(scopes=SCOPE)
    @require_consumer_jws
    def view(account_id: str) -> dict[str, Any]:
        ran.append(account_id)
        return {}


def _optional(app: Flask, _auth: ConnectorAuth, ran: list[str]) -> None:
    @app.get("/api/<account_id>")
    @require_consumer_jws(optional=True)
    @require_app_jwt(scopes=SCOPE, optional=True)
    def view(account_id: str) -> dict[str, Any]:
        ran.append(account_id)
        return {}


def _protected(app: Flask, auth: ConnectorAuth, ran: list[str]) -> None:
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    auth.protect(blueprint, scopes=SCOPE)

    @blueprint.get("/<account_id>")
    def view(account_id: str) -> Iterator[str]:
        ran.append(account_id)
        return iter(["streamed"])

    app.register_blueprint(blueprint)


def _called(app: Flask, _auth: ConnectorAuth, ran: list[str]) -> None:
    @app.get("/api/<account_id>")
    def view(account_id: str) -> dict[str, Any]:
        verify_request(scopes=SCOPE)
        ran.append(account_id)
        return {}


_WAYS: dict[str, Callable[[Flask, ConnectorAuth, list[str]], None]] = {
    "production": _decorated,
    "debug": _optional,
    "propagating": _protected,
    "testing": _called,
    TWO_ISSUERS: _decorated,
}
