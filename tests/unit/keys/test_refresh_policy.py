"""When a key set is fetched, and how tokens are answered meanwhile: states and events."""

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from joserfc.jwk import ECKey

from flask_connector_auth.core import steady_time
from flask_connector_auth.keys import (
    MAX_PAUSE_WITHOUT_KEYS,
    MAX_SHORT_WAIT,
    KeyIndex,
    KeyLookup,
    KeyRules,
    KeySetState,
    LoadedKeySet,
    LookupDecision,
    LookupOutcome,
    RefreshPolicy,
    RemoteRules,
    import_key,
)
from tests.support.simulation import World

RULES = RemoteRules()
KEYS = {
    kid: import_key(
        {**ECKey.generate_key("P-256").as_dict(private=False), "kid": kid}, KeyRules(["ES256"])
    )
    for kid in ("a", "b", "c")
}
CONDITIONAL_HEADERS = {"If-None-Match": '"1"'}


def index(*kids: str) -> KeyIndex:
    """Return a set of keys with these ids."""
    return KeyIndex(KEYS[kid] for kid in kids)


class Bench:
    """A policy, a clock, and a short method for each event."""

    def __init__(self, rules: RemoteRules = RULES, jitter: float = 0.0) -> None:
        self.now = 1000.0
        self.jitter = jitter
        self.policy = RefreshPolicy(rules, lambda: self.jitter)

    def after(self, seconds: float) -> "Bench":
        """Let time pass."""
        self.now += seconds
        return self

    def start(self, *, for_unknown_key: bool = False) -> "Bench":
        """A fetch starts."""
        self.policy.start_fetch(self.now, for_unknown_key=for_unknown_key)
        return self

    def confirm(self, *kids: str, lifetime: float | None = None) -> bool:
        """A fetch starts and completes at once with these keys."""
        self.start()
        return self.complete(*kids, lifetime=lifetime)

    def complete(self, *kids: str, lifetime: float | None = None) -> bool:
        """The fetch under way completes with these keys."""
        loaded = LoadedKeySet(index(*kids), "https://x", lifetime, CONDITIONAL_HEADERS)
        return self.policy.complete_fetch(self.now, loaded)

    def fail(self, retry_after: float | None = None) -> "Bench":
        """A fetch starts and fails at once."""
        self.start()
        self.policy.fail_fetch(self.now, "no", retry_after)
        return self

    def look_up(
        self, kid: str | None = "a", arrived_at: float | None = None, **options: Any
    ) -> LookupDecision:
        """Return the decision on a token that arrived at that time, by default now."""
        arrived_at = self.now if arrived_at is None else arrived_at
        return self.policy.decide(KeyLookup(kid, "ES256", arrived_at, **options), self.now)

    @property
    def pause(self) -> float:
        """Seconds until the next fetch may start."""
        return self.policy.next_attempt_at(self.now) - self.now

    @property
    def index(self) -> KeyIndex:
        """The current keys."""
        assert self.policy.snapshot
        return self.policy.snapshot.index

    @property
    def state(self) -> KeySetState:
        """The state now."""
        return self.policy.state(self.now)


def fresh(bench: Bench) -> None:
    """A set was confirmed a while ago."""
    bench.confirm("a")
    bench.after(100)


def empty(bench: Bench) -> None:
    """Nothing has happened yet."""


def empty_failed(bench: Bench) -> None:
    """The first fetch failed just now."""
    bench.fail()


def empty_retry(bench: Bench) -> None:
    """The first fetch failed, and its backoff is over."""
    bench.fail().after(2)


def empty_under_way(bench: Bench) -> None:
    """The first fetch is under way."""
    bench.start().after(1)


def refresh_due(bench: Bench) -> None:
    """The set is fresh, and a refresh in the background is due."""
    bench.confirm("a")
    bench.after(250)


def refresh_under_way(bench: Bench) -> None:
    """The refresh in the background is under way."""
    refresh_due(bench)
    bench.start().after(1)


def fresh_failed(bench: Bench) -> None:
    """The set is fresh, the fetch for an unknown key has failed, and the cooldown is over."""
    fresh(bench)
    bench.start(for_unknown_key=True).policy.fail_fetch(bench.now, "no")
    bench.after(RULES.cooldown)


def fresh_overdue(bench: Bench) -> None:
    """The set is fresh, and the fetch for an unknown key hangs where it cannot be stopped."""
    fresh(bench)
    bench.start(for_unknown_key=True).after(2 * RULES.timeout + 1)


