"""The key source of a URL: threads, rotation, attacks, outages, signals and health."""

import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import Any

import pytest

from flask_connector_auth.core import (
    Unavailable,
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    reset_all_after_fork,
    steady_time,
)
from flask_connector_auth.keys import (
    FetchFailed,
    FetchResponse,
    KeySetBackup,
    KeySetLoader,
    LoadedKeySet,
    LoadFailed,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    Snapshot,
    start_daemon,
)
from tests.support.simulation import RULES, URL, World, kids, run_now, unavailable, wait_for


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


def test_the_hot_path_takes_no_lock() -> None:
    """The hot path reads one immutable object: it works while another thread holds the lock."""
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
        return steady_time()


def assert_in_time(event: threading.Event) -> None:
    """Wait for *event*, not for ever."""
    assert event.wait(10)


def test_twelve_threads_that_meet_a_new_kid_cost_one_fetch_and_all_pass() -> None:
    """Single flight: lookups during a fetch wait for the same fetch."""
    world = Slow("a")
    source = world.source(RemoteRules(max_waiting=12), start_daemon)
    world.answer.set()
    assert kids(source, "a") == ["a"]
    world.answer.clear()
    world.publish("a", "b")
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(kids, source, "b") for _ in range(12)]
        wait_for(lambda: source.health()["counts"]["waits"] == 13)
        assert kids(source, "a") == ["a"]  # no other token waits
        world.answer.set()
        assert [answer.result() for answer in answers] == [["b"]] * 12
    assert len(world.fetches) == 2


def test_a_hanging_issuer_parks_no_request_longer_than_the_wait() -> None:
    """JWKS_WAIT: then 503; a known key is used all the while."""
    world = Slow("a")
    source = world.source(RemoteRules(wait=0.05, max_age=1000), start_daemon)
    world.answer.set()
    assert kids(source, "a") == ["a"]
    world.answer.clear()
    started = steady_time()
    assert unavailable(source, "b") >= 1
    assert 0.05 <= steady_time() - started < 5
    assert kids(source, "a") == ["a"]
    assert len(world.fetches) == 2
    world.answer.set()


def test_a_slow_first_fetch_holds_one_thread() -> None:
    """EMPTY: of four requests one waits on, and passes; the other threads are free before that."""
    world = Slow("a")
    source = world.source(RemoteRules(wait=60), start_daemon)

    def ask() -> list[str | None] | str:
        try:
            return kids(source, "a")
        except Unavailable:
            return "503"

    with ThreadPoolExecutor(4) as pool:
        answers = as_completed([pool.submit(ask) for _ in range(4)], 10)
        assert [next(answers).result() for _ in range(3)] == ["503"] * 3
        world.answer.set()
        assert next(answers).result() == ["a"]
    assert len(world.fetches) == 1


def test_a_fetch_that_completes_while_a_token_waits_for_the_lock_is_no_outage() -> None:
    """The time of the decision counts: an unknown key is fetched once more, and is 401, not 503."""
    world, held = World("a"), Held()

    def clock() -> float:
        arrived_at = world.now
        if arrived_at == 251:  # after the token has arrived, before its turn
            world.now += 1
            held.run()
        return arrived_at

    source = world.source(start_thread=held, clock=clock)
    assert kids(source, "a") == ["a"]
    held.holds = True
    world.now = 250  # a refresh in the background is due
    assert kids(source, "a") == ["a"]
    held.holds = False
    world.now = 251
    assert kids(source, "b") == []
    assert world.fetches == [0, 252, 252]


class Held:
    """Runs fetches now, or holds them until :meth:`run`."""

    def __init__(self) -> None:
        self.holds = False
        self._held: list[Callable[[], None]] = []

    def __call__(self, run: Callable[[], None]) -> None:
        self._held.append(run)
        if not self.holds:
            self.run()

    def run(self) -> None:
        """Run what is held."""
        while self._held:
            self._held.pop()()


class Fetch(threading.Event):
    """The end of a fetch under way, which wakes the waiting thread at times that a test gives."""

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


def test_a_token_waits_for_as_long_as_it_may_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """JWKS_WAIT: counted from the arrival, however often the thread is woken."""
    world, held = World("a"), Held()
    source = world.source(RemoteRules(wait=2), held)
    assert kids(source, "a") == ["a"]
    world.now, held.holds = 100, True
    fetch = Fetch(world, 100.5, 101.5, 102)
    monkeypatch.setattr(threading, "Event", lambda: fetch)
    unavailable(source, "b")
    assert fetch.waits == [2, 1.5, 0.5]


