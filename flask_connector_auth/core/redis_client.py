"""Clients of redis-py for a URL: one server, Sentinel or Cluster, with timeouts below a second.

redis-py is an extra, so it is imported only where it is used.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

#: Seconds to wait for a connection, and for each reply. A connection that was lost silently is
#: given up, and the next one is used, within a second.
REDIS_TIMEOUT = 0.8
_URL = re.compile(
    r"(?P<scheme>rediss?)(?:\+(?P<kind>sentinel|cluster))?://(?P<user>(?:[^@/?#]*@)?)"
    r"(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?"
)
_SCHEMES = (
    *("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"),
    *("redis+cluster", "rediss+cluster"),
)
_REDIS_PORT = 6379
_SENTINEL_PORT = 26379


def redis_connector(url: str, timeout: float = REDIS_TIMEOUT) -> Callable[[], Any]:
    """Return a function that makes a client of redis-py; no connection is made before that.

    :param url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, as redis-py reads it;
        ``redis+sentinel://host:port,host:port/service/db`` or ``redis+cluster://host:port,…``, both
        with ``rediss`` too; user, password and options as in the others. The options
        ``sentinel_username`` and ``sentinel_password`` are for the Sentinels themselves.
    :param timeout: seconds to wait for a connection, and for each reply.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is none of these; its text quotes nothing of the URL.
    """
    return _parse(url, timeout).connect


def redis_connections(url: str) -> list[Any]:
    """Return a connection of redis-py to each address in *url*; none of them is connected.

    They show how redis-py has read the options. See :func:`redis_connector` for *url* and errors.
    """
    return _parse(url).connections


class _ParsedUrl(NamedTuple):
    """The result of parsing a URL: see :func:`redis_connections` and :func:`redis_connector`."""

    connections: list[Any]
    connect: Callable[[], Any]


def _parse(url: str, timeout: float = REDIS_TIMEOUT) -> _ParsedUrl:
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    # These override the options in the URL, because callers rely on them.
    fixed_options = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "decode_responses": False,
        # Servers that are too old for this package speak it too: they can report their version.
        "protocol": 2,
        # redis-py's own retries would multiply the timeouts.
        "retry": Retry(NoBackoff(), 0),
    }
    if url.partition("://")[0] not in _SCHEMES:
        raise ValueError(f"not a Redis URL; the schemes are {', '.join(_SCHEMES)}")
    try:
        if url.startswith("unix://"):
            return _parse_pool(_parse_options(url), fixed_options)
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError
        parsers = {None: _parse_standalone, "sentinel": _parse_sentinel, "cluster": _parse_cluster}
        return parsers[match["kind"]](match, fixed_options)
    except (ValueError, TypeError, RedisError):
        # The cause may quote a password.
        raise ValueError("not a valid Redis URL") from None


def _parse_standalone(url: "re.Match[str]", fixed_options: dict[str, Any]) -> _ParsedUrl:
    options = _parse_options(url[0])
    path = (url["path"] or "").strip("/")
    if "," in url["hosts"] or path not in ("", str(options.get("db"))):
        raise ValueError
    return _parse_pool(options, fixed_options)


def _parse_pool(options: dict[str, Any], fixed_options: dict[str, Any]) -> _ParsedUrl:
    from redis import ConnectionPool, Redis

    options |= fixed_options
    connection = ConnectionPool(**options).make_connection()
    # from_pool(), because closing a client that got its pool as an argument leaves the pool open.
    return _ParsedUrl([connection], lambda: Redis.from_pool(ConnectionPool(**options)))


def _parse_sentinel(url: "re.Match[str]", fixed_options: dict[str, Any]) -> _ParsedUrl:
    from redis.sentinel import Sentinel

    service, _, db = (url["path"] or "").strip("/").partition("/")
    if not service or (not db.isdecimal() and db != ""):
        raise ValueError
    addresses, options = _parse_addresses(url, db, _SENTINEL_PORT)
    login = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    tls = {name: value for name, value in options.items() if name.startswith("ssl")}
    sentinel_options = login | tls | fixed_options
    options |= fixed_options
    connections = _make_connections(addresses, options)

    def connect() -> Any:
        sentinel: Any = Sentinel(addresses, sentinel_kwargs=sentinel_options, **options)  # type: ignore[no-untyped-call]
        return sentinel.master_for(service)

    return _ParsedUrl(connections, connect)


def _parse_cluster(url: "re.Match[str]", fixed_options: dict[str, Any]) -> _ParsedUrl:
    from redis.cluster import ClusterNode, RedisCluster, cleanup_kwargs

    if (url["path"] or "/") != "/":
        raise ValueError
    addresses, options = _parse_addresses(url, "", _REDIS_PORT)
    options |= fixed_options
    # Raises for an unknown option, which a client of a Cluster only drops.
    _make_connections(addresses, options)
    # Which options the client drops depends on the version of redis-py. In 5.0 it drops the check
    # of the name in a certificate: these connections show that.
    connections = _make_connections(addresses, cleanup_kwargs(**options))  # type: ignore[no-untyped-call]

    def connect() -> Any:
        nodes: list[Any] = [ClusterNode(*address) for address in addresses]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)

    return _ParsedUrl(connections, connect)


def _parse_addresses(
    url: "re.Match[str]", db: str, default_port: int
) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Return the addresses in *url*, and the options that are the same for all of them."""
    addresses, options = [], {}
    for host in url["hosts"].split(","):
        if not host:
            raise ValueError
        single_url = f"{url['scheme']}://{url['user']}{host}/{db}{url['query'] or ''}"
        options = _parse_options(single_url)
        addresses.append((options.pop("host"), options.pop("port", default_port)))
    options.pop("connection_class", None)
    return addresses, options | {"ssl": url["scheme"] == "rediss"}


def _parse_options(url: str) -> dict[str, Any]:
    from redis.connection import parse_url

    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    if url.startswith("rediss"):
        # By default, redis-py 5.0 does not compare the name in the certificate with the host, so it
        # would accept the certificate of any other machine.
        options.setdefault("ssl_check_hostname", True)
    return options


def _make_connections(addresses: list[tuple[str, int]], options: dict[str, Any]) -> list[Any]:
    """Return a connection to each of *addresses*, as a client with *options* makes it.

    None of them is connected, but redis-py has checked every option.
    """
    from redis import Connection, ConnectionPool, SSLConnection

    shared = {name: value for name, value in options.items() if name != "ssl"}
    shared["connection_class"] = SSLConnection if options["ssl"] else Connection
    return [
        ConnectionPool(**shared, host=host, port=port).make_connection() for host, port in addresses
    ]
