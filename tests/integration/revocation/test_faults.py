"""Faults of a real server, and the responses meanwhile.

For each fault: no revoked token is accepted later than a second after the server is reachable
again, no valid one is answered with 401, and no request with 500.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from flask_connector_auth import Change, RevocationStoreError
from flask_connector_auth.revocation import redis_scripts
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.redis_servers import BINARIES, SOON, Proxy, Server, until
from tests.support.revocation_faults import compact
from tests.support.revocation_worlds import INSTALL, MakeWorld, World

LATER = "another-install"


class Clients:
    """Send requests all the time: with a good token, a revoked one, and one that will be
    revoked."""

    def __init__(self, issuer: Issuer, workers: list[World]) -> None:
        self.workers = workers
        self.good = issuer.app_jwt(azp="good")
        self.revoked = issuer.app_jwt(azp=INSTALL)
        self.later = issuer.app_jwt(azp=LATER)
        self.answers: dict[str, set[int]] = {"good": set(), "revoked": set()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def settled(self, later: int) -> bool:
        """Whether each worker gives the right answers, *later* for the token that will be
        revoked."""
        return all(
            [worker.answer(token) for token in (self.good, self.revoked, self.later)]
            == [200, 40102, later]
            for worker in self.workers
        )

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Send requests until the end of the block, and then check the answers."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()
        assert self.answers["good"] <= {200, 50301}
        assert self.answers["revoked"] <= {40102, 50301}
        assert 200 in self.answers["good"]

    def _ask(self) -> None:
        while not self._over.wait(0.005):
            for worker in self.workers:
                self.answers["good"].add(worker.answer(self.good))
                self.answers["revoked"].add(worker.answer(self.revoked))


def kill_and_restart(server: Server) -> None:
    """The process is killed, and started with what it has on its disk: nothing."""
    server.kill()
    threading.Event().wait(0.3)
    server.start()


def flush(server: Server) -> None:
    """An operator's mistake."""
    server.do("FLUSHALL")


def stop_and_go(server: Server) -> None:
    """The process hangs for longer than a copy may be old."""
    server.pause()
    threading.Event().wait(1.5)
    server.resume()


def stop_and_go_soon(server: Server) -> None:
    """It hangs for less than a copy may be old."""
    server.pause()
    threading.Event().wait(0.3)
    server.resume()


def cut_connections(server: Server) -> None:
    """All connections are cut, again and again."""
    for _ in range(20):
        server.do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
        threading.Event().wait(0.02)


def evict(server: Server) -> None:
    """The log is evicted."""
    server.do("DEL", redis_scripts.LOG)


def replace_the_log(server: Server) -> None:
    """The log is compacted, and the earlier one is evicted."""
    compact(RedisStore(server.url, compact_after=-1))
    with server.client() as client:
        client.delete(*client.keys("*:old:*"))


FAULTS = {
    "kill and restart": kill_and_restart,
    "flush": flush,
    "stop and go": stop_and_go,
    "stop and go soon": stop_and_go_soon,
    "connections cut": cut_connections,
    "evicted": evict,
    "the log replaced": replace_the_log,
}


@pytest.mark.parametrize("lag", [1, 5])
@cases("fault", FAULTS)
def test_a_fault_of_the_server(
    fault: Callable[[Server], None],
    lag: float,
    own_server: Server,
    world: MakeWorld,
    issuer: Issuer,
) -> None:
    """Two workers that have a copy, and one that starts afterwards; then revocation works as
    before."""
    workers = [world(REVOCATION_URL=own_server.url, REVOCATION_MAX_LAG=lag) for _ in range(2)]
    clients = Clients(issuer, workers)
    workers[0].revoke(install_id=INSTALL)
    until(lambda: clients.settled(200))
    with clients.asking():
        fault(own_server)
        # Requests get 503 meanwhile where the copy is too old, for less than a second.
        until(lambda: clients.settled(200), SOON)
        new = world(REVOCATION_URL=own_server.url)
        # It may start before the others have written back what the server lost.
        until(lambda: new.answer(clients.revoked) == 40102, SOON)
        clients.workers = [*workers, new]
        until(lambda: clients.settled(200), SOON)
        workers[1].revoke(install_id=LATER)
        until(lambda: clients.settled(40102), SOON)


@pytest.mark.parametrize("on_outage", ["closed", "open"])
def test_an_outage(on_outage: str, own_server: Server, world: MakeWorld, issuer: Issuer) -> None:
    """No effect until the copy is too old; then 503, or the last copy, as configured."""
    settings = {"REVOCATION_URL": own_server.url, "REVOCATION_ON_OUTAGE": on_outage}
    one = world(REVOCATION_MAX_LAG=1.5, **settings)
    clients = Clients(issuer, [one])
    one.revoke(install_id=INSTALL)
    until(lambda: clients.settled(200))
    own_server.kill()
    assert clients.settled(200)
    assert one.health["ready"]
    until(lambda: not one.health["ready"])
    closed = on_outage == "closed"
    assert one.answer(clients.good) == (50301 if closed else 200)
    assert one.answer(clients.revoked) == (50301 if closed else 40102)
    # A bad token is an error of the client, also in an outage.
    assert one.answer("nonsense") == 40102
    assert one.answer() == 40105
    with pytest.raises(RevocationStoreError, match="out of reach"):
        one.revoke(install_id=LATER)
    assert one.answer(clients.later) == (50301 if closed else 40102)
    response = one.app.test_client().get("/app", headers={"Authorization": clients.good})
    assert response.headers.get("Retry-After") == ("1" if closed else None)
    # A new worker has no copy either, and not each of its requests waits.
    new = world(**settings)
    assert new.answer(clients.good) == (50301 if closed else 200)
    begin = monotonic()
    assert new.answer(clients.revoked) == (50301 if closed else 200)
    assert monotonic() - begin < 0.5
    own_server.start()
    # The worker with a copy wrote it back; the unconfirmed revocation is in force in its process.
    until(lambda: [new.answer(clients.good), new.answer(clients.revoked)] == [200, 40102], SOON)
    until(lambda: clients.settled(40102), SOON)


