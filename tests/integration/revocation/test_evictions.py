"""A server that evicts keys: no revoked token passes."""

import time
from collections.abc import Callable

import pytest

from flask_connector_auth import Change
from flask_connector_auth.revocation import redis_scripts
from flask_connector_auth.testing import Issuer
from tests.support.redis_servers import SOON, Proxy, Server, until
from tests.support.revocation_faults import change_after_eviction
from tests.support.revocation_worlds import ACCOUNT, INSTALL, MakeWorld

OTHER = Change("lp_consumer:other", 1.0)


def evict(server: Server) -> None:
    """Evict the log."""
    server.do("DEL", redis_scripts.LOG)


def evict_before_a_change(server: Server) -> None:
    """Evict the log just before the next change."""
    change_after_eviction(server, redis_scripts.LOG, OTHER)


LOSSES = pytest.mark.parametrize("lose", [evict, evict_before_a_change])


@LOSSES
def test_a_worker_that_starts_after_an_eviction(
    lose: Callable[[Server], object], server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """It answers 503 until another worker has written its entries back, and then 401; never 200."""
    token, good = issuer.app_jwt(azp=INSTALL), issuer.app_jwt(azp="good")
    first = world(REVOCATION_URL=server.url)
    first.revoke(install_id=INSTALL)
    until(lambda: [first.answer(one) for one in (token, good)] == [40102, 200])
    lose(server)
    second = world(REVOCATION_URL=server.url)
    answers = set()

    def settled() -> bool:
        answers.add(second.answer(token))
        return second.answer(good) == 200

    until(settled, SOON)
    assert answers <= {50301, 40102}
    assert [second.answer(token), first.answer(token)] == [40102] * 2


@LOSSES
def test_a_worker_that_starts_hides_no_loss(
    lose: Callable[[Server], object], own_server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """It is the first to see the loss, while the worker with a copy is cut off: it answers 503, and
    leaves the loss visible."""
    token = issuer.app_jwt(azp=INSTALL)
    proxy = Proxy(own_server.port)
    first = world(REVOCATION_URL=proxy.url)
    first.revoke(install_id=INSTALL)
    until(lambda: first.health["ready"])
    proxy.open.clear()
    lose(own_server)
    second = world(REVOCATION_URL=f"redis://127.0.0.1:{own_server.port}")
    for _ in range(5):
        assert second.answer(token) == 50301
    assert "it has lost data" in second.health["last_error"]
    # A revocation of its own does not hide the loss either.
    second.revoke(lp_consumer_id="a")
    assert second.answer(token) == 50301
    proxy.open.set()
    until(lambda: second.answer(token) != 50301, 2 * SOON)
    assert second.answer(token) == 40102
    assert world(REVOCATION_URL=second.app.config["CONNECTOR_AUTH_REVOCATION_URL"]).answer(
        token
    ) in (40102, 50301)
    proxy.close()


@LOSSES
def test_without_any_copy_no_token_passes(
    lose: Callable[[Server], object], server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """No worker has the revocations, so an operator must act: without the remaining keys, the store
    is a new one."""
    first = world(REVOCATION_URL=server.url)
    first.revoke(install_id=INSTALL)
    first.end()
    lose(server)
    second = world(REVOCATION_URL=server.url)
    assert second.answer(issuer.app_jwt()) == 50301
    server.do("DEL", redis_scripts.LOG, redis_scripts.NAMES)
    until(lambda: second.answer(issuer.app_jwt()) == 200, SOON)


def test_two_services_with_different_limits_share_a_store(
    server: Server, world: MakeWorld, issuer: Issuer
) -> None:
    """What the service with the shorter ``MAX_LIFETIME`` revoked is refused by the other for as
    long as that accepts older tokens."""
    now = int(time.time())
    token = issuer.app_jwt(azp=INSTALL, iat=now - 4 * 86400, exp=now + 86400)
    days_ago = world(
        clock=lambda: time.time() - 3 * 86400, REVOCATION_URL=server.url, MAX_LIFETIME=3600
    )
    days_ago.revoke(install_id=INSTALL, at=now - 3 * 86400)
    strict = world(REVOCATION_URL=server.url, MAX_LIFETIME=3600)
    strict.revoke(account_id="another")
    loose = world(REVOCATION_URL=server.url)
    assert loose.answer(token) == 40102
    assert loose.answer(issuer.app_jwt(azp=INSTALL, lp_account_id=ACCOUNT)) == 200
