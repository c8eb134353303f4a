"""A store in; a mirror that is kept up to date with it out, by one thread in each process."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import SystemRandom
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
from .revocation_set import RevocationSet
from .store import RevocationStore, RevocationStoreError, Update
from .subjects import Change, Kind

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
# Seconds to wait for the thread to end: longer than a client of Redis waits for an answer.
_END = 1.0
_GO_BACK = "the revocation store has lost data: %d entries go back"
_INCOMPLETE = "it has lost data, and no worker that knew them has written them back"


@dataclass(frozen=True, slots=True)
class _Question:
    """One read of the store. It holds the store, and nothing else of an app."""

    store: RevocationStore
    position: Any
    wait: float  #: seconds that the store may wait for a change
    retention: Mapping[Kind, float]
    began: float

    def ask(self) -> "_Answer":
        try:
            update = self.store.read(self.position, self.wait)
            if not update.complete or update.lost:
                return _Answer(self.began, update)
            # Read here, where a large copy or a slow store keeps no app alive.
            table = RevocationSet(self.retention)
            for change in update.changes:
                table.put(change)
            return _Answer(self.began, update, table)
        except Exception as error:
            # Not the error itself: its traceback would keep what it passed through.
            return _Answer(self.began, None, failure=_why(error))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question."""

    began: float  #: when the question was asked
    update: Update | None
    table: RevocationSet | None = None  #: the entries of a complete update
    failure: str | None = None  #: why there is no update


