"""Lookups in several key sets beside each other, by real HTTP: what waits for what."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from flask_connector_auth.core import Reason, Unavailable, reset_all_after_fork
from flask_connector_auth.keys import (
    CombinedKeys,
    HttpFetch,
    KeyRules,
    KeySetLoader,
    KeySource,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    VerificationKey,
    finish,
    look_up,
    look_up_all,
)
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.simulation import StartThread, World, wait_for

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def issuers() -> list[Issuer]:
    """Five issuers, each with a key of its own."""
    return [Issuer(kid=name) for name in NAMES]


class Five:
    """Five key sets, each on a server of its own, in one source."""

    def __init__(self, servers: list[KeySetServer], **rules: Any) -> None:
        self.servers = servers
        given = RemoteRules(**rules)
        self.parts = [
            RemoteKeys(
                RefreshPolicy(given),
                KeySetLoader([server.url], HttpFetch(), KeyRules(["RS256"]), given),
            )
            for server in servers
        ]
        self.keys = CombinedKeys(self.parts)

    def kids(self, kid: str | None) -> list[str | None]:
        """Return the ids of the keys that a token gets."""
        return [key.kid for key in self.keys.candidates(kid, "RS256")]

    def asked(self) -> list[int]:
        """Return how often each server was asked."""
        return [len(server.requests) for server in self.servers]

    def states(self) -> list[str]:
        """Return the state of each part."""
        return [part.health()["state"] for part in self.parts]


@pytest.fixture
def five(issuers: list[Issuer]) -> Iterator[Five]:
    """The first server hangs from the start; no fetch is given up before the test ends."""
    with ExitStack() as stack:
        servers = [stack.enter_context(KeySetServer(issuer)) for issuer in issuers]
        servers[0].fail("hang")
        made = Five(servers, timeout=60, wait=30)
        stack.callback(made.keys.close)
        yield made


def test_a_key_set_that_hangs_keeps_no_token_of_another_waiting(five: Five) -> None:
    """docs/key_sets.rst: all are fetched beside each other, and the first that has the key
    answers. Nothing here could end if a token waited for the first server."""
    for name in [*reversed(NAMES[1:]), *NAMES[1:]]:
        assert five.kids(name) == [name]
    # One that is fresh may have been asked once more, for a key that another one had.
    wait_for(lambda: all(five.asked()))
    # Remembered tokens of the others do not wait either.
    for name in NAMES[1:]:
        (key,) = five.keys.candidates(name, "RS256")
        assert five.keys.is_active(key, name, "RS256")
    assert five.states()[0] == "empty"


def test_a_key_at_hand_costs_no_fetch_of_another_set(five: Five) -> None:
    """Only the sets that may decide about a token are fetched for it."""
    five.parts[4].candidates("e", "RS256")
    for _ in range(3):
        assert five.kids("e") == ["e"]
    assert five.asked() == [0, 0, 0, 0, 1]


def test_an_unknown_kid_is_503_if_a_set_cannot_be_had(five: Five) -> None:
    """Decision 0006: while the one that hangs may have the key, the answer is not 401."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(five.kids("x"))
        except Unavailable as unavailable:
            answers.append(unavailable.reason)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: five.asked() == [1] * 5)
    wait_for(lambda: five.states()[1:] == ["fresh"] * 4)
    assert answers == []
    five.servers[0].stop()  # the fetch fails
    asking.join(10)
    assert answers == [Reason.KEYS_UNAVAILABLE]


def test_an_unknown_kid_is_refused_if_every_set_answers(five: Five) -> None:
    """The other side of it: then 401, and each was asked once."""
    five.servers[0].recover()
    assert five.kids("x") == []
    assert five.asked() == [1] * 5


def test_the_end_of_the_app_ends_what_waits(five: Five) -> None:
    """docs/deploying.rst: ``close`` lets waiting requests go with 503, and no thread stays."""
    before = threading.active_count()
    failed: list[Unavailable] = []

    def ask() -> None:
        try:
            five.kids("a")
        except Unavailable as unavailable:
            failed.append(unavailable)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: five.asked() == [1] * 5 and five.states()[1:] == ["fresh"] * 4)
    five.keys.close()
    # What was waiting looks again, and so fetches again.
    wait_for(lambda: five.asked()[0] == 2)
    five.servers[0].stop()
    asking.join(10)
    assert len(failed) == 1
    five.keys.close()
    wait_for(lambda: threading.active_count() <= before)


