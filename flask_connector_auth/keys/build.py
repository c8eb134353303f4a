"""Everything configured about the keys of one token type in; their source out."""

from typing import Any

from .options import RemoteOptions
from .parse import KeyRules, parse_keys
from .several import SeveralSources
from .source import KeySource
from .static import StaticKeys
from .urls import check_url, is_url


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
    return sources[0] if len(sources) == 1 else SeveralSources(sources), []


def _is_source(item: Any) -> bool:
    return is_url(item) or isinstance(item, KeySource)


def _remote(url: str, rules: KeyRules, options: RemoteOptions) -> KeySource:
    # Only where it is used: what it takes to fetch a set is a good part of this package.
    from .wiring import remote_keys

    return remote_keys(url, rules, options)
