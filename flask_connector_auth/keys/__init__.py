"""Verification keys: from configuration and from URLs.

A :class:`KeySource` returns the keys that may verify a token. Keys come from configured material
(:mod:`.importing`), from a URL (:mod:`.remote`), or from several sources at once. Nothing here
depends on Flask, on the claims of a token, or on how settings are loaded.
"""

from .combined import (
    CombinedKeys as CombinedKeys,
    leaf_sources as leaf_sources,
    list_keys as list_keys,
)
from .factory import (
    RemoteOptions as RemoteOptions,
    key_source as key_source,
)
from .importing import (
    ALGORITHMS as ALGORITHMS,
    KeyRules as KeyRules,
    import_key as import_key,
    parse_keys as parse_keys,
)
from .material import (
    KeyProblem as KeyProblem,
    describe_read_error as describe_read_error,
)
from .public_material import public_numbers as public_numbers
from .remote import (
    BadKeySet as BadKeySet,
    Fetch as Fetch,
    Fetched as Fetched,
    FetchFailed as FetchFailed,
    HttpFetch as HttpFetch,
    KeySetState as KeySetState,
    LookupOutcome as LookupOutcome,
    RedisBackupStore as RedisBackupStore,
    RemoteKeys as RemoteKeys,
    RemoteRules as RemoteRules,
    parse_key_set as parse_key_set,
)
from .source import (
    MAX_CANDIDATES as MAX_CANDIDATES,
    MAX_KID as MAX_KID,
    Health as Health,
    KeySource as KeySource,
    VerificationKey as VerificationKey,
)
from .static import (
    KeyIndex as KeyIndex,
    StaticKeys as StaticKeys,
)
from .urls import (
    check_proxy as check_proxy,
    check_url as check_url,
    is_file_name as is_file_name,
    is_loopback as is_loopback,
    is_redis_url as is_redis_url,
    is_unprotected_redis_url as is_unprotected_redis_url,
    is_url as is_url,
)
