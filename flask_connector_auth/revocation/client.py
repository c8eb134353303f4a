"""The URL of a Redis, behind Sentinel or in a Cluster too, in; a client that never waits long out.

redis-py is an extra, and is imported nowhere else.
"""

import re
from collections.abc import Callable
from typing import Any

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
    from redis.backoff import NoBackoff
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
    except (ValueError, TypeError):
        # The cause may quote a password.
        raise ValueError("not the URL of a Redis") from None


def _standalone(url: "re.Match[str]", ours: dict[str, Any]) -> Callable[[], Any]:
    options = _options(url[0])
    _refuse("," in url["hosts"])
    _refuse((url["path"] or "/").strip("/") not in ("", str(options.get("db"))))
    return _pool(options, ours)


def _pool(options: dict[str, Any], ours: dict[str, Any]) -> Callable[[], Any]:
    from redis import ConnectionPool, Redis

    options |= ours
    # Does not connect, but looks at every option.
    ConnectionPool(**options).make_connection()
    # Not as an argument: then a client that is closed would leave its pool open.
    return lambda: Redis.from_pool(ConnectionPool(**options))


def _sentinel(url: "re.Match[str]", ours: dict[str, Any]) -> Callable[[], Any]:
    from redis import Redis
    from redis.sentinel import Sentinel

    service, _, db = (url["path"] or "").strip("/").partition("/")
    _refuse(not service or (not db.isdecimal() and db != ""))
    addresses, options = _several(url, db, _SENTINEL_PORT)
    theirs = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    theirs |= {name: value for name, value in options.items() if name.startswith("ssl")} | ours
    options |= ours
    Redis(**options).close()

    def connect() -> Any:
        sentinel: Any = Sentinel(addresses, sentinel_kwargs=theirs, **options)  # type: ignore[no-untyped-call]
        return sentinel.master_for(service)

    return connect


def _cluster(url: "re.Match[str]", ours: dict[str, Any]) -> Callable[[], Any]:
    from redis import Redis
    from redis.cluster import ClusterNode, RedisCluster

    _refuse((url["path"] or "/") != "/")
    addresses, options = _several(url, "", 6379)
    options |= ours
    Redis(**options).close()

    def connect() -> Any:
        nodes: list[Any] = [ClusterNode(*address) for address in addresses]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)

    return connect


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

    return parse_url(url)  # type: ignore[no-untyped-call, no-any-return]


def _refuse(wrong: bool) -> None:
    if wrong:
        raise ValueError


_MAKERS: dict[str | None, Callable[["re.Match[str]", dict[str, Any]], Callable[[], Any]]] = {
    None: _standalone,
    "sentinel": _sentinel,
    "cluster": _cluster,
}
