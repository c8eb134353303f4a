"""Real tokens for development and tests: an issuer of one's own, and nothing that skips a check."""

from .client import ConnectorClient, assert_connector_error
from .issuer import Issuer
from .key_server import KeySetServer
from .oauth2 import AppJWTGenerator
from .signer import OMIT

__all__ = [
    "OMIT",
    "AppJWTGenerator",
    "ConnectorClient",
    "Issuer",
    "KeySetServer",
    "assert_connector_error",
]
