"""Verification keys: from configuration and from URLs.

A :class:`KeySource` returns the keys that may verify a token. Keys come from configured material
(:mod:`.importing`), from a URL (:mod:`.remote`), or from several sources at once. Nothing here
depends on Flask, on the claims of a token, or on how settings are loaded.
"""

from .combined import CombinedKeys, list_keys
from .factory import RemoteOptions, key_source
from .importing import ALGORITHMS, KeyRules, import_key, parse_keys
from .material import KeyProblem, describe_read_error
from .public_material import public_numbers
from .remote.backup import KeySetBackup, boot_clock
from .remote.backup_stores import FileBackupStore, RedisBackupStore
from .remote.cache_headers import freshness, retry_after, validators
from .remote.connection import Attempt, GivenUp, Watchdog
from .remote.http import Fetch, Fetched, FetchFailed, HttpFetch
from .remote.key_set import BadKeySet, RemoteRules, Snapshot, parse_key_set, usable_keys
from .remote.loader import LoadedKeySet, Loader, LoadFailed, host_of
from .remote.refresh_policy import (
    DOUBT_WAIT,
    EMPTY_WAIT,
    MAX_PAUSE_WITHOUT_KEYS,
    KeyLookup,
    KeySetState,
    LookupDecision,
    RefreshPolicy,
)
from .remote.source import RemoteKeys, refresh
from .source import MAX_CANDIDATES, MAX_KID, Health, KeySource, VerificationKey
from .static import KeyIndex, StaticKeys
from .urls import (
    check_proxy,
    check_url,
    is_file_name,
    is_loopback,
    is_redis_url,
    is_unprotected_redis_url,
    is_url,
)

__all__ = [
    "ALGORITHMS",
    "DOUBT_WAIT",
    "EMPTY_WAIT",
    "MAX_CANDIDATES",
    "MAX_KID",
    "MAX_PAUSE_WITHOUT_KEYS",
    "Attempt",
    "BadKeySet",
    "CombinedKeys",
    "Fetch",
    "FetchFailed",
    "Fetched",
    "FileBackupStore",
    "GivenUp",
    "Health",
    "HttpFetch",
    "KeyIndex",
    "KeyLookup",
    "KeyProblem",
    "KeyRules",
    "KeySetBackup",
    "KeySetState",
    "KeySource",
    "LoadFailed",
    "LoadedKeySet",
    "Loader",
    "LookupDecision",
    "RedisBackupStore",
    "RefreshPolicy",
    "RemoteKeys",
    "RemoteOptions",
    "RemoteRules",
    "Snapshot",
    "StaticKeys",
    "VerificationKey",
    "Watchdog",
    "boot_clock",
    "check_proxy",
    "check_url",
    "describe_read_error",
    "freshness",
    "host_of",
    "import_key",
    "is_file_name",
    "is_loopback",
    "is_redis_url",
    "is_unprotected_redis_url",
    "is_url",
    "key_source",
    "list_keys",
    "parse_key_set",
    "parse_keys",
    "public_numbers",
    "refresh",
    "retry_after",
    "usable_keys",
    "validators",
]
