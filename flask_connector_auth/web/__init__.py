"""What happens to a request: Flask's part of the package.

The guard enforces what an endpoint requires, the context holds the identity of the caller, and
exceptions become the documented error envelope. Rules on tokens, keys and revocations belong to the
packages below.
"""

from .audit import Access, Binding, Route, audit
from .context import Identity, current_app_jwt, current_consumer_jws, current_request
from .exceptions import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
    blueprint,
)
from .log_limit import LogLimit
from .reporting import log_rejection
from .responses import ErrorResponses
from .runtime import EXTENSION, Runtime, current_runtime

__all__ = [
    "EXTENSION",
    "Access",
    "AppJWTMissing",
    "AuthenticationUnavailable",
    "Binding",
    "ConnectorAuthError",
    "ConsumerJWSMissing",
    "ErrorResponses",
    "Identity",
    "InvalidAppJWT",
    "InvalidConsumerJWS",
    "LogLimit",
    "MissingParameter",
    "Route",
    "Runtime",
    "audit",
    "blueprint",
    "current_app_jwt",
    "current_consumer_jws",
    "current_request",
    "current_runtime",
    "log_rejection",
]
