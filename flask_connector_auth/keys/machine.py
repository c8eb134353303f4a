"""What happened to a key set, and when, in; what to do for the next token out. No I/O, no clock."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import SystemRandom

from .index import KeyIndex
from .snapshot import RemoteRules, Snapshot
from .source import VerificationKey

#: Seconds that a request waits while there is no key at all.
EMPTY_WAIT = 5.0
_MAX_REMEMBERED = 256


class KeySetState(StrEnum):
    """How far the keys at hand can be trusted."""

    EMPTY = "empty"  #: there are none yet
    FRESH = "fresh"  #: confirmed recently enough
    DUE = "due"  #: not confirmed lately, for want of asking
    STALE = "stale"  #: not confirmed, since asking failed; still within the allowance
    OUTAGE = "outage"  #: the allowance is over


@dataclass(frozen=True, slots=True)
class Question:
    """A token that asks for keys."""

    kid: str | None
    algorithm: str
    since: float  #: when it came
    patient: bool = True  #: whether it may still wait for a fetch
    distrusted: KeyIndex | None = None  #: the keys under which its signature failed already


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for one token."""

    keys: Sequence[VerificationKey] | None = None  #: to try; ``None``: nobody can know just now
    wait: float = 0  #: seconds to wait for a fetch before asking again; then *keys* is no answer
    refresh: bool = False  #: start a fetch
    unknown: bool = False  #: that one is for an unknown key
    note: str = ""  #: what kind of decision this is, to be counted


# Without a state, which workers would inherit, and a user's tests would find changed.
_random = SystemRandom()
_NOBODY_KNOWS = Decision(note="unavailable")


class KeySetMachine:
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
        self.next_attempt: float = 0.0
        self._jitter = jitter
        self._under_way: float | None = None
        self._asked_since = float("-inf")  # when the last completed fetch was started
        self._asked_for_unknown = float("-inf")
        self._remembered: OrderedDict[str | None, tuple[float, float]] = OrderedDict()

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

    def retry_after(self, now: float) -> float:
        """Return the seconds until asking again makes sense."""
        return max(1.0, self.next_attempt - now)

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
        changed = before is None or before.index.names != index.names
        if before is not None and not changed:
            index = before.index  # the same keys are the same object, here and in every cache
        else:
            self._remembered.clear()
        ahead = life * (0.8 - 0.1 * self._jitter())
        self.snapshot = Snapshot(index, now, life, ahead, source, validators)
        self._completed()
        self.failures, self.last_error, self.next_attempt = 0, None, now
        return changed

    def failed(self, now: float, reason: str, retry_after: float | None = None) -> None:
        """The fetch that was under way brought nothing.

        :param retry_after: seconds that the issuer asks to be left alone, if it does.
        """
        rules = self.rules
        # Bounded before the power is taken: a day of failures must not overflow a float.
        backoff = min(rules.retry_max, rules.retry * 2 ** min(self.failures, 32))
        # Half of it is fixed: a draw near zero would be no backoff at all.
        delay = backoff * (0.5 + 0.5 * self._jitter())
        self.next_attempt = now + max(delay, min(retry_after or 0, rules.retry_max))
        self.failures += 1
        self.last_error = reason
        self._completed()

    def restored(self, now: float, index: KeyIndex, age: float, source: str) -> None:
        """A saved copy was read, confirmed *age* seconds ago: it can only be stale."""
        # No age is within that life: a copy is never fresh, however young it is.
        self.snapshot = Snapshot(index, now - age, -1, -1, source)

    def forked(self) -> None:
        """This is a new process: no fetch of the old one will come back here."""
        self._under_way = None
        if self.snapshot is not None:
            ahead = self.snapshot.life * (0.8 - 0.1 * self._jitter())
            self.snapshot = replace(self.snapshot, ahead=ahead)

    def _completed(self) -> None:
        if self._under_way is not None:
            self._asked_since, self._under_way = self._under_way, None

    # Questions

    def lookup(self, question: "Question", now: float) -> Decision:
        """Decide on a token at *now*."""
        state, snapshot = self.state(now), self.snapshot
        under_way = self._under_way is not None
        may_ask = not under_way and now >= self.next_attempt
        if snapshot is None or state is KeySetState.OUTAGE:
            may_wait = may_ask or (under_way and not self._overdue(now))
            if snapshot is None and question.patient and may_wait:
                return Decision(wait=EMPTY_WAIT, refresh=may_ask)
            return Decision(refresh=may_ask, note="unavailable")
        if state is KeySetState.DUE:
            if question.patient:
                return Decision(wait=self.rules.wait, refresh=may_ask)
            if now - snapshot.confirmed_at > self.rules.max_stale:
                return _NOBODY_KNOWS
        index = snapshot.index
        if index is not question.distrusted and index.knows(question.kid):
            ahead = now - snapshot.confirmed_at > snapshot.ahead
            keys = index.candidates(question.kid, question.algorithm)
            fresh = state is KeySetState.FRESH
            return Decision(keys, refresh=may_ask and ahead, note="" if fresh else "stale_served")
        if state is KeySetState.FRESH:
            return self._unknown(question, snapshot, now, may_ask)
        # A key that has appeared since cannot be told from one that never was. But a signature
        # that fails under a key at hand is bad, as far as anyone knows.
        if index is question.distrusted:
            return Decision([], refresh=may_ask)
        return Decision(refresh=may_ask, note="unavailable")

    def _unknown(
        self, question: "Question", snapshot: Snapshot, now: float, may_ask: bool
    ) -> Decision:
        """Decide on a key that a set confirmed not long ago does not have."""
        rules, kid = self.rules, question.kid
        suspect = snapshot.index is question.distrusted
        if suspect and now - snapshot.confirmed_at <= rules.cooldown:
            return Decision([])
        if now < self._remembered.get(kid, (0.0, 0.0))[0]:
            return Decision([], note="unknown_remembered")
        if self._asked_since >= question.since:
            # Asked for while this token waited: the answer stands.
            if not self.failures and not suspect:
                self._remember(kid, now)
            return _NOBODY_KNOWS if self.failures else Decision([], note="unknown_refreshed")
        if self._under_way is None:
            if now - self._asked_for_unknown < rules.cooldown:
                return _NOBODY_KNOWS if self.failures else Decision([], note="unknown_cooldown")
            if not may_ask:
                return _NOBODY_KNOWS
        if not question.patient:
            return _NOBODY_KNOWS
        return Decision(wait=rules.wait, refresh=may_ask, unknown=True)

    def _remember(self, kid: str | None, now: float) -> None:
        """Remember that *kid* is not in the set: a client that insists costs ever fewer fetches."""
        _, delay = self._remembered.pop(kid, (0.0, 0.0))
        delay = min(2 * delay, self.rules.max_age) if delay else self.rules.cooldown
        self._remembered[kid] = (now + delay, delay)
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
