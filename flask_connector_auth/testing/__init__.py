"""Tools for tests and development: real tokens from an issuer with its own key.

An :class:`Issuer` signs valid and broken tokens, a :class:`ConnectorClient` sends them, and a
:class:`KeySetServer` publishes the keys. Nothing here switches a check off.
"""

from .client import ConnectorClient, assert_connector_error
from .issuer import AppJWTGenerator, Clock, Issuer
from .key_server import KeySetServer
from .signer import OMIT, Signer

__all__ = [
    "OMIT",
    "AppJWTGenerator",
    "Clock",
    "ConnectorClient",
    "Issuer",
    "KeySetServer",
    "Signer",
    "assert_connector_error",
]
