"""Tokens and key sets in the shape that Keycloak, Entra ID, Cognito and Okta document."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha1, sha256
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from flask_connector_auth.testing import OMIT, Signer
from tests.support.floor_helpers import encoded, signing_key

#: The account, the app and the user of the tokens.
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
APP = "11112222-bbbb-3333-cccc-4444dddd5555"
USER = "22223333-cccc-4444-dddd-5555eeee6666"
API = "00001111-aaaa-2222-bbbb-3333cccc4444"
Claims = Mapping[str, Any]


class Vendor(NamedTuple):
    """What one vendor documents: the header and claims of its tokens, and its key set."""

    iss: str
    header: Claims  #: of an access token, beside ``kid`` and ``alg``
    app_token: Claims  #: an access token of client credentials, as the page says to set it up
    user_token: Claims  #: an access token that a user has granted
    id_header: Claims
    id_token: Claims
    key: Callable[[Signer], Claims]  #: the members of a key in its key set
    scopes: set[str]  #: of the first token


@cache
def signer(kid: str = "vendor-1") -> Signer:
    """Return the vendor's signer."""
    return Signer(signing_key(owner=kid), kid=kid)


@cache
def certificate() -> bytes:
    """Return a certificate for the vendor's key, as ``x5c`` has it (RFC 7517 section 4.7)."""
    key: Any = signing_key(owner="vendor-1")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sso.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key, 1, now, now + timedelta(days=365))
    return builder.sign(key.private_key, SHA256()).public_bytes(Encoding.DER)


def thumbprints() -> dict[str, Any]:
    """Return certificate and thumbprint (RFC 7517 sections 4.7 and 4.8)."""
    der = certificate()
    return {"x5c": [b64encode(der).decode()], "x5t": encoded(sha1(der).digest())}  # noqa: S324


def plain_key(signer: Signer) -> dict[str, Any]:
    """Return a key as Cognito and Okta publish it."""
    [key] = signer.key_set()["keys"]
    return dict(key)


def keycloak_key(signer: Signer) -> dict[str, Any]:
    """Return a key with its certificate and both thumbprints."""
    sha2 = encoded(sha256(certificate()).digest())
    return {**plain_key(signer), **thumbprints(), "x5t#S256": sha2}


def entra_key(signer: Signer) -> dict[str, Any]:
    """Return a key without ``alg``, with the issuer as a template."""
    key = {**plain_key(signer), **thumbprints()}
    del key["alg"]
    issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
    return {**key, "cloud_instance_name": "microsoftonline.com", "issuer": issuer}


