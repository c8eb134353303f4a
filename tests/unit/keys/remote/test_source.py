"""A remote key set as the verifier sees it: threads, rotation, attack, outage, news."""

import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from flask_connector_auth.core import (
    Unavailable,
    boottime,
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
)
from flask_connector_auth.core.forks import _renew
from flask_connector_auth.keys import (
    Fetched,
    FetchFailed,
    KeySetBackup,
    LoadedKeySet,
    Loader,
    LoadFailed,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    Snapshot,
)
from tests.support.simulation import RULES, URL, AtOnce, World, kids, unavailable, wait_for


def test_the_first_token_fetches_the_set() -> None:
    """EMPTY: the request that comes first waits, and passes; the next ones fetch nothing."""
    world = World("a", "b")
    source = world.source()
    assert kids(source, "a") == ["a"]
    assert kids(source, "b") == ["b"]
    assert world.fetches == [0.0]


def test_a_key_that_does_not_fit_the_algorithm_is_no_candidate() -> None:
    """A known kid under another algorithm is refused without a fetch."""
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    assert kids(source, "a", "RS256") == []
    assert len(world.fetches) == 1


def test_what_nearly_every_token_takes_needs_no_lock() -> None:
    """The hot path reads one immutable object: with the lock held for good, it goes on."""
    source = World("a").source()
    assert kids(source, "a") == ["a"]
    with source._lock:
        assert kids(source, "a") == ["a"]


# Threads


class Slow(World):
    """An issuer that answers only when it is let."""

    def __init__(self, *kids: str) -> None:
        super().__init__(*kids)
        self.answer = threading.Event()
        self.meanwhile = lambda: assert_in_time(self.answer)

    def clock(self) -> float:
        """Return real time: waiting is real here."""
        return boottime()


def assert_in_time(event: threading.Event) -> None:
    """Wait for *event*, not for ever."""
    assert event.wait(10)


def test_twelve_threads_that_meet_a_new_kid_cost_one_fetch_and_all_pass() -> None:
    """Single flight: whoever comes while a fetch is under way joins it."""
    world = Slow("a")
    source = world.source(RemoteRules(max_waiting=12), RemoteKeys)
    world.answer.set()
    assert kids(source, "a") == ["a"]
    world.answer.clear()
    world.publish("a", "b")
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(kids, source, "b") for _ in range(12)]
        wait_for(lambda: source._counts["waits"] == 13)
        assert kids(source, "a") == ["a"]  # nobody else waits
        world.answer.set()
        assert [answer.result() for answer in answers] == [["b"]] * 12
    assert len(world.fetches) == 2


def test_a_hanging_issuer_parks_no_request_longer_than_the_wait() -> None:
    """JWKS_WAIT: then 503; a key that is known serves all the while."""
    world = Slow("a")
    source = world.source(RemoteRules(wait=0.05, max_age=1000), RemoteKeys)
    world.answer.set()
    assert kids(source, "a") == ["a"]
    world.answer.clear()
    started = boottime()
    assert unavailable(source, "b") >= 1
    assert 0.05 <= boottime() - started < 5
    assert kids(source, "a") == ["a"]
    assert len(world.fetches) == 2
    world.answer.set()


def test_a_fetch_that_lands_while_a_token_waits_for_its_turn_is_no_outage() -> None:
    """An issuer that answers makes no 503: an unknown key is asked for once more, and is 401."""
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    with held(source) as flights:
        world.now = 250  # due to be confirmed, ahead of the end of its life
        assert kids(source, "a") == ["a"]
    world.now = 251
    source._lock = Turn(source, world, flights[0])
    assert kids(source, "b") == []
    assert world.fetches == [0, 252, 252]


class Turn:
    """The lock of *source*, for which a token waits until the fetch of *flight* has landed."""

    def __init__(self, source: RemoteKeys, world: World, flight: threading.Event) -> None:
        self.lock: Any = source._lock
        self.lands: Callable[[], None] = lambda: source._refresh(flight)
        self.source = source
        self.world = world

    def __enter__(self) -> None:
        self.source._lock = self.lock
        self.world.now += 1
        self.lands()
        self.lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self.lock.release()


@contextmanager
def held(source: RemoteKeys) -> Iterator[list[threading.Event]]:
    """Let what is fetched in the block be under way after it: return the flights."""
    flights: list[threading.Event] = []
    source._start = flights.append  # type: ignore[method-assign]
    yield flights
    del source._start  # type: ignore[method-assign]