def due(bench: Bench) -> None:
    """The set is older than its lifetime, and no fetch has started."""
    bench.confirm("a")
    bench.after(301)


def due_for_a_day(bench: Bench) -> None:
    """The set was not fetched in a day without traffic."""
    bench.confirm("a")
    bench.after(86400)


def stale(bench: Bench) -> None:
    """The set is older than its lifetime, and fetches fail."""
    bench.confirm("a")
    bench.after(301).fail().after(0.4)


def stale_retry(bench: Bench) -> None:
    """Stale, and the backoff is over."""
    stale(bench)
    bench.after(2)


def overdue(bench: Bench) -> None:
    """The fetch hangs where it cannot be stopped, such as in DNS."""
    due(bench)
    bench.start().after(2 * RULES.timeout + 1)


def outage(bench: Bench) -> None:
    """The set is older than JWKS_MAX_STALE, and fetches fail."""
    bench.confirm("a")
    bench.after(301).fail().after(3600)


def found(kid: str = "a", *, start_fetch: bool = False, stale: bool = False) -> LookupDecision:
    """The key is used."""
    outcome = LookupOutcome.STALE_SERVED if stale else LookupOutcome.ANSWERED
    return LookupDecision(outcome, [KEYS[kid]], start_fetch=start_fetch)


def refused(**fetch: bool) -> LookupDecision:
    """401: no further key."""
    return LookupDecision(LookupOutcome.ANSWERED, **fetch)


def waits(seconds: float, **fetch: bool) -> LookupDecision:
    """The token waits for a fetch."""
    return LookupDecision(LookupOutcome.WAIT, wait=seconds, **fetch)


def unavailable(**fetch: bool) -> LookupDecision:
    """503."""
    return LookupDecision(LookupOutcome.UNAVAILABLE, **fetch)


TABLE: list[tuple[Callable[[Bench], None], KeySetState, LookupDecision, LookupDecision]] = [
    # what happened, the state, a known key, an unknown key
    (
        empty,
        KeySetState.EMPTY,
        waits(RULES.wait, start_fetch=True),
        waits(MAX_SHORT_WAIT, start_fetch=True),
    ),
    (empty_under_way, KeySetState.EMPTY, waits(RULES.wait - 1), unavailable()),
    (empty_failed, KeySetState.EMPTY, *[unavailable()] * 2),
    (empty_retry, KeySetState.EMPTY, *[unavailable(start_fetch=True)] * 2),
    (fresh, KeySetState.FRESH, found(), waits(2, start_fetch=True, for_unknown_key=True)),
    (
        refresh_due,
        KeySetState.FRESH,
        found(start_fetch=True),
        waits(2, start_fetch=True, for_unknown_key=True),
    ),
    (refresh_under_way, KeySetState.FRESH, found(), waits(2, for_unknown_key=True)),
    (fresh_failed, KeySetState.FRESH, found(), unavailable(start_fetch=True, for_unknown_key=True)),
    (fresh_overdue, KeySetState.FRESH, found(), unavailable()),
    (due, KeySetState.DUE, *[waits(2, start_fetch=True)] * 2),
    (due_for_a_day, KeySetState.DUE, *[waits(2, start_fetch=True)] * 2),
    (stale, KeySetState.STALE, found(stale=True), unavailable()),
    (
        stale_retry,
        KeySetState.STALE,
        found(start_fetch=True, stale=True),
        unavailable(start_fetch=True),
    ),
    (overdue, KeySetState.STALE, found(stale=True), unavailable()),
    (outage, KeySetState.OUTAGE, *[unavailable(start_fetch=True)] * 2),
]


