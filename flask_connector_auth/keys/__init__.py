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
from .remote import (
    BadKeySet,
    Fetch,
    Fetched,
    FetchFailed,
    HttpFetch,
    RedisBackupStore,
    RemoteKeys,
    RemoteRules,
    parse_key_set,
)
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
    "MAX_CANDIDATES",
    "MAX_KID",
    "BadKeySet",
    "CombinedKeys",
    "Fetch",
    "FetchFailed",
    "Fetched",
    "Health",
    "HttpFetch",
    "KeyIndex",
    "KeyProblem",
    "KeyRules",
    "KeySource",
    "RedisBackupStore",
    "RemoteKeys",
    "RemoteOptions",
    "RemoteRules",
    "StaticKeys",
    "VerificationKey",
    "check_proxy",
    "check_url",
    "describe_read_error",
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
]
