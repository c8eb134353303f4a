"""Key sets that are fetched from a URL, refreshed, and saved for an outage.

:mod:`.refresh_policy` decides without I/O when to fetch, :mod:`.loader` fetches, and :mod:`.source`
joins the two. Key material is read by :mod:`flask_connector_auth.keys.importing`, never here.
"""

from .backup import KeySetBackup
from .backup_stores import BackupStore, FileBackupStore, RedisBackupStore
from .http import Fetch
from .key_set import RemoteRules
from .loader import Loader
from .refresh_policy import RefreshPolicy
from .source import RemoteKeys

__all__ = [
    "BackupStore",
    "Fetch",
    "FileBackupStore",
    "KeySetBackup",
    "Loader",
    "RedisBackupStore",
    "RefreshPolicy",
    "RemoteKeys",
    "RemoteRules",
]
