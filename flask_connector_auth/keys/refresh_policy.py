"""The refresh policy of a remote key set: when to fetch it, and how to answer each token meanwhile.

The policy does no I/O and reads no clock.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from random import SystemRandom

from .key_set import (
    MAX_PAUSE_WITHOUT_KEYS,
    MAX_SHORT_WAIT,
    FetchFailure,
    KeyLookup,
    KeySetState,
    LoadedKeySet,
    LookupDecision,
    LookupOutcome,
    RemoteRules,
    Snapshot,
)
from .source import Lease

_ANSWERED, _UNAVAILABLE = LookupOutcome.ANSWERED, LookupOutcome.UNAVAILABLE
_WAIT = LookupOutcome.WAIT
# Without a state: forked workers would share it, and an application may have set a seed.
_random = SystemRandom()


class RefreshPolicy:
    """The state of one remote key set.

    All times are seconds of one monotonic clock, passed in with every call. The caller holds a
    lock around each call; :attr:`snapshot` may be read without the lock.

    :param jitter: returns a number from 0 to 1, which spreads the fetches of the workers.
    """

    def __init__(self, rules: RemoteRules, jitter: Callable[[], float] = _random.random) -> None:
        self.rules = rules
        self.snapshot: Snapshot | None = None
        self.lease: Lease = Lease(-inf)  #: of the answers from :attr:`snapshot`
        self.failures: int = 0  #: in a row
        self.last_error: str | None = None
        self._jitter = jitter
        self._failure: FetchFailure | None = None  # the last one, until a fetch succeeds
        self._fetch_started_at: float | None = None  # None: no fetch is under way
        self._completed_fetch_started_at = -inf
        self._unknown_key_fetch_at = -inf
        self._waiters = 0  # for the fetch under way; not those of a set that is due

    def state(self, now: float) -> KeySetState:
        """Return the state at *now*."""
        snapshot = self.snapshot
        if snapshot is None:
            return KeySetState.EMPTY
        age = now - snapshot.confirmed_at
        if snapshot.lifetime is not None and age <= snapshot.lifetime:
            return KeySetState.FRESH
        if not self.is_failing(now):
            return KeySetState.DUE
        return KeySetState.STALE if age <= self.rules.max_stale else KeySetState.OUTAGE

    def is_failing(self, now: float) -> bool:
        """Whether the last fetch failed, or the one under way takes too long.

        A fetch cannot be stopped while a name server hangs, so an overdue fetch counts as failed.
        """
        started_at = self._fetch_started_at
        overdue = started_at is not None and now - started_at > 2 * self.rules.timeout
        return self.failures > 0 or overdue

    def waiting_for(self, now: float) -> str | None:
        """Return what must come before the keys can be used at *now*; ``None``: nothing."""
        if self.state(now) not in (KeySetState.EMPTY, KeySetState.OUTAGE):
            return None
        if self._fetch_started_at is not None:
            return "fetch"
        return "next_attempt" if self.failures else "first_token"

    def next_attempt_at(self, now: float) -> float:
        """Return when the next fetch may start, as seen at *now*.

        The state limits the pause, so the time can become earlier when the state changes.
        """
        failure = self._failure
        if failure is None:
            return now
        state, longest = self.state(now), self.rules.retry_max
        if state in (KeySetState.EMPTY, KeySetState.OUTAGE):
            # Without keys every request fails until the next attempt.
            longest = MAX_PAUSE_WITHOUT_KEYS
        elif state is KeySetState.FRESH:
            # While the set is fresh, tokens with unknown keys start fetches. If these fail, the
            # pause is at most the cooldown, so that a new key of the issuer is not kept waiting.
            longest = self.rules.cooldown
        pause = failure.share * min(failure.backoff, longest)
        return failure.at + max(pause, failure.retry_after)

    def retry_after(self, now: float) -> float:
        """Return the seconds until a retry is useful, at least one."""
        if self._fetch_started_at is not None:
            return 1.0
        at = self.next_attempt_at(now)
        if self.state(now) is KeySetState.FRESH:
            # While the set is fresh, only a token of an unknown key gets a 503.
            at = max(at, self._unknown_key_fetch_at + self.rules.cooldown)
        return max(1.0, at - now)

    def start_fetch(self, now: float, *, for_unknown_key: bool) -> None:
        """Record the start of a fetch."""
        self._fetch_started_at = now
        if for_unknown_key:
            # The cooldown begins at the start of the fetch, not with its success. Otherwise every
            # bad token would start a fetch while the issuer fails.
            self._unknown_key_fetch_at = now

    def complete_fetch(self, now: float, loaded: LoadedKeySet) -> bool:
        """Record the success of a fetch; return whether the keys have changed."""
        rules, before, index = self.rules, self.snapshot, loaded.index
        lifetime = rules.max_age if loaded.lifetime is None else loaded.lifetime
        lifetime = min(max(lifetime, rules.min_age), rules.max_age)
        changed = before is None or before.index.identities != index.identities
        if before is not None and not changed:
            index = before.index  # caches compare the index by identity
        delay = self._draw_delay(lifetime)
        self._use(Snapshot(index, now, lifetime, delay, loaded.url, loaded.conditional_headers))
        self._end_fetch()
        self.failures, self.last_error, self._failure = 0, None, None
        return changed

    def fail_fetch(self, now: float, reason: str, retry_after: float | None = None) -> None:
        """Record the failure of a fetch; *reason* and *retry_after* are of :class:`.LoadFailed`."""
        rules = self.rules
        # The exponent has a limit: after a day of failures the power would overflow a float.
        backoff = min(rules.retry_max, rules.retry * 2 ** min(self.failures, 32))
        # Half of the pause is fixed: a random pause near zero would be no backoff.
        share = 0.5 + 0.5 * self._jitter()
        self._failure = FetchFailure(now, backoff, share, min(retry_after or 0, rules.retry_max))
        self.failures += 1
        self.last_error = reason
        self._end_fetch()

    def restore_backup(self, now: float, saved: LoadedKeySet) -> None:
        """Use a key set from the backup, which is never fresh."""
        self._use(Snapshot(saved.index, now - saved.age, None, -inf, saved.url))

    def reset_after_fork(self) -> None:
        """Continue in a child process, where the parent's fetch has no result."""
        self.abandon_fetch()
        if self.snapshot and self.snapshot.lifetime is not None:
            delay = self._draw_delay(self.snapshot.lifetime)
            self._use(replace(self.snapshot, refresh_after=delay))

    def _use(self, snapshot: Snapshot) -> None:
        # In this order, since requests read both without a lock.
        self.lease.until = -inf
        self.snapshot = snapshot
        self.lease = Lease(snapshot.confirmed_at + snapshot.refresh_after)

    def abandon_fetch(self) -> None:
        """Record that the fetch under way has been cancelled."""
        self._fetch_started_at, self._waiters = None, 0

    def _end_fetch(self) -> None:
        self._waiters = 0
        if self._fetch_started_at is not None:
            self._completed_fetch_started_at, self._fetch_started_at = self._fetch_started_at, None

    def _draw_delay(self, lifetime: float) -> float:
        # 0.7 to 0.8 of the lifetime: workers that started together do not fetch together.
        return lifetime * (0.8 - 0.1 * self._jitter())

    def decide(self, lookup: KeyLookup, now: float) -> LookupDecision:
        """Decide on *lookup*. A lookup with the outcome ``WAIT`` is counted as waiting."""
        state, snapshot = self.state(now), self.snapshot
        may_fetch = self._fetch_started_at is None and now >= self.next_attempt_at(now)
        if snapshot is None or state is KeySetState.OUTAGE:
            # After a failure no request waits: if the issuer hangs, all threads would wait.
            if snapshot is None and (wait := self._wait(lookup)) and not self.is_failing(now):
                self._waiters += 1
                return LookupDecision(_WAIT, wait=wait, start_fetch=may_fetch)
            return LookupDecision(_UNAVAILABLE, start_fetch=may_fetch)
        age = now - snapshot.confirmed_at
        if snapshot.index is lookup.tried_index:
            if state is KeySetState.FRESH:
                return self._decide_failed_signature(lookup, age, now, may_fetch)
            return LookupDecision(_ANSWERED, start_fetch=may_fetch)
        if state is KeySetState.DUE:
            if wait := self._wait(lookup):
                return LookupDecision(_WAIT, wait=wait, start_fetch=may_fetch)
            if age > self.rules.max_stale:
                return LookupDecision(_UNAVAILABLE)
        fresh = state is KeySetState.FRESH
        if snapshot.index.can_decide_kid(lookup.kid):
            keys = snapshot.index.candidates(lookup.kid, lookup.algorithm)
            outcome = _ANSWERED if fresh else LookupOutcome.STALE_SERVED
            start_fetch = may_fetch and age > snapshot.refresh_after
            return LookupDecision(outcome, keys, start_fetch=start_fetch)
        if fresh:
            return self._decide_unknown_key(lookup, now, may_fetch)
        # It may be published since then.
        return LookupDecision(_UNAVAILABLE, start_fetch=may_fetch)

    def _wait(self, lookup: KeyLookup) -> float:
        """Return the seconds for which *lookup* may wait: none for a fetch that is slow."""
        late = max(0.0, lookup.arrived_at - (self._fetch_started_at or lookup.arrived_at))
        # One may hold a thread until there is a set; if all did, they would hold all threads.
        longest = inf if self.snapshot or not self._waiters else MAX_SHORT_WAIT
        return max(0.0, min(self.rules.wait, longest) - late) if lookup.may_wait else 0.0

    def _decide_unknown_key(self, lookup: KeyLookup, now: float, may_fetch: bool) -> LookupDecision:
        """Decide on a token whose key is not in a fresh set."""
        # Only a fetch that started after the token arrived can show that the key is unknown: the
        # key may have been published after an earlier fetch.
        answered = self._completed_fetch_started_at >= lookup.arrived_at
        if answered or (self._fetch_started_at is None and self._is_in_cooldown(now)):
            if self.failures:
                return LookupDecision(_UNAVAILABLE)
            if answered:
                return LookupDecision(LookupOutcome.UNKNOWN_REFRESHED)
            return LookupDecision(LookupOutcome.UNKNOWN_COOLDOWN)
        has_place = self._waiters < self.rules.max_waiting
        if lookup.may_wait and has_place and not self.is_failing(now):
            self._waiters += 1
            return LookupDecision(_WAIT, (), self.rules.wait, may_fetch, for_unknown_key=True)
        return LookupDecision(_UNAVAILABLE, start_fetch=may_fetch, for_unknown_key=may_fetch)

    def _decide_failed_signature(
        self, lookup: KeyLookup, age: float, now: float, may_fetch: bool
    ) -> LookupDecision:
        """Decide on a token whose signature has failed under a key of a fresh set.

        The signature counts as bad, but some issuers publish new key material under an old ``kid``.
        """
        cooldown = self.rules.cooldown
        if age <= cooldown or self._completed_fetch_started_at >= lookup.arrived_at:
            return LookupDecision(_ANSWERED)
        start_fetch = may_fetch and not self._is_in_cooldown(now)
        # One token waits for each fetch, and not for long: forged tokens must not block threads.
        may_wait = lookup.may_wait and not self._waiters and not self.is_failing(now)
        if may_wait and (start_fetch or self._fetch_started_at is not None):
            self._waiters = 1
            seconds = min(self.rules.wait, MAX_SHORT_WAIT)
            return LookupDecision(_WAIT, (), seconds, start_fetch, for_unknown_key=start_fetch)
        return LookupDecision(_ANSWERED, start_fetch=start_fetch, for_unknown_key=start_fetch)

    def _is_in_cooldown(self, now: float) -> bool:
        return now - self._unknown_key_fetch_at < self.rules.cooldown
