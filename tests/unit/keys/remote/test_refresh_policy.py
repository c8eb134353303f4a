"""When a key set is asked for, and what its keys may be used for meanwhile: states and events."""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey

from flask_connector_auth.keys import (
    DOUBT_WAIT,
    EMPTY_WAIT,
    MAX_PAUSE_WITHOUT_KEYS,
    KeyIndex,
    KeyLookup,
    KeyRules,
    KeySetState,
    LookupDecision,
    RefreshPolicy,
    RemoteRules,
    import_key,
)

RULES = RemoteRules()
KEYS = {
    kid: import_key(
        {**ECKey.generate_key("P-256").as_dict(private=False), "kid": kid}, KeyRules(["ES256"])
    )
    for kid in ("a", "b", "c")
}
VALIDATORS = {"If-None-Match": '"1"'}


def index(*kids: str) -> KeyIndex:
    """Return a set of keys with these ids."""
    return KeyIndex(KEYS[kid] for kid in kids)


class Bench:
    """A machine with a clock of its own, and the events in one word each."""

    def __init__(self, rules: RemoteRules = RULES, jitter: float = 0.0) -> None:
        self.now = 1000.0
        self.jitter = jitter
        self.machine = RefreshPolicy(rules, lambda: self.jitter)

    def after(self, seconds: float) -> "Bench":
        """Let time pass."""
        self.now += seconds
        return self

    def start(self, *, unknown: bool = False) -> "Bench":
        """A fetch starts."""
        self.machine.started(self.now, unknown=unknown)
        return self

    def confirm(self, *kids: str, life: float | None = None) -> bool:
        """A fetch starts and brings these keys at once."""
        self.start()
        return self.land(*kids, life=life)

    def land(self, *kids: str, life: float | None = None) -> bool:
        """The fetch under way brings these keys."""
        return self.machine.confirmed(self.now, index(*kids), life, "https://x", VALIDATORS)

    def fail(self, retry_after: float | None = None) -> "Bench":
        """A fetch starts and fails at once."""
        self.start()
        self.machine.failed(self.now, "no", retry_after)
        return self

    def ask(self, kid: str | None = "a", since: float | None = None, **more: Any) -> LookupDecision:
        """A token asks."""
        since = self.now if since is None else since
        return self.machine.lookup(KeyLookup(kid, "ES256", since, **more), self.now)

    @property
    def pause(self) -> float:
        """Seconds until the issuer may be asked again."""
        return self.machine.next_attempt(self.now) - self.now

    @property
    def index(self) -> KeyIndex:
        """The keys at hand."""
        assert self.machine.snapshot
        return self.machine.snapshot.index

    @property
    def state(self) -> KeySetState:
        """The state now."""
        return self.machine.state(self.now)


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


def ahead(bench: Bench) -> None:
    """The set is fresh, and past the point of refreshing ahead."""
    bench.confirm("a")
    bench.after(250)


def ahead_under_way(bench: Bench) -> None:
    """The refresh ahead is under way."""
    ahead(bench)
    bench.start().after(1)


def fresh_failed(bench: Bench) -> None:
    """The set is fresh, the fetch for an unknown key has failed, and the cooldown is over."""
    fresh(bench)
    bench.start(unknown=True).machine.failed(bench.now, "no")
    bench.after(RULES.cooldown)


def fresh_overdue(bench: Bench) -> None:
    """The set is fresh, and the fetch for an unknown key hangs where nothing can stop it."""
    fresh(bench)
    bench.start(unknown=True).after(2 * RULES.timeout + 1)


def due(bench: Bench) -> None:
    """The set is past its life, and nobody has asked."""
    bench.confirm("a")
    bench.after(301)


def due_for_a_day(bench: Bench) -> None:
    """The set was not asked for in a day without traffic."""
    bench.confirm("a")
    bench.after(86400)


def stale(bench: Bench) -> None:
    """The set is past its life, and the issuer fails."""
    bench.confirm("a")
    bench.after(301).fail().after(0.4)


def stale_retry(bench: Bench) -> None:
    """Stale, and the backoff is over."""
    stale(bench)
    bench.after(2)


def overdue(bench: Bench) -> None:
    """The fetch hangs, in DNS say, where nothing can stop it."""
    due(bench)
    bench.start().after(2 * RULES.timeout + 1)


def outage(bench: Bench) -> None:
    """The allowance for stale keys is over."""
    bench.confirm("a")
    bench.after(301).fail().after(3600)


