"""Resource-server authentication for Flask: AppJWT and ConsumerJWS."""

from .context import Identity, current_app_jwt, current_consumer_jws
from .decorators import public, require_app_jwt, require_consumer_jws, verify_request
from .envelope import BodySchema, EnvelopeSchema, ErrorRow
from .errors import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
)
from .extension import ConnectorAuth
from .keys.fetch import Fetch, Fetched, FetchFailed
from .keys.source import KeySource, VerificationKey
from .reasons import Reason, Unavailable
from .revocation.entries import Change, token_digest
from .revocation.revocations import Revocations
from .revocation.store import RevocationStore, RevocationStoreError, Update
from .settings import ConfigurationError
from .signals import (
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    revocation_changed,
    revocation_stale,
    token_rejected,
    token_verified,
)
from .tokens import AppJWT, ConsumerJWS

__all__ = [
    "AppJWT",
    "AppJWTMissing",
    "AuthenticationUnavailable",
    "BodySchema",
    "Change",
    "ConfigurationError",
    "ConnectorAuth",
    "ConnectorAuthError",
    "ConsumerJWS",
    "ConsumerJWSMissing",
    "EnvelopeSchema",
    "ErrorRow",
    "Fetch",
    "FetchFailed",
    "Fetched",
    "Identity",
    "InvalidAppJWT",
    "InvalidConsumerJWS",
    "KeySource",
    "MissingParameter",
    "Reason",
    "RevocationStore",
    "RevocationStoreError",
    "Revocations",
    "Unavailable",
    "Update",
    "VerificationKey",
    "current_app_jwt",
    "current_consumer_jws",
    "keys_outage",
    "keys_refresh_failed",
    "keys_refreshed",
    "keys_stale",
    "public",
    "require_app_jwt",
    "require_consumer_jws",
    "revocation_changed",
    "revocation_stale",
    "token_digest",
    "token_rejected",
    "token_verified",
    "verify_request",
]
