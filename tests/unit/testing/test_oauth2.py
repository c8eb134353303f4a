"""``AppJWTGenerator``: which scopes Authlib's token endpoint grants to a client, and states."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import OAuth2ClientMixin
from authlib.oauth2.rfc6749 import InvalidScopeError
from authlib.oauth2.rfc6749.grants import (
    ClientCredentialsGrant,
    ResourceOwnerPasswordCredentialsGrant,
)
from flask import Flask
from flask.testing import FlaskClient

from flask_connector_auth.testing import AppJWTGenerator
from tests.support.floor_helpers import APP, NOW, cases, decoded, issuer_of, verifier

ALLOWED = "msg.consumer msg.agent"
GENERATE = AppJWTGenerator(issuer_of(), lambda client: "le1")


class Client(OAuth2ClientMixin):
    """A client with the rules of Authlib's own model, and one or two scopes."""

    client_id, client_secret = "install-1", "s3cret"
    client_metadata: ClassVar = {
        "scope": ALLOWED,
        "grant_types": ["client_credentials", "password"],
        "token_endpoint_auth_method": "client_secret_post",
    }


class Model:
    """A client with a ``get_allowed_scope()`` of the app."""

    def __init__(self, get_allowed_scope: Callable[[str | None], Any]) -> None:
        self.get_allowed_scope = get_allowed_scope

    def get_client_id(self) -> str:
        """Return the install id."""
        return "install-1"


class PasswordGrant(ResourceOwnerPasswordCredentialsGrant):
    """RFC 6749 section 4.3, for anyone."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def authenticate_user(self, username: str, password: str) -> str:
        """Return the user."""
        return username


class ClientGrant(ClientCredentialsGrant):
    """RFC 6749 section 4.4."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)


@pytest.fixture
def request_token() -> Callable[..., Any]:
    """Return a function that sends a token request to Authlib's server, and returns the answer.

    The server is made for all grants by one line, ``default``, as careless apps do.
    """
    app = Flask(__name__)
    server = AuthorizationServer(app, lambda _: Client(), lambda token, request: None)
    server.register_grant(ClientGrant)
    server.register_grant(PasswordGrant)
    server.register_token_generator("default", GENERATE)
    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    client: FlaskClient = app.test_client()

    def request(**sent: str) -> Any:
        form = {"client_id": Client.client_id, "client_secret": Client.client_secret, **sent}
        return client.post("/token", base_url="https://localhost", data=form)

    return request


def verified(response: dict[str, Any]) -> Any:
    """Return the verified token in *response*."""
    return verifier(APP).verify(response["access_token"], NOW).token


@cases(
    "requested, granted",
    {
        "one": ("msg.consumer", "msg.consumer"),
        "all": (ALLOWED, ALLOWED),
        "another order": ("msg.agent msg.consumer", "msg.agent msg.consumer"),
        "twice": ("msg.agent msg.agent", "msg.agent"),
        "one too many": ("msg.consumer admin", "msg.consumer"),
        "more than spaces": (" msg.agent  msg.consumer", "msg.agent msg.consumer"),
    },
)
def test_a_client_gets_the_scopes_it_is_allowed(
    request_token: Callable[..., Any], requested: str, granted: str
) -> None:
    """RFC 6749 sections 3.3, 5.1: of the requested ones, each once; the response states them."""
    answer = request_token(grant_type="client_credentials", scope=requested)
    assert answer.status_code == 200
    assert answer.json["scope"] == verified(answer.json).claims["scope"] == granted
    assert verified(answer.json).scopes == frozenset(granted.split(" "))
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
    assert (verified(answer.json).account_id, verified(answer.json).install_id) == (
        "le1",
        "install-1",
    )


@pytest.mark.parametrize("requested", ["admin", "MSG.CONSUMER", "msg", "msg.consumer.x", " "])
def test_a_client_that_is_allowed_none_of_them(
    request_token: Callable[..., Any], requested: str
) -> None:
    """RFC 6749 section 5.2: ``invalid_scope``, and no token: no scope is left to state."""
    answer = request_token(grant_type="client_credentials", scope=requested)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert "access_token" not in answer.json


@pytest.mark.parametrize("form", [{}, {"scope": ""}], ids=str)
def test_a_client_that_asks_for_none(
    request_token: Callable[..., Any], form: dict[str, str]
) -> None:
    """RFC 6749 sections 3.2, 3.3: an empty parameter is none; Authlib's model has no default."""
    answer = request_token(grant_type="client_credentials", **form)
    assert answer.json.keys() == {"access_token", "token_type", "expires_in"}
    assert "scope" not in verified(answer.json).claims


@pytest.mark.parametrize("requested", [None, ""])
def test_a_default_of_the_client(requested: str | None) -> None:
    """RFC 6749 section 3.3: the model decides on a default, and the response states it."""
    answer = GENERATE("client_credentials", Model(lambda scope: scope or "basic"), scope=requested)
    assert answer["scope"] == verified(answer).claims["scope"] == "basic"


@cases(
    "allowed",
    {
        **{"none": None, "empty": "", "quote": 'a"b', "tab": "a\tb", "blanks": "a  b", " ": " "},
        **{"list": ["a", "b"], "no scopes": [], "set": {"a"}, "bytes": b"a", "true": True},
    },
)
def test_a_model_that_refuses_or_returns_no_scope(allowed: object) -> None:
    """RFC 6749 sections 3.3, 5.2: ``invalid_scope`` for all that is not text with scopes, as with
    Authlib's own generator."""
    with pytest.raises(InvalidScopeError):
        GENERATE("client_credentials", Model(lambda scope: allowed), scope="a")
    assert GENERATE("client_credentials", Model(lambda scope: "a b"), scope="a")["scope"] == "a b"


def test_a_model_without_such_a_rule_gets_no_token() -> None:
    """Without a rule for scopes, no scope is granted."""
    model = Model(lambda scope: scope)
    assert GENERATE("client_credentials", model, scope="a")["scope"] == "a"
    del model.get_allowed_scope
    with pytest.raises(AttributeError):
        GENERATE("client_credentials", model, scope="a")


def test_a_grant_of_a_user(request_token: Callable[..., Any]) -> None:
    """RFC 6749 section 5.2: an AppJWT is for the app itself, and names no user."""
    user = {"username": "ada", "password": "x", "scope": "msg.consumer"}
    answer = request_token(grant_type="password", **user)
    assert (answer.status_code, answer.json["error"]) == (400, "unsupported_grant_type")
    assert request_token(grant_type="client_credentials", scope="msg.consumer").status_code == 200


def test_never_a_refresh_token() -> None:
    """RFC 6749 section 4.4.3."""
    answer = GENERATE("client_credentials", Client(), scope=ALLOWED, include_refresh_token=True)
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}


def test_another_lifetime() -> None:
    """RFC 6749 section 5.1: ``expires_in`` and ``exp`` are those that the grant has requested."""
    answer = GENERATE("client_credentials", Client(), expires_in=60)
    claims = verified(answer).claims
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 60


def test_the_claims_are_the_documented_ones() -> None:
    """Protocol page, Authorization: the same claims as in a real token."""
    text = GENERATE("client_credentials", Client(), scope="msg.agent")["access_token"]
    assert decoded(text.split(".")[1]) == decoded(
        issuer_of().app_jwt(aud="le1", azp="install-1", scope="msg.agent").split(".")[1]
    )
