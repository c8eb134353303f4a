"""The service Sentinel: issues AppJWTs by OAuth 2.0 client credentials (RFC 6749)."""

from collections.abc import Callable
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer  # type: ignore[import-untyped]
from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidClientError,
    InvalidRequestError,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant  # type: ignore[import-untyped]
from flask import Blueprint, Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from flask_connector_auth.testing import AppJWTGenerator

from . import knobs
from .database import find, find_or_add
from .keys import current_issuer, current_keys
from .models import SCOPE, AppInstall
from .wire import refuse_encoding

KEY_SET_PATH = "/sentinel/well-known/jwks"
#: Seconds that verifiers may keep the keys: the longest time that a withdrawn key stays valid.
KEY_SET_AGE = 60

blueprint = Blueprint("sentinel", __name__)
knobs.may_fail(blueprint, "sentinel")


@blueprint.post("/sentinel/api/account/<account_id>/app/token")
@blueprint.post("/sentinel/api/v2/account/<account_id>/app/token")
def app_token(account_id: str) -> ResponseReturnValue:
    """Answer a token request; errors have the form of RFC 6749 section 5.2."""
    server = current_app.extensions["sentinel"]
    refuse_encoding()
    try:
        _check_parameters()
        response = server.create_token_response()
    except OAuth2Error as error:
        return server.handle_error_response(request, error)  # type: ignore[no-any-return]
    # From the protocol page Authorization; no other answer has a charset.
    if response.status_code == 200:
        response.content_type = "application/json;charset=utf-8"
    return response  # type: ignore[no-any-return]


@blueprint.get(KEY_SET_PATH)
def key_set() -> ResponseReturnValue:
    """Return the public keys of the tokens (RFC 7517 section 5)."""
    response = jsonify(current_keys().read().key_set())
    response.cache_control.max_age = KEY_SET_AGE
    response.add_etag()
    return response.make_conditional(request)


def _check_parameters() -> None:
    if any(len(values) > 1 for _, values in request.values.lists()):
        raise InvalidRequestError("A parameter is there twice.")  # RFC 6749 section 3.2
    if not request.values.get("grant_type"):
        raise InvalidRequestError("The parameter grant_type is missing.")


class AppJWTGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 section 4.4, with the protocol's ways to authenticate the client."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("parameters",)


def _authenticate(
    query_client: Callable[[str], AppInstall | None], oauth_request: Any
) -> AppInstall:
    """Return the app whose id and secret are in the request.

    They may be in the query, which RFC 6749 section 2.3.1 forbids: the protocol's oldest clients
    send them there.
    """
    sent = oauth_request.payload.data
    install = query_client(sent.get("client_id", ""))
    if install is None or not install.check_client_secret(sent.get("client_secret", "")):
        raise InvalidClientError("No app of this account has this client_id and client_secret.")
    return install


def _find_install(client_id: str) -> AppInstall | None:
    install = find(AppInstall, client_id)
    account_id = (request.view_args or {}).get("account_id")
    return install if install and install.account_id == account_id else None


def _generate(**options: Any) -> dict[str, Any]:
    # A new issuer for each token, since the signing key may have changed.
    generate = AppJWTGenerator(current_issuer(), lambda install: install.account_id)
    return generate(**options)


def app_install() -> AppInstall:
    """Return the app install of the configured account; the first call creates it."""
    return find_or_add(AppInstall, account_id=str(current_app.config["CONNECTOR_ACCOUNT_ID"]))


def init_app(app: Flask) -> None:
    """Set up the token endpoint of *app*, and the app install of the configured account."""
    app.config["OAUTH2_SCOPES_SUPPORTED"] = [SCOPE]
    # Tokens are not saved: they are self-contained.
    server = AuthorizationServer(app, _find_install, save_token=lambda token, request: None)
    server.register_client_auth_method("parameters", _authenticate)
    server.register_grant(AppJWTGrant)
    app.extensions["sentinel"] = server
    server.register_token_generator(AppJWTGrant.GRANT_TYPE, _generate)
    with app.app_context():
        app_install()
