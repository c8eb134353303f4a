"""The public API: names and parameters, pinned, so that a change shows up in review."""

import inspect
from types import ModuleType

import pytest

import flask_connector_auth
from flask_connector_auth import testing
from flask_connector_auth.integrations import (
    authlib as resource_protector,
    openapi,
    opentelemetry,
    prometheus,
)

SUBJECT = "token, digest, install_id, account_id, lp_consumer_id, ext_consumer_id, issuer"
REQUEST = "app_jwt, consumer_jws, scopes, any_scope, optional"
API = {
    "AppJWT": "account_id, install_id, scopes, issuer, issued_at, expires_at, claims",
    "AppJWTMissing": "reason",
    "AuthenticationUnavailable": "reason, retry_after",
    "BodySchema": "only, exclude, many, load_only, dump_only, partial, unknown",
    "ConfigurationError": "problems",
    "Change": "key, value, until",
    "ClaimRejected": "reason, reason_details",
    "ConnectorAuth": "app, clock",
    "ConnectorAuth.claim_check": "self, check, token, issuer, claims_only",
    "ConnectorAuth.close": "self, app",
    "ConnectorAuth.health": "self, app",
    "ConnectorAuth.health_blueprint": "self",
    "ConnectorAuth.init_app": "self, app",
    "ConnectorAuth.protect": f"self, target, {REQUEST}",
    "ConnectorAuth.user_loader": "self, loader, lazy",
    "ConnectorAuth.warm": "self, timeout, app",
    "ConnectorAuthError": "reason",
    "ConsumerJWS": "account_id, ext_consumer_id, lp_consumer_id, issuer, claims",
    "ConsumerJWSMissing": "reason",
    "EnvelopeSchema": "only, exclude, many, load_only, dump_only, partial, unknown",
    "ErrorRow": "error_code, title, details",
    "Fetch.__call__": "self, url, headers, timeout, max_bytes",
    "FetchResponse": "status, body, headers",
    "Identity": "requirements, app_jwt, consumer_jws",
    "InvalidAppJWT": "reason",
    "InvalidConsumerJWS": "reason",
    "InvalidSubject": "problem, index, written",
    "KeySource.candidates": "self, kid, algorithm",
    "KeySource.health": "self",
    "KeySource.is_active": "self, key, kid, algorithm",
    "KeySource.candidates_after_failure": "self, kid, algorithm, tried",
    "MissingParameter": "reason",
    "Revocation": "kind, subject, since, until",
    "RevocationStore.change": "self, changes",
    "RevocationStore.now": "self",
    "RevocationStore.read": "self, position",
    "RevocationStoreError": "text, written",
    "Revocations": "store, rules, clock, issuers",
    "Revocations.health": "self",
    "Revocations.entries": "self",
    "Revocations.is_revoked": f"self, {SUBJECT}",
    "Revocations.restore": f"self, {SUBJECT}",
    "Revocations.revoke": f"self, {SUBJECT}, at",
    "Revocations.revoke_many": "self, subjects",
    "Unavailable": "reason, retry_after",
    "Update": "position, changes, complete, more, lost, lost_since, now, pieces",
    "VerificationKey": "kid, thumbprint, algorithms, key",
    "public": "view",
    "require_app_jwt": "view, scopes, any_scope, optional",
    "token_digest": "text",
    "require_consumer_jws": "view, optional",
    "verify_request": REQUEST,
}
TESTING_API = {
    "AppJWTGenerator": "issuer, account_of",
    "Clock": "",
    "ConnectorClient": "app, issuer, consumer_issuer",
    "ConnectorClient.open": "self, args, app_jwt, consumer_jws, kwargs",
    "Issuer": "key, kid, algorithm, name, account_id, lifetime, clock, claims, consumer_claims, "
    "type, consumer_type, extra_claims",
    "Issuer.app_jwt": "self, claims",
    "Issuer.broken": "self, name, kind, claims",
    "Issuer.consumer_jws": "self, claims",
    "Issuer.key_set": "self",
    "Issuer.pem": "self",
    "Issuer.sign": "self, payload, header",
    "KeySetServer": "keys, headers, ssl_context, port",
    "KeySetServer.fail": "self, name, options",
    "KeySetServer.publish": "self, keys",
    "KeySetServer.recover": "self",
    "KeySetServer.start": "self",
    "KeySetServer.stop": "self",
    "Signer": "key, kid, algorithm",
    "Signer.key_set": "self",
    "Signer.pem": "self",
    "Signer.sign": "self, payload, header",
    "assert_connector_error": "response, error, exact",
}
RESOURCE_PROTECTOR_API = {
    "AppJWTToken": "app_jwt",
    "AppJWTToken.get_scope": "self",
    "AppJWTToken.is_expired": "self",
    "AppJWTToken.is_revoked": "self",
    "AppJWTValidator": "realm, extra_attributes",
    "AppJWTValidator.authenticate_token": "self, token_string",
    "AppJWTValidator.validate_token": "self, token, scopes, request",
}
OPENAPI_API = {
    "ConnectorAuthPlugin": "app",
    "ConnectorAuthPlugin.init_spec": "self, spec",
    "add_authentication": "document, app",
}
PROMETHEUS_API = {"instrument_app": "app, registry"}
OPENTELEMETRY_API = {"instrument_app": "app, tracer_provider, meter_provider, ids"}
VALUES = {
    "Fetch",
    "FetchFailed",
    "KeySource",
    "Reason",
    "RevocationStore",
    "RevocationStoreError",
    "current_app_jwt",
    "current_consumer_jws",
    "current_user",
    "keys_outage",
    "keys_refresh_failed",
    "keys_refreshed",
    "keys_stale",
    "revocation_changed",
    "revocation_stale",
    "token_rejected",
    "token_verified",
}


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        *((flask_connector_auth, *pinned) for pinned in API.items()),
        *((testing, *pinned) for pinned in TESTING_API.items()),
        *((resource_protector, *pinned) for pinned in RESOURCE_PROTECTOR_API.items()),
        *((openapi, *pinned) for pinned in OPENAPI_API.items()),
        *((prometheus, *pinned) for pinned in PROMETHEUS_API.items()),
        *((opentelemetry, *pinned) for pinned in OPENTELEMETRY_API.items()),
    ],
)
def test_the_parameters_of_a_public_name(module: object, name: str, parameters: str) -> None:
    """A changed parameter is a change of the API."""
    value = module
    for part in name.split("."):
        value = getattr(value, part)
    assert ", ".join(inspect.signature(value).parameters) == parameters  # type: ignore[arg-type]


def test_the_public_names() -> None:
    """What __init__ exports is the public API; nothing else is."""
    names = {name for name in API if "." not in name} | VALUES
    assert set(flask_connector_auth.__all__) == names
    assert list(flask_connector_auth.__all__) == sorted(names)
    exported = {
        name
        for name, value in vars(flask_connector_auth).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert exported == names
    assert set(testing.__all__) == {name for name in TESTING_API if "." not in name} | {"OMIT"}
    named = {name for name in RESOURCE_PROTECTOR_API if "." not in name}
    assert set(resource_protector.__all__) == named
    assert set(openapi.__all__) == {name for name in OPENAPI_API if "." not in name}


@pytest.mark.parametrize("module", [flask_connector_auth, testing, openapi, resource_protector])
def test_every_public_name_says_what_it_is(module: ModuleType) -> None:
    """Classes, their public methods and functions have docstrings, with a version."""
    for name in module.__all__:
        value = inspect.getattr_static(module, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        assert value.__doc__ is not None, name
        assert ".. versionadded:: " in value.__doc__, name
        for method, function in vars(value).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                assert function.__doc__, f"{name}.{method}"
