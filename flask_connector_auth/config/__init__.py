"""``CONNECTOR_AUTH_`` settings: their types, their defaults, and the objects made from them.

:func:`load_settings` returns one frozen object, or raises one error that lists every problem. Only
this package has the names of the settings, and nothing in it may import Flask.
"""

from .issuer_schema import IssuerSchema as IssuerSchema
from .issuers import IssuerSettings as IssuerSettings, TokenSettings as TokenSettings
from .limits import LIMITS as LIMITS
from .problems import ConfigurationError as ConfigurationError
from .schema import (
    PREFIX as PREFIX,
    JwksSchema as JwksSchema,
    RevocationSchema as RevocationSchema,
    SettingsSchema as SettingsSchema,
    TokenSchema as TokenSchema,
)
from .settings import Settings as Settings, load_settings as load_settings
