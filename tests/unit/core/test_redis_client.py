"""The clients and connections for a Redis URL, before any connection is made."""

from typing import Any

import pytest
from redis import SSLConnection
from redis.cluster import RedisCluster
from redis.sentinel import SentinelManagedSSLConnection

from flask_connector_auth.core import REDIS_TIMEOUT, redis_connector
from tests.support.floor_helpers import cases

OPTIONS = (
    "?sentinel_username=watch&sentinel_password=open&ssl_ca_certs=/ca.pem&health_check_interval=7"
)
SENTINELS = f"rediss+sentinel://user:secret@one,two:7/service/3{OPTIONS}"


def options(client: Any) -> dict[str, Any]:
    """Return what *client* makes its connections with."""
    found: dict[str, Any] = client.connection_pool.connection_kwargs
    return found


def has_fixed_options(found: dict[str, Any]) -> bool:
    """Whether timeouts are ours, nothing is retried, and replies are bytes in protocol 2, which
    every server version speaks."""
    retry = found["retry"]
    assert (retry._retries, retry._backoff.compute(1)) == (0, 0)
    names = ("socket_timeout", "socket_connect_timeout", "decode_responses", "protocol")
    return [found[name] for name in names] == [REDIS_TIMEOUT, REDIS_TIMEOUT, False, 2]


@cases(
    "url",
    {
        "TCP": "redis://one?socket_timeout=60&decode_responses=true&protocol=3",
        "TLS": "rediss://one",
        "a file": "unix:///run/redis",
        "Sentinel": SENTINELS,
    },
)
def test_timeouts_are_fixed(url: str) -> None:
    """Options in the URL do not change timeouts, retries, decoding and protocol."""
    assert has_fixed_options(options(redis_connector(url)()))


def test_a_sentinel_url_names_a_service() -> None:
    """The client has its name, database, user, password and TLS options."""
    client = redis_connector(SENTINELS)()
    pool, found = client.connection_pool, options(client)
    assert pool.service_name == "service"
    assert pool.connection_class is SentinelManagedSSLConnection
    assert (found["db"], found["username"], found["password"]) == (3, "user", "secret")
    assert (found["ssl_ca_certs"], found["health_check_interval"]) == ("/ca.pem", 7)


def test_sentinels_have_a_login_of_their_own() -> None:
    """Sentinels have their own user and password, their given or the default port, and the TLS and
    the timeouts of the service."""
    sentinels = redis_connector(SENTINELS)().connection_pool.sentinel_manager.sentinels
    found = [options(each) for each in sentinels]
    assert [(each["host"], each["port"]) for each in found] == [("one", 26379), ("two", 7)]
    for each, client in zip(found, sentinels, strict=True):
        assert (each["username"], each["password"]) == ("watch", "open")
        assert each["ssl_ca_certs"] == "/ca.pem"
        assert client.connection_pool.connection_class is SSLConnection
        assert has_fixed_options(each)


@pytest.mark.parametrize("database", [0, 3])
def test_a_service_without_options(database: int) -> None:
    """The connection is plain, to the given database or the first."""
    path = "Xservice" + (f"/{database}" if database else "")
    client = redis_connector(f"redis+sentinel://one/{path}")()
    pool = client.connection_pool
    assert pool.service_name == "Xservice"
    assert options(client).get("db", 0) == database
    assert not issubclass(pool.connection_class, SSLConnection)


def test_a_cluster_has_nodes_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each node has its given or the default port; all share user, password, TLS and timeouts."""
    made: dict[str, Any] = {}

    def make(_self: RedisCluster, **given: Any) -> None:
        made.update(given)

    # A client connects when it is made.
    monkeypatch.setattr(RedisCluster, "__init__", make)
    monkeypatch.setattr(RedisCluster, "__del__", lambda _self: None)
    redis_connector("rediss+cluster://user:secret@one,two:7?ssl_ca_certs=/ca.pem")()
    nodes = [(node.host, node.port) for node in made.pop("startup_nodes")]
    assert nodes == [("one", 6379), ("two", 7)]
    assert (made["username"], made["password"]) == ("user", "secret")
    assert (made["ssl"], made["ssl_ca_certs"]) == (True, "/ca.pem")
    assert has_fixed_options(made)
    redis_connector("redis+cluster://one")()
    assert made["ssl"] is False
