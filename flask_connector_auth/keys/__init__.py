"""Verification keys: from configuration and from URLs.

A :class:`KeySource` returns the keys that may verify a token. Its keys come from configured
material (:mod:`.importing`), from a URL (:mod:`.remote`), or from several sources
(:mod:`.combined`). For a URL, :mod:`.refresh_policy` decides when to fetch, without I/O, and
:mod:`.loader` fetches. A thread waits for any number of fetches by :mod:`.lookups`. Nothing here
depends on Flask, on the claims of a token, or on how settings are loaded.
"""

from .backup import (
    FileBackupStore as FileBackupStore,
    KeySetBackup as KeySetBackup,
    RedisBackupStore as RedisBackupStore,
    boot_clock as boot_clock,
)
from .combined import (
    CombinedKeys as CombinedKeys,
    current_lease as current_lease,
    find_lease as find_lease,
)
from .connection import (
    Cancellation as Cancellation,
    Cancelled as Cancelled,
    Connection as Connection,
    FetchFailed as FetchFailed,
    LimitedReader as LimitedReader,
    ResponseTooLarge as ResponseTooLarge,
    Watchdog as Watchdog,
)
from .der import KeyProblem as KeyProblem
from .factory import (
    RemoteOptions as RemoteOptions,
    describe_unwritable as describe_unwritable,
    find_identities as find_identities,
    has_kid as has_kid,
    key_source as key_source,
    leaf_sources as leaf_sources,
    list_keys as list_keys,
    parse_keys as parse_keys,
    plain_http_hosts as plain_http_hosts,
    public_numbers as public_numbers,
    remote_urls as remote_urls,
)
from .http import (
    Fetch as Fetch,
    FetchResponse as FetchResponse,
    HttpFetch as HttpFetch,
    conditional_headers as conditional_headers,
    freshness_lifetime as freshness_lifetime,
    retry_after as retry_after,
)
from .importing import (
    ALGORITHMS as ALGORITHMS,
    AlgorithmMismatch as AlgorithmMismatch,
    KeyRules as KeyRules,
    import_key as import_key,
)
from .key_set import (
    MAX_PAUSE_WITHOUT_KEYS as MAX_PAUSE_WITHOUT_KEYS,
    MAX_SHORT_WAIT as MAX_SHORT_WAIT,
    BadKeySet as BadKeySet,
    KeyLookup as KeyLookup,
    KeySetState as KeySetState,
    LoadedKeySet as LoadedKeySet,
    LookupDecision as LookupDecision,
    LookupOutcome as LookupOutcome,
    RemoteRules as RemoteRules,
    Snapshot as Snapshot,
    parse_key_set as parse_key_set,
    usable_keys as usable_keys,
)
from .loader import (
    KeySetLoader as KeySetLoader,
    LoadFailed as LoadFailed,
    loggable_host as loggable_host,
    start_daemon as start_daemon,
)
from .lookups import (
    FetchingSource as FetchingSource,
    Lookup as Lookup,
    LookupResults as LookupResults,
    finish as finish,
    load as load,
    look_up as look_up,
    look_up_all as look_up_all,
)
from .material import describe_read_error as describe_read_error
from .refresh_policy import (
    RefreshPolicy as RefreshPolicy,
)
from .remote import RemoteKeys as RemoteKeys
from .source import (
    MAX_CANDIDATES as MAX_CANDIDATES,
    MAX_KID as MAX_KID,
    NO_LEASE as NO_LEASE,
    UNLIMITED as UNLIMITED,
    Health as Health,
    KeyIndex as KeyIndex,
    KeySource as KeySource,
    Lease as Lease,
    StaticKeys as StaticKeys,
    VerificationKey as VerificationKey,
)
from .urls import (
    Proxy as Proxy,
    check_backup_place as check_backup_place,
    check_host as check_host,
    check_url as check_url,
    clean_text as clean_text,
    is_loopback as is_loopback,
    is_unprotected_redis_url as is_unprotected_redis_url,
    is_url as is_url,
    parse_proxy as parse_proxy,
    url_host as url_host,
)
from .weak_secrets import looks_like_path as looks_like_path
