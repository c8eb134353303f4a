"""Key sets that are fetched from a URL, kept current, and saved for an outage of the issuer.

:mod:`.refresh_policy` decides when to fetch, without I/O; :mod:`.loader` fetches; :mod:`.source`
joins the two. Nothing here reads key material: :mod:`flask_connector_auth.keys.importing` does.
"""

from .backup import (
    BackupStore as BackupStore,
    FileBackupStore as FileBackupStore,
    KeySetBackup as KeySetBackup,
    RedisBackupStore as RedisBackupStore,
    boot_clock as boot_clock,
)
from .connection import (
    Cancellation as Cancellation,
    Cancelled as Cancelled,
    Connection as Connection,
    LimitedReader as LimitedReader,
    ResponseTooLarge as ResponseTooLarge,
    Watchdog as Watchdog,
)
from .http import (
    Fetch as Fetch,
    Fetched as Fetched,
    FetchFailed as FetchFailed,
    HttpFetch as HttpFetch,
    conditional_headers as conditional_headers,
    freshness_lifetime as freshness_lifetime,
    retry_after as retry_after,
)
from .key_set import (
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
)
from .refresh_policy import (
    EMPTY_WAIT as EMPTY_WAIT,
    MAX_PAUSE_WITHOUT_KEYS as MAX_PAUSE_WITHOUT_KEYS,
    MAX_WAIT_AFTER_BAD_SIGNATURE as MAX_WAIT_AFTER_BAD_SIGNATURE,
    RefreshPolicy as RefreshPolicy,
)
from .source import (
    RemoteKeys as RemoteKeys,
    start_daemon as start_daemon,
)
