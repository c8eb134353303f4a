"""A verified token in; nothing, or the reason why it is refused, out, from local memory alone."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from ..core import Reason, Rejected, Unavailable, steady_time
from .revocation_set import RevocationSet
from .subjects import Change, Key, Subject

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """A revocation that this process has made."""

    change: Change
    said: float | None  #: what the store says of its key
    since: float = inf  #: when the store had it; ``-inf`` if it may never have it
    restored: bool = False  #: whether the store has said since that its key was restored

    def answered(self) -> bool:
        """Whether the store has shown that it has the revocation, or had it."""
        at, said = self.change.value, self.said
        return self.restored or (at is not None and said is not None and at <= said)


class RevocationCache:
    """The copy of what is revoked that requests are judged by. They take no lock.

    :param table: what there is in the beginning.
    :param max_lag: how old the copy may be, in seconds; infinity: it is the original.
    :param closed: whether a copy that is older refuses to judge.
    :param stale: called when the copy is too old, once until it is confirmed again.
    :param clock: see :func:`steady_time`.
    """

    def __init__(
        self,
        table: RevocationSet,
        max_lag: float = inf,
        *,
        closed: bool = True,
        stale: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = steady_time,
    ) -> None:
        self.table: RevocationSet = table
        self.max_lag = max_lag
        #: Whether there is a store behind it, so that it can be too old.
        self.copied: bool = max_lag != inf
        #: Called where the copy is too old: what keeps it fresh may have to begin, or may be dead.
        self.wake: Callable[[], None] = lambda: None
        self.confirmed_at: float | None = None
        self._closed = closed
        self._stale = stale
        self._clock = clock
        self._good_until = inf if max_lag == inf else -inf
        self._told = False
        self._held: dict[Key, _Held] = {}
        self._lock = threading.Lock()

    def reset_after_fork(self) -> None:
        """Go on in a child process, where nothing keeps the copy fresh yet."""
        self._lock = threading.Lock()
        self.expire()
        for held in self._held.values():
            # The thread that was about to tell is not here.
            if held.since == inf:
                held.since = -inf

    def expire(self) -> None:
        """Treat the copy as too old until it is confirmed again; an original never is."""
        self._good_until = inf if self.max_lag == inf else -inf

    def check(self, subject: Subject) -> None:
        """Return if the token may pass.

        :raises Rejected: if it is revoked.
        :raises Unavailable: if that cannot be known just now.
        """
        self.check_age()
        self.check_entries(subject)

    def check_age(self) -> None:
        """Return if the copy is as fresh as it must be.

        :raises Unavailable: if it is not, and refuses to judge.
        """
        if self._clock() > self._good_until:
            self._late()

    def check_entries(self, subject: Subject) -> None:
        """Return if there is no entry for *subject*; that holds for this version of the table.

        :raises Rejected: if there is one.
        """
        table = self.table
        digest, issued_at, names = subject
        if digest in table.tokens:
            raise Rejected(Reason.REVOKED)
        if marks := table.marks:
            for name in names:
                at = marks.get(name)
                if at is not None and (issued_at is None or issued_at <= at):
                    raise Rejected(Reason.REVOKED)

    def _late(self) -> None:
        self.wake()
        if self._clock() > self._good_until:
            self.tell()
            if self._closed:
                raise Unavailable(Reason.REVOCATION_UNAVAILABLE)

    def ready(self) -> bool:
        """Whether the copy is as fresh as it must be."""
        return self._clock() <= self._good_until

    def lag(self) -> float | None:
        """Return for how many seconds the copy was not confirmed, or ``None`` if it never was."""
        if self.max_lag == inf:
            return 0.0
        return None if self.confirmed_at is None else self._clock() - self.confirmed_at

    def tell(self) -> None:
        """Tell that the copy is too old, if it is and that is news."""
        if self._told or self.ready():
            return
        self._told = True
        what = "503" if self._closed else "the last copy serves"
        logger.error("what is revoked cannot be confirmed: %s", what)
        self._stale()

    def hold(self, change: Change) -> bool:
        """Make a revocation of this process, whatever the store does; return whether it is news."""
        with self._lock:
            before = self._held.get(change.key)
            said = before.said if before else self.table.value(change.key)
            self._held[change.key] = _Held(change, said)
            return self.table.put(self.table.merged(change))

    def settled(self, change: Change, *, lasts: bool) -> None:
        """Hold *change* no longer than need be.

        :param lasts: whether the store has it: then until an answer is taken that was asked for
            from now on, since one that is on its way may be older. If not, until the store says
            anything of its key.
        """
        with self._lock:
            held = self._held.get(change.key)
            if held and held.change is change:
                held.since = self._clock() if lasts else -inf

    def take(self, changes: Iterable[Change], began: float) -> list[Change]:
        """Make *changes* that came from the store, and return those that are news.

        :param began: when they were asked for, by the clock of this copy: it is as fresh as that.
        """
        with self._lock:
            news = [*filter(self.table.put, map(self._over, changes))]
            # Not before: it may be among the changes what became of it.
            due = {key: held for key, held in self._due(began).items() if held.answered()}
            news += filter(self.table.put, self._released(due))
        self._confirm(began)
        return news

    def replace(self, table: RevocationSet, began: float) -> RevocationSet:
        """Judge by *table* from now on, and by what is held; return the table from before.

        :param began: see :meth:`take`.
        """
        with self._lock:
            self._released(self._due(began))
            for key, held in self._held.items():
                held.said = table.value(key)
                table.put(table.merged(held.change))
            before, self.table = self.table, table
        self._confirm(began)
        return before

    def missing(self, began: float) -> list[Change]:
        """Return the revocations that the store has acknowledged and then lost at once.

        Such a revocation was never in an answer, so no position shows that it is missing.

        :param began: of the last answer that was taken; what was acknowledged before must be in it.
        """
        with self._lock:
            return [held.change for held in self._due(began).values()]

    def entries(self, now: float) -> list[Change]:
        """Return all that is needed at *now*; see :meth:`Table.entries`."""
        with self._lock:
            return [*self.table.entries(now)]

    def sweep(self, now: float) -> None:
        """See :meth:`Table.sweep`."""
        with self._lock:
            self.table.sweep(now)

    def _due(self, began: float) -> dict[Key, _Held]:
        """Return what the store had when it was asked."""
        return {key: held for key, held in self._held.items() if -inf < held.since < began}

    def _released(self, due: Iterable[Key]) -> list[Change]:
        """Go by the store for these."""
        return [Change(key, self._held.pop(key).said) for key in due]

    def _over(self, change: Change) -> Change:
        """Return what is in force once the store has said *change*: that, or what is held."""
        held = self._held.get(change.key)
        if held is None:
            return change
        if held.since == -inf:
            del self._held[change.key]
            return change
        held.said = change.value
        held.restored |= change.value is None
        ours = held.change.value
        # Of two times the later one stays; a restoration is no time.
        later = change.value is not None and (ours is None or ours <= change.value)
        return change if later else held.change

    def _confirm(self, began: float) -> None:
        self.confirmed_at, self._good_until = began, began + self.max_lag
        if self._told and self.ready():
            self._told = False
            logger.info("what is revoked is confirmed again")
