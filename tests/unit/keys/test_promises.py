"""The guarantees of docs/key_sets.rst, whatever was sent before: with simulated time, and with a
real server of key sets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from flask_connector_auth import require_app_jwt
from flask_connector_auth.core import Unavailable, steady_time
from flask_connector_auth.keys import (
    HttpFetch,
    KeyRules,
    KeySetLoader,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    start_daemon,
)
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.http_helpers import assert_row, headers
from tests.support.simulation import StartThread, World, kids, run_now, unavailable, wait_for
from tests.support.types import MakeApp

COOLDOWN = RemoteRules().cooldown
#: Seconds between two tokens of a new key.
STEP = 0.5
# Of the unknown keys, one is that of a rotation to come, which can be guessed from its date.
NEXT = "2026-12"
SENT = ["old", "bad signature", NEXT, "2027-01", "random"]


def send(source: RemoteKeys, what: str) -> str:
    """Let a token come; return 200, 401 or 503."""
    try:
        if what == "bad signature":
            tried = source.candidates("old", "ES256")
            return "200" if source.candidates_after_failure("old", "ES256", tried) else "401"
        return "200" if source.candidates(what, "ES256") else "401"
    except Unavailable:
        return "503"


def assert_bounded(world: World, lifetime: float = 300) -> None:
    """Assert the published bound of fetches of docs/key_sets.rst."""
    seconds = world.fetches[-1] - world.fetches[0]
    bound = 2 + seconds / (0.7 * lifetime) + seconds / COOLDOWN
    assert len(world.fetches) <= bound + 1e-6


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SENT), st.floats(0, 40)), max_size=60))
@example(
    [(NEXT, wait) for wait in (10, 20, 40, 80, 160, 10)]
)  # the way out of a memory that doubles
@example([("bad signature", 10.5)] * 30)
@example([("random", 0.0)] * 30)
def test_a_new_key_is_refused_for_at_most_the_cooldown(
    sent: list[tuple[str, float]],
) -> None:
    """JWKS_COOLDOWN: whatever was sent before, however often, and within the bound of fetches."""
    world = World("old")
    source = world.source()
    assert send(source, "old") == "200"
    for what, pause in sent:
        assert send(source, what) == ("200" if what == "old" else "401")
        world.now += pause
    world.publish("old", NEXT)
    published = world.now
    while send(source, NEXT) == "401":
        world.now += STEP
        send(source, "random")
    assert world.now - published < COOLDOWN + STEP
    assert_bounded(world)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SENT), st.floats(0, 20)), max_size=40))
@example([("random", 10.0)] * 20)
def test_bad_tokens_do_not_lengthen_an_outage_for_a_new_key(sent: list[tuple[str, float]]) -> None:
    """FRESH, and the issuer is down for a while: the backoff does not outlast the cooldown."""
    world = World("old")
    source = world.source()
    assert send(source, "old") == "200"
    world.up = False
    for what, pause in sent:
        if world.now + pause < 280:
            world.now += pause
            assert send(source, what) in ("200" if what == "old" else "401 503")
    world.up = True
    world.publish("old", NEXT)
    back = world.now
    while send(source, NEXT) != "200":
        world.now += STEP
    # No token waits for an issuer that has failed, so one more token is refused.
    assert world.now - back < COOLDOWN + 2 * STEP


@pytest.mark.parametrize("allowance", [0, 3600])
@pytest.mark.parametrize(("down_for", "step"), [(3, 0.1), (60, 0.5), (600, 1), (86400, 2)])
def test_recovery_takes_five_seconds(allowance: float, down_for: float, step: float) -> None:
    """EMPTY and OUTAGE: attempts are at most 5 seconds apart, with a token each *step* seconds."""
    world = World("old")
    source = world.source(RemoteRules(max_stale=allowance))
    if allowance:
        assert send(source, "old") == "200"
        world.now = 300 + allowance
    world.up = False
    began = world.now
    while world.now < began + down_for:
        world.now += step
        send(source, "old")
    gaps = [after - at for at, after in pairwise([at for at in world.fetches if at > began])]
    assert all(gap <= 5 + step for gap in gaps)
    world.up = True
    back = world.now
    while send(source, "old") != "200":
        world.now += step
    assert world.now - back <= 5 + 2 * step


# A real server


@pytest.fixture(name="server")
def _server(issuer: Issuer) -> Iterator[KeySetServer]:
    with KeySetServer(issuer) as server:
        yield server


class Source:
    """A source of what *server* publishes, fetched in earnest; a test sets its clock ahead."""

    def __init__(
        self, server: KeySetServer, start_thread: StartThread = run_now, **rules: Any
    ) -> None:
        self.now = 0.0
        given = RemoteRules(**rules)
        loader = KeySetLoader([server.url], HttpFetch(), KeyRules(["RS256"]), given)
        self.keys = RemoteKeys(RefreshPolicy(given), loader, self.clock, start_thread)

    def clock(self) -> float:
        """Return the time, which passes while a token waits."""
        return self.now + steady_time()

    def kids(self, kid: str) -> list[str | None]:
        """Return the ids of the keys that a token gets."""
        return kids(self.keys, kid, "RS256")


def test_a_kid_that_was_guessed_is_good_once_it_is_published(
    issuer: Issuer, server: KeySetServer
) -> None:
    """JWKS_COOLDOWN, by real HTTP: six tokens under the next kid, which is published then."""
    source = Source(server)
    assert source.kids(issuer.kid) == [issuer.kid]
    for _ in range(6):
        source.now += COOLDOWN
        assert source.kids(NEXT) == []
    server.publish(issuer, Issuer(kid=NEXT))
    assert source.kids(NEXT) == []
    source.now += COOLDOWN
    assert source.kids(NEXT) == [NEXT]
    assert len(server.requests) == 1 + 6 + 1


def test_an_issuer_that_hangs_holds_a_few_tokens_and_only_at_first(
    issuer: Issuer, server: KeySetServer
) -> None:
    """FRESH, by real HTTP: of 20 bad signatures one waits, and of 20 unknown keys as many as may;
    known keys are used all the while, and once the fetch has failed no token waits."""
    source = Source(server, start_daemon, wait=0.05, max_waiting=3)
    assert source.kids(issuer.kid) == [issuer.kid]
    keys = source.keys
    tried = keys.candidates(issuer.kid, "RS256")
    server.fail("hang")
    source.now = 100.0
    bad = partial(keys.candidates_after_failure, issuer.kid, "RS256", tried)

    def waits() -> int:
        return int(keys.health()["counts"]["waits"]) - 1  # the first token had one

    def unknown(number: int) -> bool:
        return unavailable(keys, f"x{number}") == 1

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda _: bad(), range(20))) == [[]] * 20
        assert waits() == 1
        assert all(pool.map(unknown, range(20)))
    assert waits() == 3
    assert source.kids(issuer.kid) == [issuer.kid]
    assert len(server.requests) == 2
    server.fail("refuse")  # which ends the fetch that is under way
    wait_for(lambda: keys.health()["failures"] == 1)
    source.now += COOLDOWN
    assert bad() == []
    wait_for(lambda: keys.health()["failures"] == 2)
    unavailable(keys, "x")
    assert waits() == 3
    assert source.kids(issuer.kid) == [issuer.kid]


def test_bad_tokens_are_answered_while_the_issuer_hangs(
    issuer: Issuer, stranger: Issuer, server: KeySetServer, make_app: MakeApp
) -> None:
    """A forged token is 401, and one of an unknown key 503 for a second, as good ones pass."""
    rules = {"JWKS_WAIT": 0.05, "JWKS_MAX_WAITING": 1, "JWKS_COOLDOWN": 0.001}
    app = make_app(APP_JWT_KEYS=server.url, **rules)
    app.add_url_rule("/", "index", require_app_jwt(lambda: {}))
    client, unknown = app.test_client(), Issuer(kid="x")
    assert client.get("/", headers=headers(issuer.app_jwt())).status_code == 200
    server.fail("hang")
    for _ in range(3):
        assert_row(client.get("/", headers=headers(stranger.app_jwt())), 40102)
        answer = client.get("/", headers=headers(unknown.app_jwt()))
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert client.get("/", headers=headers(issuer.app_jwt(n=1))).status_code == 200


def test_new_material_under_an_old_kid_passes(
    issuer: Issuer, stranger: Issuer, server: KeySetServer
) -> None:
    """By real HTTP: the token that makes the worker ask waits, and has the new key."""
    source = Source(server)
    assert source.kids(issuer.kid) == [issuer.kid]
    assert stranger.kid == issuer.kid
    tried = source.keys.candidates(issuer.kid, "RS256")
    server.publish(stranger)
    source.now += COOLDOWN + 1
    (new,) = source.keys.candidates_after_failure(issuer.kid, "RS256", tried)
    assert [new] == source.keys.candidates(issuer.kid, "RS256")
    assert new.thumbprint != tried[0].thumbprint


def test_a_service_without_keys_is_back_seconds_after_its_issuer(
    issuer: Issuer, server: KeySetServer
) -> None:
    """EMPTY, by real HTTP: after a long outage the pause is 5 seconds at most."""
    server.fail("refuse")
    source = Source(server)
    for _ in range(20):
        pause = unavailable(source.keys, issuer.kid)
        source.now += pause
    assert 2.5 <= pause <= 5
    server.recover()
    assert unavailable(source.keys, issuer.kid) == 1  # this one only starts the fetch
    assert source.kids(issuer.kid) == [issuer.kid]
