"""The URL of a JWK Set in; its keys out, through rotations, outages, forks and hostile tokens."""

import logging
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...core import (
    Closable,
    Reason,
    Unavailable,
    boottime,
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    register,
    register_fork_reset,
    send,
)
from ..source import Health, KeySource, VerificationKey
from ..static import KeyIndex
from .connection import Attempt
from .key_set import Snapshot
from .loader import LoadedKeySet, Loader, LoadFailed
from .refresh_policy import KeyLookup, KeySetState, RefreshPolicy

logger: logging.Logger = logging.getLogger(__name__)

# Seconds to wait for a thread to end: one that resolves a name, or saves a set, takes its time.
_END = 1.0


class RemoteKeys(KeySource, Closable):
    """Keys of a JWK Set that is fetched; see :class:`KeySource`.

    No request waits while the set at hand may be used; no thread outlives a fetch; nothing is
    shared over a fork but the set itself.

    :param machine: decides.
    :param loader: fetches.
    :param clock: returns seconds that never go back.
    """

    def __init__(
        self,
        machine: RefreshPolicy,
        loader: Loader,
        clock: Callable[[], float] = boottime,
    ) -> None:
        self._machine = machine
        self._loader = loader
        self._clock = clock
        self._told: KeySetState | None = None
        self._counts: Counter[str] = Counter()
        self._renew()
        register_fork_reset(self)
        register(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._flight: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def reset_after_fork(self) -> None:
        """Go on in a child process.

        There a lock that a thread held at the fork stays locked, and a fetch that was under way
        never ends.
        """
        self._renew()
        self._machine.reset_after_fork()

    def close(self) -> None:
        """Give up the fetch that is under way; see :class:`Closable`."""
        with self._lock:
            flight, self._flight = self._flight, None
            thread, self._thread = self._thread, None
            self._machine.abandoned()
        self._loader.attempt.give_up()
        if flight:
            flight.set()
        if thread and thread is not threading.current_thread():
            thread.join(_END)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """See :class:`KeySource`."""
        snapshot, now = self._machine.snapshot, self._clock()
        # What nearly every token takes: no lock, one look at one immutable object.
        if (
            snapshot
            and now - snapshot.confirmed_at <= snapshot.ahead
            and snapshot.index.covers_kid(kid)
        ):
            return snapshot.index.candidates(kid, algorithm)
        return self._ask(KeyLookup(kid, algorithm, since=now))

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """See :class:`KeySource`: an issuer may put new key material under a known ``kid``."""
        known = {key.thumbprint for key in tried}
        snapshot = self._machine.snapshot
        index = snapshot.index if snapshot else None
        # The set may have been replaced since the first ones were handed out.
        keys: Sequence[VerificationKey] = index.candidates(kid, algorithm) if index else []
        if all(key.thumbprint in known for key in keys):
            keys = self._ask(KeyLookup(kid, algorithm, since=self._clock(), distrusted=index))
        return [key for key in keys if key.thumbprint not in known]

    @property
    def snapshot(self) -> Snapshot | None:
        """The set that serves, or the last one that did."""
        return self._machine.snapshot

    def health(self) -> Health:
        """See :class:`KeySource`."""
        machine, now = self._machine, self._clock()
        snapshot = machine.snapshot
        state = machine.state(now)
        return {
            # Without the query, which may hold a secret.
            "source": (snapshot.source if snapshot else self._loader.urls[0]).partition("?")[0],
            "state": state.value,
            "ready": state in (KeySetState.FRESH, KeySetState.DUE, KeySetState.STALE),
            "age": now - snapshot.confirmed_at if snapshot else None,
            "life": snapshot.life if snapshot else None,
            "next_attempt_in": max(0.0, machine.next_attempt(now) - now),
            "failures": machine.failures,
            "last_error": machine.last_error,
            **(snapshot.index.summary() if snapshot else {"keys": 0, "kids": []}),
            "counts": dict(self._counts),
        }

    def _ask(self, question: KeyLookup) -> Sequence[VerificationKey]:
        while True:
            with self._lock:
                # Its turn decides, not its arrival: else a fetch that landed since is one of the
                # future, before which nothing may be asked.
                now = self._clock()
                decision = self._machine.lookup(question, now)
                if decision.refresh:
                    self._machine.started(now, unknown=decision.unknown)
                    self._flight = threading.Event()
                flight = self._flight
                if decision.note:
                    self._counts[decision.note] += 1
                if decision.wait:
                    self._counts["waits"] += 1
            if decision.refresh and flight:
                self._start(flight)
            self._report_state(now)
            if decision.keys is not None:
                return decision.keys
            if not decision.wait or flight is None:
                raise Unavailable(Reason.KEYS_UNAVAILABLE, self._machine.retry_after(now))
            until = question.since + decision.wait
            landed = flight.wait(max(0.0, until - now))
            question = replace(question, patient=landed and self._clock() < until)

    def _start(self, flight: threading.Event) -> None:
        attempt = self._loader.attempt = Attempt()
        # Dropped while it fetches, a source is collected, and the fetch given up.
        reference = weakref.ref(self, lambda _: attempt.give_up())
        arguments = reference, self._loader, self._machine.snapshot, flight
        thread = threading.Thread(target=refresh, args=arguments, daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError:
            # The interpreter ends, or the machine has no thread left.
            self.land(flight, LoadFailed("no thread can be had"))

    def land(self, flight: threading.Event, result: LoadedKeySet | LoadFailed) -> None:
        """Take the *result* of a fetch, unless it was given up, or left to the parent of a fork."""
        changed = False
        before = self._machine.snapshot.index if self._machine.snapshot else None
        with self._lock:
            now = self._clock()
            if flight is not self._flight:
                return
            self._flight = None
            if isinstance(result, LoadFailed):
                if result.copy and self._machine.snapshot is None:
                    self._machine.restored(now, *result.copy)
                self._machine.failed(now, str(result), result.retry_after)
            else:
                changed = self._machine.confirmed(
                    now, result.index, result.life, result.source, result.validators
                )
        flight.set()
        if isinstance(result, LoadFailed):
            self._counts["fetch_failed"] += 1
            send(keys_refresh_failed, self, reason=str(result))
        else:
            self._counts["fetched"] += 1
            if changed:
                self._report_change(before, result.index)
        self._report_state(now)

    def _report_change(self, before: KeyIndex | None, index: KeyIndex) -> None:
        old, new = (({key.kid for key in each.keys} if each else set()) for each in (before, index))
        added, removed = new - old, old - new
        logger.info("key set changed: added %s, removed %s", _shown(added), _shown(removed))
        send(keys_refreshed, self, added=added, removed=removed)

    def _report_state(self, now: float) -> None:
        """Tell of a change to or from a state that somebody should know of, once."""
        state = self._machine.state(now)
        if state is KeySetState.EMPTY and self._machine.failures:
            state = KeySetState.OUTAGE  # that there never were keys makes no difference to clients
        with self._lock:
            told, news = self._told, state in _NEWS or state is KeySetState.FRESH
            if not news or told is state:
                return
            self._told = state
        if state in _NEWS:
            level, text, signal = _NEWS[state]
            logger.log(level, "key set of %s: %s", self._loader.name, text)
            send(signal, self)
        elif told is not None:
            logger.info("key set of %s: confirmed again", self._loader.name)


def refresh(
    reference: Callable[[], RemoteKeys | None],
    loader: Loader,
    known: Snapshot | None,
    flight: threading.Event,
) -> None:
    """Fetch, and hand over the result. The source is not held meanwhile, nor is its app.

    :param reference: returns the source, or ``None`` once it is gone.
    :param known: the set at hand.
    :param flight: what those wait for who need the result.
    """
    try:
        result: LoadedKeySet | LoadFailed = loader.load(known)
    except LoadFailed as failed:
        result = failed
    except Exception as error:
        # Whatever it is, the flight must land, or nothing is ever fetched again. By its class:
        # the text may quote what was received.
        result = LoadFailed(type(error).__name__)
    if source := reference():
        source.land(flight, result)
        del source
        if isinstance(result, LoadedKeySet):
            # After landing: whoever waits for the keys need not wait for a disk.
            loader.keep(result)


_NEWS = {
    KeySetState.STALE: (logging.WARNING, "it cannot be confirmed; the last one serves", keys_stale),
    KeySetState.OUTAGE: (logging.ERROR, "there is none to be used: 503", keys_outage),
}


def _shown(kids: set[str | None]) -> str:
    """Return *kids* for a log line: escaped, since they come from outside, and cut."""
    return ", ".join(sorted(repr(kid)[:64] for kid in kids)) or "none"