class Flight(threading.Event):
    """A fetch under way that wakes who waits for it, at times that a test gives."""

    def __init__(self, world: World, *times: float) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._world = world
        self._times = [*times]

    def wait(self, timeout: float | None = None) -> bool:
        """Let time pass."""
        self.waits.append(timeout)
        self._world.now = self._times.pop(0)
        return True


def test_a_token_waits_for_as_long_as_it_may_and_no_longer() -> None:
    """JWKS_WAIT: counted from its arrival, however often it is woken."""
    world = World("a")
    source = world.source(RemoteRules(wait=2))
    assert kids(source, "a") == ["a"]
    world.now = 100
    source._machine.started(world.now, unknown=True)
    source._flight = flight = Flight(world, 100.5, 101.5, 102)
    unavailable(source, "b")
    assert flight.waits == [2, 1.5, 0.5]


@pytest.mark.parametrize("late", [102.5, 103])
def test_a_token_whose_turn_comes_late_does_not_wait(late: float) -> None:
    """JWKS_WAIT: where the lock was to be waited for, what is left of it may be nothing."""
    world = World("a")
    source = world.source(RemoteRules(wait=2))
    assert kids(source, "a") == ["a"]
    world.now = 100
    source._machine.started(world.now, unknown=True)
    flight = Flight(world, late)
    source._flight = flight
    source._lock = Late(source, world, late)  # type: ignore[assignment]
    unavailable(source, "b")
    assert flight.waits == [0]


class Late:
    """The lock of *source*, which is to be had at a time."""

    def __init__(self, source: RemoteKeys, world: World, at: float) -> None:
        self._lock = source._lock
        self._world = world
        self._at = at

    def __enter__(self) -> None:
        self._world.now = self._at
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_a_process_that_ends_waits_for_no_fetch() -> None:
    """The thread of a fetch is a daemon."""
    world = World("a")
    daemons: list[bool] = []
    world.meanwhile = lambda: daemons.append(threading.current_thread().daemon)
    source = world.source(RemoteRules(wait=60), RemoteKeys)
    source._clock = boottime
    assert kids(source, "a") == ["a"]
    assert daemons == [True]


def test_no_thread_outlives_a_fetch() -> None:
    """There is nothing to stop at exit: between fetches there is no thread."""
    world = Slow("a")
    world.answer.set()
    before = threading.active_count()
    source = world.source(kind=RemoteKeys)
    assert kids(source, "a") == ["a"]
    wait_for(lambda: threading.active_count() <= before)


