"""Real tokens for development and tests: an issuer of one's own, and nothing that skips a check."""

from .issuer import OMIT, Issuer
from .key_server import KeySetServer
from .oauth2 import AppJWTGenerator

__all__ = ["OMIT", "AppJWTGenerator", "Issuer", "KeySetServer"]