def known(refresh: bool = False, note: str = "") -> LookupDecision:
    """The known key serves."""
    return LookupDecision([KEYS["a"]], refresh=refresh, note=note)


def nobody(refresh: bool = False) -> LookupDecision:
    """503."""
    return LookupDecision(refresh=refresh, note="unavailable")


def nobody_yet() -> LookupDecision:
    """503, and the issuer is asked for the key."""
    return LookupDecision(refresh=True, unknown=True, note="unavailable")


TABLE: list[tuple[Callable[[Bench], None], KeySetState, LookupDecision, LookupDecision]] = [
    # what happened, the state, a known key, an unknown key
    (empty, KeySetState.EMPTY, *[LookupDecision(wait=EMPTY_WAIT, refresh=True)] * 2),
    (empty_under_way, KeySetState.EMPTY, *[LookupDecision(wait=EMPTY_WAIT)] * 2),
    (empty_failed, KeySetState.EMPTY, *[nobody()] * 2),
    (empty_retry, KeySetState.EMPTY, *[nobody(refresh=True)] * 2),
    (fresh, KeySetState.FRESH, known(), LookupDecision(wait=2, refresh=True, unknown=True)),
    (
        ahead,
        KeySetState.FRESH,
        known(refresh=True),
        LookupDecision(wait=2, refresh=True, unknown=True),
    ),
    (ahead_under_way, KeySetState.FRESH, known(), LookupDecision(wait=2, unknown=True)),
    (fresh_failed, KeySetState.FRESH, known(), nobody_yet()),
    (fresh_overdue, KeySetState.FRESH, known(), nobody()),
    (due, KeySetState.DUE, *[LookupDecision(wait=2, refresh=True)] * 2),
    (due_for_a_day, KeySetState.DUE, *[LookupDecision(wait=2, refresh=True)] * 2),
    (stale, KeySetState.STALE, known(note="stale_served"), nobody()),
    (stale_retry, KeySetState.STALE, known(True, "stale_served"), nobody(refresh=True)),
    (overdue, KeySetState.STALE, known(note="stale_served"), nobody()),
    (outage, KeySetState.OUTAGE, *[nobody(refresh=True)] * 2),
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
    """The table of states: serve, wait, refuse, or 503, and whether a fetch is started."""
    bench = Bench()
    happened(bench)
    assert bench.state is state
    assert bench.ask("a") == for_known
    assert bench.ask("b") == for_unknown


def test_a_hanging_first_fetch_is_not_waited_for_for_ever() -> None:
    """EMPTY: once a fetch is overdue, requests get 503 at once."""
    bench = Bench().start().after(2 * RULES.timeout + 1)
    assert bench.ask() == nobody()


def test_who_waited_in_vain_gets_what_there_is() -> None:
    """DUE after the wait: a known key serves as if stale, an unknown one is 503; EMPTY is 503."""
    bench = Bench()
    due(bench)
    bench.start().after(2)
    assert bench.ask("a", patient=False) == known(note="stale_served")
    assert bench.ask("b", patient=False) == nobody()
    assert Bench().start().after(5).ask(patient=False) == nobody()


def test_a_fetch_is_overdue_after_two_timeouts() -> None:
    """Loader.load: it may take as long as that, and no longer."""
    bench = Bench()
    due(bench)
    assert bench.start().after(2 * RULES.timeout).state is KeySetState.DUE
    assert bench.after(0.1).state is KeySetState.STALE


def test_the_allowance_for_stale_keys_has_an_end() -> None:
    """JWKS_MAX_STALE: up to that age they serve, while a fetch is slow and after it has failed."""
    bench = Bench()
    bench.confirm("a")
    bench.after(3600).start()
    assert bench.ask(patient=False) == known(note="stale_served")
    bench.machine.failed(bench.now, "no")
    assert bench.state is KeySetState.STALE
    assert bench.after(0.1).state is KeySetState.OUTAGE


def test_a_clock_may_begin_at_zero() -> None:
    """No time is special: a monotonic clock may start with the machine."""
    bench = Bench()
    bench.now = 0.0
    assert bench.ask() == LookupDecision(wait=EMPTY_WAIT, refresh=True)
    bench.start(unknown=True)
    bench.land("a")
    assert bench.ask("b", since=0).note == "unknown_refreshed"
    bench.after(0.25).confirm("a")
    assert bench.after(10).ask("c").unknown


def test_keys_that_are_too_old_do_not_serve_because_a_fetch_is_slow() -> None:
    """DUE for longer than the allowance: nobody can know, until the fetch has landed."""
    bench = Bench()
    due_for_a_day(bench)
    bench.start().after(2)
    assert bench.ask("a", patient=False) == nobody()


@pytest.mark.parametrize(
    ("said", "life"),
    [(None, 300), (0, 30), (29, 30), (30, 30), (120, 120), (300, 300), (86400, 300)],
)
def test_the_issuer_may_shorten_the_life_of_a_set(said: float | None, life: float) -> None:
    """JWKS_MIN_AGE and JWKS_MAX_AGE: Cache-Control decides between them, never beyond."""
    bench = Bench()
    bench.confirm("a", life=said)
    bench.after(life)
    assert bench.state is KeySetState.FRESH
    bench.after(0.1)
    assert bench.state is KeySetState.DUE


@pytest.mark.parametrize(("jitter", "ahead"), [(0.0, 0.8), (0.5, 0.75), (1.0, 0.7)])
def test_workers_refresh_ahead_at_different_times(jitter: float, ahead: float) -> None:
    """The point of refreshing ahead is drawn between 0.7 and 0.8 of the life."""
    bench = Bench(jitter=jitter)
    bench.confirm("a")
    assert bench.after(300 * ahead - 0.1).ask() == known()
    assert bench.after(0.2).ask() == known(refresh=True)


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
    """JWKS_RETRY: doubled, of which half is drawn. JWKS_RETRY_MAX while stale keys serve; 5 seconds
    while no token can be verified; JWKS_COOLDOWN while keys are fresh."""
    bench = Bench(jitter=jitter)
    before(bench)
    share = 0.5 + 0.5 * jitter
    for pause in pauses:
        bench.fail()
        assert bench.pause == pytest.approx(pause * share)
        assert bench.machine.retry_after(bench.now) == pytest.approx(max(1, pause * share))
    bench.confirm("a")
    assert bench.machine.failures == 0
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
    """STALE to OUTAGE: from then on attempts are 5 seconds apart, and clients are told so."""
    bench = Bench(jitter=1.0)
    bench.confirm("a")
    bench.after(3590)
    for _ in range(9):
        bench.fail()
    assert bench.after(10).state is KeySetState.STALE
    assert (bench.pause, bench.machine.retry_after(bench.now)) == (50, 50)
    assert bench.ask() == known(note="stale_served")
    assert bench.after(0.1).state is KeySetState.OUTAGE
    assert bench.machine.retry_after(bench.now) == 1
    assert bench.ask() == nobody(refresh=True)
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
    assert bench.machine.retry_after(bench.now) == max(1, waited)
    bench.fail()
    assert bench.pause == 1


# An unknown key, while the set is fresh


def test_an_unknown_key_that_is_published_passes_at_once() -> None:
    """Rotation: the first token under a new kid costs a fetch, and passes."""
    bench = Bench()
    fresh(bench)
    since = bench.now
    assert bench.ask("b").unknown
    bench.start(unknown=True).after(0.3)
    assert bench.land("a", "b")
    assert bench.ask("b", since=since) == LookupDecision([KEYS["b"]])


def test_an_unknown_key_is_refused_once_the_issuer_was_asked() -> None:
    """The set that was asked for after the token came does not have it: 401."""
    bench = Bench()
    fresh(bench)
    since = bench.now
    bench.start(unknown=True).after(0.3)
    assert not bench.land("a")
    assert bench.ask("b", since=since) == LookupDecision([], note="unknown_refreshed")


def test_an_unknown_key_is_503_if_its_own_fetch_failed() -> None:
    """Nobody can know; the client is told when the key may be asked for again."""
    bench = Bench()
    fresh(bench)
    since = bench.now
    bench.start(unknown=True)
    assert bench.after(0.3).machine.retry_after(bench.now) == 1  # it may land at any time
    bench.machine.failed(bench.now, "no")
    assert bench.ask("b", since=since) == nobody()
    assert bench.after(5.7).ask("b") == nobody()
    assert bench.machine.retry_after(bench.now) == pytest.approx(4)
    assert bench.after(4).ask("b") == nobody_yet()


def test_a_fetch_from_before_the_token_does_not_answer_for_it() -> None:
    """A key published while a routine fetch was under way passes on its first token, too."""
    bench = Bench()
    ahead_under_way(bench)
    since = bench.now
    bench.after(0.1).land("a")
    assert bench.ask("b", since=since) == LookupDecision(wait=2, refresh=True, unknown=True)


def test_an_answer_to_no_fetch_answers_for_no_token() -> None:
    """A set counts for a token only where it was asked for after the token came."""
    bench = Bench()
    fresh(bench)
    bench.land("a")
    assert bench.ask("b").unknown


def test_unknown_keys_share_one_fetch_a_cooldown() -> None:
    """JWKS_COOLDOWN: counted from the start of the attempt, whatever became of it."""
    bench = Bench()
    fresh(bench)
    bench.start(unknown=True)
    bench.land("a")
    assert bench.after(9).ask("b") == LookupDecision([], note="unknown_cooldown")
    assert bench.after(1).ask("b").unknown
    bench.start(unknown=True)
    bench.machine.failed(bench.now, "no")
    assert bench.after(9).ask("c") == nobody()  # asked, but not answered: nobody can know
    assert bench.ask("a") == known()


def test_a_routine_fetch_does_not_use_up_the_cooldown() -> None:
    """A key that appears just after a routine refresh passes on its first token."""
    bench = Bench()
    bench.confirm("a")
    assert bench.after(1).ask("b").unknown


def test_an_unknown_key_is_503_while_the_backoff_forbids_to_ask() -> None:
    """FRESH, but the refresh ahead has failed: the new key may be there, for all we know."""
    bench = Bench()
    ahead(bench)
    bench.fail().after(0.1)
    assert bench.ask("b") == nobody()
    assert bench.ask("a") == known()


def test_who_cannot_wait_any_longer_gets_503() -> None:
    """JWKS_WAIT: a slow fetch is our fault, not the token's."""
    bench = Bench()
    ahead_under_way(bench)
    assert bench.ask("b", patient=False) == nobody()


def test_a_kid_that_was_asked_for_in_vain_is_asked_for_again() -> None:
    """JWKS_COOLDOWN alone decides: whatever was sent before, no key is refused for longer."""
    bench = Bench()
    bench.confirm("a")
    bench.after(1)
    for _ in range(20):
        since = bench.now
        assert bench.ask("b").unknown
        bench.start(unknown=True)
        bench.land("a")
        assert bench.ask("b", since) == LookupDecision([], note="unknown_refreshed")
        assert bench.after(9.9).ask("b") == LookupDecision([], note="unknown_cooldown")
        bench.after(0.1)
    assert bench.ask("b").unknown
    bench.start(unknown=True)
    bench.land("a", "b")
    assert bench.ask("b") == LookupDecision([KEYS["b"]])


# Who waits


def test_only_so_many_tokens_wait_for_one_fetch() -> None:
    """JWKS_MAX_WAITING: tokens of unknown keys, of which others get 503 at once."""
    bench = Bench(RemoteRules(max_waiting=3))
    fresh(bench)
    for kids in (("a",), ("a",), ("a", "b")):
        assert bench.ask("b") == LookupDecision(wait=2, refresh=True, unknown=True)
        bench.start(unknown=True)
        assert [bench.ask(kid) for kid in "bc"] == [LookupDecision(wait=2, unknown=True)] * 2
        assert [bench.ask(kid) for kid in "bc"] == [nobody()] * 2
        assert bench.ask("a") == known()
        bench.after(1).land(*kids)
        bench.after(RULES.cooldown)
    assert bench.ask("b") == LookupDecision([KEYS["b"]])


def test_the_places_to_wait_are_those_of_one_fetch() -> None:
    """JWKS_MAX_WAITING: after a fetch, good or failed, and in a child process, all are free."""
    bench = Bench(RemoteRules(max_waiting=1))
    fresh(bench)
    wait = LookupDecision(wait=2, refresh=True, unknown=True)
    assert bench.ask("b") == wait
    bench.machine.reset_after_fork()
    assert bench.ask("b") == wait
    bench.start(unknown=True).machine.failed(bench.now, "no")
    bench.confirm("a")
    assert bench.after(RULES.cooldown).ask("b") == wait


def test_where_every_token_needs_the_answer_all_of_them_wait() -> None:
    """EMPTY and DUE: for that one fetch, of a healthy issuer a moment."""
    for before, wait in ((empty, EMPTY_WAIT), (due, RULES.wait)):
        bench = Bench(RemoteRules(max_waiting=1))
        before(bench)
        assert bench.ask() == LookupDecision(wait=wait, refresh=True)
        bench.start()
        assert [bench.ask(), bench.ask("b")] == [LookupDecision(wait=wait)] * 2


# The same kid with new key material


#: What the token does that makes the worker ask.
ASKS = LookupDecision(wait=DOUBT_WAIT, refresh=True, unknown=True)


def test_a_failed_signature_is_reason_to_ask_once_the_set_is_older_than_the_cooldown() -> None:
    """Issuers do put new material under an old kid: asked for as an unknown key would be."""
    bench = Bench()
    bench.confirm("a")
    distrusted = bench.index
    assert bench.after(10).ask("a", distrusted=distrusted) == LookupDecision([])
    bench.after(1)
    since = bench.now
    assert bench.ask("a", distrusted=distrusted) == ASKS
    bench.start(unknown=True)
    bench.land("a")
    # The same keys are the same index, however often they are confirmed.
    assert bench.ask("a", since, distrusted=distrusted) == LookupDecision([])
    assert bench.after(11).ask("a", distrusted=distrusted) == ASKS
    bench.start(unknown=True)
    bench.land("a", "b")
    assert bench.ask("a", since, distrusted=distrusted) == known()


def test_one_failed_signature_waits_and_the_others_are_refused() -> None:
    """FRESH: of the tokens whose signature fails, one waits for a fetch, and not for long; the
    others, and that one when it has waited, are 401."""
    bench = Bench()
    fresh(bench)
    bad = {"distrusted": bench.index}
    assert bench.ask("a", **bad) == ASKS
    bench.start(unknown=True)
    assert [bench.ask("a", **bad) for _ in range(9)] == [LookupDecision([])] * 9
    assert bench.ask("a", patient=False, **bad) == LookupDecision([])
    assert bench.ask("a") == known()


def test_a_failed_signature_joins_a_fetch_that_nobody_waits_for() -> None:
    """FRESH: the refresh ahead, which the very same token has started; one for each fetch."""
    bench = Bench()
    ahead_under_way(bench)
    bad = {"distrusted": bench.index}
    assert bench.ask("a", **bad) == LookupDecision(wait=DOUBT_WAIT)
    assert bench.ask("a", **bad) == LookupDecision([])
    bench.land("a")
    assert bench.ask("a", since=0, **bad) == LookupDecision([])
    ahead_under_way(bench)
    bench.ask("b")
    assert bench.ask("a", **bad) == LookupDecision([])


def test_a_failed_signature_takes_a_place_of_those_to_wait() -> None:
    """JWKS_MAX_WAITING: for one fetch, of bad signatures and unknown keys together."""
    bench = Bench(RemoteRules(max_waiting=3))
    fresh(bench)
    assert bench.ask("a", distrusted=bench.index) == ASKS
    bench.start(unknown=True)
    assert [bench.ask(kid) for kid in "bc"] == [LookupDecision(wait=2, unknown=True)] * 2
    assert bench.ask("b") == nobody()


def test_a_failed_signature_waits_no_longer_than_other_tokens() -> None:
    """JWKS_WAIT below the half second that a failed signature is worth."""
    bench = Bench(RemoteRules(wait=0.1))
    fresh(bench)
    assert bench.ask("a", distrusted=bench.index).wait == 0.1


@pytest.mark.parametrize("before", [fresh_failed, fresh_overdue])
def test_a_failed_signature_waits_for_no_issuer_that_fails(
    before: Callable[[Bench], None],
) -> None:
    """FRESH: 401 at once; where there may be one, a fetch is started all the same."""
    bench = Bench()
    before(bench)
    asks = before is fresh_failed
    bad = bench.ask("a", distrusted=bench.index)
    assert bad == LookupDecision([], refresh=asks, unknown=asks)


def test_failed_signatures_and_unknown_keys_share_one_cooldown() -> None:
    """JWKS_COOLDOWN: what one of them has asked for, the other does not ask for again."""
    bench = Bench()
    fresh(bench)
    bench.start(unknown=True).machine.failed(bench.now, "no")
    bench.after(9)
    assert bench.pause < 0
    assert bench.ask("b") == nobody()
    assert bench.ask("a", distrusted=bench.index) == LookupDecision([])
    bad = bench.after(1).ask("a", distrusted=bench.index)
    assert bad == LookupDecision([], refresh=True, unknown=True)
    assert bench.ask("b") == nobody_yet()


def test_a_failed_signature_does_not_ask_twice() -> None:
    """FRESH: a set that was asked for since it came is the answer, however late it is woken."""
    bench = Bench(RemoteRules(cooldown=0.1))
    fresh(bench)
    since = bench.now
    bench.start(unknown=True)
    bench.land("a")
    assert bench.after(1).ask("a", since, distrusted=bench.index) == LookupDecision([])
    assert bench.ask("a", distrusted=bench.index) == ASKS


@pytest.mark.parametrize("before", [due, due_for_a_day])
def test_a_failed_signature_is_refused_while_a_fetch_is_due(
    before: Callable[[Bench], None],
) -> None:
    """DUE: it has waited for the fetch already, so it is 401; no second wait."""
    bench = Bench()
    before(bench)
    assert bench.ask("a", distrusted=bench.index) == LookupDecision([], refresh=True)
    bench.start()
    assert bench.ask("a", distrusted=bench.index) == LookupDecision([])


def test_a_failed_signature_is_the_tokens_fault_while_keys_are_stale() -> None:
    """STALE: a signature that fails under a known key is 401, not 503."""
    bench = Bench()
    stale(bench)
    assert bench.ask("a", distrusted=bench.index) == LookupDecision([])
    assert bench.after(2).ask("a", distrusted=bench.index) == LookupDecision([], refresh=True)


# Other events


def test_what_went_wrong_last_is_told() -> None:
    """``health()``: the last error, from a failure to the next success."""
    bench = Bench()
    assert bench.machine.last_error is None
    assert bench.fail().machine.last_error == "no"
    bench.confirm("a")
    assert bench.machine.last_error is None


def test_a_set_is_kept_with_what_the_next_request_needs() -> None:
    """RFC 9110 section 13.1: from where it is, and the headers that ask whether it still holds."""
    bench = Bench()
    bench.confirm("a")
    snapshot = bench.machine.snapshot
    assert snapshot is not None
    assert (snapshot.source, snapshot.validators) == ("https://x", VALIDATORS)


def test_a_good_fetch_ends_every_trouble() -> None:
    """Recovery: the first good fetch after an outage makes the set fresh."""
    for trouble in (empty_failed, stale, overdue, outage):
        bench = Bench()
        trouble(bench)
        bench.confirm("a")
        assert bench.state is KeySetState.FRESH
        assert bench.ask() == known()
        assert bench.machine.last_error is None


def test_a_copy_serves_as_stale_for_what_is_left_of_its_allowance() -> None:
    """JWKS_BACKUP: it enters as STALE, with the age it has."""
    bench = Bench().start()
    bench.machine.restored(bench.now, index("a"), 3000, "https://x")
    bench.machine.failed(bench.now, "no")
    assert bench.state is KeySetState.STALE
    assert bench.ask() == known(note="stale_served")
    bench.after(601)
    assert bench.state is KeySetState.OUTAGE


def test_a_copy_is_never_fresh() -> None:
    """JWKS_BACKUP: not even a young one, and the issuer is asked as soon as the backoff allows."""
    bench = Bench().start()
    bench.machine.restored(bench.now, index("a"), 0, "https://y")
    bench.machine.failed(bench.now, "no")
    assert bench.ask() == known(note="stale_served")
    assert bench.after(0.5).ask() == known(True, "stale_served")
    assert bench.machine.snapshot is not None
    assert bench.machine.snapshot.source == "https://y"


def test_a_child_process_starts_without_the_parents_fetch() -> None:
    """Fork: the set is inherited, a fetch under way is not, and refreshing spreads anew."""
    bench = Bench()
    ahead_under_way(bench)
    bench.machine.reset_after_fork()
    assert bench.ask() == known(refresh=True)
    bench.confirm("a")
    bench.jitter = 1.0
    bench.machine.reset_after_fork()
    assert bench.after(300 * 0.7 - 0.1).ask() == known()
    assert bench.after(0.2).ask() == known(refresh=True)
    empty = Bench().start()
    empty.machine.reset_after_fork()
    assert empty.ask() == LookupDecision(wait=EMPTY_WAIT, refresh=True)


def test_stale_keys_can_be_forbidden() -> None:
    """JWKS_MAX_STALE of 0: past its life, and the issuer failing, a set serves no more."""
    bench = Bench(RemoteRules(max_stale=0))
    due(bench)
    bench.fail()
    assert bench.state is KeySetState.OUTAGE