class Follower(Closable):
    """Reads a store again and again; :func:`turn` is one time.

    :param tell: called with what came from the store and is news.
    :param clock: returns the time in seconds since the epoch, by which tokens are judged.
    :param elapsed: see :func:`steady_time`.
    """

    def __init__(
        self,
        store: RevocationStore,
        mirror: RevocationCache,
        tell: Callable[[Iterable[Change]], None],
        clock: Callable[[], float],
        elapsed: Callable[[], float] = steady_time,
    ) -> None:
        self.last_error: str | None = None  #: since the store answered last
        self._store = store
        self._mirror = mirror
        self._tell = tell
        # What is swept by a clock that is wrong for a while would not be read again.
        self._clock = JumpResistantClock(clock, elapsed)
        self._elapsed = elapsed
        self._position: Any = None
        # A copy that is taken but not up to date yet, and where to go on from.
        self._loading: tuple[RevocationSet, Any] | None = None
        self._failures = 0
        self._told: set[str] = set()
        self._sweep_at = 0.0
        self.reset_after_fork()
        mirror.wake = self.wake
        register_fork_reset(self)
        register_closable(self)

    def reset_after_fork(self) -> None:
        """Go on in a child process, where no thread runs, and a lock may stay locked."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._tried = threading.Event()
        self._wait = 0.0
        self._mirror.reset_after_fork()

    def wake(self) -> None:
        """See that the store is followed; at first, give it a moment to answer."""
        self.start()
        if not self._tried.is_set():
            self._tried.wait(_FIRST_WAIT)

    def start(self) -> None:
        """Follow the store in a thread, unless one does."""
        # uWSGI forks behind Python's back: no hook ran, and a thread of the parent seems alive.
        if self._process != os.getpid():
            self.reset_after_fork()
        # Whoever holds it is about to start one: nobody waits for a lock.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                ended = threading.Event()
                ours = self._store if isinstance(self._store, Closable) else None
                arguments = weakref.ref(self), ended, ours
                thread = threading.Thread(target=_follow, args=arguments, daemon=True)
                thread.start()
                self._thread, self._ended = thread, ended
        except RuntimeError:
            # The interpreter ends, or the machine has no thread left.
            self._failed("no thread can be had")
            self._tried.set()
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the thread, and close the connections of a store that the package made.

        The copy counts as too old from then on: the next request begins to follow anew.
        """
        if self._process != os.getpid():
            self.reset_after_fork()
        with self._lock:
            self._ended.set()
            thread, tried, self._tried = self._thread, self._tried, threading.Event()
            self._wait = 0.0
        # What the thread waits for ends with the connection; what it opens after that, it closes.
        close_if_closable(self._store)
        if thread and thread is not threading.current_thread():
            thread.join(_END)
        self._mirror.expire()
        tried.set()

    def question(self) -> _Question:
        """Return what to ask the store next."""
        position = self._loading[1] if self._loading else self._position
        retention = self._mirror.table.retention
        return _Question(self._store, position, self._wait, retention, self._elapsed())

    def settle(self, answer: _Answer) -> float:
        """Take *answer*, and return for how many seconds not to ask again."""
        began, failure = answer.began, answer.failure
        try:
            if answer.update is not None:
                self._take(answer.update, answer.table, began)
        except Exception as error:
            failure = _why(error)
        if failure is not None:
            self._wait, self._loading = 0.0, None
            self._failed(failure)
            self._tried.set()
            pause = _PAUSES[min(self._failures, len(_PAUSES)) - 1] * _random.uniform(0.5, 1)
        else:
            pause = _GATHER if self._wait else 0.0
        return max(0.0, pause - (self._elapsed() - began))

    def _take(self, update: Update, table: RevocationSet | None, began: float) -> None:
        self._wait = 0.0
        if update.lost:
            self._write_back(update)
        elif table is not None:
            self._loading = table, update.position
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
        if missing := self._mirror.missing(began):
            # A replica took over before it had received them.
            logger.error(_GO_BACK, len(missing))
            self._store.change(missing)
            for change in missing:
                # Not more than once; here it is in force until the store says anything of it.
                self._mirror.settled(change, lasts=False)

    def _load(self, changes: Iterable[Change], position: Any) -> None:
        table = RevocationSet(self._mirror.table.retention)
        for change in changes:
            table.put(change)
        self._loading = table, position

    def _write_back(self, update: Update) -> None:
        if self._mirror.confirmed_at is None:
            # This copy would lack what the store lacks; and a change would hide the loss.
            raise RevocationStoreError(_INCOMPLETE)
        mine = {change.key: change for change in self._mirror.entries(self._clock())}

        def there() -> Iterator[Change]:
            for change in update.changes:
                mine.pop(change.key, None)
                yield change

        self._load(there(), update.position)
        if mine:
            logger.error(_GO_BACK, len(mine))
        back = [*mine.values()]
        for start in range(0, len(back), _WRITE_BACK):
            self._store.change(back[start : start + _WRITE_BACK], absent=True)
        # The end of it: from now on, the store counts as whole again.
        self._store.change([], absent=True)

    def _failed(self, why: str) -> None:
        self._failures += 1
        self.last_error = why
        if why not in self._told:
            logger.error("the revocation store cannot be used: %s", why)
            self._told.add(why)
        self._mirror.tell()


def turn(reference: Callable[[], Follower | None]) -> float | None:
    """Ask the store once, and return for how many seconds not to ask again.

    While the store is waited for, neither the follower nor anything else of the app is held.

    :param reference: returns the follower, or ``None`` once it is gone or closed.
    :returns: ``None`` if it is.
    """
    follower = reference()
    if follower is None:
        return None
    question = follower.question()
    del follower
    answer = question.ask()
    follower = reference()
    return None if follower is None else follower.settle(answer)


def _follow(
    reference: "weakref.ref[Follower]", ended: threading.Event, ours: Closable | None
) -> None:
    def following() -> Follower | None:
        return None if ended.is_set() else reference()

    while (pause := turn(following)) is not None:
        ended.wait(pause)
    # The collector would warn of a socket that is open.
    close_if_closable(ours)


def _why(error: Exception) -> str:
    # Others by their class: the text may quote a URL, with a password.
    return str(error) if isinstance(error, RevocationStoreError) else type(error).__name__
