"""The thread, one per process, that keeps the cache of revocations up to date with the store."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

from ..core import (
    Closable,
    JumpResistantClock,
    close_if_closable,
    register_closable,
    register_fork_reset,
    steady_time,
)
from .cache import RevocationCache
from .entries import Change
from .recovery import LOG_LOSS, NOBODY_WROTE_BACK, Recovery
from .store import (
    RecoverableStore,
    RevocationStore,
    RevocationStoreError,
    StoreFailures,
    StoreRead,
    Update,
    describe_error,
)

logger: logging.Logger = logging.getLogger(__name__)

# Seconds from one read to the next; for which requests wait for the first, from the start.
_INTERVAL, _FIRST_WAIT = 0.25, 0.5
_EXPIRY_INTERVAL, _COMPACTION_TIME = 60, 0.1  # seconds; the second one after each read
# Seconds to wait for the end of the thread: longer than most clients of Redis wait for an answer.
_STOP_TIMEOUT = 1.0


class Follower(Closable):
    """Reads a store again and again into a cache; :func:`read_once` is one read.

    :param on_change: called with the changes from the store that made a difference.
    :param clock: returns the time in seconds since the epoch, by which tokens are checked.
    :param elapsed: see :data:`steady_time`.
    :param stop_timeout: how long :meth:`close` waits for the thread, in seconds.
    """

    def __init__(
        self,
        store: RevocationStore,
        cache: RevocationCache,
        on_change: Callable[[Iterable[Change]], None],
        clock: Callable[[], float],
        elapsed: Callable[[], float] = steady_time,
        *,
        stop_timeout: float = _STOP_TIMEOUT,
    ) -> None:
        self.failures: StoreFailures = StoreFailures()
        self._store = store
        self._cache = cache
        self._on_change = on_change
        # If it jumps ahead for a moment, no entry is removed too early: none is read again.
        self._clock = JumpResistantClock(clock, elapsed)
        self._elapsed = elapsed
        self._stop_timeout = stop_timeout
        self._position: Any = None
        self._recovery, self._next_expiry = Recovery(cache), 0.0
        self.reset_after_fork()
        cache.start_refresh, cache.ensure_refresh = self.start, self.ensure_running
        register_fork_reset(self)
        register_closable(self)

    def reset_after_fork(self) -> None:
        """Start anew in a child process: no thread runs, and an inherited lock may stay locked."""
        self._process, self._lock = os.getpid(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping, self._has_tried = threading.Event(), threading.Event()
        self._is_current, self._started = threading.Event(), inf
        self._compaction: Iterator[object] | None = None  # what is left to do of the last one
        self._cache.reset_after_fork()

    def ensure_running(self) -> None:
        """Start the thread unless it runs, and wait half a second at most for its first answer.

        That may not be all: no thread that serves requests is held until the copy is complete.
        """
        self.start()
        self._has_tried.wait(max(0.0, _FIRST_WAIT - max(0.0, self._elapsed() - self._started)))

    def wait_until_current(self, timeout: float) -> bool:
        """Start the thread unless it runs; return whether the copy is complete within *timeout*."""
        self.start()
        self._is_current.wait(timeout)
        return self._cache.is_fresh()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        # uWSGI forks without Python's hooks: the parent's thread object still seems alive.
        if self._process != os.getpid():
            self.reset_after_fork()
        # Before the lock: those that find it taken wait for an answer too.
        self._started = min(self._started, self._elapsed())
        # Another thread that holds the lock starts one. Never wait for it: requests call this.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                stopping = threading.Event()
                closable = self._store if isinstance(self._store, Closable) else None
                arguments = weakref.ref(self), stopping, closable
                thread = threading.Thread(target=_follow, args=arguments, daemon=True)
                thread.start()
                self._thread, self._stopping = thread, stopping
        except RuntimeError:
            # The interpreter shuts down, or the machine has reached its limit of threads.
            self._record_failure("the thread that reads it cannot be started")
        finally:
            self._lock.release()

    def close(self) -> None:
        """Stop the thread, and close the connections of a store that the package made.

        The copy counts as too old from then on: the next request starts the thread again.
        """
        if self._process != os.getpid():
            self.reset_after_fork()
        with self._lock:
            self._stopping.set()
            thread, has_tried = self._thread, self._has_tried
            self._has_tried, self._is_current = threading.Event(), threading.Event()
            self._started = inf
        # Closing ends a read that waits; a connection opened later is closed by the thread itself.
        close_if_closable(self._store)
        if thread and thread is not threading.current_thread():
            thread.join(self._stop_timeout)
        self._cache.expire()
        has_tried.set()

    def next_read(self) -> StoreRead:
        """Return the read that comes next."""
        return StoreRead(self._store, self._position, self._elapsed())

    def apply(self, read: StoreRead) -> float:
        """Apply the result of *read* to the cache, and return how many seconds to pause then."""
        failure, pause = read.failure, _INTERVAL
        try:
            if read.update is not None:
                pause = self._apply_update(read.update, read.began)
        except Exception as error:
            failure = describe_error(error)
        if failure is not None and not self._stopping.is_set():  # closing interrupts a write
            self._record_failure(failure)
            pause = self.failures.pause()
        return max(0.0, pause - (self._elapsed() - read.began))

    def _apply_update(self, update: Update, began: float) -> float:
        if update.lost:
            return self._recover(update, began)
        is_first = self._cache.confirmed_at is None
        if update.complete and update.more:
            self._is_current.clear()
            self._cache.expire()  # what only a later part has is not known until then
        applied: list[Change] = []
        for piece in update.pieces or ():
            applied += self._cache.apply_piece(piece, began)[0]
        applied += self._cache.apply_changes(update.changes, None if update.more else began)
        self._position = update.position
        self._has_tried.set()
        self.failures.clear()
        if not is_first:
            self._on_change(applied)
        if update.more:
            return 0.0
        self._is_current.set()
        self._write_unreported(began)
        self._maintain(update.now, began)
        return _INTERVAL

    def _maintain(self, store_time: float | None, began: float) -> None:
        """Remove what has expired, once a minute; in the store, a part after each read."""
        store, cache, duration = self._store, self._cache, self._elapsed() - began
        if began >= self._next_expiry:
            self._next_expiry = began + _EXPIRY_INTERVAL
            # No entry ends by one clock alone: either may be ahead.
            now = store.now() if store_time is None else store_time
            cache.remove_expired(min(self._clock(), now))
            # What is pending is no part of what the store has.
            if isinstance(store, RecoverableStore) and not cache.has_pending():
                self._compaction = self._compaction or store.compact(cache.revoked, self._position)
        # From a store that is far away, the copy would become too old meanwhile.
        if 4 * duration <= cache.max_lag:
            until = self._elapsed() + _COMPACTION_TIME
            while self._compaction and self._elapsed() <= until:
                if next(self._compaction, self) is self:
                    self._compaction = None

    def _write_unreported(self, began: float) -> None:
        """Write again what the store has acknowledged and then lost, as after a failover."""
        if unreported := self._cache.unreported_revocations(began):
            logger.error(LOG_LOSS, len(unreported))
            self._store.change(unreported)
            for change in unreported:
                # Not once more: it stays in force in this process until the store reports its key.
                self._cache.end_write(change, acknowledged=False)

    def _recover(self, update: Update, began: float) -> float:
        """Read a part of what the store still has after a loss, and write back what it lacks."""
        if self._cache.confirmed_at is None:  # no copy to write back: it would hide the loss
            self._position = None
            raise RevocationStoreError(NOBODY_WROTE_BACK)
        pause = 0.0 if update.more else self._recovery.pause_before_writing()
        if not pause:
            self._on_change(self._recovery.apply(update, began))
            self._position = self._recovery.follow(self._store, update)
            pause = 0.0 if update.more else self._recovery.pause_after_writing()
        return pause + self._elapsed() - began if pause else 0.0

    def _record_failure(self, cause: str) -> None:
        self._is_current.clear()
        self.failures.record(cause)
        self._cache.report_if_stale()
        self._has_tried.set()


def read_once(reference: Callable[[], Follower | None]) -> float | None:
    """Read the store once, and return how many seconds to pause before the next read.

    While the store is waited for, neither the follower nor anything else of the app is referenced.

    :param reference: returns the follower, or ``None`` once it is collected or closed. Then this
        returns ``None`` too.
    """
    follower = reference()
    if follower is None:
        return None
    read = follower.next_read()
    del follower
    read.run()
    follower = reference()
    return None if follower is None else follower.apply(read)


def _follow(
    reference: "weakref.ref[Follower]", stopping: threading.Event, closable: Closable | None
) -> None:
    while (pause := read_once(lambda: None if stopping.is_set() else reference())) is not None:
        stopping.wait(pause)
    close_if_closable(closable)  # a socket that is left open would make the collector warn
