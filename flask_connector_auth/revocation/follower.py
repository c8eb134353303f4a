"""The thread, one per process, that keeps the cache of revocations up to date with the store."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
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
from .entries import Change, RevocationSet
from .store import (
    RevocationStore,
    RevocationStoreError,
    StoreFailures,
    StoreRead,
    Update,
    describe_error,
)

logger: logging.Logger = logging.getLogger(__name__)

# Seconds that the store may wait for a change. A client gives up after 0.8 s, so half a second is
# left for the network. A read confirms the copy as of the time at which the read began, so before
# the next read ends, the copy is two reads old. The smallest REVOCATION_MAX_LAG is one second.
_WAIT = 0.25
_FIRST_WAIT = 1.0
_GATHER = 0.01  # seconds between two reads, so that one read gathers the changes of that time
_EXPIRY_INTERVAL = 60  # seconds
_WRITE_BACK_BATCH = 500
# Seconds to wait for the end of the thread: longer than a client of Redis waits for an answer.
_STOP_TIMEOUT = 1.0
_LOG_LOSS = "the revocation store has lost data; entries that this process writes back: %d"


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
        # If the clock jumps ahead for a moment, entries would be removed too early, and they are
        # not read again. This clock ignores such a jump.
        self._clock = JumpResistantClock(clock, elapsed)
        self._elapsed = elapsed
        self._stop_timeout = stop_timeout
        self._position: Any = None
        # A complete copy that is not up to date yet, and the position to read on from.
        self._loading: tuple[RevocationSet, Any] | None = None
        self._next_expiry = 0.0
        self.reset_after_fork()
        cache.ensure_refresh = self.ensure_running
        register_fork_reset(self)
        register_closable(self)

    def reset_after_fork(self) -> None:
        """Start anew in a child process: no thread runs, and an inherited lock may stay locked."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._has_tried = threading.Event()
        self._wait = 0.0
        self._cache.reset_after_fork()

    def ensure_running(self) -> None:
        """Start the thread unless it runs, and wait for its first read, for one second at most."""
        self.start()
        self._has_tried.wait(_FIRST_WAIT)

    def start(self) -> None:
        """Start the thread, unless it runs."""
        # uWSGI forks without Python's hooks: the parent's thread object still seems alive.
        if self._process != os.getpid():
            self.reset_after_fork()
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
            self._has_tried = threading.Event()
            self._wait = 0.0
        # Closing ends a read that waits; a connection opened later is closed by the thread itself.
        close_if_closable(self._store)
        if thread and thread is not threading.current_thread():
            thread.join(self._stop_timeout)
        self._cache.expire()
        has_tried.set()

    def next_read(self) -> StoreRead:
        """Return the read that comes next."""
        position = self._loading[1] if self._loading else self._position
        retention = self._cache.revoked.retention
        return StoreRead(self._store, position, self._wait, retention, self._elapsed())

    def apply(self, read: StoreRead) -> float:
        """Apply the result of *read* to the cache, and return how many seconds to pause then."""
        failure = read.failure
        try:
            if read.update is not None:
                self._apply_update(read.update, read.entries, read.began)
        except Exception as error:
            failure = describe_error(error)
        if failure is None:
            pause = _GATHER if self._wait else 0.0
        else:
            self._wait, self._loading = 0.0, None
            self._record_failure(failure)
            pause = self.failures.pause()
        return max(0.0, pause - (self._elapsed() - read.began))

    def _apply_update(self, update: Update, entries: RevocationSet | None, began: float) -> None:
        self._wait = 0.0
        if update.lost:
            self._write_back(update)
        elif entries is not None:
            self._loading = entries, update.position
        else:
            changes = self._apply_changes(update, began)
            self._position = update.position
            self.failures.clear()
            self._has_tried.set()
            if began >= self._next_expiry:
                self._cache.remove_expired(self._clock())
                self._next_expiry = began + _EXPIRY_INTERVAL
            self._on_change(changes)
            self._write_unreported(began)
            self._wait = _WAIT

    def _apply_changes(self, update: Update, began: float) -> Iterable[Change]:
        """Apply *update* to the cache, and return what changed in it."""
        loading, self._loading = self._loading, None
        if loading is None:
            return self._cache.apply_changes(update.changes, began)
        entries, _ = loading
        for change in update.changes:
            entries.put(change)
        is_first = self._cache.confirmed_at is None
        previous = self._cache.replace_entries(entries, began)
        self._next_expiry = began
        return () if is_first else entries.changes_since(previous)

    def _write_unreported(self, began: float) -> None:
        """Write again what the store has acknowledged and then lost, as after a failover."""
        if unreported := self._cache.unreported_revocations(began):
            logger.error(_LOG_LOSS, len(unreported))
            self._store.change(unreported)
            for change in unreported:
                # This was the last write. The revocation stays in force in this process until the
                # store reports its key.
                self._cache.end_write(change, acknowledged=False)

    def _write_back(self, update: Update) -> None:
        if self._cache.confirmed_at is None:
            # There is no copy to write back from, and a write would hide the loss.
            raise RevocationStoreError(
                "it has lost data, and no worker that has a copy has written it back yet"
            )
        absent = {change.key: change for change in self._cache.entries_needed_at(self._clock())}
        entries = RevocationSet(self._cache.revoked.retention)
        for change in update.changes:
            absent.pop(change.key, None)
            entries.put(change)
        self._loading = entries, update.position
        if absent:
            logger.error(_LOG_LOSS, len(absent))
        changes = [*absent.values()]
        for start in range(0, len(changes), _WRITE_BACK_BATCH):
            self._store.change(changes[start : start + _WRITE_BACK_BATCH], absent=True)
        # The end of writing back: from now on, the store counts as complete again.
        self._store.change([], absent=True)

    def _record_failure(self, cause: str) -> None:
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
    # A socket that is left open would make the collector warn.
    close_if_closable(closable)
