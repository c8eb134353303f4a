"""The cache of verified tokens: what it saves, and that nothing passes by way of it that should
not."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from joserfc.jwk import ECKey

from flask_connector_auth import KeySource, VerificationKey, require_app_jwt, require_consumer_jws
from flask_connector_auth.core import (
    AppJWT,
    EnvelopeSchema,
    Reason,
    Rejected,
    Unavailable,
    reset_all_after_fork,
)
from flask_connector_auth.keys import KeyRules, StaticKeys, parse_keys
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import (
    APP_JWT,
    CONSUMER_JWS,
    CachedToken,
    TokenCache,
    Verifier,
    VerifierRules,
)
from tests.support.floor_helpers import authenticate, examples
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

KEYS = [ECKey.generate_key("P-256") for _ in range(3)]


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


class Rotating(KeySource):
    """Keys that tests replace."""

    def __init__(self, *issuers: Issuer) -> None:
        self.down = False
        self.publish(*issuers)

    def publish(self, *issuers: Issuer) -> None:
        """Trust these issuers' keys and no others."""
        sets = [issuer.key_set() for issuer in issuers]
        self.keys = StaticKeys(parse_keys(sets, KeyRules(["ES256"]))[0])

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Ask the keys of just now."""
        if self.down:
            raise Unavailable(Reason.KEYS_UNAVAILABLE)
        return self.keys.candidates(kid, algorithm)


def issuer(number: int, clock: Clock) -> Issuer:
    """Return an issuer with one of the keys."""
    return Issuer(KEYS[number], kid=f"key-{number}", algorithm="ES256", clock=clock)


def verifier(
    source: KeySource, *, size: int = 100, max_age: float = 300, profile: Any = APP_JWT
) -> Verifier[Any]:
    """Return a verifier with a cache."""
    rules = VerifierRules(("ES256",), "Sentinel", 30, None, 16384, 2048, size, max_age)
    return Verifier(profile, rules, source)


def ask(verifying: Verifier[Any], text: str, now: float) -> tuple[bool, Any]:
    """Ask as a request does; return whether the cache knew, and the token or the reason."""
    hits = verifying.cache.hits
    try:
        token = authenticate(verifying, text, now)
    except Rejected as rejected:
        return False, rejected.reason
    return verifying.cache.hits > hits, token


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.mark.parametrize("profile", [APP_JWT, CONSUMER_JWS], ids=lambda profile: profile.name)
def test_a_token_is_verified_once(profile: Any, clock: Clock) -> None:
    """The second time, the same value is found by the hash of the text."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer), profile=profile)
    text = signer.app_jwt() if profile is APP_JWT else signer.consumer_jws()
    known, first = ask(verifying, text, clock.now)
    assert not known
    assert ask(verifying, text, clock.now) == (True, first)
    assert verifying.cache.health() == {"size": 100, "entries": 1, "hits": 1, "misses": 1}


