"""The URL of a JWK Set and how to fetch it in; the source of its keys, put together, out."""

from hashlib import sha256
from pathlib import Path

from .copy import KeySetCopy
from .load import Loader
from .machine import KeySetMachine
from .options import RemoteOptions
from .parse import KeyRules
from .remote import RemoteKeys
from .snapshot import RemoteRules
from .stores import FileStore, RedisStore, Store

# Bytes that a copy has beside the keys.
_RECORD = 65536


def remote_keys(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
    """Return the source of the keys at *url*.

    :raises ImportError: if the copy is kept in Redis, and redis-py is not installed.
    :raises ValueError: if the place of the copy is no Redis URL, though it starts as one.
    """
    copy = None
    if options.copy:
        store = _store(options.copy, url, options.rules)
        copy = KeySetCopy(store, rules, options.rules.max_stale, options.rules.max_keys)
    urls = [url, *options.failover]
    loader = Loader(urls, options.fetch, rules, options.rules, copy)
    return RemoteKeys(KeySetMachine(options.rules), loader)


def _store(place: str, url: str, rules: RemoteRules) -> Store:
    # A copy for each URL: two sources must not write over each other's.
    name = sha256(url.encode()).hexdigest()[:8]
    # Keys are written anew, and may come out somewhat longer than the issuer wrote them.
    limit = 4 * rules.max_bytes + _RECORD
    if place.startswith(("redis://", "rediss://", "unix://")):
        return RedisStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale, limit)
    return FileStore(Path(f"{place}.{name}"), limit)
