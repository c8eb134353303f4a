"""The key source of a JWK Set URL: threads, locks and signals around the refresh policy."""

import logging
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..core import (
    Closable,
    Reason,
    Unavailable,
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    register_closable,
    register_fork_reset,
    send_signal,
    steady_time,
)
from .connection import Cancellation
from .http import Fetch
from .key_set import KeyLookup, KeySetState, LoadedKeySet, LookupOutcome, Snapshot, format_kids
from .loader import KeySetLoader, LoadFailed, loggable_url, start_daemon
from .lookups import FetchEnd, FetchingSource, Lookup, Wait, finish
from .refresh_policy import RefreshPolicy
from .source import NO_LEASE, Health, KeyIndex, Lease, VerificationKey

logger: logging.Logger = logging.getLogger(__name__)

# Seconds to wait for the end of a thread, which may be resolving a name or writing a backup.
_JOIN_TIMEOUT = 1.0


class RemoteKeys(FetchingSource, Closable):
    """Keys of a JWK Set that is fetched from a URL; see :class:`KeySource`.

    No request waits while the current set may be used. Each fetch has a thread, which ends with it.
    A forked process inherits the key set only.

    :param clock: returns seconds that never go back.
    :param start_thread: runs a fetch.
    """

    def __init__(
        self,
        policy: RefreshPolicy,
        loader: KeySetLoader,
        clock: Callable[[], float] = steady_time,
        start_thread: Callable[[Callable[[], None]], threading.Thread | None] = start_daemon,
    ) -> None:
        self.urls: Sequence[str] = loader.urls  #: of the set, in the order in which they are tried
        #: See :meth:`KeySetLoader.wrap_fetch`.
        self.wrap_fetch: Callable[[Callable[[Fetch], Fetch]], None] = loader.wrap_fetch
        self._policy = policy
        self._loader = loader
        self._clock = clock
        self._start_thread = start_thread
        self._reported_state: KeySetState | None = None
        self._event_counts: Counter[str] = Counter()
        self._reset()
        register_fork_reset(self)
        register_closable(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._fetch_done: FetchEnd | None = None  # None: no fetch is under way
        self._thread: threading.Thread | None = None
        self._cancellation = Cancellation()

    def reset_after_fork(self) -> None:
        """Continue in a child process, where a held lock stays locked and a fetch never ends."""
        self._reset()
        self._policy.reset_after_fork()

    def close(self) -> None:
        """Cancel the fetch that is under way; see :class:`Closable`."""
        with self._lock:
            fetch_done, self._fetch_done = self._fetch_done, None
            thread, self._thread = self._thread, None
            self._policy.abandon_fetch()
        self._cancellation.cancel()
        if fetch_done:
            fetch_done.set()
        if thread and thread is not threading.current_thread():
            thread.join(_JOIN_TIMEOUT)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """See :class:`KeySource`."""
        snapshot, now = self._policy.snapshot, self._clock()
        # Hot path, without the lock: nearly every token needs this immutable snapshot only.
        if (
            snapshot
            and now - snapshot.confirmed_at <= snapshot.refresh_after
            and snapshot.index.can_decide_kid(kid)
        ):
            return snapshot.index.candidates(kid, algorithm)
        return finish(self._look_up(KeyLookup(kid, algorithm, arrived_at=now)))

    def at_hand(self, kid: str, algorithm: str) -> Sequence[VerificationKey]:
        """See :class:`FetchingSource`."""
        snapshot, now = self._policy.snapshot, self._clock()
        if snapshot is None or not snapshot.index.can_decide_kid(kid):
            return ()
        # Hot path, as in candidates().
        if now - snapshot.confirmed_at <= snapshot.refresh_after:
            return snapshot.index.candidates(kid, algorithm)
        is_usable = self._policy.state(now) in (KeySetState.FRESH, KeySetState.STALE)
        return self.candidates(kid, algorithm) if is_usable else ()

    def look_up(self, kid: str | None, algorithm: str) -> Lookup:
        """See :class:`FetchingSource`."""
        return self._look_up(KeyLookup(kid, algorithm, self._clock()))

    def look_up_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Lookup:
        """See :class:`KeySource`: an issuer may publish new key material under an old ``kid``."""
        tried_thumbprints = {key.thumbprint for key in tried}
        snapshot = self._policy.snapshot
        index = snapshot.index if snapshot else None
        # A fetch may have replaced the set since *tried* was returned.
        keys: Sequence[VerificationKey] = index.candidates(kid, algorithm) if index else []
        if all(key.thumbprint in tried_thumbprints for key in keys):
            lookup = KeyLookup(kid, algorithm, self._clock(), tried_index=index)
            keys = yield from self._look_up(lookup)
        return [key for key in keys if key.thumbprint not in tried_thumbprints]

    @property
    def snapshot(self) -> Snapshot | None:
        """The current key set, which may be too old to be used."""
        return self._policy.snapshot

    @property
    def lease(self) -> Lease:
        """See :class:`Lease`: until a token would start a refresh, by ``steady_time``."""
        return self._policy.lease if self._clock is steady_time else NO_LEASE

    def health(self) -> Health:
        """See :class:`KeySource`."""
        policy, snapshot, now = self._policy, self._policy.snapshot, self._clock()
        waiting_for = policy.waiting_for(now)
        return {
            "source": loggable_url(snapshot.url if snapshot else self.urls[0]),
            "state": policy.state(now).value,
            "ready": waiting_for is None,
            "waiting_for": waiting_for,
            "age": now - snapshot.confirmed_at if snapshot else None,
            "lifetime": snapshot.lifetime if snapshot else None,
            "next_attempt_in": max(0.0, policy.next_attempt_at(now) - now),
            "failures": policy.failures,
            "last_error": policy.last_error,
            "errors": self._loader.errors(),
            **(snapshot.index.summary() if snapshot else {"keys": 0, "kids": []}),
            "counts": dict(self._event_counts),
        }

    def _look_up(self, lookup: KeyLookup) -> Lookup:
        while True:
            with self._lock:
                # The clock is read once this thread has the lock. If it were read earlier, a fetch
                # could end at a time later than *now*, and the policy would not allow the next one.
                now = self._clock()
                decision = self._policy.decide(lookup, now)
                if decision.start_fetch:
                    self._policy.start_fetch(now, for_unknown_key=decision.for_unknown_key)
                    self._fetch_done = FetchEnd()
                fetch_done = self._fetch_done
                if decision.outcome is not LookupOutcome.ANSWERED:
                    self._event_counts[decision.outcome.value] += 1
            if decision.start_fetch and fetch_done:
                self._start_fetch(fetch_done)
            self._report_state(now)
            if decision.outcome not in (LookupOutcome.WAIT, LookupOutcome.UNAVAILABLE):
                return decision.keys
            if decision.outcome is LookupOutcome.UNAVAILABLE or fetch_done is None:
                raise Unavailable(Reason.KEYS_UNAVAILABLE, self._policy.retry_after(now))
            deadline = lookup.arrived_at + decision.wait
            # The end of another fetch may wake the thread too.
            while (left := deadline - self._clock()) > 0 and not fetch_done.is_set():
                yield Wait([fetch_done], left)
            lookup = replace(lookup, may_wait=left > 0)

    def _start_fetch(self, fetch_done: FetchEnd) -> None:
        cancellation = self._cancellation = Cancellation()
        # The fetch does not keep this source alive: it is cancelled when the source is collected.
        receiver = weakref.WeakMethod(self.finish_fetch, lambda _: cancellation.cancel())
        run = partial(self._loader.run, self._policy.snapshot, cancellation, fetch_done, receiver)
        try:
            self._thread = self._start_thread(run)
        except RuntimeError:
            # The interpreter is shutting down, or the machine has no thread left.
            self.finish_fetch(fetch_done, LoadFailed("no thread could be started"))

    def finish_fetch(self, fetch_done: FetchEnd, result: LoadedKeySet | LoadFailed) -> None:
        """Use the *result* of a fetch, unless the fetch was cancelled or began before a fork."""
        policy, changed = self._policy, False
        with self._lock:
            before, now = policy.snapshot, self._clock()
            if fetch_done is not self._fetch_done:
                return
            self._fetch_done = None
            if isinstance(result, LoadFailed):
                if result.backup:
                    policy.restore_backup(now, result.backup)
                policy.fail_fetch(now, str(result), result.retry_after)
            else:
                changed = policy.complete_fetch(now, result)
        fetch_done.set()
        if isinstance(result, LoadFailed):
            self._event_counts["fetch_failed"] += 1
            send_signal(keys_refresh_failed, self, reason=str(result))
        else:
            self._event_counts["fetched"] += 1
            if changed:
                self._report_change(before.index if before else KeyIndex([]), result.index)
        self._report_state(now)

    def _report_change(self, before: KeyIndex, after: KeyIndex) -> None:
        old, new = ({key.kid for key in index.keys} for index in (before, after))
        added, removed = new - old, old - new
        shown = self._loader.shown_url, format_kids(added), format_kids(removed)
        logger.info("key set of %s changed: added %s, removed %s", *shown)
        send_signal(keys_refreshed, self, added=added, removed=removed)

    def _report_state(self, now: float) -> None:
        """Log and signal a change to or from a state that operators must notice, once."""
        state = self._policy.state(now)
        if state is KeySetState.EMPTY and self._policy.failures:
            state = KeySetState.OUTAGE  # clients get the same 503 as after an outage
        with self._lock:
            before = self._reported_state
            if state is before or state not in (*_REPORTS, KeySetState.FRESH):
                return
            self._reported_state = state
        if state in _REPORTS:
            level, text, signal = _REPORTS[state]
            logger.log(level, "key set of %s %s", self._loader.shown_url, text)
            send_signal(signal, self)
        elif before is not None:
            logger.info("key set of %s is confirmed again", self._loader.shown_url)


_REPORTS = {
    KeySetState.STALE: (logging.WARNING, "cannot be confirmed; the last keys are used", keys_stale),
    KeySetState.OUTAGE: (logging.ERROR, "has no usable keys; requests get 503", keys_outage),
}
