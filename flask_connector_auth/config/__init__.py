"""``CONNECTOR_AUTH_`` settings: their types, their defaults, and what they make together.

:func:`load_settings` returns one frozen object, or raises one error that lists every problem. The
names of the settings stand only in this package, and nothing in it may import Flask.
"""

from .schema import (
    PREFIX as PREFIX,
    JwksSchema as JwksSchema,
    RevocationSchema as RevocationSchema,
    SettingsSchema as SettingsSchema,
    TokenSchema as TokenSchema,
)
from .settings import (
    ConfigurationError as ConfigurationError,
    Settings as Settings,
    load_settings as load_settings,
)