@pytest.mark.parametrize(
    ("claims", "after", "known", "reason"),
    [
        ({}, 299, True, None),
        ({}, 300, False, None),  # its own age is over: verified anew
        ({"exp": 1_000_100}, 129, True, None),
        ({"exp": 1_000_100}, 130, False, Reason.EXPIRED),
        ({"iat": 1_000_030}, 0, True, None),
        ({"iat": 1_000_030}, -1, False, Reason.NOT_YET_VALID),  # the clock was set back
        ({"nbf": 1_000_010}, -19, True, None),
        ({"nbf": 1_000_010}, -21, False, Reason.NOT_YET_VALID),
    ],
)
def test_time_is_checked_on_every_hit(
    claims: dict[str, int], after: float, known: bool, reason: Reason | None, clock: Clock
) -> None:
    """exp, iat and nbf within the leeway, and the entry's own age, each time."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer))
    text = signer.app_jwt(**{"iat": 999_000, "exp": 1_003_600, **claims})
    assert not ask(verifying, text, clock.now)[0]
    hit, answer = ask(verifying, text, clock.now + after)
    assert hit is known
    assert answer is reason if reason else isinstance(answer, AppJWT)


def test_a_withdrawn_key_takes_its_tokens_with_it(clock: Clock) -> None:
    """The entry is bound to the key that verified it: out at once, and back with the key."""
    old, new = issuer(0, clock), issuer(1, clock)
    source = Rotating(old, new)
    verifying = verifier(source)
    text, other = old.app_jwt(), new.app_jwt()
    for token in (text, other):
        assert not ask(verifying, token, clock.now)[0]
    source.publish(new)
    assert ask(verifying, text, clock.now) == (False, Reason.UNKNOWN_KEY)
    assert ask(verifying, other, clock.now)[0]
    source.publish(Issuer(KEYS[2], kid="key-0", algorithm="ES256"), new)
    assert ask(verifying, text, clock.now) == (False, Reason.BAD_SIGNATURE)
    source.publish(old)
    assert ask(verifying, text, clock.now)[0]


def test_an_outage_of_the_keys_is_no_hit(clock: Clock) -> None:
    """Where it is unknown whether the key is still in force, the cache does not know either."""
    signer = issuer(0, clock)
    source = Rotating(signer)
    verifying = verifier(source)
    text = signer.app_jwt()
    ask(verifying, text, clock.now)
    source.down = True
    with pytest.raises(Unavailable):
        authenticate(verifying, text, clock.now)


def test_bad_tokens_never_enter(clock: Clock) -> None:
    """Neither forged nor expired nor malformed ones leave anything behind."""
    signer, stranger = issuer(0, clock), issuer(1, clock)
    verifying = verifier(Rotating(signer))
    bad = [
        *(f"{signer.app_jwt()}{more}" for more in (".", "=", "A", "é")),
        *(stranger.app_jwt(azp=f"app-{number}") for number in range(50)),
        *(signer.app_jwt(exp=1, azp=f"app-{number}") for number in range(50)),
        signer.consumer_jws(),
        "x" * 20_000,
    ]
    for text in bad:
        assert isinstance(ask(verifying, text, clock.now)[1], Reason)
        assert not ask(verifying, text, clock.now)[0]
    assert verifying.cache.health()["entries"] == 0
    assert verifying.accepted_headers == {}


def test_a_flood_of_good_tokens_keeps_a_hot_set_hot(clock: Clock) -> None:
    """Second chance: tokens that come once do not push out those that come again."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer), size=64)
    hot = [signer.app_jwt(azp=f"hot-{number}") for number in range(16)]
    for text in hot * 2:
        ask(verifying, text, clock.now)
    for number in range(600):
        ask(verifying, signer.app_jwt(azp=f"once-{number}"), clock.now)
        assert ask(verifying, hot[number % 16], clock.now)[0]
    assert verifying.cache.health()["entries"] == 64


def test_an_eviction_is_short_even_if_all_entries_are_in_use() -> None:
    """At most sixteen entries get another chance; then the next one goes."""
    cache: TokenCache[int] = TokenCache(100)
    (key,) = parse_keys(Issuer(KEYS[0], kid="k", algorithm="ES256").key_set(), KeyRules(["ES256"]))[
        0
    ]
    owner: Any = None
    entries = [CachedToken(number, owner, "k", "ES256", key, 0, 1) for number in range(101)]
    for number, entry in enumerate(entries[:100]):
        cache.put(number, entry)
        entry.used = True
    cache.put(100, entries[100])
    assert sum(not entry.used for entry in entries) == 17
    assert cache.get(16) is None
    assert cache.health()["entries"] == 100


def test_what_came_first_and_was_not_used_goes() -> None:
    """Whatever the size: the oldest one that is not in use makes room; each one is counted."""
    owner: Any = None
    for size in (1, 2, 3, 5):
        cache: TokenCache[int] = TokenCache(size)
        for number in range(size + 3):
            cache.put(number, CachedToken(number, owner, None, "", None, 0, 1))
        kept = [number for number in range(size + 3) if cache.get(number)]
        assert kept == [*range(3, size + 3)]
        assert cache.health() == {"size": size, "entries": size, "hits": 0, "misses": size + 3}


