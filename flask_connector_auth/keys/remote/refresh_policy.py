"""What happened to a key set, and when, in; what to do for the next token out. No I/O, no clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import SystemRandom

from ..source import VerificationKey
from ..static import KeyIndex
from .key_set import RemoteRules, Snapshot

#: Seconds that a request waits while there is no key at all.
EMPTY_WAIT = 5.0
#: Seconds that a token waits, at most, whose signature failed under the keys at hand.
DOUBT_WAIT = 0.5
#: Seconds from a failed fetch to the next one, at most, while no token can be verified.
MAX_PAUSE_WITHOUT_KEYS = 5.0


class KeySetState(StrEnum):
    """How far the keys at hand can be trusted."""

    EMPTY = "empty"  #: there are none yet
    FRESH = "fresh"  #: confirmed recently enough
    DUE = "due"  #: not confirmed lately, for want of asking
    STALE = "stale"  #: not confirmed, since asking failed; still within the allowance
    OUTAGE = "outage"  #: the allowance is over


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """A token that asks for keys."""

    kid: str | None
    algorithm: str
    since: float  #: when it came
    patient: bool = True  #: whether it may still wait for a fetch
    distrusted: KeyIndex | None = None  #: the keys under which its signature failed already


@dataclass(frozen=True, slots=True)
class LookupDecision:
    """What to do for one token."""

    keys: Sequence[VerificationKey] | None = None  #: to try; ``None``: nobody can know just now
    wait: float = 0  #: seconds to wait for a fetch before asking again; then *keys* is no answer
    refresh: bool = False  #: start a fetch
    unknown: bool = False  #: that one is for an unknown key
    note: str = ""  #: what kind of decision this is, to be counted


@dataclass(frozen=True, slots=True)
class _Failure:
    """A failed fetch, and what its pause is worked out from; times in seconds."""

    at: float
    backoff: float  #: of which the state may allow less
    share: float  #: of the backoff, drawn
    asked: float  #: by the issuer


# Without a state, which workers would inherit, and a user's tests would find changed.
_random = SystemRandom()
_NOBODY_KNOWS = LookupDecision(note="unavailable")


class RefreshPolicy:
    """The state of one remote key set.

    Times are seconds of one monotonic clock, handed in with every call. Not safe for threads by
    itself; but :attr:`snapshot` may be read at any time.

    :param jitter: returns a number from 0 to 1; workers spread by it.
    """

    def __init__(self, rules: RemoteRules, jitter: Callable[[], float] = _random.random) -> None:
        self.rules = rules
        self.snapshot: Snapshot | None = None
        self.failures: int = 0  #: in a row
        self.last_error: str | None = None
        self._jitter = jitter
        self._failure: _Failure | None = None  # since which no fetch has succeeded
        self._under_way: float | None = None
        self._asked_since = float("-inf")  # when the last completed fetch was started
        self._asked_for_unknown = float("-inf")
        self._waiters = 0  # that one fetch has had, of tokens that the keys at hand do not verify

    def state(self, now: float) -> KeySetState:
        """Return the state at *now*."""
        snapshot = self.snapshot
        if snapshot is None:
            return KeySetState.EMPTY
        age = now - snapshot.confirmed_at
        if age <= snapshot.life:
            return KeySetState.FRESH
        if not self.failing(now):
            return KeySetState.DUE
        return KeySetState.STALE if age <= self.rules.max_stale else KeySetState.OUTAGE

    def failing(self, now: float) -> bool:
        """Whether the issuer is proven not to answer: it failed, or a fetch does not come back."""
        return self.failures > 0 or self._overdue(now)

    def _overdue(self, now: float) -> bool:
        # Where a name server hangs, nothing can stop a fetch: it counts as failed all the same.
        return self._under_way is not None and now - self._under_way > 2 * self.rules.timeout

    def next_attempt(self, now: float) -> float:
        """Return when the issuer may be asked again, as things stand at *now*.

        It depends on the state, so it may come closer while a long pause is under way.
        """
        failure = self._failure
        if failure is None:
            return now
        pause = failure.share * min(failure.backoff, self._max_pause(self.state(now)))
        return failure.at + max(pause, failure.asked)

    def _max_pause(self, state: KeySetState) -> float:
        # Without keys every request fails, and what ends that is the next attempt.
        if state in (KeySetState.EMPTY, KeySetState.OUTAGE):
            return MAX_PAUSE_WITHOUT_KEYS
        # Else bad tokens could make the pause long, each by one more failure, and with it the time
        # that a new key is kept out.
        return self.rules.cooldown if state is KeySetState.FRESH else self.rules.retry_max

    def retry_after(self, now: float) -> float:
        """Return the seconds until asking again makes sense, at least one."""
        if self._under_way is not None:
            return 1.0
        at = self.next_attempt(now)
        if self.state(now) is KeySetState.FRESH:
            # Only of an unknown key can nothing be known then.
            at = max(at, self._asked_for_unknown + self.rules.cooldown)
        return max(1.0, at - now)

    # Events

    def started(self, now: float, *, unknown: bool) -> None:
        """A fetch was started at *now*, for an unknown key or in due course."""
        self._under_way = now
        if unknown:
            # Counted from the attempt, not from its success: else a failing issuer is asked for
            # every bad token.
            self._asked_for_unknown = now

    def confirmed(
        self,
        now: float,
        index: KeyIndex,
        life: float | None,
        source: str,
        validators: Mapping[str, str],
    ) -> bool:
        """The fetch that was under way brought *index*; return whether its keys are others.

        :param life: seconds that the issuer lets it be used, if it says so.
        :param source: the URL it came from.
        :param validators: headers of the next, conditional request.
        """
        rules, before = self.rules, self.snapshot
        life = rules.max_age if life is None else min(max(life, rules.min_age), rules.max_age)
        changed = before is None or before.index.identities != index.identities
        if before is not None and not changed:
            index = before.index  # the same keys are the same object, here and in every cache
        ahead = life * (0.8 - 0.1 * self._jitter())
        self.snapshot = Snapshot(index, now, life, ahead, source, validators)
        self._completed()
        self.failures, self.last_error, self._failure = 0, None, None
        return changed

    def failed(self, now: float, reason: str, retry_after: float | None = None) -> None:
        """The fetch that was under way brought nothing.

        :param retry_after: seconds that the issuer asks to be left alone, if it does.
        """
        rules = self.rules
        # Bounded before the power is taken: a day of failures must not overflow a float.
        backoff = min(rules.retry_max, rules.retry * 2 ** min(self.failures, 32))
        # Half of it is fixed: a draw near zero would be no backoff at all.
        share = 0.5 + 0.5 * self._jitter()
        asked = min(retry_after or 0, rules.retry_max)
        self._failure = _Failure(now, backoff, share, asked)
        self.failures += 1
        self.last_error = reason
        self._completed()

    def restored(self, now: float, index: KeyIndex, age: float, source: str) -> None:
        """A saved copy was read, confirmed *age* seconds ago: it can only be stale."""
        # No age is within that life: a copy is never fresh, however young it is.
        self.snapshot = Snapshot(index, now - age, -1, -1, source)

    def reset_after_fork(self) -> None:
        """This is a new process: no fetch of the old one will come back here."""
        self.abandoned()
        if self.snapshot is not None:
            ahead = self.snapshot.life * (0.8 - 0.1 * self._jitter())
            self.snapshot = replace(self.snapshot, ahead=ahead)

    def abandoned(self) -> None:
        """The fetch that was under way will not come back."""
        self._under_way, self._waiters = None, 0

    def _completed(self) -> None:
        self._waiters = 0
        if self._under_way is not None:
            self._asked_since, self._under_way = self._under_way, None

    # Questions

    def lookup(self, question: "KeyLookup", now: float) -> LookupDecision:
        """Decide on a token at *now*. Where the answer is to wait, it is taken that it does."""
        state, snapshot = self.state(now), self.snapshot
        may_ask = self._under_way is None and now >= self.next_attempt(now)
        if snapshot is None or state is KeySetState.OUTAGE:
            # Of an issuer that has failed nobody waits for the next answer: where it hangs, threads
            # would do nothing else.
            if snapshot is None and question.patient and not self.failing(now):
                return LookupDecision(wait=EMPTY_WAIT, refresh=may_ask)
            return LookupDecision(refresh=may_ask, note="unavailable")
        index = snapshot.index
        if index is question.distrusted:
            if state is KeySetState.FRESH:
                return self._doubtful(question, snapshot, now, may_ask)
            return LookupDecision([], refresh=may_ask)
        if state is KeySetState.DUE:
            if question.patient:
                return LookupDecision(wait=self.rules.wait, refresh=may_ask)
            if now - snapshot.confirmed_at > self.rules.max_stale:
                return _NOBODY_KNOWS
        if index.covers_kid(question.kid):
            ahead = now - snapshot.confirmed_at > snapshot.ahead
            keys = index.candidates(question.kid, question.algorithm)
            fresh = state is KeySetState.FRESH
            return LookupDecision(
                keys, refresh=may_ask and ahead, note="" if fresh else "stale_served"
            )
        if state is KeySetState.FRESH:
            return self._unknown(question, now, may_ask)
        # A key that has appeared since cannot be told from one that never was.
        return LookupDecision(refresh=may_ask, note="unavailable")

    def _unknown(self, question: "KeyLookup", now: float, may_ask: bool) -> LookupDecision:
        """Decide on a key that a set confirmed not long ago does not have."""
        rules = self.rules
        if self._asked_since >= question.since:
            # Asked for while this token waited: the answer stands.
            return _NOBODY_KNOWS if self.failures else LookupDecision([], note="unknown_refreshed")
        if self._under_way is None and self._cooling(now):
            return _NOBODY_KNOWS if self.failures else LookupDecision([], note="unknown_cooldown")
        if question.patient and not self.failing(now) and self._waiters < rules.max_waiting:
            self._waiters += 1
            return LookupDecision(wait=rules.wait, refresh=may_ask, unknown=True)
        return LookupDecision(refresh=may_ask, unknown=may_ask, note="unavailable")

    def _doubtful(
        self, question: "KeyLookup", snapshot: Snapshot, now: float, may_ask: bool
    ) -> LookupDecision:
        """Decide on a signature that failed under a key that was confirmed not long ago.

        It is bad, as far as anyone knows; but issuers do put new keys under old names.
        """
        rules = self.rules
        if now - snapshot.confirmed_at <= rules.cooldown or self._asked_since >= question.since:
            return LookupDecision([])
        asks = may_ask and not self._cooling(now)
        # One for each fetch, and not for long: forged tokens must not hold the threads of others.
        waits = question.patient and not self._waiters and not self.failing(now)
        if waits and (asks or self._under_way is not None):
            self._waiters = 1
            return LookupDecision(wait=min(rules.wait, DOUBT_WAIT), refresh=asks, unknown=asks)
        return LookupDecision([], refresh=asks, unknown=asks)

    def _cooling(self, now: float) -> bool:
        """Whether the issuer was asked for an unknown key not long ago."""
        return now - self._asked_for_unknown < self.rules.cooldown