def test_where_no_thread_can_be_had_the_fetch_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full machine, or an interpreter that ends: 503, and a later request tries again."""
    world = World("a")
    source = world.source(kind=RemoteKeys)

    def no_thread(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        unavailable(source, "a")
    assert source.health()["last_error"] == "no thread can be had"
    world.now += 2
    unavailable(source, "a")
    wait_for(lambda: source.snapshot is not None)
    assert kids(source, "a") == ["a"]


def test_a_source_that_nobody_needs_is_garbage() -> None:
    """Apps come and go in tests and reloads: nothing keeps a source alive."""
    source: RemoteKeys | None = World("a").source()
    gone = weakref.ref(source)
    assert gone() is not None
    source = None
    gc.collect()
    assert gone() is None


def test_a_fault_of_our_own_lands_as_a_failed_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in the thread, the next attempt is made."""
    world = World("a")
    source = world.source()

    def fault(_known: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(source._loader, "load", fault)
        unavailable(source, "a")
    assert source.health()["last_error"] == "ZeroDivisionError"
    world.now += 2
    unavailable(source, "a")
    assert kids(source, "a") == ["a"]


def test_a_child_process_has_the_set_and_a_lock_of_its_own() -> None:
    """Fork: a lock that is held at the fork, and a fetch under way, stay with the parent."""
    script = [
        sys.executable,
        "-W",
        "ignore::DeprecationWarning",
        "-m",
        "tests.support.live_forking",
    ]
    assert subprocess.run(script, check=False, timeout=60).returncode == 0  # noqa: S603
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    flight = source._flight = threading.Event()
    source._machine.started(world.now, unknown=False)
    _renew()
    news: list[object] = []
    with keys_refreshed.connected_to(lambda *_args, **_payload: news.append(1), source):
        source.land(flight, LoadFailed("of the parent"))
        world.publish("b")
        source.land(flight, source._loader.load(None))
    assert source.health()["failures"] == 0
    assert news == []
    assert kids(source, "a") == ["a"]


class Memory:
    """Where a copy is kept."""

    def __init__(self) -> None:
        self.record: bytes | None = None

    def read(self) -> bytes | None:
        """Return it."""
        return self.record

    def write(self, record: bytes) -> None:
        """Keep it."""
        self.record = record


@pytest.mark.parametrize(("down_for", "serves"), [(0, True), (3000, True), (3700, False)])
def test_the_copy_bridges_a_cold_start_and_no_more(down_for: float, serves: bool) -> None:
    """JWKS_BACKUP: a restart does not start the allowance again."""
    world, memory = World("a"), Memory()

    def start() -> RemoteKeys:
        rules = RemoteRules()
        copy = KeySetBackup(memory, RULES, rules.max_stale, rules.max_keys, lambda: world.now)
        loader = Loader([URL], world.fetch, RULES, rules, copy)
        return AtOnce(RefreshPolicy(rules), loader, world.clock)

    world.now = 100_000
    assert kids(start(), "a") == ["a"]
    world.up = False
    world.now += down_for
    restarted = start()
    if not serves:
        unavailable(restarted, "a")
        return
    assert kids(restarted, "a") == ["a"]
    assert restarted.health()["state"] == "stale"
    unavailable(restarted, "b")
    while world.now < 103_600:
        world.now += 10
        assert kids(restarted, "a") == ["a"]
    world.now += 1
    unavailable(restarted, "a")
    world.up = True
    world.now += 60
    unavailable(restarted, "a")
    assert kids(restarted, "a") == ["a"]


# Rotation


def test_a_new_key_passes_on_its_first_token() -> None:
    """Rotation: no token of a published key is refused."""
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    world.publish("a", "b")
    world.now += 1
    assert kids(source, "b") == ["b"]


@pytest.mark.parametrize("step", [1, 50, 400, 90000])
def test_a_withdrawn_key_is_out_within_its_life_with_or_without_traffic(step: float) -> None:
    """Rotation: from life + timeout on, no token of a removed key passes."""
    world = World("a", "b")
    source = world.source()
    assert kids(source, "a") == ["a"]
    world.publish("b")
    while world.now <= 305:
        world.now += step
        if step < 300:
            kids(source, "b")
    assert kids(source, "a") == []
    assert kids(source, "b") == ["b"]


def test_new_material_under_an_old_kid_is_found_when_a_signature_fails() -> None:
    """Same kid, new key: asked for once, and the new key is what comes back, no other kid's."""
    world = World("a", "b")
    source = world.source()
    old = source.candidates("a", "ES256")
    assert (
        source.candidates_after_failure("a", "ES256", old) == []
    )  # the set is younger than the cooldown
    world.renew("a")
    world.now += 11
    (new,) = source.candidates_after_failure("a", "ES256", old)
    assert new.thumbprint != old[0].thumbprint
    assert len(world.fetches) == 2
    # The set was replaced meanwhile: a verifier that still holds the old key gets the new one.
    assert source.candidates_after_failure("a", "ES256", old) == [new]
    assert len(world.fetches) == 2


def test_a_key_that_changes_its_algorithm_is_another_key() -> None:
    """The set is replaced when a key is meant for something else, though its material stays."""
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    world._keys["a"]["alg"] = "ES512"
    world.publish("a", "b")
    world.now += 400
    assert kids(source, "a") == []
    assert kids(source, "b") == ["b"]


def test_what_the_issuer_says_of_its_set_is_heard() -> None:
    """jwks.md section 2: how long it lives, what to ask it by, and when to ask again."""
    world = World("a")
    world.headers = {"cache-control": "max-age=60", "etag": '"1"'}
    source = world.source()
    assert kids(source, "a") == ["a"]
    assert source.health()["life"] == 60
    known: list[Snapshot | None] = []

    def busy(snapshot: Snapshot | None) -> LoadedKeySet:
        known.append(snapshot)
        raise LoadFailed("busy", retry_after=50)

    source._loader.load = busy  # type: ignore[method-assign]
    world.now = 70
    assert kids(source, "a") == ["a"]
    assert known == [source.snapshot]
    assert source.snapshot
    assert source.snapshot.validators == {"If-None-Match": '"1"'}
    assert source.health()["next_attempt_in"] == 50


def test_bad_signatures_buy_no_more_fetches_than_bad_kids() -> None:
    """Both count towards one cooldown."""
    world = World("a")
    source = world.source()
    keys = source.candidates("a", "ES256")
    for _ in range(1000):
        world.now += 0.1
        assert source.candidates_after_failure("a", "ES256", keys) == []
        assert kids(source, "b") == []
    assert len(world.fetches) <= 1 + 100 / 10 + 1


def test_without_a_set_there_is_nothing_to_reconsider() -> None:
    """EMPTY, and the issuer down: nobody can know."""
    world = World("a")
    world.up = False
    with pytest.raises(Unavailable):
        world.source().candidates_after_failure("a", "ES256", [])


# Attack


def test_ten_thousand_random_kids_stay_within_the_published_bound() -> None:
    """1 + T / (0.7 x life) + T / cooldown fetches in T seconds, whatever kids they are (the life of
    a key set, unknown keys)."""
    world = World("a")
    source = world.source()
    for number in range(10_000):
        world.now += 0.1
        # As many that come once as that come again and again.
        assert kids(source, f"kid-{number % 2 and number}") == []
        assert kids(source, "a") == ["a"]
    seconds = world.now
    assert len(world.fetches) <= 1 + seconds / 300 / 0.7 + seconds / 10


# Outage


def test_a_day_without_the_issuer() -> None:
    """One request a second, rotations before and after: no valid token is ever told 401."""
    world = World("old", "a")
    source = world.source()
    served, refused = 0, 0
    down, up = 3600.0, 3600.0 + 86400
    last_served, recovered = 0.0, 0.0
    for second in range(int(up) + 3600):
        world.now = float(second)
        if second == 1800:
            world.publish("a", "b")  # a rotation before
        world.up = not down <= second < up
        if second == up:
            world.publish("b", "c")  # and one at the end
        for kid in ("b" if second >= 1800 else "a", "c" if second >= up else "a"):
            if kid == "a" and second >= up:
                continue
            try:
                assert kids(source, kid) == [kid]
                served += 1
                last_served = second if second < up else last_served
                recovered = recovered or (second if second >= up else 0)
            except Unavailable as unavailable:
                assert 1 <= unavailable.retry_after <= 5
                assert down < second
                refused += 1
    assert served > 4 * 3600
    assert refused > 80000
    assert 3600 <= last_served - down + 300 <= 3600 + 300
    # While nothing could be verified it was asked every five seconds, at most; while stale keys
    # served, about once a minute.
    assert up <= recovered <= up + 6
    fetches = [at for at in world.fetches if down <= at < up]
    outage = [at for at in fetches if at > down + 3600]
    assert len(fetches) - len(outage) < 3600 / 30 + 20
    assert 82800 / 6 < len(outage) < 82800 / 2.5
    assert max(after - at for at, after in pairwise(outage)) <= 6
    assert source.health()["state"] == "fresh"


def test_a_cold_start_without_the_issuer() -> None:
    """EMPTY: 503 until the issuer answers, then everything works, without a restart."""
    world = World("a")
    world.up = False
    source = world.source()
    assert unavailable(source, "a") >= 1
    asked = len(world.fetches)
    assert unavailable(source, "a") >= 1
    assert len(world.fetches) == asked  # backoff
    for _ in range(8):
        world.now += 5
        unavailable(source, "a")
    left = unavailable(source, "a")
    assert left == source.health()["next_attempt_in"]
    assert 2.5 <= left <= 5
    # The first one waited, since nobody knew.
    assert source.health()["counts"] == {"waits": 1, "fetch_failed": 9, "unavailable": 11}
    world.up = True
    world.now += left
    assert unavailable(source, "a") == 1  # this one only starts the fetch
    assert kids(source, "a") == ["a"]


# News


def test_each_change_of_state_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """STALE is a WARNING, OUTAGE an ERROR, recovery INFO; never a line for each request."""
    world = World("a")
    source = world.source()
    caplog.set_level(logging.INFO, "flask_connector_auth.keys.remote.source")
    told: list[str] = []

    def hear(name: str) -> Callable[..., None]:
        return lambda sender, **payload: told.append(f"{name} {payload}")

    signals = {
        "refreshed": keys_refreshed,
        "failed": keys_refresh_failed,
        "stale": keys_stale,
        "outage": keys_outage,
    }
    ears = {name: hear(name) for name in signals}
    for name, signal in signals.items():
        signal.connect(ears[name], source)
    kids(source, "a")
    world.up = False
    for second in range(0, 5000, 10):
        world.now = float(second)
        with suppress(Unavailable):
            kids(source, "a")
    world.up = True
    world.now += 100
    world.publish("a", "b")
    unavailable(source, "a")  # nobody waits in an outage: this one only starts the fetch
    assert kids(source, "a") == ["a"]
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.endswith("remote.source")
    ]
    assert lines == [
        ("INFO", "key set changed: added 'a', removed none"),
        ("WARNING", "key set of issuer.example: it cannot be confirmed; the last one serves"),
        ("ERROR", "key set of issuer.example: there is none to be used: 503"),
        ("INFO", "key set changed: added 'b', removed none"),
        ("INFO", "key set of issuer.example: confirmed again"),
    ]
    assert told.count("stale {}") == told.count("outage {}") == 1
    refreshed = [one for one in told if one.startswith("refreshed")]
    assert refreshed == [
        "refreshed {'added': {'a'}, 'removed': set()}",
        "refreshed {'added': {'b'}, 'removed': set()}",
    ]
    assert told.count("failed {'reason': 'down'}") == len(told) - 4 > 10


