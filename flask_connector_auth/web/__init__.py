"""What happens to a request: Flask's part of the package.

The guard enforces what an endpoint requires, the context keeps who is calling, and exceptions
become the documented error envelope. Rules on tokens, keys and revocations belong to the packages
below.
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
from .reporting import tell
from .responses import Catalogue
from .runtime import EXTENSION, State, current

__all__ = [
    "EXTENSION",
    "Access",
    "AppJWTMissing",
    "AuthenticationUnavailable",
    "Binding",
    "Catalogue",
    "ConnectorAuthError",
    "ConsumerJWSMissing",
    "Identity",
    "InvalidAppJWT",
    "InvalidConsumerJWS",
    "LogLimit",
    "MissingParameter",
    "Route",
    "State",
    "audit",
    "blueprint",
    "current",
    "current_app_jwt",
    "current_consumer_jws",
    "current_request",
    "tell",
]
