"""Key sources made from the value of a keys setting, and the keys that a source has."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from .backup import BackupStore, FileBackupStore, KeySetBackup, RedisBackupStore
from .http import Fetch
from .importing import KeyRules, parse_keys
from .key_set import RemoteRules
from .loader import KeySetLoader
from .refresh_policy import RefreshPolicy
from .remote import RemoteKeys
from .source import CombinedKeys, KeyIndex, KeySource, StaticKeys, VerificationKey
from .urls import check_url, is_redis_url, is_url, plain_http_host


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How key sets are fetched and backed up."""

    rules: RemoteRules
    fetch: Fetch
    failover: Sequence[str] = ()  #: more URLs of the same issuer's set
    backup: str | None = None  #: a path or a Redis URL
    http_hosts: Collection[str] = ()  #: see :func:`check_url`


_BACKUP_OVERHEAD = 65536  # bytes of a backup beside the keys


def key_source(
    value: Any, rules: KeyRules, options: RemoteOptions
) -> tuple[KeySource | None, list[str]]:
    """Return the source of the keys in *value*, or ``None`` and a sentence on each problem.

    :param value: what :func:`parse_keys` takes, the URL of a JWK Set, a :class:`KeySource`, or a
        list of any of these.
    """
    items = value if isinstance(value, list | tuple) else [value]
    keys, problems = parse_keys(
        value, rules, lambda item: is_url(item) or isinstance(item, KeySource)
    )
    sources: list[KeySource] = [item for item in items if isinstance(item, KeySource)]
    urls = [item for item in items if is_url(item)]
    for url in urls:
        try:
            check_url(url, options.http_hosts)
        except ValueError as error:
            problems.append(f"a key set URL: {error}")
    if len(urls) > 1 and options.failover:
        problems.append("with JWKS_FAILOVER only one URL is allowed")
    if keys or not (urls or sources):
        try:
            sources.insert(0, StaticKeys(keys))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        return None, problems
    sources += [_remote_keys(url, rules, options) for url in urls]
    return sources[0] if len(sources) == 1 else CombinedKeys(sources), []


def _remote_keys(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
    urls = [url, *options.failover]
    backup = None
    if options.backup:
        store = _backup_store(options.backup, _backup_name(urls, rules), options.rules)
        backup = KeySetBackup(store, rules, options.rules)
    loader = KeySetLoader(urls, options.fetch, rules, options.rules, backup)
    return RemoteKeys(RefreshPolicy(options.rules), loader)


def _backup_name(urls: Sequence[str], rules: KeyRules) -> str:
    """Return a name for the settings that decide which keys a source writes.

    Sources of one name write the same keys, so each can use the backup of the other.
    """
    parts = [urls, sorted(set(rules.algorithms)), rules.min_rsa_bits]
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _backup_store(place: str, name: str, rules: RemoteRules) -> BackupStore:
    # The keys are encoded again, which can make them longer than in the issuer's response.
    limit = 4 * rules.max_bytes + _BACKUP_OVERHEAD
    if is_redis_url(place):
        return RedisBackupStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale, limit)
    return FileBackupStore(Path(f"{place}.{name}"), limit)


class ListedKey(NamedTuple):
    """One key of a source."""

    key: VerificationKey
    origin: str  #: ``configuration``, or the URL it was fetched from, without its query
    age: float | None  #: seconds since its issuer confirmed it; ``None`` for a configured key


def leaf_sources(source: KeySource) -> Iterator[KeySource]:
    """Yield the sources that *source* combines, or *source* itself."""
    if isinstance(source, CombinedKeys):
        for part in source.sources:
            yield from leaf_sources(part)
    else:
        yield source


def list_keys(source: KeySource) -> Iterator[ListedKey]:
    """Yield the keys of *source*, except those of an app's own kind of source."""
    for leaf in leaf_sources(source):
        if isinstance(leaf, RemoteKeys) and leaf.snapshot:
            health = leaf.health()
            for key in leaf.snapshot.index.keys:
                yield ListedKey(key, health["source"], health["age"])
        elif isinstance(leaf, KeyIndex):
            for key in leaf.keys:
                yield ListedKey(key, "configuration", None)


def plain_http_hosts(source: KeySource) -> set[str]:
    """Return the hosts from which keys of *source* are fetched by plain ``http``, but loopback."""
    remote = (leaf for leaf in leaf_sources(source) if isinstance(leaf, RemoteKeys))
    return {host for leaf in remote for url in leaf.urls if (host := plain_http_host(url))}