def test_a_cold_start_is_told_as_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """That there never were keys makes no difference to clients, and is told once."""
    world = World("a")
    world.up = False
    source = world.source()
    for _ in range(3):
        unavailable(source, "a")
        world.now += 2
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1


def test_health_says_what_is_going_on() -> None:
    """Plain values, no I/O: state, age, life, next attempt, failures, last error, keys, counts."""
    world = World("a", "b")
    source = world.source()
    before = source.health()
    assert (before["state"], before["ready"]) == ("empty", False)
    assert (before["keys"], before["kids"]) == (0, [])
    assert world.fetches == []
    kids(source, "a")
    world.now += 10
    kids(source, "x")
    expected: dict[str, Any] = {
        "source": "https://issuer.example/jwks",
        "state": "fresh",
        "ready": True,
        "age": 0.0,
        "life": 300,
        "next_attempt_in": 0.0,
        "failures": 0,
        "last_error": None,
        "keys": 2,
        "kids": ["a", "b"],
        "counts": {"waits": 2, "fetched": 2, "unknown_refreshed": 1},
    }
    assert source.health() == expected
    world.up = False
    world.now += 400
    kids(source, "a")
    health = source.health()
    assert (health["state"], health["failures"], health["last_error"]) == ("stale", 1, "down")
    assert health["ready"]
    assert 0 < health["next_attempt_in"] <= 1


