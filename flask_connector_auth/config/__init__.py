"""``CONNECTOR_AUTH_`` settings: their types, their defaults, and what they make together.

:func:`load_settings` returns one frozen object or raises one error that lists every problem. Only
this package knows the settings by name; nothing here knows Flask's app object.
"""

from .key_set_schema import JwksSchema
from .schema import PREFIX, SettingsSchema
from .settings import ConfigurationError, Settings, load_settings

__all__ = [
    "PREFIX",
    "ConfigurationError",
    "JwksSchema",
    "Settings",
    "SettingsSchema",
    "load_settings",
]