@pytest.mark.parametrize("late", [102.5, 103])
def test_a_token_that_gets_the_lock_late_does_not_wait(
    late: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_WAIT: the wait for the lock counts, so nothing may be left of it."""
    world, held = World("a"), Held()

    def clock() -> float:
        now = world.now
        if now == 100:
            world.now = late
        return now

    source = world.source(RemoteRules(wait=2), held, clock)
    assert kids(source, "a") == ["a"]
    world.now, held.holds = 100, True
    fetch = Fetch(world)
    monkeypatch.setattr(threading, "Event", lambda: fetch)
    unavailable(source, "b")
    assert fetch.waits == []


def test_a_process_that_ends_waits_for_no_fetch() -> None:
    """The thread of a fetch is a daemon."""
    world = World("a")
    daemons: list[bool] = []
    world.meanwhile = lambda: daemons.append(threading.current_thread().daemon)
    source = world.source(RemoteRules(wait=60), start_daemon, steady_time)
    assert kids(source, "a") == ["a"]
    assert daemons == [True]


def test_no_thread_outlives_a_fetch() -> None:
    """There is nothing to stop at exit: between fetches there is no thread."""
    world = Slow("a")
    world.answer.set()
    before = threading.active_count()
    source = world.source(start_thread=start_daemon)
    assert kids(source, "a") == ["a"]
    wait_for(lambda: threading.active_count() <= before)


def test_without_a_thread_the_fetch_has_failed() -> None:
    """A machine without threads, or an interpreter that ends: 503; a later request tries again."""
    world = World("a")
    has_threads = False

    def start_thread(run: Callable[[], None]) -> None:
        if not has_threads:
            raise RuntimeError("can't start new thread")
        run()

    source = world.source(start_thread=start_thread)
    unavailable(source, "a")
    assert source.health()["last_error"] == "no thread could be started"
    has_threads = True
    world.now += 2
    unavailable(source, "a")
    assert kids(source, "a") == ["a"]


def test_an_unused_source_is_collected() -> None:
    """Apps come and go in tests and reloads: nothing keeps a source alive."""
    source: RemoteKeys | None = World("a").source()
    gone = weakref.ref(source)
    assert gone() is not None
    source = None
    gc.collect()
    assert gone() is None


def test_an_unexpected_error_is_a_failed_fetch() -> None:
    """Whatever goes wrong in the thread, the next attempt is made."""
    world = World("a")

    class Faulty(KeySetLoader):
        faulty = True

        def load(self, known: Snapshot | None, cancellation: Any = None) -> LoadedKeySet:
            if self.faulty:
                raise ZeroDivisionError
            return super().load(known, cancellation)

    rules = RemoteRules()
    loader = Faulty([URL], world.fetch, RULES, rules)
    source = RemoteKeys(RefreshPolicy(rules), loader, world.clock, run_now)
    unavailable(source, "a")
    assert source.health()["last_error"] == "ZeroDivisionError"
    loader.faulty = False
    world.now += 2
    unavailable(source, "a")
    assert kids(source, "a") == ["a"]


def test_a_child_process_has_the_set_and_a_new_lock() -> None:
    """Fork: a lock that is held at the fork, and a fetch under way, stay with the parent."""
    script = [
        sys.executable,
        "-W",
        "ignore::DeprecationWarning",
        "-m",
        "tests.support.live_forking",
    ]
    assert subprocess.run(script, check=False, timeout=60).returncode == 0  # noqa: S603


@pytest.mark.parametrize("up", [True, False])
def test_a_fetch_of_the_parent_has_no_result_in_a_child_process(up: bool) -> None:
    """Fork: neither a set nor a failure, should the fetch of the parent end here."""
    world, held = World("a"), Held()
    source = world.source(start_thread=held)
    assert kids(source, "a") == ["a"]
    held.holds, world.now = True, 250
    assert kids(source, "a") == ["a"]
    reset_all_after_fork()
    world.publish("b")
    world.up = up
    events: list[object] = []
    with keys_refreshed.connected_to(lambda *_args, **_payload: events.append(1), source):
        held.run()
    assert len(world.fetches) == 2
    assert source.health()["failures"] == 0
    assert events == []
    assert kids(source, "a") == ["a"]


class Memory:
    """A backup store in memory."""

    def __init__(self) -> None:
        self.record: bytes | None = None

    def read(self, size: int) -> bytes | None:
        """Return the start of it."""
        return self.record and self.record[:size]

    def write(self, record: bytes) -> None:
        """Keep it."""
        self.record = record


@pytest.mark.parametrize(("down_for", "serves"), [(0, True), (3000, True), (3700, False)])
def test_the_backup_bridges_a_cold_start_and_no_more(down_for: float, serves: bool) -> None:
    """JWKS_BACKUP: a restart does not start the allowance again."""
    world, memory = World("a"), Memory()

    def start() -> RemoteKeys:
        rules = RemoteRules()
        backup = KeySetBackup(memory, RULES, rules, world.clock)
        return world.source(rules, backup=backup)

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
    """Same kid, new key: one fetch, and the new key is returned, not that of another kid."""
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


@pytest.mark.parametrize("kid", [None, "any"])
def test_the_key_of_a_set_without_kids_is_replaced(kid: str | None) -> None:
    """Decision 0009: it fits every kid, so the failed signature finds its successor, once in a
    cooldown. A second key beside it has no use."""
    world = World("")
    source = world.source()
    old = source.candidates(kid, "ES256")
    assert [key.kid for key in old] == [None]
    assert source.candidates_after_failure(kid, "ES256", old) == []
    world.renew("")
    world.now += 11
    (new,) = source.candidates_after_failure(kid, "ES256", old)
    assert source.candidates(kid, "ES256") == [new] != old
    for _ in range(100):
        assert source.candidates_after_failure(kid, "ES256", [new]) == []
    assert len(world.fetches) == 2
    world.publish("", "b")
    world.now += 400
    assert kids(source, "b") == ["b"]
    assert kids(source, "any") == []


def test_a_key_that_changes_its_algorithm_is_another_key() -> None:
    """The set is replaced when a key is meant for something else, though its material stays."""
    world = World("a")
    source = world.source()
    assert kids(source, "a") == ["a"]
    world.entries["a"]["alg"] = "ES512"
    world.publish("a", "b")
    world.now += 400
    assert kids(source, "a") == []
    assert kids(source, "b") == ["b"]


def test_the_headers_of_the_issuer_are_used() -> None:
    """Cache-Control, ETag and Retry-After of a response."""
    world, rules = World("a"), RemoteRules()
    world.headers = {"cache-control": "max-age=60", "etag": '"1"'}
    known: list[Snapshot | None] = []

    class Busy(KeySetLoader):
        def load(self, snapshot: Snapshot | None, cancellation: Any = None) -> LoadedKeySet:
            known.append(snapshot)
            if snapshot:
                raise LoadFailed("busy", retry_after=50)
            return super().load(snapshot, cancellation)

    loader = Busy([URL], world.fetch, RULES, rules)
    source = RemoteKeys(RefreshPolicy(rules), loader, world.clock, run_now)
    assert kids(source, "a") == ["a"]
    assert source.health()["lifetime"] == 60
    world.now = 70
    assert kids(source, "a") == ["a"]
    assert known == [None, source.snapshot]
    assert source.snapshot
    assert source.snapshot.conditional_headers == {"If-None-Match": '"1"'}
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


def test_without_a_set_a_failed_signature_is_unavailable() -> None:
    """EMPTY, and the issuer down: unavailable."""
    world = World("a")
    world.up = False
    with pytest.raises(Unavailable):
        world.source().candidates_after_failure("a", "ES256", [])


# Attack


def test_ten_thousand_random_kids_stay_within_the_published_bound() -> None:
    """docs/key_sets.rst: 1 + T / (0.7 x lifetime) + T / cooldown fetches in T seconds, whatever
    kids they are."""
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
    """One request a second, rotations before and after: no valid token ever gets 401."""
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
    before = len(world.fetches)
    assert unavailable(source, "a") >= 1
    assert len(world.fetches) == before  # backoff
    for _ in range(8):
        world.now += 5
        unavailable(source, "a")
    left = unavailable(source, "a")
    assert left == source.health()["next_attempt_in"]
    assert 2.5 <= left <= 5
    # The first token waited: no fetch had failed yet.
    assert source.health()["counts"] == {"waits": 1, "fetch_failed": 9, "unavailable": 11}
    world.up = True
    world.now += left
    assert unavailable(source, "a") == 1  # this one only starts the fetch
    assert kids(source, "a") == ["a"]


# Signals, log and health


def test_each_change_of_state_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """STALE is a WARNING, OUTAGE an ERROR, recovery INFO; never a line for each request."""
    world = World("a")
    source = world.source()
    caplog.set_level(logging.INFO, "flask_connector_auth.keys.remote")
    sent: list[str] = []

    def receiver(name: str) -> Callable[..., None]:
        return lambda sender, **payload: sent.append(f"{name} {payload}")

    signals = {
        "refreshed": keys_refreshed,
        "failed": keys_refresh_failed,
        "stale": keys_stale,
        "outage": keys_outage,
    }
    receivers = {name: receiver(name) for name in signals}
    for name, signal in signals.items():
        signal.connect(receivers[name], source)
    kids(source, "a")
    world.up = False
    for second in range(0, 5000, 10):
        world.now = float(second)
        with suppress(Unavailable):
            kids(source, "a")
    world.up = True
    world.now += 100
    world.publish("a", "b")
    unavailable(source, "a")  # no token waits in an outage: this one only starts the fetch
    assert kids(source, "a") == ["a"]
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.endswith("keys.remote")
    ]
    assert lines == [
        ("INFO", "key set of https://issuer.example/jwks changed: added 'a', removed none"),
        (
            "WARNING",
            "key set of https://issuer.example/jwks cannot be confirmed; the last keys are used",
        ),
        ("ERROR", "key set of https://issuer.example/jwks has no usable keys; requests get 503"),
        ("INFO", "key set of https://issuer.example/jwks changed: added 'b', removed none"),
        ("INFO", "key set of https://issuer.example/jwks is confirmed again"),
    ]
    assert sent.count("stale {}") == sent.count("outage {}") == 1
    refreshed = [event for event in sent if event.startswith("refreshed")]
    assert refreshed == [
        "refreshed {'added': {'a'}, 'removed': set()}",
        "refreshed {'added': {'b'}, 'removed': set()}",
    ]
    assert sent.count("failed {'reason': 'down'}") == len(sent) - 4 > 10


def test_a_cold_start_is_reported_as_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Clients get the same 503 whether there ever were keys; it is logged once."""
    world = World("a")
    world.up = False
    source = world.source()
    for _ in range(3):
        unavailable(source, "a")
        world.now += 2
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1


def test_health_has_the_state_and_the_counts() -> None:
    """Plain values, no I/O: source, state, age, lifetime, pauses, failures, keys and counts."""
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
        "waiting_for": None,
        "age": 0.0,
        "lifetime": 300,
        "next_attempt_in": 0.0,
        "failures": 0,
        "last_error": None,
        "errors": {},
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


def test_a_set_from_a_backup_has_its_age_and_no_lifetime() -> None:
    """docs/key_sets.rst: ``age`` counts from the saved confirmation; ``lifetime`` is None."""
    world, memory, rules = World("a"), Memory(), RemoteRules()
    backup = KeySetBackup(memory, RULES, rules, world.clock)
    kids(world.source(rules, backup=backup), "a")
    world.up = False
    world.now += 600
    restored = world.source(rules, backup=backup)
    assert kids(restored, "a") == ["a"]
    for _ in ("this process", "a child process"):
        health = restored.health()
        assert (health["state"], health["age"], health["lifetime"]) == ("stale", 600.0, None)
        restored.reset_after_fork()


def test_hostile_kids_do_not_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A kid comes from outside: it is escaped and cut in the log line."""
    caplog.set_level(logging.INFO)
    kid = "\n\x1b[31mERROR forged " + "x" * 200
    source = World(kid).source()
    assert kids(source, kid) == [kid]
    (line,) = [r.getMessage() for r in caplog.records if "changed" in r.getMessage()]
    assert "\n" not in line
    assert "\x1b" not in line
    assert (
        line
        == f"key set of https://issuer.example/jwks changed: added {repr(kid)[:64]}, removed none"
    )


def test_keys_are_logged_in_order(caplog: pytest.LogCaptureFixture) -> None:
    """One line for all that changed."""
    caplog.set_level(logging.INFO)
    kids(World("b", "a").source(), "a")
    assert (
        "key set of https://issuer.example/jwks changed: added 'a', 'b', removed none"
        in caplog.messages
    )


def test_health_names_the_url_that_confirmed_the_keys_without_its_query() -> None:
    """JWKS_FAILOVER: before there are any, the first one; a query may hold a secret."""
    world, rules = World("a"), RemoteRules()
    urls = [f"{URL}?first=secret", f"{URL}/failover?second=secret"]

    def fetch(url: str, **options: Any) -> FetchResponse:
        if url == urls[0]:
            raise FetchFailed("down")
        return world.fetch(url, **options)

    loader = KeySetLoader(urls, fetch, RULES, rules)
    source = RemoteKeys(RefreshPolicy(rules), loader, world.clock, run_now)
    assert source.health()["source"] == URL
    assert kids(source, "a") == ["a"]
    assert source.health()["source"] == f"{URL}/failover"


def test_a_signal_receiver_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A pager that is down in the same outage: 503 and no 500, and the backup is written."""
    world, memory, rules = World("a"), Memory(), RemoteRules()

    def fail(_sender: object, **_payload: object) -> None:
        raise RuntimeError("the receiver's")

    backup = KeySetBackup(memory, RULES, rules, world.clock)
    source = world.source(rules, backup=backup)
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
    logged = {line for line in caplog.messages if line.startswith("a receiver of")}
    names = ("keys-refreshed", "keys-refresh-failed", "keys-stale", "keys-outage")
    assert logged == {f"a receiver of {name} failed" for name in names}