def test_hostile_kids_do_not_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A kid comes from outside: escaped and cut in the line that tells of it."""
    caplog.set_level(logging.INFO)
    kid = "\n\x1b[31mERROR forged " + "x" * 200
    source = World(kid).source()
    assert kids(source, kid) == [kid]
    (line,) = [r.getMessage() for r in caplog.records if "changed" in r.getMessage()]
    assert "\n" not in line
    assert "\x1b" not in line
    assert line == f"key set changed: added {repr(kid)[:64]}, removed none"


def test_keys_are_told_in_order(caplog: pytest.LogCaptureFixture) -> None:
    """One line for all that changed."""
    caplog.set_level(logging.INFO)
    kids(World("b", "a").source(), "a")
    assert "key set changed: added 'a', 'b', removed none" in caplog.messages


def test_health_names_the_url_that_confirmed_the_keys_without_its_query() -> None:
    """JWKS_FAILOVER: before there are any, the first one; a query may hold a secret."""
    world, rules = World("a"), RemoteRules()
    urls = [f"{URL}?first=secret", f"{URL}/failover?second=secret"]

    def fetch(url: str, **options: Any) -> Fetched:
        if url == urls[0]:
            raise FetchFailed("down")
        return world.fetch(url, **options)

    source = AtOnce(RefreshPolicy(rules), Loader(urls, fetch, RULES, rules), world.clock)
    assert source.health()["source"] == URL
    assert kids(source, "a") == ["a"]
    assert source.health()["source"] == f"{URL}/failover"


def test_a_receiver_that_fails_is_in_nobodys_way(caplog: pytest.LogCaptureFixture) -> None:
    """A pager that is down in the same outage: 503 and no 500, and the copy is written."""
    world, memory, rules = World("a"), Memory(), RemoteRules()

    def fail(_sender: object, **_payload: object) -> None:
        raise RuntimeError("the receiver's")

    copy = KeySetBackup(memory, RULES, rules.max_stale, rules.max_keys, lambda: world.now)
    loader = Loader([URL], world.fetch, RULES, rules, copy)
    source = AtOnce(RefreshPolicy(rules), loader, world.clock)
    with ExitStack() as stack:
        for signal in (keys_refreshed, keys_refresh_failed, keys_stale, keys_outage):
            stack.enter_context(signal.connected_to(fail, source))
        assert kids(source, "a") == ["a"]
        assert memory.record
        world.up = False
        world.now = 400
        assert kids(source, "a") == ["a"]
        world.now = 5000
        unavailable(source, "a")
    told = {line for line in caplog.messages if line.startswith("a receiver of")}
    names = ("keys-refreshed", "keys-refresh-failed", "keys-stale", "keys-outage")
    assert told == {f"a receiver of {name} failed" for name in names}
