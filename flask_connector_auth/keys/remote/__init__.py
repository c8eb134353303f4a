"""Key sets that are fetched from a URL, kept current, and saved for an outage of the issuer.

:mod:`.refresh_policy` decides when to fetch, without I/O; :mod:`.loader` fetches; :mod:`.source`
joins the two. Nothing here reads key material: :mod:`flask_connector_auth.keys.importing` does.
"""

from .backup import BackupStore, FileBackupStore, KeySetBackup, RedisBackupStore, boot_clock
from .connection import (
    Cancellation,
    Cancelled,
    Connection,
    LimitedReader,
    ResponseTooLarge,
    Watchdog,
)
from .http import (
    Fetch,
    Fetched,
    FetchFailed,
    HttpFetch,
    conditional_headers,
    freshness_lifetime,
    retry_after,
)
from .key_set import BadKeySet, parse_key_set, usable_keys
from .loader import KeySetLoader, LoadFailed, loggable_host
from .refresh_policy import (
    EMPTY_WAIT,
    FAILED_SIGNATURE_WAIT,
    MAX_PAUSE_WITHOUT_KEYS,
    RefreshPolicy,
)
from .source import RemoteKeys, start_daemon
from .values import (
    KeyLookup,
    KeySetState,
    LoadedKeySet,
    LookupDecision,
    LookupOutcome,
    RemoteRules,
    SavedKeySet,
    Snapshot,
)

__all__ = [
    "EMPTY_WAIT",
    "FAILED_SIGNATURE_WAIT",
    "MAX_PAUSE_WITHOUT_KEYS",
    "BackupStore",
    "BadKeySet",
    "Cancellation",
    "Cancelled",
    "Connection",
    "Fetch",
    "FetchFailed",
    "Fetched",
    "FileBackupStore",
    "HttpFetch",
    "KeyLookup",
    "KeySetBackup",
    "KeySetLoader",
    "KeySetState",
    "LimitedReader",
    "LoadFailed",
    "LoadedKeySet",
    "LookupDecision",
    "LookupOutcome",
    "RedisBackupStore",
    "RefreshPolicy",
    "RemoteKeys",
    "RemoteRules",
    "ResponseTooLarge",
    "SavedKeySet",
    "Snapshot",
    "Watchdog",
    "boot_clock",
    "conditional_headers",
    "freshness_lifetime",
    "loggable_host",
    "parse_key_set",
    "retry_after",
    "start_daemon",
    "usable_keys",
]
