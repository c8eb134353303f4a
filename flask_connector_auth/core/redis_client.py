"""The URL of a Redis, behind Sentinel or in a Cluster too, in; a client that never waits long out.

redis-py is an extra, and is imported nowhere else.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

#: For a connection and for each answer, in seconds: one that got lost silently is given up, and the
#: next one in use, within a second.
TIMEOUT = 0.8
_URL = re.compile(
    r"(?P<scheme>rediss?)(?:\+(?P<kind>sentinel|cluster))?://(?P<user>(?:[^@/?#]*@)?)"
    r"(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?"
)
_SENTINEL_PORT = 26379


def connector(url: str) -> Callable[[], Any]:
    """Return a function that makes a client of redis-py; nothing is connected to before that.

    :param url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, as redis-py reads it;
        ``redis+sentinel://host:port,host:port/service/db`` or ``redis+cluster://host:port,…``, both
        with ``rediss`` too; user, password and options as in the others. The options
        ``sentinel_username`` and ``sentinel_password`` are for the Sentinels themselves.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is none of these; its text has nothing of the URL.
    """
    return _read(url).connect


def connections(url: str) -> list[Any]:
    """Return a connection of redis-py to each address in *url*; none of them is connected.

    They show what redis-py has made of the options in *url*.

    :param url: see :func:`connector`.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: see :func:`connector`.
    """
    return _read(url).connections


class _Client(NamedTuple):
    """What a URL stands for."""

    connections: list[Any]
    connect: Callable[[], Any]


def _read(url: str) -> _Client:
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    # Whatever the URL says: who waits for an answer counts on these. redis-py's own retries would
    # multiply them.
    ours = {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "decode_responses": False,
        # Which a server that is too old speaks too, so that it can say so.
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        if url.startswith("unix://"):
            return _pool(_options(url), ours)
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError
        return _MAKERS[match["kind"]](match, ours)
    except (ValueError, TypeError, RedisError):
        # The cause may quote a password.
        raise ValueError("not a valid Redis URL") from None


def _standalone(url: "re.Match[str]", ours: dict[str, Any]) -> _Client:
    options = _options(url[0])
    _refuse("," in url["hosts"])
    _refuse((url["path"] or "/").strip("/") not in ("", str(options.get("db"))))
    return _pool(options, ours)


def _pool(options: dict[str, Any], ours: dict[str, Any]) -> _Client:
    from redis import ConnectionPool, Redis

    options |= ours
    # Not as an argument: then a client that is closed would leave its pool open.
    return _Client([_connection(options)], lambda: Redis.from_pool(ConnectionPool(**options)))


def _sentinel(url: "re.Match[str]", ours: dict[str, Any]) -> _Client:
    from redis.sentinel import Sentinel

    service, _, db = (url["path"] or "").strip("/").partition("/")
    _refuse(not service or (not db.isdecimal() and db != ""))
    addresses, options = _several(url, db, _SENTINEL_PORT)
    theirs = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    theirs |= {name: value for name, value in options.items() if name.startswith("ssl")} | ours
    options |= ours
    reached = _connections(addresses, options)

    def connect() -> Any:
        sentinel: Any = Sentinel(addresses, sentinel_kwargs=theirs, **options)  # type: ignore[no-untyped-call]
        return sentinel.master_for(service)

    return _Client(reached, connect)


def _cluster(url: "re.Match[str]", ours: dict[str, Any]) -> _Client:
    from redis.cluster import ClusterNode, RedisCluster, cleanup_kwargs

    _refuse((url["path"] or "/") != "/")
    addresses, options = _several(url, "", 6379)
    options |= ours
    _connections(addresses, options)
    # A client of a Cluster drops options that it does not know, which are other ones in each
    # version: in 5.0, that the name in a certificate is compared.
    reached = _connections(addresses, cleanup_kwargs(**options))  # type: ignore[no-untyped-call]

    def connect() -> Any:
        nodes: list[Any] = [ClusterNode(*address) for address in addresses]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)

    return _Client(reached, connect)


def _several(
    url: "re.Match[str]", db: str, port: int
) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Return the addresses in *url*, and the options that are the same for all of them."""
    addresses, options = [], {}
    for host in url["hosts"].split(","):
        _refuse(not host)
        one = f"{url['scheme']}://{url['user']}{host}/{db}{url['query'] or ''}"
        options = _options(one)
        addresses.append((options.pop("host"), options.pop("port", port)))
    options.pop("connection_class", None)
    return addresses, options | {"ssl": url["scheme"] == "rediss"}


def _options(url: str) -> dict[str, Any]:
    from redis.connection import parse_url

    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    if url.startswith("rediss"):
        # redis-py 5.0 compares no name by itself, and takes the certificate of any other machine.
        options.setdefault("ssl_check_hostname", True)
    return options


def _connection(options: dict[str, Any]) -> Any:
    """Return a connection, not connected: redis-py looks at every option as it makes one."""
    from redis import ConnectionPool

    return ConnectionPool(**options).make_connection()


def _connections(addresses: list[tuple[str, int]], options: dict[str, Any]) -> list[Any]:
    """Return a connection to each of *addresses*, as a client with *options* makes it."""
    from redis import Connection, SSLConnection

    kind = {"connection_class": SSLConnection if options["ssl"] else Connection}
    rest = {name: value for name, value in options.items() if name != "ssl"} | kind
    return [_connection(rest | {"host": host, "port": port}) for host, port in addresses]


def _refuse(wrong: bool) -> None:
    if wrong:
        raise ValueError


_MAKERS: dict[str | None, Callable[["re.Match[str]", dict[str, Any]], _Client]] = {
    None: _standalone,
    "sentinel": _sentinel,
    "cluster": _cluster,
}
