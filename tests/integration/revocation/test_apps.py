"""The responses to revoked tokens: real apps, real tokens, each store."""

import json
import runpy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from flask_connector_auth import (
    InvalidAppJWT,
    InvalidConsumerJWS,
    Reason,
    token_digest,
    token_rejected,
    verify_request,
)
from flask_connector_auth.core import JumpResistantClock
from flask_connector_auth.keys import FetchResponse
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import NOW, cases, issuer_of
from tests.support.http_helpers import assert_row, headers
from tests.support.project import files_of
from tests.support.redis_servers import SOON, Server, until
from tests.support.revocation_worlds import ACCOUNT, INSTALL, MakeWorld, World

CONSUMER = "1b7e2f1a"


@pytest.fixture(params=[0, 4096], ids=["verified anew", "cached"])
def one(request: pytest.FixtureRequest, world: MakeWorld, settings: dict[str, Any]) -> World:
    """An app that caches verified tokens, and one that does not."""
    return world(CACHE_SIZE=request.param, **settings)


@pytest.fixture
def refused() -> Iterator[list[Reason]]:
    """The reasons for which requests are refused."""
    reasons: list[Reason] = []

    def receive(_app: object, error: Any) -> None:
        reasons.append(error.reason)

    with token_rejected.connected_to(receive):
        yield reasons


Tokens = dict[str, str]


@pytest.fixture
def tokens(issuer: Issuer) -> Tokens:
    """An AppJWT and a ConsumerJWS."""
    return {
        "app_jwt": issuer.app_jwt(),
        "consumer_jws": issuer.consumer_jws(lp_consumer_id=CONSUMER),
    }


@cases(
    ("subject", "row"),
    {
        "the AppJWT": (lambda tokens: {"token": tokens["app_jwt"]}, 40102),
        "its digest": (lambda tokens: {"digest": token_digest(tokens["app_jwt"])}, 40102),
        "the ConsumerJWS": (lambda tokens: {"token": tokens["consumer_jws"]}, 40103),
        "the app install": (lambda _: {"install_id": INSTALL}, 40102),
        "the account": (lambda _: {"account_id": ACCOUNT}, 40102),
        "the consumer": (lambda _: {"lp_consumer_id": CONSUMER}, 40103),
        "the consumer, by its other id": (lambda _: {"ext_consumer_id": "consumer-1"}, 40103),
    },
)
def test_a_revoked_token_is_invalid_until_it_is_restored(
    subject: Callable[[Tokens], Any], row: int, one: World, tokens: Tokens, refused: list[Reason]
) -> None:
    """Rows 40102 and 40103: a revoked token is an invalid token, whether it is cached or not."""
    assert one.answer(**tokens) == 200
    one.revoke(**subject(tokens))
    assert one.answer(**tokens) == row
    response = one.app.test_client().get("/both", headers=headers(**tokens))
    assert_row(response, row)
    assert refused == [Reason.REVOKED] * 2
    one.restore(**subject(tokens))
    until(lambda: one.answer(**tokens) == 200, SOON)


@cases(
    "subject",
    {
        "another token": lambda issuer: {"token": issuer.app_jwt(jti="another")},
        "another install": lambda _: {"install_id": INSTALL[:-1]},
        "another account": lambda _: {"account_id": ACCOUNT + "0"},
        "another consumer": lambda _: {"lp_consumer_id": CONSUMER + "0"},
        "an install called as the account": lambda _: {"install_id": ACCOUNT},
        "an account called as the install": lambda _: {"account_id": INSTALL},
        "a consumer called as the account": lambda _: {"lp_consumer_id": ACCOUNT},
        "another consumer, by its other id": lambda _: {"ext_consumer_id": "consumer-2"},
        "an ext_consumer_id called as the other": lambda _: {"lp_consumer_id": "consumer-1"},
        "an lp_consumer_id called as the other": lambda _: {"ext_consumer_id": CONSUMER},
        "an account called as the consumer": lambda _: {"account_id": CONSUMER},
    },
)
def test_nothing_else_is_revoked(
    subject: Callable[[Issuer], Any], one: World, tokens: Tokens, issuer: Issuer
) -> None:
    """Each kind of id has keys of its own."""
    one.revoke(**subject(issuer))
    assert one.answer(**tokens) == 200


