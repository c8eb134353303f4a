"""The subjects of the comparison: one app for each way to authenticate, with the same two views."""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import jwt as pyjwt
from authlib.integrations.flask_oauth2 import (  # type: ignore[import-untyped]
    ResourceProtector,
    current_token,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask, g, request
from flask_httpauth import HTTPTokenAuth  # type: ignore[import-untyped]
from flask_jwt_extended import JWTManager, get_jwt, jwt_required
from joserfc.errors import JoseError
from joserfc.jwk import KeySetSerialization, RSAKey

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.config import SettingsSchema
from flask_connector_auth.testing import Issuer

from .mint import ISSUER, consumer_id, install_id, publish
from .verifiers import APP_CLAIMS, LEEWAY, AuthlibValidator, Joserfc, PyJWT
from .views import (
    CONSUMER_HEADER,
    View,
    account_of_url,
    by_hand,
    consumer_of_g,
    install_of_g,
    serve,
    unauthorized,
)

_PYJWT_REFUSED = (pyjwt.PyJWTError, KeyError, ValueError)
_JOSERFC_REFUSED = (JoseError, ValueError)


def bare(_keys: KeySetSerialization) -> Flask:
    """No authentication: the base of all comparisons."""

    def as_it_is(view: View) -> View:
        return view

    return serve("bare", as_it_is, as_it_is, lambda: install_id(0), lambda: consumer_id(0))


def raw(keys: KeySetSerialization) -> Flask:
    """Only the RSA verification, in a bare view: the lower bound for a new token."""
    key = RSAKey.import_key(keys["keys"][0]).public_key
    padding, digest = PKCS1v15(), SHA256()

    def verify(token: str) -> None:
        message, _, signature = token.rpartition(".")
        key.verify(urlsafe_b64decode(signature + "=="), message.encode(), padding, digest)

    def guard(view: View, consumer: bool = False) -> View:
        @wraps(view)
        def wrapper(account_id: str) -> Any:
            verify(request.headers["Authorization"].removeprefix("Bearer "))
            if consumer:
                verify(request.headers[CONSUMER_HEADER])
            return view(account_id)

        return wrapper

    both = partial(guard, consumer=True)
    return serve("raw", guard, both, lambda: install_id(0), lambda: consumer_id(0))


def ours(keys: KeySetSerialization | str, **settings: Any) -> Flask:
    """This package as in its README, with its defaults or with *settings*."""
    app = serve(
        "ours",
        require_app_jwt,
        lambda view: require_app_jwt(require_consumer_jws(view)),
        lambda: current_app_jwt.install_id,
        lambda: current_consumer_jws.ext_consumer_id,
    )
    app.config.update(CONNECTOR_AUTH_APP_JWT_KEYS=keys, **settings)
    ConnectorAuth(app)
    return app


def _three_issuers(keys: KeySetSerialization) -> Flask:
    others = {f"https://issuer-{n}.example": {"APP_JWT_KEYS": _new_keys(n)} for n in (1, 2)}
    # In the middle, with the keys of the top level.
    [first, last] = others.items()
    issuers = dict([first, (ISSUER, {}), last])
    return ours(keys, CONNECTOR_AUTH_ISSUERS=issuers)


def _new_keys(number: int) -> KeySetSerialization:
    return Issuer(kid=f"key-of-issuer-{number}").key_set()


def _from_url(keys: KeySetSerialization) -> Flask:
    return ours(publish(keys))


def _uncached(keys: KeySetSerialization) -> Flask:
    return ours(keys, CONNECTOR_AUTH_CACHE_SIZE=0)


def joserfc(keys: KeySetSerialization) -> Flask:
    """A decorator written by hand over joserfc (its guide on JSON Web Tokens)."""
    tokens = Joserfc(keys)
    return by_hand("joserfc", tokens.app_jwt, tokens.consumer_jws, _JOSERFC_REFUSED)


def pyjwt_by_hand(keys: KeySetSerialization) -> Flask:
    """A decorator written by hand over PyJWT (its usage examples: RS256, key sets)."""
    tokens = PyJWT(keys)
    return by_hand("pyjwt", tokens.app_jwt, tokens.consumer_jws, _PYJWT_REFUSED)


def httpauth(keys: KeySetSerialization) -> Flask:
    """Flask-HTTPAuth over joserfc (its section on token authentication), one for each header."""
    tokens = Joserfc(keys)
    app_auth, consumer_auth = HTTPTokenAuth("Bearer"), HTTPTokenAuth(header=CONSUMER_HEADER)

    @app_auth.verify_token  # type: ignore[untyped-decorator]
    def verify_app_jwt(token: str) -> bool:
        try:
            g.app_jwt = tokens.app_jwt(token, account_of_url())
        except _JOSERFC_REFUSED:
            return False
        return True

    @consumer_auth.verify_token  # type: ignore[untyped-decorator]
    def verify_consumer_jws(token: str) -> bool:
        try:
            g.consumer_jws = tokens.consumer_jws(token, account_of_url())
        except _JOSERFC_REFUSED:
            return False
        return True

    def both(view: View) -> View:
        guarded: View = app_auth.login_required(consumer_auth.login_required(view))
        return guarded

    return serve("httpauth", app_auth.login_required, both, install_of_g, consumer_of_g)


def authlib(keys: KeySetSerialization) -> Flask:
    """Authlib's ResourceProtector with its JWT validator; joserfc verifies the second token."""
    require_oauth = ResourceProtector()
    require_oauth.register_token_validator(AuthlibValidator(Joserfc(keys)))
    both = require_oauth(consumer=True)
    return serve("authlib", require_oauth(), both, lambda: current_token["azp"], consumer_of_g)


def jwt_extended(keys: KeySetSerialization) -> Flask:
    """Flask-JWT-Extended verifies the AppJWT, its only token; PyJWT verifies the second token."""
    tokens = PyJWT(keys)

    def both(view: View) -> View:
        @wraps(view)
        def wrapper(account_id: str) -> Any:
            try:
                token = request.headers.get(CONSUMER_HEADER, "")
                g.consumer_jws = tokens.consumer_jws(token, account_id)
            except _PYJWT_REFUSED:
                return unauthorized()
            return view(account_id)

        guarded: View = jwt_required()(wrapper)
        return guarded

    app = serve("jwt-extended", jwt_required(), both, lambda: get_jwt()["azp"], consumer_of_g)
    app.config.update(JWT_ALGORITHM="RS256", JWT_IDENTITY_CLAIM="azp")
    app.config.update(JWT_DECODE_ISSUER=ISSUER, JWT_DECODE_LEEWAY=LEEWAY)
    manager = JWTManager(app)
    # A loaded key: a public key in PEM would be parsed for every request.
    manager.decode_key_loader(lambda header, _claims: tokens.keys[header["kid"]].key)
    manager.token_verification_loader(
        lambda _header, claims: (
            all(map(claims.get, APP_CLAIMS)) and claims["aud"] == account_of_url()
        )
    )
    manager.token_verification_failed_loader(lambda _header, _claims: unauthorized())
    manager.invalid_token_loader(lambda _why: unauthorized())
    return app


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to authenticate."""

    title: str
    build: Callable[[KeySetSerialization], Flask]
    authenticates: bool = True  #: whether bad tokens are refused and claims read
    remembers: int = 0  #: number of verified tokens in its cache


def _subjects() -> dict[str, Subject]:
    cache = SettingsSchema().fields.get("cache_size")
    remembers = 0 if cache is None else int(cache.load_default)
    return {
        "bare": Subject("bare view", bare, authenticates=False),
        "raw": Subject("RSA verification alone", raw, authenticates=False),
        "ours": Subject("flask-connector-auth", ours, remembers=remembers),
        "ours-issuers": Subject("the same, three issuers", _three_issuers, remembers=remembers),
        "ours-url": Subject("the same, keys from a URL", _from_url, remembers=remembers),
        **({} if cache is None else {"ours-uncached": Subject("the same, cache off", _uncached)}),
        "joserfc": Subject("joserfc by hand", joserfc),
        "httpauth": Subject("Flask-HTTPAuth, joserfc", httpauth),
        "authlib": Subject("Authlib ResourceProtector", authlib),
        "pyjwt": Subject("PyJWT by hand", pyjwt_by_hand),
        "jwt-extended": Subject("Flask-JWT-Extended", jwt_extended),
    }


#: All subjects by their short names, in the order of tables and plots.
SUBJECTS = _subjects()