REALM = "https://sso.example/realms/shop"
KEYCLOAK = Vendor(
    iss=REALM,
    header={"typ": "at+jwt"},
    app_token={
        "jti": "trrtcc:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "aud": ["connector-api", "account"],
        "sub": "8d1f8a4e-0000-4000-8000-000000000000",
        "typ": "Bearer",
        "azp": "shop-app",
        "acr": "1",
        "allowed-origins": ["/*"],
        "realm_access": {"roles": ["offline_access", "default-roles-shop", "uma_authorization"]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        "scope": "email msg.consumer profile",
        "clientHost": "192.0.2.7",
        "email_verified": False,
        "preferred_username": "service-account-shop-app",
        "clientAddress": "192.0.2.7",
        "client_id": "shop-app",
        "tenant": TENANT,
    },
    user_token={
        "auth_time": -5,
        "jti": "onrtac:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "aud": "connector-api",
        "sub": USER,
        "typ": "Bearer",
        "azp": "shop-app",
        "sid": "33334444-0000-4000-8000-000000000000",
        "acr": "1",
        "realm_access": {"roles": ["default-roles-shop"]},
        "scope": "openid email msg.consumer profile",
        "preferred_username": "ada",
        "tenant": TENANT,
    },
    id_header={"typ": "JWT"},
    id_token={
        "auth_time": -5,
        "jti": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "aud": "shop-app",
        "sub": USER,
        "typ": "ID",
        "azp": "shop-app",
        "sid": "33334444-0000-4000-8000-000000000000",
        "at_hash": "w2mrLRVaCIxqGz1pAJnNsA",
        "acr": "1",
        "email_verified": True,
        "name": "Ada Lovelace",
        "preferred_username": "ada",
        "given_name": "Ada",
        "family_name": "Lovelace",
        # With "Add to ID token" left on, which is the default of a mapper.
        "tenant": TENANT,
    },
    key=keycloak_key,
    scopes={"email", "msg.consumer", "profile"},
)
ENTRA_COMMON: Claims = {
    "nbf": 0,
    "aio": "ASQA2/8TAAAA",
    "oid": USER,
    "rh": "0.AQ",
    "sub": USER,
    "tid": TENANT,
    "uti": "abcDEF",
    "ver": "2.0",
}
ENTRA = Vendor(
    iss=f"https://login.microsoftonline.com/{TENANT}/v2.0",
    header={"typ": "JWT"},
    app_token={
        **ENTRA_COMMON,
        "aud": API,
        "azp": APP,
        "azpacr": "1",
        "idtyp": "app",
        "roles": ["msg.consumer", "msg.agent"],
    },
    user_token={
        **ENTRA_COMMON,
        "aud": API,
        "azp": APP,
        "azpacr": "0",
        "name": "Ada Lovelace",
        "preferred_username": "ada@shop.example",
        "roles": ["admin"],
        "scp": "msg.consumer msg.read",
    },
    id_header={"typ": "JWT"},
    id_token={
        **ENTRA_COMMON,
        "aud": APP,
        "name": "Ada Lovelace",
        "nonce": "12345",
        "preferred_username": "ada@shop.example",
        "roles": ["msg.consumer"],
    },
    key=entra_key,
    scopes={"msg.consumer", "msg.agent"},
)
COGNITO = Vendor(
    iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example12",
    header={"typ": OMIT},
    app_token={
        "sub": "1example23456789",
        "token_use": "access",
        "scope": "connector-api/msg.consumer",
        "auth_time": 0,
        "version": 2,
        "jti": "44445555-0000-4000-8000-000000000000",
        "client_id": "1example23456789",
        "tenant": TENANT,
    },
    user_token={
        "sub": USER,
        "device_key": "aaaa-bbbb",
        "cognito:groups": ["admin"],
        "version": 2,
        "client_id": "1example23456789",
        "origin_jti": "55556666-0000-4000-8000-000000000000",
        "event_id": "66667777-0000-4000-8000-000000000000",
        "token_use": "access",
        "scope": "openid aws.cognito.signin.user.admin",
        "auth_time": 0,
        "jti": "77778888-0000-4000-8000-000000000000",
        "username": "ada",
        "tenant": TENANT,
    },
    id_header={"typ": OMIT},
    id_token={
        "sub": USER,
        "cognito:groups": ["admin"],
        "email_verified": True,
        "cognito:username": "ada",
        "origin_jti": "55556666-0000-4000-8000-000000000000",
        "aud": "1example23456789",
        "event_id": "66667777-0000-4000-8000-000000000000",
        "token_use": "id",
        "auth_time": 0,
        "jti": "88889999-0000-4000-8000-000000000000",
        "email": "ada@shop.example",
        "tenant": TENANT,
    },
    key=plain_key,
    scopes={"connector-api/msg.consumer"},
)
OKTA = Vendor(
    iss="https://shop.okta.com/oauth2/default",
    header={"typ": OMIT},
    app_token={
        "ver": 1,
        "jti": "AT.0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "aud": "api://default",
        "cid": "0oaexample1234567890",
        "scp": ["msg.consumer"],
        "sub": "0oaexample1234567890",
        "tenant": TENANT,
    },
    user_token={
        "ver": 1,
        "jti": "AT.1f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "aud": "api://default",
        "cid": "0oaexample1234567890",
        "uid": "00uexample1234567890",
        "scp": ["openid", "msg.consumer"],
        "auth_time": 0,
        "sub": "ada@shop.example",
        "tenant": TENANT,
    },
    id_header={"typ": OMIT},
    id_token={
        "sub": "00uexample1234567890",
        "name": "Ada Lovelace",
        "email": "ada@shop.example",
        "ver": 1,
        "aud": "0oaexample1234567890",
        "jti": "ID.0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "amr": ["pwd"],
        "idp": "00oexample1234567890",
        "nonce": "12345",
        "preferred_username": "ada@shop.example",
        "auth_time": 0,
        "at_hash": "w2mrLRVaCIxqGz1pAJnNsA",
        "tenant": TENANT,
    },
    key=plain_key,
    scopes={"msg.consumer"},
)
VENDORS = {"keycloak": KEYCLOAK, "entra": ENTRA, "cognito": COGNITO, "okta": OKTA}