def test_an_account_takes_its_consumers_with_it(one: World, tokens: Tokens, issuer: Issuer) -> None:
    """An account revokes ConsumerJWS too: they never have the account of another AppJWT."""
    one.revoke(account_id=ACCOUNT, at=1)
    newer = issuer.app_jwt()
    assert one.answer(newer) == 200
    assert one.answer(newer, tokens["consumer_jws"]) == 40103


@cases(
    ("issued", "row"),
    {
        "a second before": (-1, 40102),
        "in the same second": (0, 40102),
        "a second later": (1, 200),
    },
)
@pytest.mark.parametrize("fraction", [0, 0.999])
def test_not_before_has_whole_seconds(
    fraction: float, issued: int, row: int, world: MakeWorld
) -> None:
    """``iat`` has whole seconds, so all tokens of the second of the revocation are refused."""
    issuer = issuer_of()
    one = world(clock=lambda: NOW, APP_JWT_KEYS=issuer.key_set())
    one.revoke(install_id=INSTALL, at=NOW + fraction)
    assert one.answer(issuer.app_jwt(iat=NOW + issued)) == row


@cases(
    ("claims", "row"),
    {
        "no iat": ({}, 40103),
        "iat before": ({"iat": NOW - 1}, 40103),
        "iat in that second": ({"iat": NOW}, 40103),
        "iat later": ({"iat": NOW + 1}, 200),
    },
)
@pytest.mark.parametrize("subject", ["lp_consumer_id", "ext_consumer_id", "account_id"])
def test_a_consumer_jws_with_a_time_may_be_newer(
    subject: str, claims: Any, row: int, world: MakeWorld
) -> None:
    """One without ``iat`` is always refused; of one with ``iat`` the time decides."""
    issuer = issuer_of()
    one = world(clock=lambda: NOW, APP_JWT_KEYS=issuer.key_set())
    one.revoke(**{subject: ACCOUNT if subject == "account_id" else CONSUMER}, at=NOW)
    ids = {"lp_consumer_id": CONSUMER, "ext_consumer_id": CONSUMER}
    consumer_jws = issuer.consumer_jws(**ids, **claims)
    assert one.answer(issuer.app_jwt(iat=NOW + 1), consumer_jws) == row


def test_a_second_signature_does_not_bring_a_token_back(world: MakeWorld) -> None:
    """ECDSA: ``(r, n - s)`` verifies whatever ``(r, s)`` verifies, without the key (SEC 1 section
    4.1.4). So a token is identified by its signing input."""
    issuer = issuer_of("ES256")
    one = world(
        clock=lambda: NOW, APP_JWT_KEYS=issuer.key_set(), APP_JWT_ALGORITHMS=["RS256", "ES256"]
    )
    token = issuer.app_jwt()
    message, _, signature = token.rpartition(".")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    raw = urlsafe_b64decode(signature.encode())
    other_s = order - int.from_bytes(raw[32:], "big")
    twin = urlsafe_b64encode(raw[:32] + other_s.to_bytes(32, "big")).decode().rstrip("=")
    twins = [token, f"{message}.{twin}"]
    assert len(set(twins)) == 2
    assert [one.answer(each) for each in twins] == [200, 200]
    one.revoke(token=token)
    assert [one.answer(each) for each in twins] == [40102, 40102]
    one.restore(token=twins[1])
    assert [one.answer(each) for each in twins] == [200, 200]


def test_an_optional_token_that_is_revoked_does_not_pass(one: World, tokens: Tokens) -> None:
    """``optional``: a missing token passes, an invalid one never does."""
    assert one.ask("/optional") == 200
    one.revoke(token=tokens["app_jwt"])
    assert one.ask("/optional", tokens["app_jwt"]) == 40102
    assert one.ask("/optional") == 200


def test_verify_request_is_the_same_path(one: World, tokens: Tokens) -> None:
    """A call in place of a decorator refuses the same tokens, with the same reason."""
    one.revoke(lp_consumer_id=CONSUMER)
    with one.app.test_request_context(headers=headers(**tokens)):
        assert verify_request(app_jwt=True, consumer_jws=False).app_jwt
    with (
        one.app.test_request_context(headers=headers(**tokens)),
        pytest.raises(InvalidConsumerJWS) as caught,
    ):
        verify_request()
    assert caught.value.reason is Reason.REVOKED
    one.revoke(install_id=INSTALL)
    with one.app.test_request_context(headers=headers(**tokens)), pytest.raises(InvalidAppJWT):
        verify_request()


