"""A store in; a mirror that is kept up to date with it out, by one thread in each process."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from random import SystemRandom
from typing import Any

from ..clock import Cautious, boottime
from ..forks import renew_after_fork
from .entries import Change
from .mirror import Mirror
from .store import RevocationStore, RevocationStoreError, Update
from .table import Table

logger: logging.Logger = logging.getLogger(__name__)

# Without a state, which workers would inherit, and a user's tests would find changed.
_random = SystemRandom()

# Seconds from one failed attempt to the next, at most; the last one goes on. A store that is
# reachable again is to be found within a second.
_PAUSES = (0.1, 0.2, 0.5)
# Seconds that the store may wait for a change. A client that gives up an answer after 0.8 s leaves
# half a second for the way there and back; and a copy ages for two turns, being confirmed as of the
# beginning of a turn at the end of it: with the least lag that can be set it stays good.
_WAIT = 0.25
_FIRST_WAIT = 1.0
# Many changes at once are taken together rather than one by one.
_GATHER = 0.01
_SWEEP_EVERY = 60
_WRITE_BACK = 500


class Follower:
    """Reads a store again and again; what to do next is decided in :meth:`turn`, one at a time.

    :param tell: called with what came from the store and is news.
    :param clock: returns the time in seconds since the epoch, by which tokens are judged.
    :param elapsed: see :func:`boottime`.
    """

    def __init__(
        self,
        store: RevocationStore,
        mirror: Mirror,
        tell: Callable[[Iterable[Change]], None],
        clock: Callable[[], float],
        elapsed: Callable[[], float] = boottime,
    ) -> None:
        self.last_error: str | None = None  #: since the store answered last
        self._store = store
        self._mirror = mirror
        self._tell = tell
        # What is swept by a clock that is wrong for a while would not be read again.
        self._clock = Cautious(clock, elapsed)
        self._elapsed = elapsed
        self._position: Any = None
        # A copy that is taken but not up to date yet, and where to go on from.
        self._loading: tuple[Table, Any] | None = None
        self._failures = 0
        self._told: set[str] = set()
        self._sweep_at = 0.0
        self.forked()
        mirror.wake = self.wake
        renew_after_fork(self)

    def forked(self) -> None:
        """Go on in a child process, where no thread runs, and a lock may stay locked."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tried = threading.Event()
        self._wait = 0.0
        self._mirror.forked()

    def wake(self) -> None:
        """See that the store is followed; at first, give it a moment to answer."""
        self.start()
        if not self._tried.is_set():
            self._tried.wait(_FIRST_WAIT)

    def start(self) -> None:
        """Follow the store in a thread, unless one does."""
        # uWSGI forks behind Python's back: no hook ran, and a thread of the parent seems alive.
        if self._process != os.getpid():
            self.forked()
        # Whoever holds it is about to start one: nobody waits for a lock.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=_follow, args=(weakref.ref(self),), daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            # The interpreter ends, or the machine has no thread left.
            self._failed("no thread can be had")
            self._tried.set()
        finally:
            self._lock.release()

    def turn(self) -> float:
        """Ask the store once, and return for how many seconds not to ask again."""
        began = self._elapsed()
        try:
            position = self._loading[1] if self._loading else self._position
            self._take(self._store.read(position, self._wait), began)
        except Exception as error:
            self._wait, self._loading = 0.0, None
            self._failed(str(error) if isinstance(error, RevocationStoreError) else _name(error))
            self._tried.set()
            pause = _PAUSES[min(self._failures, len(_PAUSES)) - 1] * _random.uniform(0.5, 1)
        else:
            pause = _GATHER if self._wait else 0.0
        return max(0.0, pause - (self._elapsed() - began))

    def _take(self, update: Update, began: float) -> None:
        self._wait = 0.0
        if update.lost:
            self._write_back(update.changes)
            self._position = self._loading = None
        elif update.complete:
            loading = Table(self._mirror.table.lives)
            for change in update.changes:
                loading.put(change)
            self._loading = loading, update.position
        else:
            self._caught_up(update, began)
            self._wait = _WAIT

    def _caught_up(self, update: Update, began: float) -> None:
        loading, self._loading = self._loading, None
        news: Iterable[Change]
        if loading is None:
            news = self._mirror.take(update.changes, began)
        else:
            table, _ = loading
            for change in update.changes:
                table.put(change)
            first = self._mirror.confirmed_at is None
            before = self._mirror.replace(table, began)
            news = () if first else table.since(before)
            self._sweep_at = began
        self._position = update.position
        if self._told:
            logger.info("the revocation store answers again")
        self._told, self._failures, self.last_error = set(), 0, None
        self._tried.set()
        if began >= self._sweep_at:
            self._mirror.sweep(self._clock())
            self._sweep_at = began + _SWEEP_EVERY
        self._tell(news)

    def _write_back(self, there: Iterable[Change]) -> None:
        mine = {change.key: change for change in self._mirror.entries(self._clock())}
        for change in there:
            mine.pop(change.key, None)
        if mine and self._mirror.confirmed_at is not None:
            logger.error("the revocation store has lost data: %d entries go back", len(mine))
        back = [*mine.values()]
        # Once with nothing, if need be: the store learns that it was seen to.
        for start in range(0, max(1, len(back)), _WRITE_BACK):
            self._store.change(back[start : start + _WRITE_BACK], absent=True)

    def _failed(self, why: str) -> None:
        self._failures += 1
        self.last_error = why
        if why not in self._told:
            logger.error("the revocation store cannot be used: %s", why)
            self._told.add(why)
        self._mirror.tell()


def _follow(reference: "weakref.ref[Follower]") -> None:
    # Not for longer than somebody needs it.
    while follower := reference():
        pause = follower.turn()
        del follower
        time.sleep(pause)


def _name(error: Exception) -> str:
    # By its class: the text may quote a URL, with a password.
    return type(error).__name__
