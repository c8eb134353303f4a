"""Key sets that are fetched from a URL, refreshed, and saved for an outage.

:mod:`.refresh_policy` decides without I/O when to fetch, :mod:`.loader` fetches, and :mod:`.source`
joins the two. Key material is read by :mod:`flask_connector_auth.keys.importing`, never here.
"""

from .backup import KeySetCopy
from .backup_stores import FileStore, RedisStore, Store
from .http import Fetch
from .key_set import RemoteRules
from .loader import Loader
from .refresh_policy import KeySetMachine
from .source import RemoteKeys

__all__ = [
    "Fetch",
    "FileStore",
    "KeySetCopy",
    "KeySetMachine",
    "Loader",
    "RedisStore",
    "RemoteKeys",
    "RemoteRules",
    "Store",
]