def test_two_apps_on_one_store(world: MakeWorld, server: Server, tokens: Tokens) -> None:
    """Each worker applies what another one revokes or restores, within a second."""
    workers = [world(REVOCATION_URL=server.url) for _ in range(3)]
    assert [worker.answer(**tokens) for worker in workers] == [200] * 3
    workers[0].revoke(token=tokens["app_jwt"])
    for worker in workers:
        until(lambda: worker.answer(**tokens) == 40102, SOON)  # noqa: B023
    workers[1].restore(token=tokens["app_jwt"])
    for worker in workers:
        until(lambda: worker.answer(**tokens) == 200, SOON)  # noqa: B023
    workers[2].revoke(account_id=ACCOUNT)
    late = world(REVOCATION_URL=server.url)
    for worker in [*workers, late]:
        until(lambda: worker.answer(**tokens) == 40102, SOON)  # noqa: B023


def test_the_first_request_has_the_store_read_while_it_waits_for_keys(
    world: MakeWorld, server: Server, issuer: Issuer
) -> None:
    """It does not wait for one after the other."""
    may_answer = threading.Event()

    def fetch(url: str, **_options: Any) -> FetchResponse:
        assert may_answer.wait(10)
        return FetchResponse(200, json.dumps(issuer.key_set()).encode(), {})

    settings = {"APP_JWT_KEYS": "https://issuer.example/keys", "JWKS_FETCH": fetch}
    one = world(REVOCATION_URL=server.url, JWKS_WAIT=10, **settings)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(one.answer, issuer.app_jwt())
        until(one.revocations.cache.is_fresh)
        assert not answer.done()
        may_answer.set()
        assert answer.result() == 200


def test_each_app_has_its_own_without_a_store(world: MakeWorld, tokens: Tokens) -> None:
    """One extension may serve several apps: it acts on the current app."""
    one, other = world(), world()
    one.revoke(token=tokens["app_jwt"])
    assert (one.answer(**tokens), other.answer(**tokens)) == (40102, 200)


def test_outside_of_an_app_nothing_is_revoked(world: MakeWorld) -> None:
    """No default app takes a revocation silently."""
    one = world()
    with pytest.raises(RuntimeError, match="application context"):
        one.extension.revocations.revoke(account_id=ACCOUNT)


def test_an_entry_is_removed_when_its_token_has_expired(world: MakeWorld) -> None:
    """Half an hour after the last token that it could match, since a clock may be wrong."""
    issuer, now = issuer_of(), [NOW]
    one = world(clock=lambda: now[0], APP_JWT_KEYS=issuer.key_set(), MAX_LIFETIME=3600)
    one.revocations._store._expiry_clock = JumpResistantClock(lambda: now[0], lambda: now[0])
    token = issuer.app_jwt()
    one.revoke(token=token)
    one.revoke(install_id=INSTALL)
    one.revoke(account_id=ACCOUNT)
    for later, entries in ((3600 + 90 + 1799, 3), (3600 + 90 + 1800, 1), (10**9, 1)):
        now[0] = NOW + later
        # Expired entries are removed with changes.
        for number in range(2000):
            one.revoke(lp_consumer_id=str(number), at=0)
            one.restore(lp_consumer_id=str(number))
        assert one.health["entries"] == entries
        assert one.answer(token) == 40102


def test_the_service_of_the_page_revokes_for_all_processes(server: Server, tmp_path: Path) -> None:
    """docs/revocation.rst: its first example, with a real server; another app has the change."""
    url, text = "redis://127.0.0.1:6379/0", files_of("docs/revocation.rst")["service.py"]
    assert url in text
    path = tmp_path / "service.py"
    path.write_text(text.replace(url, server.url))
    here, there = runpy.run_path(str(path)), runpy.run_path(str(path))
    with here["app"].app_context():
        here["app_was_removed"](INSTALL)
    with there["app"].app_context():
        revocations = there["connector_auth"].revocations
        assert revocations.is_revoked(install_id=INSTALL)
        assert not revocations.is_revoked(install_id=f"not {INSTALL}")
    for each in (here, there):
        each["connector_auth"].close(each["app"])