def held() -> tuple[StartThread, list[Any]]:
    """Return what starts no fetch, and the fetches that it was to start."""
    fetches: list[Any] = []
    return lambda run: fetches.append(run), fetches


def test_a_forked_process_waits_for_no_fetch_of_its_parent() -> None:
    """A lookup in the child starts a fetch of its own, in each source."""
    start, fetches = held()
    worlds = World("a"), World("b")
    source = CombinedKeys([world.source(start_thread=start) for world in worlds])
    lookup = source.look_up("b", "ES256")
    assert len(next(lookup).ends) == len(fetches) == 2
    reset_all_after_fork()
    child = source.look_up("b", "ES256")
    next(child)
    assert len(fetches) == 4
    fetches[3]()
    assert [key.kid for key in finish(child)] == ["b"]


def test_one_fetch_at_a_time_however_many_wait() -> None:
    """Each source: single flight, also for tokens that wait for several sources."""
    start, fetches = held()
    source = CombinedKeys([World(name).source(start_thread=start) for name in "ab"])
    lookups = [source.look_up(kid, "ES256") for kid in ("a", "b", None, "a")]
    for lookup in lookups:
        next(lookup)
    assert len(fetches) == 2
    fetches[1]()
    # Continued too early: nothing has changed for it.
    assert len(next(lookups[0]).ends) == 1
    assert [key.kid for key in finish(lookups[1])] == ["b"]
    fetches[0]()
    assert [key.kid for key in finish(lookups[0])] == ["a"]
    assert finish(lookups[2]) == []  # two keys fit


def test_a_lookup_of_several_sources_ends_in_time() -> None:
    """What has not answered after so many seconds counts as out of reach."""
    start, fetches = held()
    source = World("a").source(start_thread=start)
    lookups = {"held": look_up(source, "a", "ES256"), "at hand": look_up(Fixed("b"), "b", "ES256")}
    results = finish(look_up_all(lookups, lambda results: False, 0.05))
    assert isinstance(results["held"], Unavailable)
    assert list(results) == ["held", "at hand"]
    assert len(fetches) == 1


class Fixed(KeySource):
    """A source of an application, with one key."""

    def __init__(self, kid: str) -> None:
        self.source = World(kid).source()

    def candidates(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """Return the key, if it is of that kid."""
        return [*self.source.candidates(kid, algorithm)]


def test_a_source_that_is_due_or_out_has_no_key_at_hand() -> None:
    """Only FRESH and STALE answer at once; the way to the others is a lookup."""
    world = World("a")
    source = world.source(RemoteRules(max_age=300, max_stale=1000))
    at_hand = partial(source.at_hand, "a", "ES256")
    assert at_hand() == ()
    source.candidates("a", "ES256")
    for now, has_key in ((0, True), (250, True), (600, False)):
        world.now = now
        assert bool(at_hand()) is has_key, now
    assert source.at_hand("b", "ES256") == ()
    world.up = False
    source.candidates("a", "ES256")
    for now, has_key in ((601, True), (2000, False)):
        world.now = now
        assert bool(at_hand()) is has_key, now


def test_a_lookup_of_a_key_at_hand_ends_at_once() -> None:
    """As ``candidates`` does, which asks no source of the application then."""
    world = World("a")
    source = CombinedKeys([world.source(), Fixed("b")])
    (key,) = source.candidates("a", "ES256")
    with pytest.raises(StopIteration) as stop:
        next(source.look_up("a", "ES256"))
    assert stop.value.value == [key]


def test_a_source_of_the_application_says_whether_its_keys_are_active() -> None:
    """Its own ``is_active`` is asked, whatever stands before it."""
    own = Fixed("b")
    source = CombinedKeys([World("a").source(), own])
    (key,) = own.candidates("b", "ES256")
    assert source.is_active(key, "b", "ES256")
    assert not source.is_active(key, "a", "ES256")
