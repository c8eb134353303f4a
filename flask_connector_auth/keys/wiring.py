"""The URL of a JWK Set and how to fetch it in; the source of its keys, put together, out."""

import json
from collections.abc import Sequence
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
from .urls import is_redis_url

# Bytes that a copy has beside the keys.
_RECORD = 65536


def remote_keys(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
    """Return the source of the keys at *url*."""
    urls = [url, *options.failover]
    copy = None
    if options.copy:
        store = _store(options.copy, _identity(urls, rules), options.rules)
        copy = KeySetCopy(store, rules, options.rules.max_stale, options.rules.max_keys)
    loader = Loader(urls, options.fetch, rules, options.rules, copy)
    return RemoteKeys(KeySetMachine(options.rules), loader)


def _identity(urls: Sequence[str], rules: KeyRules) -> str:
    """Return a name for all that decides which record a source writes, and which it can read.

    Two sources with one name write the same keys, and each can use what the other has written.
    """
    parts = [urls, sorted(set(rules.algorithms)), rules.min_rsa_bits]
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _store(place: str, name: str, rules: RemoteRules) -> Store:
    # Keys are written anew, and may come out somewhat longer than the issuer wrote them.
    limit = 4 * rules.max_bytes + _RECORD
    if is_redis_url(place):
        return RedisStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale, limit)
    return FileStore(Path(f"{place}.{name}"), limit)
