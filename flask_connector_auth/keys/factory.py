"""The settings of fetched key sets in; one value that is handed on out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from .combined import CombinedKeys
from .importing import KeyRules, parse_keys
from .remote import (
    BackupStore,
    Fetch,
    FileBackupStore,
    KeySetBackup,
    KeySetLoader,
    RedisBackupStore,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
)
from .source import KeySource
from .static import StaticKeys
from .urls import check_url, is_redis_url, is_url


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How key sets are fetched."""

    rules: RemoteRules
    fetch: Fetch
    failover: Sequence[str] = ()  #: URLs of the same issuer
    backup: str | None = None  #: a path or a Redis URL


# Bytes that a backup has beside the keys.
_RECORD = 65536


def remote_keys(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
    """Return the source of the keys at *url*."""
    urls = [url, *options.failover]
    backup = None
    if options.backup:
        store = _store(options.backup, _identity(urls, rules), options.rules)
        backup = KeySetBackup(store, rules, options.rules.max_stale, options.rules.max_keys)
    loader = KeySetLoader(urls, options.fetch, rules, options.rules, backup)
    return RemoteKeys(RefreshPolicy(options.rules), loader)


def _identity(urls: Sequence[str], rules: KeyRules) -> str:
    """Return a name for all that decides which record a source writes, and which it can read.

    Two sources with one name write the same keys, and each can use what the other has written.
    """
    parts = [urls, sorted(set(rules.algorithms)), rules.min_rsa_bits]
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _store(place: str, name: str, rules: RemoteRules) -> BackupStore:
    # Keys are written anew, and may come out somewhat longer than the issuer wrote them.
    limit = 4 * rules.max_bytes + _RECORD
    if is_redis_url(place):
        return RedisBackupStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale, limit)
    return FileBackupStore(Path(f"{place}.{name}"), limit)


def key_source(
    value: Any, rules: KeyRules, options: RemoteOptions
) -> tuple[KeySource | None, list[str]]:
    """Return the source of the keys in *value*, or a sentence on each thing wrong with it.

    :param value: what :func:`parse_keys` takes, the URL of a JWK Set, a :class:`KeySource`, or a
        list of any of these.
    """
    items = value if isinstance(value, list | tuple) else [value]
    keys, problems = parse_keys(value, rules, _is_source)
    sources: list[KeySource] = [item for item in items if isinstance(item, KeySource)]
    urls = [item for item in items if is_url(item)]
    for url in urls:
        try:
            check_url(url)
        except ValueError as error:
            problems.append(f"a key set URL: {error}")
    if len(urls) > 1 and options.failover:
        problems.append("with JWKS_FAILOVER there is one URL, whose set the others have too")
    if keys or not (urls or sources):
        try:
            sources.insert(0, StaticKeys(keys))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        return None, problems
    sources += [_remote(url, rules, options) for url in urls]
    return sources[0] if len(sources) == 1 else CombinedKeys(sources), []


def _is_source(item: Any) -> bool:
    return is_url(item) or isinstance(item, KeySource)


def _remote(url: str, rules: KeyRules, options: RemoteOptions) -> KeySource:
    # Only where it is used: what it takes to fetch a set is a good part of this package.
    pass

    return remote_keys(url, rules, options)
