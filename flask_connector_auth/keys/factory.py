"""Keys, key sources and public numbers from the value of a keys setting, and what a source has."""

import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core import decode_base64url
from .backup import FileBackupStore, KeySetBackup, RedisBackupStore
from .combined import CombinedKeys
from .der import KeyProblem, load_public_key
from .http import Fetch
from .importing import KeyRules, import_key, key_identities
from .key_set import RemoteRules, import_set
from .loader import KeySetLoader
from .material import split_keys
from .refresh_policy import RefreshPolicy
from .remote import RemoteKeys
from .source import KeyIndex, KeySource, StaticKeys, VerificationKey
from .urls import check_url, clean_text, is_file_url, is_loopback, is_redis_url, is_url

logger: logging.Logger = logging.getLogger(__name__)

_MIN_NUMBER_BYTES = 16


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How key sets are fetched and backed up."""

    rules: RemoteRules
    fetch: Fetch
    failover: Sequence[str] = ()  #: more URLs of the same issuer's set
    backup: str | None = None  #: a path or a Redis URL
    http_hosts: Collection[str] = ()  #: see :func:`check_url`


def parse_keys(
    value: Any,
    rules: KeyRules,
    is_skipped: Callable[[Any], bool] = lambda item: False,
    setting: str = "",
) -> tuple[list[VerificationKey], list[KeyProblem]]:
    """Return the keys in *value*, and the problems found.

    :param value: PEM text, base64 of a DER SubjectPublicKeyInfo, a certificate, a JWK or JWK Set
        (object or JSON text), the path of a file that holds one of these, or a list of any of them.
    :param is_skipped: whether to leave an item of the list out; it still has a number.
    :param setting: the configuration key that *value* comes from, for the log.
    """
    keys: list[VerificationKey] = []
    problems: list[KeyProblem] = []
    is_list = isinstance(value, list | tuple)
    items = value if is_list else [value]
    for number, item in enumerate(items, 1):
        if is_skipped(item):
            continue
        place = f"item {number}: " if is_list else ""
        log_prefix = f"{setting}: {place}" if setting else place
        try:
            entries = split_keys(item)
            if entries.is_set:
                keys += import_set(entries.materials, partial(import_key, rules=rules), log_prefix)
                continue
        except KeyProblem as problem:
            problems.append(problem.at(place))
            continue
        for warning in entries.warnings:
            logger.warning("%s%s", log_prefix, warning)
        for material in entries.materials:
            try:
                keys.append(import_key(material, rules))
            except KeyProblem as problem:
                problems.append(problem.at(place))
    if not items:
        problems.append(KeyProblem("no usable key: the list is empty"))
    return keys, problems


def public_numbers(*values: Any) -> frozenset[bytes]:
    """Return the numbers of the public keys in *values*, to compare secrets with.

    A number alone looks like any random secret.

    :param values: what :func:`parse_keys` takes. Invalid items are skipped: :func:`parse_keys`
        reports them.
    """
    numbers = (
        number.lstrip(b"\0")
        for value in values
        for item in (value if isinstance(value, list | tuple) else [value])
        for number in _numbers_of_item(item)
    )
    # No sound key has a shorter number, and a secret may equal a short one by chance.
    return frozenset(number for number in numbers if len(number) >= _MIN_NUMBER_BYTES)


def _numbers_of_item(item: Any) -> Iterator[bytes]:
    with suppress(KeyProblem):
        for material in split_keys(item).materials:
            with suppress(Exception):
                is_jwk = not isinstance(material, bytes)
                jwk = material if is_jwk else load_public_key(material)[0].as_dict(private=False)
                for value in map(jwk.get, ("n", "x", "y")):
                    if isinstance(value, str):
                        yield decode_base64url(value.encode())


def key_source(
    value: Any, rules: KeyRules, options: RemoteOptions, setting: str = ""
) -> tuple[KeySource | None, list[KeyProblem]]:
    """Return the source of the keys in *value*, or ``None`` and what is wrong.

    :param value: what :func:`parse_keys` takes, the URL of a JWK Set, a :class:`KeySource`, or a
        list of any of these.
    :param setting: see :func:`parse_keys`.
    """
    items = value if isinstance(value, list | tuple) else [value]
    keys, problems = parse_keys(
        value, rules, lambda item: _is_set_url(item) or isinstance(item, KeySource), setting
    )
    sources: list[KeySource] = [item for item in items if isinstance(item, KeySource)]
    urls = [clean_text(item) for item in items if _is_set_url(item)]
    for url in urls:
        try:
            check_url(url, options.http_hosts)
        except ValueError as error:
            problems.append(KeyProblem(f"a key set URL: {error}"))
    if len(urls) > 1 and options.failover:
        problems.append(KeyProblem("with JWKS_FAILOVER only one URL is allowed"))
    if keys or not (urls or sources):
        try:
            sources.insert(0, StaticKeys(keys))
        except ValueError as error:
            problems.append(KeyProblem(str(error)))
    if problems:
        return None, problems
    sources += [_remote_keys(url, rules, options) for url in urls]
    return sources[0] if len(sources) == 1 else CombinedKeys(sources), []


def _is_set_url(item: Any) -> bool:
    return is_url(item) and not is_file_url(item)


def _remote_keys(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
    urls = [url, *options.failover]
    backup = _backup(options.backup, urls, rules, options.rules) if options.backup else None
    loader = KeySetLoader(urls, options.fetch, rules, options.rules, backup)
    return RemoteKeys(RefreshPolicy(options.rules), loader)


def _backup(
    place: str, urls: Sequence[str], key_rules: KeyRules, rules: RemoteRules
) -> KeySetBackup:
    # The name stands for the settings that decide which keys a source writes. Sources of one name
    # write the same keys, so each can use the backup of the other.
    parts = [urls, sorted(set(key_rules.algorithms)), key_rules.min_rsa_bits]
    name = sha256(json.dumps(parts).encode()).hexdigest()[:16]
    store = (
        RedisBackupStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale)
        if is_redis_url(place)
        else FileBackupStore(Path(f"{place}.{name}"))
    )
    return KeySetBackup(store, key_rules, rules)


def describe_unwritable(place: str) -> str:
    """Return why no backup can be written to *place* now; empty if it can, and for Redis."""
    folder = Path(place).absolute().parent
    if is_redis_url(place):
        return ""
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r}"
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    return "" if is_writable else f"this user cannot write to the folder {str(folder)!r}"


def leaf_sources(source: KeySource) -> Iterator[KeySource]:
    """Yield the sources that *source* combines, or *source* itself."""
    if isinstance(source, CombinedKeys):
        for part in source.sources:
            yield from leaf_sources(part)
    else:
        yield source


def list_keys(source: KeySource) -> Iterator[tuple[VerificationKey, str, float | None]]:
    """Yield each key of *source*, its origin and its age, but no keys of an app's own source.

    The origin is ``configuration``, or the URL it was fetched from, without its query. The age is
    in seconds since the issuer has confirmed the key, or ``None`` for a configured key.
    """
    for leaf in leaf_sources(source):
        if isinstance(leaf, RemoteKeys) and leaf.snapshot:
            health = leaf.health()
            for key in leaf.snapshot.index.keys:
                yield key, health["source"], health["age"]
        elif isinstance(leaf, KeyIndex):
            for key in leaf.keys:
                yield key, "configuration", None


def has_kid(source: KeySource, kid: str) -> bool:
    """Whether *source* has a key with that *kid* at hand; nothing is fetched."""
    for leaf in leaf_sources(source):
        snapshot = leaf.snapshot if isinstance(leaf, RemoteKeys) else None
        index = snapshot.index if snapshot else leaf
        if isinstance(index, KeyIndex) and kid in index.kids:
            return True
    return False


def find_identities(source: KeySource) -> Iterator[tuple[object, str]]:
    """Yield what another source must not have if it is of another issuer, and what it is.

    These are the keys, the URLs but for those of failover, and a source of the app itself.
    """
    for key, *_ in list_keys(source):
        for identity in key_identities(key):
            yield identity, "a key"
    for leaf in leaf_sources(source):
        if isinstance(leaf, RemoteKeys):
            url = urlsplit(leaf.urls[0])
            # By https and by http it is the same set.
            port = None if (url.scheme, url.port) in (("https", 443), ("http", 80)) else url.port
            host = (url.hostname or "").removesuffix(".")
            yield (host, port, url.path or "/", url.query), "a URL of key sets"
        elif type(leaf) is not StaticKeys:
            yield id(leaf), "a KeySource"


def plain_http_hosts(source: KeySource) -> set[str]:
    """Return the hosts from which keys of *source* are fetched by plain ``http``, but loopback."""
    parts = [urlsplit(url) for url in remote_urls(source)]
    hosts = {part.hostname or "" for part in parts if part.scheme == "http"}
    return {host for host in hosts if not is_loopback(host)}


def remote_urls(source: KeySource) -> list[str]:
    """Return the URLs from which keys of *source* are fetched, those of failover too."""
    remote = (leaf for leaf in leaf_sources(source) if isinstance(leaf, RemoteKeys))
    return [url for leaf in remote for url in leaf.urls]