@pytest.mark.parametrize(
    ("happened", "state", "for_known", "for_unknown"),
    TABLE,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_token_gets_in_each_state(
    happened: Callable[[Bench], None],
    state: KeySetState,
    for_known: LookupDecision,
    for_unknown: LookupDecision,
) -> None:
    """The table of states: use, wait, refuse, or 503, and whether a fetch starts."""
    bench = Bench()
    happened(bench)
    assert bench.state is state
    assert bench.look_up("a") == for_known
    assert bench.look_up("b") == for_unknown


def outage_under_way(bench: Bench) -> None:
    """A fetch is under way in an outage."""
    outage(bench)
    bench.start()


@pytest.mark.parametrize(
    ("happened", "waiting_for"),
    [
        (empty, "first_token"),
        (empty_under_way, "fetch"),
        (empty_failed, "next_attempt"),
        (empty_retry, "next_attempt"),
        (outage, "next_attempt"),
        (outage_under_way, "fetch"),
        *((ready, None) for ready in (fresh, fresh_failed, due, stale)),
    ],
)
def test_what_the_keys_wait_for(happened: Callable[[Bench], None], waiting_for: str | None) -> None:
    """``health()``: what must come before they can be used; ``None`` if they can."""
    bench = Bench()
    happened(bench)
    assert bench.policy.waiting_for(bench.now) == waiting_for


def test_a_hanging_first_fetch_is_not_waited_for_for_ever() -> None:
    """EMPTY: once a fetch is overdue, requests get 503 at once."""
    bench = Bench().start().after(2 * RULES.timeout + 1)
    assert bench.look_up() == unavailable()


def test_after_a_wait_without_result_the_current_keys_decide() -> None:
    """DUE after the wait: a known key is used as a stale key, an unknown key is 503; EMPTY: 503."""
    bench = Bench()
    due(bench)
    bench.start().after(2)
    assert bench.look_up("a", may_wait=False) == found(stale=True)
    assert bench.look_up("b", may_wait=False) == unavailable()
    assert Bench().start().after(5).look_up(may_wait=False) == unavailable()


def test_a_slow_fetch_keeps_only_those_waiting_that_came_early() -> None:
    """JWKS_WAIT: from the start of a fetch on, it holds threads for so long, whatever comes; EMPTY:
    503, DUE: the current keys decide, as after a wait."""
    slow = Bench()
    slow.start()
    arrived = KeyLookup("a", "ES256", slow.now)
    slow.after(RULES.wait - 0.5)
    # One that came before the fetch counts from its own arrival.
    assert slow.policy.decide(arrived, slow.now) == waits(RULES.wait)
    assert slow.after(0.5).look_up() == unavailable()
    slow.complete("a")
    assert slow.look_up("a") == found()
    bench = Bench()
    due(bench)
    bench.start().after(RULES.wait - 0.5)
    assert bench.look_up("a") == bench.look_up("b") == waits(0.5)
    bench.after(0.5)
    assert bench.look_up("a") == found(stale=True)
    assert bench.look_up("b") == unavailable()


def test_a_fetch_is_overdue_after_two_timeouts() -> None:
    """Loader.load: it may take as long as that, and no longer."""
    bench = Bench()
    due(bench)
    assert bench.start().after(2 * RULES.timeout).state is KeySetState.DUE
    assert bench.after(0.1).state is KeySetState.STALE


def test_the_allowance_for_stale_keys_has_an_end() -> None:
    """JWKS_MAX_STALE: up to that age keys are used, during a slow fetch and after a failed one."""
    bench = Bench()
    bench.confirm("a")
    bench.after(3600).start()
    assert bench.look_up(may_wait=False) == found(stale=True)
    bench.policy.fail_fetch(bench.now, "no")
    assert bench.state is KeySetState.STALE
    assert bench.after(0.1).state is KeySetState.OUTAGE


def test_a_clock_may_begin_at_zero() -> None:
    """No time is special: a monotonic clock may start with the machine."""
    bench = Bench()
    bench.now = 0.0
    assert bench.look_up() == waits(RULES.wait, start_fetch=True)
    bench.start(for_unknown_key=True)
    bench.complete("a")
    assert bench.look_up("b", arrived_at=0).outcome is LookupOutcome.UNKNOWN_REFRESHED
    bench.after(0.25).confirm("a")
    assert bench.after(10).look_up("c").for_unknown_key


def test_keys_that_are_too_old_do_not_serve_because_a_fetch_is_slow() -> None:
    """DUE for longer than JWKS_MAX_STALE: 503 until the fetch has completed."""
    bench = Bench()
    due_for_a_day(bench)
    bench.start().after(2)
    assert bench.look_up("a", may_wait=False) == unavailable()


@pytest.mark.parametrize(
    ("stated", "lifetime"),
    [(None, 300), (0, 30), (29, 30), (30, 30), (120, 120), (300, 300), (86400, 300)],
)
def test_the_issuer_may_shorten_the_life_of_a_set(stated: float | None, lifetime: float) -> None:
    """JWKS_MIN_AGE and JWKS_MAX_AGE: Cache-Control decides between them, never beyond."""
    bench = Bench()
    bench.confirm("a", lifetime=stated)
    bench.after(lifetime)
    assert bench.state is KeySetState.FRESH
    bench.after(0.1)
    assert bench.state is KeySetState.DUE


@pytest.mark.parametrize(("jitter", "fraction"), [(0.0, 0.8), (0.5, 0.75), (1.0, 0.7)])
def test_workers_refresh_ahead_at_different_times(jitter: float, fraction: float) -> None:
    """The time of the refresh is drawn between 0.7 and 0.8 of the lifetime."""
    bench = Bench(jitter=jitter)
    bench.confirm("a")
    assert bench.after(300 * fraction - 0.1).look_up() == found()
    assert bench.after(0.2).look_up() == found(start_fetch=True)


PAUSES: list[tuple[Callable[[Bench], None], list[float]]] = [
    (empty, [1, 2, 4, 5, 5, 5, 5, 5]),
    (fresh, [1, 2, 4, 8, 10, 10, 10, 10]),
    (due, [1, 2, 4, 8, 16, 32, 60, 60]),
    (due_for_a_day, [1, 2, 4, 5, 5, 5, 5, 5]),
]


@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize(
    ("before", "pauses"), PAUSES, ids=lambda value: getattr(value, "__name__", "")
)
def test_retries_back_off(
    before: Callable[[Bench], None], pauses: list[float], jitter: float
) -> None:
    """JWKS_RETRY: doubled; half is random. JWKS_RETRY_MAX while stale keys are used; 5 seconds
    while no token can be verified; JWKS_COOLDOWN while keys are fresh."""
    bench = Bench(jitter=jitter)
    before(bench)
    share = 0.5 + 0.5 * jitter
    for pause in pauses:
        bench.fail()
        assert bench.pause == pytest.approx(pause * share)
        assert bench.policy.retry_after(bench.now) == pytest.approx(max(1, pause * share))
    bench.confirm("a")
    assert bench.policy.failures == 0
    assert bench.pause == 0


@pytest.mark.parametrize("longest", [0.5, 3])
def test_no_pause_is_over_jwks_retry_max(longest: float) -> None:
    """JWKS_RETRY_MAX below the bounds of a state holds in each state."""
    for before, _ in PAUSES:
        bench = Bench(RemoteRules(retry=0.5, retry_max=longest), jitter=1.0)
        before(bench)
        for _ in range(9):
            bench.fail()
        assert bench.pause == longest


def test_a_long_pause_ends_early_when_the_stale_keys_do() -> None:
    """STALE to OUTAGE: from then on attempts are 5 seconds apart, and so is Retry-After."""
    bench = Bench(jitter=1.0)
    bench.confirm("a")
    bench.after(3590)
    for _ in range(9):
        bench.fail()
    assert bench.after(10).state is KeySetState.STALE
    assert (bench.pause, bench.policy.retry_after(bench.now)) == (50, 50)
    assert bench.look_up() == found(stale=True)
    assert bench.after(0.1).state is KeySetState.OUTAGE
    assert bench.policy.retry_after(bench.now) == 1
    assert bench.look_up() == unavailable(start_fetch=True)
    bench.fail()
    assert bench.pause == MAX_PAUSE_WITHOUT_KEYS


def test_a_month_of_failures_is_no_trouble() -> None:
    """The pause stays what it is, however often it was doubled."""
    bench = Bench(RemoteRules(retry=0.5))
    due(bench)
    for _ in range(3000):
        bench.fail()
    assert bench.pause == 30


@pytest.mark.parametrize("before", [empty, fresh, due, due_for_a_day])
@pytest.mark.parametrize(("asked", "waited"), [(0, 0.5), (20, 20), (3600, 60)])
def test_the_issuer_may_ask_to_be_left_alone(
    before: Callable[[Bench], None], asked: float, waited: float
) -> None:
    """RFC 9110 section 10.2.3: Retry-After is honoured in each state, up to JWKS_RETRY_MAX."""
    bench = Bench()
    before(bench)
    bench.fail(retry_after=asked)
    assert bench.pause == waited
    assert bench.policy.retry_after(bench.now) == max(1, waited)
    bench.fail()
    assert bench.pause == 1


# An unknown key, while the set is fresh


def test_an_unknown_key_that_is_published_passes_at_once() -> None:
    """Rotation: the first token under a new kid costs a fetch, and passes."""
    bench = Bench()
    fresh(bench)
    arrived_at = bench.now
    assert bench.look_up("b").for_unknown_key
    bench.start(for_unknown_key=True).after(0.3)
    assert bench.complete("a", "b")
    assert bench.look_up("b", arrived_at=arrived_at) == found("b")


def test_an_unknown_key_is_refused_after_a_fetch() -> None:
    """The set that was requested after the token arrived does not have it: 401."""
    bench = Bench()
    fresh(bench)
    arrived_at = bench.now
    bench.start(for_unknown_key=True).after(0.3)
    assert not bench.complete("a")
    assert bench.look_up("b", arrived_at=arrived_at) == LookupDecision(
        LookupOutcome.UNKNOWN_REFRESHED
    )


def test_an_unknown_key_is_503_if_its_own_fetch_failed() -> None:
    """503, with the time after which the next fetch for the key may start as Retry-After."""
    bench = Bench()
    fresh(bench)
    arrived_at = bench.now
    bench.start(for_unknown_key=True)
    assert bench.after(0.3).policy.retry_after(bench.now) == 1  # it may land at any time
    bench.policy.fail_fetch(bench.now, "no")
    assert bench.look_up("b", arrived_at=arrived_at) == unavailable()
    assert bench.after(5.7).look_up("b") == unavailable()
    assert bench.policy.retry_after(bench.now) == pytest.approx(4)
    assert bench.after(4).look_up("b") == unavailable(start_fetch=True, for_unknown_key=True)


def test_a_fetch_from_before_the_token_does_not_answer_for_it() -> None:
    """A key published while a routine fetch was under way passes on its first token, too."""
    bench = Bench()
    refresh_under_way(bench)
    arrived_at = bench.now
    bench.after(0.1).complete("a")
    assert bench.look_up("b", arrived_at=arrived_at) == waits(
        2, start_fetch=True, for_unknown_key=True
    )


def test_a_set_without_a_fetch_decides_on_no_unknown_key() -> None:
    """A set decides on an unknown key only if its fetch started after the token arrived."""
    bench = Bench()
    fresh(bench)
    bench.complete("a")
    assert bench.look_up("b").for_unknown_key


def test_unknown_keys_share_one_fetch_a_cooldown() -> None:
    """JWKS_COOLDOWN: counted from the start of the attempt, whatever became of it."""
    bench = Bench()
    fresh(bench)
    bench.start(for_unknown_key=True)
    bench.complete("a")
    assert bench.after(9).look_up("b") == LookupDecision(LookupOutcome.UNKNOWN_COOLDOWN)
    assert bench.after(1).look_up("b").for_unknown_key
    bench.start(for_unknown_key=True)
    bench.policy.fail_fetch(bench.now, "no")
    assert (
        bench.after(9).look_up("c") == unavailable()
    )  # the fetch has failed, so the key may exist
    assert bench.look_up("a") == found()


def test_a_routine_fetch_does_not_use_up_the_cooldown() -> None:
    """A key that appears just after a routine refresh passes on its first token."""
    bench = Bench()
    bench.confirm("a")
    assert bench.after(1).look_up("b").for_unknown_key


def test_an_unknown_key_is_503_while_the_backoff_forbids_to_ask() -> None:
    """FRESH, but the refresh has failed: the key may have been published since."""
    bench = Bench()
    refresh_due(bench)
    bench.fail().after(0.1)
    assert bench.look_up("b") == unavailable()
    assert bench.look_up("a") == found()


def test_a_token_that_may_not_wait_any_longer_gets_503() -> None:
    """JWKS_WAIT: a slow fetch is our fault, not the token's."""
    bench = Bench()
    refresh_under_way(bench)
    assert bench.look_up("b", may_wait=False) == unavailable()


def test_an_unknown_kid_is_fetched_again_after_the_cooldown() -> None:
    """JWKS_COOLDOWN alone decides: whatever was sent before, no key is refused for longer."""
    bench = Bench()
    bench.confirm("a")
    bench.after(1)
    for _ in range(20):
        arrived_at = bench.now
        assert bench.look_up("b").for_unknown_key
        bench.start(for_unknown_key=True)
        bench.complete("a")
        assert bench.look_up("b", arrived_at) == LookupDecision(LookupOutcome.UNKNOWN_REFRESHED)
        assert bench.after(9.9).look_up("b") == LookupDecision(LookupOutcome.UNKNOWN_COOLDOWN)
        bench.after(0.1)
    assert bench.look_up("b").for_unknown_key
    bench.start(for_unknown_key=True)
    bench.complete("a", "b")
    assert bench.look_up("b") == found("b")


# Who waits


def test_only_so_many_tokens_wait_for_one_fetch() -> None:
    """JWKS_MAX_WAITING: tokens of unknown keys, of which others get 503 at once."""
    bench = Bench(RemoteRules(max_waiting=3))
    fresh(bench)
    for kids in (("a",), ("a",), ("a", "b")):
        assert bench.look_up("b") == waits(2, start_fetch=True, for_unknown_key=True)
        bench.start(for_unknown_key=True)
        assert [bench.look_up(kid) for kid in "bc"] == [waits(2, for_unknown_key=True)] * 2
        assert [bench.look_up(kid) for kid in "bc"] == [unavailable()] * 2
        assert bench.look_up("a") == found()
        bench.after(1).complete(*kids)
        bench.after(RULES.cooldown)
    assert bench.look_up("b") == found("b")


def test_the_places_to_wait_are_those_of_one_fetch() -> None:
    """JWKS_MAX_WAITING: after a fetch, good or failed, and in a child process, all are free."""
    bench = Bench(RemoteRules(max_waiting=1))
    fresh(bench)
    wait = waits(2, start_fetch=True, for_unknown_key=True)
    assert bench.look_up("b") == wait
    bench.policy.reset_after_fork()
    assert bench.look_up("b") == wait
    bench.start(for_unknown_key=True).policy.fail_fetch(bench.now, "no")
    bench.confirm("a")
    assert bench.after(RULES.cooldown).look_up("b") == wait


def test_one_token_alone_waits_long_for_the_first_set() -> None:
    """EMPTY: the others for half a second from the start of the fetch, in which a healthy issuer
    answers. If all did, views that ask for no token would find no thread."""
    bench = Bench()
    assert bench.look_up() == waits(RULES.wait, start_fetch=True)
    bench.start()
    assert [bench.look_up(), bench.look_up("b")] == [waits(MAX_SHORT_WAIT)] * 2
    assert bench.after(0.3).look_up() == waits(pytest.approx(MAX_SHORT_WAIT - 0.3))
    assert bench.after(MAX_SHORT_WAIT - 0.3).look_up() == unavailable()
    assert Bench(RemoteRules(wait=0.1)).start().look_up() == waits(0.1)
    # After a fork, the fetch and the one that waits for it are those of the parent.
    bench.policy.reset_after_fork()
    assert bench.look_up() == waits(RULES.wait, start_fetch=True)


def test_all_tokens_wait_where_the_set_may_be_out_of_date() -> None:
    """DUE: for that one fetch, JWKS_WAIT at most. What answers after that is the old set, and a key
    may be withdrawn."""
    bench = Bench(RemoteRules(max_waiting=1))
    due(bench)
    assert bench.look_up() == waits(RULES.wait, start_fetch=True)
    bench.start()
    assert [bench.look_up(), bench.look_up("b")] == [waits(RULES.wait)] * 2


# The same kid with new key material


#: The token with the failed signature starts a fetch and waits.
STARTS_FETCH = waits(MAX_SHORT_WAIT, start_fetch=True, for_unknown_key=True)


def test_a_failed_signature_is_reason_to_ask_once_the_set_is_older_than_the_cooldown() -> None:
    """Issuers do publish new material under an old kid: fetched like an unknown key."""
    bench = Bench()
    bench.confirm("a")
    tried_index = bench.index
    assert bench.after(10).look_up("a", tried_index=tried_index) == refused()
    bench.after(1)
    arrived_at = bench.now
    assert bench.look_up("a", tried_index=tried_index) == STARTS_FETCH
    bench.start(for_unknown_key=True)
    bench.complete("a")
    # The same keys are the same index, however often they are confirmed.
    assert bench.look_up("a", arrived_at, tried_index=tried_index) == refused()
    assert bench.after(11).look_up("a", tried_index=tried_index) == STARTS_FETCH
    bench.start(for_unknown_key=True)
    bench.complete("a", "b")
    assert bench.look_up("a", arrived_at, tried_index=tried_index) == found()


def test_one_failed_signature_waits_and_the_others_are_refused() -> None:
    """FRESH: of the tokens whose signature fails, one waits for a fetch, and not for long; the
    others, and that one when it has waited, are 401."""
    bench = Bench()
    fresh(bench)
    bad = {"tried_index": bench.index}
    assert bench.look_up("a", **bad) == STARTS_FETCH
    bench.start(for_unknown_key=True)
    assert [bench.look_up("a", **bad) for _ in range(9)] == [refused()] * 9
    assert bench.look_up("a", may_wait=False, **bad) == refused()
    assert bench.look_up("a") == found()


def test_a_failed_signature_waits_for_a_fetch_without_other_waiters() -> None:
    """FRESH: the refresh that the same token has started; one waiting token for each fetch."""
    bench = Bench()
    refresh_under_way(bench)
    bad = {"tried_index": bench.index}
    assert bench.look_up("a", **bad) == waits(MAX_SHORT_WAIT)
    assert bench.look_up("a", **bad) == refused()
    bench.complete("a")
    assert bench.look_up("a", arrived_at=0, **bad) == refused()
    refresh_under_way(bench)
    bench.look_up("b")
    assert bench.look_up("a", **bad) == refused()


def test_a_failed_signature_takes_a_place_of_those_to_wait() -> None:
    """JWKS_MAX_WAITING: for one fetch, of bad signatures and unknown keys together."""
    bench = Bench(RemoteRules(max_waiting=3))
    fresh(bench)
    assert bench.look_up("a", tried_index=bench.index) == STARTS_FETCH
    bench.start(for_unknown_key=True)
    assert [bench.look_up(kid) for kid in "bc"] == [waits(2, for_unknown_key=True)] * 2
    assert bench.look_up("b") == unavailable()


def test_a_failed_signature_waits_no_longer_than_other_tokens() -> None:
    """JWKS_WAIT below the half second that a failed signature is worth."""
    bench = Bench(RemoteRules(wait=0.1))
    fresh(bench)
    assert bench.look_up("a", tried_index=bench.index).wait == 0.1


@pytest.mark.parametrize("before", [fresh_failed, fresh_overdue])
def test_a_failed_signature_waits_for_no_issuer_that_fails(
    before: Callable[[Bench], None],
) -> None:
    """FRESH: 401 at once; where there may be one, a fetch is started all the same."""
    bench = Bench()
    before(bench)
    starts = before is fresh_failed
    bad = bench.look_up("a", tried_index=bench.index)
    assert bad == refused(start_fetch=starts, for_unknown_key=starts)


def test_failed_signatures_and_unknown_keys_share_one_cooldown() -> None:
    """JWKS_COOLDOWN: a fetch for one of them counts for the other."""
    bench = Bench()
    fresh(bench)
    bench.start(for_unknown_key=True).policy.fail_fetch(bench.now, "no")
    bench.after(9)
    assert bench.pause < 0
    assert bench.look_up("b") == unavailable()
    assert bench.look_up("a", tried_index=bench.index) == refused()
    bad = bench.after(1).look_up("a", tried_index=bench.index)
    assert bad == refused(start_fetch=True, for_unknown_key=True)
    assert bench.look_up("b") == unavailable(start_fetch=True, for_unknown_key=True)


def test_a_failed_signature_does_not_ask_twice() -> None:
    """FRESH: a set that was requested after the token arrived decides, however late the wakeup."""
    bench = Bench(RemoteRules(cooldown=0.1))
    fresh(bench)
    arrived_at = bench.now
    bench.start(for_unknown_key=True)
    bench.complete("a")
    assert bench.after(1).look_up("a", arrived_at, tried_index=bench.index) == refused()
    assert bench.look_up("a", tried_index=bench.index) == STARTS_FETCH


@pytest.mark.parametrize("before", [due, due_for_a_day])
def test_a_failed_signature_is_refused_while_a_fetch_is_due(
    before: Callable[[Bench], None],
) -> None:
    """DUE: it has waited for the fetch already, so it is 401; no second wait."""
    bench = Bench()
    before(bench)
    assert bench.look_up("a", tried_index=bench.index) == refused(start_fetch=True)
    bench.start()
    assert bench.look_up("a", tried_index=bench.index) == refused()


def test_a_failed_signature_is_the_tokens_fault_while_keys_are_stale() -> None:
    """STALE: a signature that fails under a known key is 401, not 503."""
    bench = Bench()
    stale(bench)
    assert bench.look_up("a", tried_index=bench.index) == refused()
    assert bench.after(2).look_up("a", tried_index=bench.index) == refused(start_fetch=True)


# Other events


def test_the_last_error_is_kept_until_a_fetch_succeeds() -> None:
    """``health()``: the last error, from a failure to the next success."""
    bench = Bench()
    assert bench.policy.last_error is None
    assert bench.fail().policy.last_error == "no"
    bench.confirm("a")
    assert bench.policy.last_error is None


def test_a_set_is_kept_with_what_the_next_request_needs() -> None:
    """RFC 9110 section 13.1: from where it is, and the headers that ask whether it still holds."""
    bench = Bench()
    bench.confirm("a")
    snapshot = bench.policy.snapshot
    assert snapshot is not None
    assert (snapshot.url, snapshot.conditional_headers) == ("https://x", CONDITIONAL_HEADERS)


def test_a_good_fetch_ends_every_trouble() -> None:
    """Recovery: the first good fetch after an outage makes the set fresh."""
    for trouble in (empty_failed, stale, overdue, outage):
        bench = Bench()
        trouble(bench)
        bench.confirm("a")
        assert bench.state is KeySetState.FRESH
        assert bench.look_up() == found()
        assert bench.policy.last_error is None


def test_a_backup_is_stale_for_the_rest_of_its_allowance() -> None:
    """JWKS_BACKUP: the set is STALE, with the age that it has."""
    bench = Bench().start()
    bench.policy.restore_backup(bench.now, LoadedKeySet(index("a"), "https://x", age=3000))
    bench.policy.fail_fetch(bench.now, "no")
    assert bench.state is KeySetState.STALE
    assert bench.look_up() == found(stale=True)
    bench.after(601)
    assert bench.state is KeySetState.OUTAGE


def test_a_backup_is_never_fresh() -> None:
    """JWKS_BACKUP: not even a young one; the next fetch starts as soon as the backoff allows."""
    bench = Bench().start()
    bench.policy.restore_backup(bench.now, LoadedKeySet(index("a"), "https://y"))
    bench.policy.fail_fetch(bench.now, "no")
    assert bench.look_up() == found(stale=True)
    assert bench.after(0.5).look_up() == found(start_fetch=True, stale=True)
    assert bench.policy.snapshot is not None
    assert bench.policy.snapshot.url == "https://y"


def test_a_child_process_starts_without_the_parents_fetch() -> None:
    """Fork: the set is inherited, a fetch under way is not, and refreshing spreads anew."""
    bench = Bench()
    refresh_under_way(bench)
    bench.policy.reset_after_fork()
    assert bench.look_up() == found(start_fetch=True)
    bench.confirm("a")
    bench.jitter = 1.0
    bench.policy.reset_after_fork()
    assert bench.after(300 * 0.7 - 0.1).look_up() == found()
    assert bench.after(0.2).look_up() == found(start_fetch=True)
    empty = Bench().start()
    empty.policy.reset_after_fork()
    assert empty.look_up() == waits(RULES.wait, start_fetch=True)


def test_stale_keys_can_be_forbidden() -> None:
    """JWKS_MAX_STALE of 0: once fetches fail, a set is not used beyond its lifetime."""
    bench = Bench(RemoteRules(max_stale=0))
    due(bench)
    bench.fail()
    assert bench.state is KeySetState.OUTAGE


def test_a_lease_ends_with_the_refresh_or_the_set() -> None:
    """Decision 0014: until a token would start a refresh, and no longer than the set is used."""
    bench = Bench(jitter=0.5)
    policy, leases = bench.policy, [bench.policy.lease]
    bench.confirm("a", lifetime=200)
    leases.append(policy.lease)
    # After three quarters of its life.
    assert [each.until for each in leases] == [-inf, 1150]
    bench.after(10).confirm("b", lifetime=200)
    leases.append(policy.lease)
    assert [each.until for each in leases] == [-inf, -inf, 1160]
    bench.jitter = 0.0
    policy.reset_after_fork()
    leases.append(policy.lease)
    assert [each.until for each in leases] == [-inf, -inf, -inf, 1170]
    bench.fail()
    assert policy.lease.until == 1170
    policy.restore_backup(bench.now, LoadedKeySet(index("a"), "https://x"))
    assert [each.until for each in (*leases, policy.lease)] == [-inf] * 5


def test_a_source_with_another_clock_gives_no_lease() -> None:
    """The time of a lease is compared with the clock of the system."""
    world = World("a")
    simulated, real = world.source(), world.source(clock=steady_time)
    for source in (simulated, real):
        assert source.candidates("a", "ES256")
    assert simulated.lease.until == -inf
    assert real.lease.until > steady_time()
