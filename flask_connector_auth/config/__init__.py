"""``CONNECTOR_AUTH_`` settings: their types, their defaults, and what they make together.

:func:`load_settings` returns one frozen object, or raises one error that lists every problem. The
names of the settings stand only in this package, and nothing in it may import Flask.
"""

from .schema import PREFIX, JwksSchema, RevocationSchema, SettingsSchema, TokenSchema
from .settings import ConfigurationError, Settings, load_settings

__all__ = [
    "PREFIX",
    "ConfigurationError",
    "JwksSchema",
    "RevocationSchema",
    "Settings",
    "SettingsSchema",
    "TokenSchema",
    "load_settings",
]
