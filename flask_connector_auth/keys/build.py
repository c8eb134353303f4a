"""Everything configured about the keys of one token type in; their source out."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from .copy import FileStore, KeySetCopy, RedisStore, Store
from .fetch import Fetch
from .load import Loader
from .machine import KeySetMachine
from .parse import KeyRules, parse_keys
from .remote import RemoteKeys
from .several import SeveralSources
from .snapshot import RemoteRules
from .source import KeySource
from .static import StaticKeys
from .urls import check_url, is_url


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How key sets are fetched."""

    rules: RemoteRules
    fetch: Fetch
    failover: Sequence[str] = ()  #: URLs of the same issuer
    copy: str | None = None  #: a path or a Redis URL


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
    try:
        sources += [_remote(url, rules, options) for url in urls]
    except ImportError:
        return None, ["JWKS_COPY in Redis needs pip install flask-connector-auth[redis]"]
    except ValueError:
        # Its text quotes the URL, and that may have a password.
        return None, ["JWKS_COPY is no Redis URL"]
    return sources[0] if len(sources) == 1 else SeveralSources(sources), []


def _is_source(item: Any) -> bool:
    return is_url(item) or isinstance(item, KeySource)


def _remote(url: str, rules: KeyRules, options: RemoteOptions) -> RemoteKeys:
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
    if place.startswith(("redis://", "rediss://", "unix://")):
        return RedisStore(place, f"flask-connector-auth:jwks:{name}", rules.max_stale)
    return FileStore(Path(f"{place}.{name}"))