def test_data_on_a_disk_outlast_every_worker(world: MakeWorld, issuer: Issuer) -> None:
    """A server that is killed with all acknowledged changes on its disk has them afterwards."""
    disk = ["--appendonly", "yes", "--appendfsync", "always"]
    with Server(BINARIES["valkey"], *disk) as server:
        workers = [world(REVOCATION_URL=server.url) for _ in range(2)]
        clients = Clients(issuer, workers)
        workers[0].revoke(install_id=INSTALL)
        workers[0].revoke(install_id=LATER)
        server.kill()
        for worker in workers:
            worker.end()
        server.start()
        clients.workers = [world(REVOCATION_URL=server.url)]
        assert clients.settled(40102)


def test_missed_changes(own_server: Server, world: MakeWorld, issuer: Issuer) -> None:
    """A worker is cut off while others revoke and the log is replaced: it stops accepting tokens
    when its copy is too old, and misses no change afterwards."""
    proxy = Proxy(own_server.port)
    one = world(REVOCATION_URL=own_server.url)
    other = world(REVOCATION_URL=proxy.url, REVOCATION_MAX_LAG=1.5)
    clients = Clients(issuer, [one, other])
    one.revoke(install_id=INSTALL)
    until(lambda: clients.settled(200))
    proxy.open.clear()
    one.revoke(install_id=LATER)
    for number in range(100):
        one.revoke(lp_consumer_id=str(number))
    replace_the_log(own_server)
    # Once its copy is too old, it refuses every token, known revocations included.
    until(lambda: other.answer(clients.later) == 50301)
    assert other.answer(clients.good) == other.answer(clients.revoked) == 50301
    assert one.answer(clients.later) == 40102
    proxy.open.set()
    until(lambda: clients.settled(40102), SOON)
    assert other.health["entries"] == 102
    proxy.close()


@pytest.mark.parametrize(("delay", "lag"), [(0.1, 1), (0.25, 2), (2.2, 5)])
def test_a_slow_server(
    delay: float, lag: float, own_server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """Each answer of the store takes time, up to nearly half of MAX_LAG: no request does, no copy
    becomes too old, and a change arrives three answers later."""
    proxy = Proxy(own_server.port)
    one, other = (
        world(REVOCATION_URL=url, REVOCATION_MAX_LAG=lag) for url in (own_server.url, proxy.url)
    )
    clients = Clients(issuer, [one, other])
    one.revoke(install_id=INSTALL)
    until(lambda: clients.settled(200))
    proxy.delay = delay
    threading.Event().wait(2 * delay)
    with clients.asking():
        one.revoke(install_id=LATER)
        until(lambda: clients.settled(40102), 3 * delay + SOON)
    assert clients.answers["good"] == {200}
    begin = monotonic()
    assert other.answer(clients.good) == 200
    assert monotonic() - begin < delay
    proxy.close()


@pytest.mark.parametrize("off", [-3500, 3500])
def test_a_worker_whose_clock_is_an_hour_off(
    off: int, own_server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """*Not before* is by the clock of the store: a worker with a wrong clock revokes what was
    issued until now. (Nearly an hour, which is as much as a leeway covers.)"""
    now = int(time.time())

    def app_jwt(iat: int) -> str:
        return issuer.app_jwt(azp=INSTALL, iat=iat, exp=now + 10000)

    wrong = world(clock=lambda: time.time() + off, REVOCATION_URL=own_server.url, LEEWAY=3600)
    right = world(REVOCATION_URL=own_server.url, LEEWAY=3600)
    before, token, after = app_jwt(now - 60), app_jwt(now - 61), app_jwt(now + 60)
    workers = (wrong, right)
    for worker in workers:
        assert [worker.answer(each) for each in (before, token, after)] == [200] * 3
    wrong.revoke(install_id=INSTALL)
    for worker in workers:
        until(lambda: worker.answer(before) == 40102, SOON)  # noqa: B023
        assert worker.answer(after) == 200
    wrong.restore(install_id=INSTALL)
    wrong.revoke(token=token)
    for worker in workers:
        until(lambda: worker.answer(before) == 200, SOON)  # noqa: B023
        until(lambda: worker.answer(token) == 40102, SOON)  # noqa: B023


@pytest.mark.parametrize(("off", "left"), [(-7200, 4), (0, 3), (7200, 3)])
def test_no_clock_ends_an_entry_alone(
    off: float, left: int, own_server: Server, world: MakeWorld
) -> None:
    """An entry leaves the store half an hour after it expired by both the clock of the server and
    that of the worker that compacts it."""
    clock = lambda: time.time() + off  # noqa: E731
    one, now = world(REVOCATION_URL=own_server.url, clock=clock), time.time()
    for expired in (-3600, -1200, 0, 3600):
        change = Change(f"lp_consumer:{expired}", 1.0, now + expired)
        RedisStore(own_server.url).change([change])
    until(lambda: one.health["ready"] and one.revocations._store._next_compaction)
    assert one.health["entries"] == left
