"""Open threads, descriptors and connections of apps, counted."""

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import cases
from tests.support.redis_servers import Server, until
from tests.support.revocation_worlds import INSTALL, World
from tests.support.types import MakeApp

APPS = 20
Make = Callable[[], World]


class Open(NamedTuple):
    """What this process has open."""

    threads: int
    descriptors: int
    connections: int  #: to the revocation store


def opened(server: Server) -> Open:
    """Count, without the connection that counts."""
    descriptors = len(os.listdir("/dev/fd"))
    clients = server.do("CLIENT", "LIST").splitlines()
    return Open(threading.active_count(), descriptors, len(clients) - 1)


@pytest.fixture
def make(make_app: MakeApp, own_server: Server, key_set_server: KeySetServer) -> Iterator[Make]:
    """An app factory: keys from a real server, revocations from another one."""
    # Pools of other tests would be counted.
    gc.collect()
    return lambda: World(make_app(APP_JWT_KEYS=key_set_server.url, REVOCATION_URL=own_server.url))


def ask(world: World, issuer: Issuer) -> None:
    """Serve one request."""
    assert world.answer(issuer.app_jwt()) == 200


def revoke(world: World, _issuer: Issuer) -> None:
    """Use the store, and its connection, from another thread than that of the follower."""
    world.revoke(install_id="another")


def look(world: World, _issuer: Issuer) -> None:
    """Wait until the copy is there, without any request."""
    until(lambda: world.health["ready"])


USES = {"requests served": ask, "something revoked": revoke, "health asked for": look}
Use = Callable[[World, Issuer], None]


def used_worlds(use: Use, make: Make, server: Server, issuer: Issuer) -> list[World]:
    """Return apps that have been used, each with the thread of its follower."""
    threads = opened(server).threads
    worlds = [make() for _ in range(APPS)]
    for world in worlds:
        use(world, issuer)
    until(lambda: opened(server).threads == threads + APPS)
    return worlds


@cases("use", USES)
def test_apps_that_are_dropped_leave_nothing(
    use: Use, make: Make, own_server: Server, issuer: Issuer
) -> None:
    """The next collection ends threads and connections, whatever the threads wait for."""
    before = opened(own_server)
    worlds = used_worlds(use, make, own_server, issuer)
    assert opened(own_server).connections >= before.connections + APPS
    states = [weakref.ref(world.revocations) for world in worlds]
    gc.disable()
    try:
        del worlds
        gc.collect()
        # A thread that is applying a result keeps its app alive for a moment.
        until(lambda: opened(own_server).threads <= before.threads + 2)
        gc.collect()
        until(lambda: opened(own_server) == before)
    finally:
        gc.enable()
    assert [state() for state in states] == [None] * APPS


@cases("use", USES)
def test_an_app_that_is_closed_leaves_nothing(
    use: Use, make: Make, own_server: Server, issuer: Issuer
) -> None:
    """At once: no collection, and no thread that is about to end."""
    before = opened(own_server)
    worlds = used_worlds(use, make, own_server, issuer)
    gc.disable()
    try:
        for world in worlds:
            world.extension.close(world.app)
        after = opened(own_server)
        assert (after.threads, after.descriptors) == (before.threads, before.descriptors)
        # The server notices after a moment.
        until(lambda: opened(own_server).connections == before.connections)
    finally:
        gc.enable()


def test_a_closed_app_can_go_on(
    make: Make, own_server: Server, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Closed twice, or before it was used, it works as before, and applies later revocations."""
    closed, other = make(), make()
    tokens = [issuer.app_jwt(azp=name) for name in (INSTALL, "another")]
    for _ in range(2):
        closed.extension.close(closed.app)
    assert [closed.answer(token) for token in tokens] == [200, 200]
    for _ in range(2):
        with closed.app.app_context():
            closed.extension.close()
    other.revoke(install_id=INSTALL)
    assert [closed.answer(token) for token in tokens] == [40102, 200]
    assert caplog.messages == []


def test_a_copy_from_before_closing_is_not_used(
    make: Make, own_server: Server, issuer: Issuer
) -> None:
    """Row 50301, though the copy was confirmed a moment ago."""
    one, token = make(), issuer.app_jwt()
    assert one.answer(token) == 200
    own_server.kill()
    assert one.answer(token) == 200
    one.extension.close(one.app)
    assert one.answer(token) == 50301
    assert one.answer("nonsense") == 40102
    own_server.start()
    until(lambda: one.answer(token) == 200)


def test_an_app_without_a_store_goes_on(make_app: MakeApp, issuer: Issuer) -> None:
    """Configured keys and revocations of one process have nothing to close."""
    one, token, revoked = World(make_app()), issuer.app_jwt(), issuer.app_jwt(azp="another")
    one.revoke(install_id="another")
    one.extension.close(one.app)
    assert [one.answer(each) for each in (token, revoked)] == [200, 40102]


def test_an_app_without_the_extension_has_nothing_to_close() -> None:
    """It is an error, as for ``health``: another app was meant."""
    with pytest.raises(RuntimeError, match="no ConnectorAuth"):
        ConnectorAuth().close(Flask("an_app"))


def test_other_apps_go_on(make: Make, issuer: Issuer) -> None:
    """Closing is for one app."""
    closed, other = make(), make()
    token = issuer.app_jwt()
    assert [one.answer(token) for one in (closed, other)] == [200, 200]
    thread = other.revocations._follower._thread
    closed.extension.close(closed.app)
    assert other.health["ready"]
    assert other.revocations._follower._thread is thread
    assert thread.is_alive()


def test_an_app_that_is_still_needed_keeps_its_thread(make: Make, issuer: Issuer) -> None:
    """The positive control: a collection stops no thread of an app that is referenced."""
    one, token = make(), issuer.app_jwt()
    assert one.answer(token) == 200
    thread = one.revocations._follower._thread
    cache = one.revocations.cache
    for _ in range(3):
        gc.collect()
        confirmed = cache.confirmed_at
        until(lambda: cache.confirmed_at > confirmed)  # noqa: B023
    assert one.revocations._follower._thread is thread
    assert thread.is_alive()
