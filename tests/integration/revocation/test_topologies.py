"""Sentinel and Cluster, by URL, on real servers; and what a failover loses."""

import gc
from collections.abc import Iterator

import pytest

from flask_connector_auth import RevocationStoreError
from flask_connector_auth.revocation import redis_scripts
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.stores import RevocationStoreContract
from tests.support.ports import free_port
from tests.support.redis_servers import BINARIES, SOON, Server, until
from tests.support.revocation_worlds import ACCOUNT, INSTALL, MakeWorld

BINARY = BINARIES["valkey"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """A Cluster of one node, which has all slots."""
    with Server(BINARY, "--cluster-enabled", "yes") as server:
        server.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in server.do("CLUSTER", "INFO"))
        yield server


class TestCluster(RevocationStoreContract):
    """A Cluster keeps the contract: all keys are on one node."""

    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: Server) -> None:
        cluster.do("FLUSHALL")
        self.url = f"redis+cluster://127.0.0.1:{cluster.port}"

    def connect(self) -> RedisStore:
        """Return a store that finds the node by itself."""
        return RedisStore(self.url)


def test_a_cluster_that_is_out_of_reach(world: MakeWorld, issuer: Issuer) -> None:
    """The app connects to nothing at its start, so it starts, and health reports the failure."""
    one = world(REVOCATION_URL=f"redis+cluster://127.0.0.1:{free_port()}")
    assert one.answer(issuer.app_jwt()) == 50301
    expected = "out of reach (ConnectionRefusedError): CONNECTOR_AUTH_REVOCATION_URL"
    assert one.health["last_error"] == expected


def test_a_cluster_that_failed_keeps_no_connection(cluster: Server) -> None:
    """Each failure leads to another client; the connections of the last one are closed."""
    store = RedisStore(f"redis+cluster://127.0.0.1:{cluster.port}")
    before = len(cluster.do("CLIENT", "LIST").splitlines())
    for _ in range(30):
        store.now()
        cluster.do("DEL", redis_scripts.LOG)
        cluster.do("LPUSH", redis_scripts.LOG, "no string")
        with pytest.raises(RevocationStoreError, match="another version"):
            store.read(None)
    assert len(cluster.do("CLIENT", "LIST").splitlines()) < before + 10


def test_a_replica_is_an_outage(world: MakeWorld, issuer: Issuer) -> None:
    """Also a master that became one: it may have lost its master, and then has no new changes. It
    counts again as soon as it is a master."""
    with Server(BINARY) as master, Server(BINARY) as server:
        one = world(REVOCATION_URL=server.url, REVOCATION_MAX_LAG=1)
        token = issuer.app_jwt()
        until(lambda: one.answer(token) == 200)
        server.do("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: one.answer(token) == 50301)
        expected = "only the master knows every change, and there is a replica at "
        assert one.health["last_error"] == expected + "CONNECTOR_AUTH_REVOCATION_URL"
        with pytest.raises(RevocationStoreError, match="there is a replica at"):
            one.revoke(account_id=ACCOUNT)
        server.do("REPLICAOF", "NO", "ONE")
        until(lambda: one.answer(token) == 40102, SOON)


class Trio:
    """A master, its replica, and a Sentinel that watches over them."""

    def __init__(self, master: Server, replica: Server, sentinel: Server) -> None:
        self.master = master
        self.replica = replica
        self.sentinel = sentinel
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/the-service"


@pytest.fixture(scope="module")
def trio() -> Iterator[Trio]:
    """Three servers that have found each other."""
    with Server(BINARY) as master, Server(BINARY) as replica:
        replica.do("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: b"master_link_status:up" in replica.info("replication"))
        sentinel = Server(BINARY)
        sentinel.be_sentinel("the-service", master.port)
        with sentinel:
            until(lambda: len(sentinel.do("SENTINEL", "REPLICAS", "the-service")) == 1, 30)
            yield Trio(master, replica, sentinel)


def test_a_service_that_is_not_there(trio: Trio, world: MakeWorld) -> None:
    """A name that Sentinel does not have is an outage; the message names the setting."""
    one = world(REVOCATION_URL=trio.url + "-of-another-name")
    until(lambda: one.health["last_error"])
    expected = "out of reach (MasterNotFoundError): CONNECTOR_AUTH_REVOCATION_URL"
    assert one.health["last_error"] == expected


def test_no_connection_outlives_the_store(trio: Trio) -> None:
    """Neither to the master nor to a Sentinel; a store that was closed can be used again."""
    servers = (trio.master, trio.sentinel)

    def connections() -> list[int]:
        return [len(each.do("CLIENT", "LIST").splitlines()) for each in servers]

    gc.collect()
    before, store = connections(), RedisStore(trio.url)
    for _ in range(2):
        store.now()
        assert connections() == [one + 1 for one in before]
        store.close()
        until(lambda: connections() == before)


def test_a_failover(trio: Trio, world: MakeWorld, issuer: Issuer) -> None:
    """The master dies, Sentinel promotes the replica, and workers go on with that."""
    workers = [world(REVOCATION_URL=trio.url) for _ in range(2)]
    first, second = issuer.app_jwt(), issuer.app_jwt(azp="another")
    workers[0].revoke(install_id=INSTALL)
    for worker in workers:
        until(lambda: [worker.answer(each) for each in (first, second)] == [40102, 200], SOON)  # noqa: B023
    trio.master.kill()
    until(lambda: b"role:master" in trio.replica.info("replication"), 30)
    for worker in workers:
        until(lambda: worker.health["last_error"] is None and worker.health["ready"])  # noqa: B023
        assert [worker.answer(each) for each in (first, second)] == [40102, 200]
    new = world(REVOCATION_URL=trio.url)
    # The replica is the master before Sentinel announces it.
    until(lambda: new.answer(first) == 40102)
    new.revoke(account_id=ACCOUNT)
    for worker in workers:
        until(lambda: worker.answer(second) == 40102, SOON)  # noqa: B023
    trio.master.start()