@pytest.mark.parametrize("off", [{"CACHE_SIZE": 0}, {"CACHE_MAX_AGE": 0}])
def test_the_cache_can_be_switched_off(off: dict[str, int], make_app: MakeApp) -> None:
    """CACHE_SIZE or CACHE_MAX_AGE of 0: each token is verified each time."""
    count = Counted()
    app = protected(make_app(APP_JWT_KEYS=count, APP_JWT_ALGORITHMS=["ES256"], **off))
    sent = headers(count.signer.app_jwt(), count.signer.consumer_jws())
    for _ in range(3):
        assert app.test_client().get("/x", headers=sent).status_code == 200
    assert count.verifications == 6


# What a request costs, counted


class Counted(KeySource):
    """One key that counts what it verifies."""

    def __init__(self) -> None:
        self.signer = Issuer(KEYS[0], kid="key-0", algorithm="ES256")
        self.verifications = 0
        self.asked = 0
        ((key,), _) = parse_keys(self.signer.key_set(), KeyRules(["ES256"]))

        def verify(message: bytes, signature: bytes, material: Any) -> bool:
            self.verifications += 1
            return key.algorithms["ES256"](message, signature, material)

        self.key = VerificationKey(key.kid, key.thumbprint, {"ES256": verify}, key.key)

    def candidates(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """Return the one key."""
        self.asked += 1
        return [self.key]


def protected(app: Flask) -> Flask:
    """Add a view that asks for both tokens, in three wrappers."""
    view = require_app_jwt(require_consumer_jws(require_app_jwt(lambda: {})))
    app.add_url_rule("/x", "x", view)
    return app


def test_each_token_is_verified_once_whatever_the_number_of_wrappers(make_app: MakeApp) -> None:
    """Two verifications for the first request, none for the next."""
    count = Counted()
    client = protected(make_app(APP_JWT_KEYS=count, APP_JWT_ALGORITHMS=["ES256"])).test_client()
    sent = headers(count.signer.app_jwt(), count.signer.consumer_jws())
    for expected in (2, 2, 2):
        assert client.get("/x", headers=sent).status_code == 200
        assert count.verifications == expected
    assert count.asked == 6  # the source is asked each time: a hit keeps it as fresh as a miss


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER   ", " \t"])
def test_a_token_is_known_behind_any_spelling_of_its_scheme(scheme: str, make_app: MakeApp) -> None:
    """RFC 9110 section 11.1: what is remembered is the token, however the header was written."""
    count = Counted()
    client = protected(make_app(APP_JWT_KEYS=count, APP_JWT_ALGORITHMS=["ES256"])).test_client()
    app_jwt, consumer_jws = count.signer.app_jwt(), count.signer.consumer_jws()
    for _ in range(3):
        sent = headers(scheme + app_jwt, consumer_jws)
        assert client.get("/x", headers=sent).status_code == 200
    assert count.verifications == 2


def test_the_clock_is_read_once_a_request(
    make_app: MakeApp, issuer: Issuer, connector_clock: Callable[[], float]
) -> None:
    """Both tokens are judged at one time."""
    reads = []
    app = protected(make_app(clock=lambda: reads.append(1) or connector_clock()))
    sent = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert app.test_client().get("/x", headers=sent).status_code == 200
    assert len(reads) == 1


def test_a_rejection_renders_nothing(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Envelopes are dumped once, at init_app: no marshmallow on the way of a request."""
    client = protected(make_app()).test_client()

    def dump(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("dumped")

    monkeypatch.setattr(EnvelopeSchema, "dump", dump)
    assert_row(client.get("/x"), 40105)
    assert_row(client.get("/x", headers=headers("junk")), 40102)


def test_a_refusal_leaves_nothing_to_the_garbage_collector() -> None:
    """An exception that its own traceback refers to would keep all of a request alive: a flood of
    bad tokens would be a flood of memory. Flask's own refusals are the measure."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.garbage"], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == ["missing", "malformed", "forged", "expired", "consumer"]
    assert [name for name, ours, flasks in lines if int(ours) > int(flasks)] == []


def test_a_hit_takes_no_lock(clock: Clock) -> None:
    """Reading is free of locks: with the cache's lock held for good, a hit is a hit."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer))
    text = signer.app_jwt()
    ask(verifying, text, clock.now)
    with verifying.cache._lock:
        assert ask(verifying, text, clock.now)[0]


def test_a_child_process_never_waits_for_a_lock_of_its_parent(clock: Clock) -> None:
    """A thread may hold the cache's lock when the process forks, and there is no such thread in
    the child to let it go."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer))
    with verifying.cache._lock:
        reset_all_after_fork()
        assert not ask(verifying, signer.app_jwt(), clock.now)[0]


def test_threads_share_the_cache(clock: Clock) -> None:
    """Eight threads, more tokens than entries: every answer is right, and the bound holds."""
    signer = issuer(0, clock)
    verifying = verifier(Rotating(signer), size=16)
    texts = {f"app-{number}": signer.app_jwt(azp=f"app-{number}") for number in range(40)}
    wrong: list[str] = []

    def work() -> None:
        for _ in range(10):
            for name, text in texts.items():
                if ask(verifying, text, clock.now)[1].install_id != name:
                    wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert verifying.cache.health()["entries"] == 16


def test_a_token_known_in_one_header_is_not_known_in_the_other(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """One cache for each token type: an AppJWT that is remembered is still no ConsumerJWS."""
    client = protected(make_app()).test_client()
    app_jwt, consumer_jws = issuer.app_jwt(), issuer.consumer_jws()
    for _ in range(2):
        assert client.get("/x", headers=headers(app_jwt, consumer_jws)).status_code == 200
        assert_row(client.get("/x", headers=headers(app_jwt, app_jwt)), 40103)
        assert_row(client.get("/x", headers=headers(consumer_jws, consumer_jws)), 40102)
        assert_row(client.get("/x", headers=headers(app_jwt, f"Bearer {consumer_jws}")), 40103)


# A model


class CacheAgainstModel(RuleBasedStateMachine):
    """The verifier with a cache answers what one without it would, whatever happens."""

    @initialize(size=st.integers(1, 4), max_age=st.sampled_from([1, 50, 1000]))
    def start(self, size: int, max_age: float) -> None:
        """Start with all keys."""
        self.clock = Clock()
        self.issuers = [issuer(number, self.clock) for number in range(3)]
        self.source = Rotating(*self.issuers)
        self.cached = verifier(self.source, size=size, max_age=max_age)
        self.plain = verifier(self.source, size=0)
        self.texts: list[str] = []

    @rule(number=st.integers(0, 2), life=st.sampled_from([10, 100, 2000]), app=st.integers(0, 3))
    def mint(self, number: int, life: int, app: int) -> None:
        """A new token, short-lived or not."""
        claims = {"exp": self.clock.now + life, "azp": f"app-{app}"}
        self.texts.append(self.issuers[number].app_jwt(**claims))

    @rule(kept=st.sets(st.integers(0, 2), min_size=1))
    def rotate(self, kept: set[int]) -> None:
        """Other keys are in force."""
        self.source.publish(*(self.issuers[number] for number in kept))

    @rule(seconds=st.sampled_from([-20, 0, 1, 30, 60, 500]))
    def wait(self, seconds: int) -> None:
        """Time passes, or the clock is set back."""
        self.clock.now += seconds

    @rule(data=st.data(), mutate=st.booleans())
    def present(self, data: st.DataObject, mutate: bool) -> None:
        """A token comes, or one with a character changed."""
        if not self.texts:
            return
        text = data.draw(st.sampled_from(self.texts))
        if mutate:
            place = data.draw(st.integers(0, len(text) - 1))
            text = text[:place] + data.draw(st.sampled_from("A-_.é")) + text[place + 1 :]
        now = self.clock.now
        assert ask(self.cached, text, now)[1] == ask(self.plain, text, now)[1]

    @invariant()
    def bounded(self) -> None:
        """The cache never holds more than its size."""
        if hasattr(self, "cached"):
            assert self.cached.cache.health()["entries"] <= self.cached.cache.size


CacheAgainstModel.TestCase.settings = examples(50)
TestCacheAgainstModel = CacheAgainstModel.TestCase
