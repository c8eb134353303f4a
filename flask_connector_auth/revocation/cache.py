"""The revocations that requests are checked against, in local memory."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from ..core import Reason, Rejected, Unavailable, steady_time
from .entries import Change, RevocationSet
from .pending import PendingRevocations
from .subjects import Kind, Subject, kind_of

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RevocationRules:
    """What a deployment decides about revocation; times in seconds."""

    leeway: float = 30  #: for clocks that differ, when a verifier compares times
    max_lifetime: float | None = None  #: the longest life of an AppJWT; ``None``: no limit
    #: How long to keep a revocation whose tokens have no known expiry; ``None``: forever. Once it
    #: is dropped, such tokens are accepted again.
    keep: float | None = None
    max_lag: float = 5  #: how old the copy of a store may be
    fail_closed: bool = True  #: whether every token is refused while the copy is older


class RevocationCache:
    """The copy of the store's revocations, and how old it is. Checks take no lock.

    :param revoked: the entries at the beginning.
    :param max_lag: how old the copy may be, in seconds. Infinity: there is no other store, and the
        entries are never too old.
    :param fail_closed: whether every token is refused while the copy is too old.
    :param on_stale: called when the copy becomes too old, once until it is confirmed again.
    :param clock: see :data:`steady_time`.
    """

    def __init__(
        self,
        revoked: RevocationSet,
        max_lag: float = inf,
        *,
        fail_closed: bool = True,
        on_stale: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = steady_time,
    ) -> None:
        self.revoked: RevocationSet = revoked
        #: Whether this is a copy of a store, which can be too old.
        self.is_copy: bool = max_lag != inf
        #: Called by a check that finds the copy too old: the thread that refreshes the copy may not
        #: have started yet, or may have died.
        self.ensure_refresh: Callable[[], None] = lambda: None
        #: When the last read that was applied began; the copy is as old as that.
        self.confirmed_at: float | None = None
        self._max_lag = max_lag
        self._fail_closed = fail_closed
        self._on_stale = on_stale
        self._clock = clock
        self._is_stale_reported = False
        self._pending = PendingRevocations()
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Start anew in a child process, where no thread refreshes the copy yet."""
        self._lock = threading.Lock()
        self.expire()
        self._pending.interrupt_writes()

    def expire(self) -> None:
        """Treat a copy as too old until it is confirmed again. An original is never too old."""
        self._fresh_until = -inf if self.is_copy else inf

    def check_age(self) -> None:
        """Check that the local copy of the revocations may be used.

        If it is older than ``CONNECTOR_AUTH_REVOCATION_MAX_LAG``, the answer is 503, unless
        ``CONNECTOR_AUTH_REVOCATION_ON_OUTAGE`` is ``open``.

        :raises Unavailable: if it is too old, and :attr:`RevocationRules.fail_closed` is set.
        """
        if self._clock() > self._fresh_until:
            self.ensure_refresh()
            # The refresh may have confirmed the copy at once.
            if not self.is_fresh():
                self.report_if_stale()
                if self._fail_closed:
                    raise Unavailable(Reason.REVOCATION_UNAVAILABLE)

    def check_not_revoked(self, subject: Subject) -> None:
        """Check that no revocation matches the token.

        It may be of the token itself, or of all that was issued to its account, app install or
        consumer.

        If this method returns, that holds until ``RevocationSet.version`` changes.

        :raises Rejected: if an entry matches *subject*; its details have the kind of the entry.
        """
        entries = self.revoked.entries
        digest, issued_at, keys = subject
        if digest in entries:
            raise Rejected(Reason.REVOKED, {"kind": Kind.TOKEN.value})
        for key in keys:
            at = entries.get(key)
            if at is not None and (issued_at is None or issued_at <= at):
                raise Rejected(Reason.REVOKED, {"kind": kind_of(key).value})

    def is_fresh(self) -> bool:
        """Whether the copy is no older than it may be."""
        return self._clock() <= self._fresh_until

    def lag(self) -> float | None:
        """Return how many seconds ago the copy was confirmed, or ``None`` if it never was."""
        if not self.is_copy:
            return 0.0
        return None if self.confirmed_at is None else self._clock() - self.confirmed_at

    def report_if_stale(self) -> None:
        """Log that the copy is too old and call ``on_stale``, once until it is confirmed again."""
        if self._is_stale_reported or self.is_fresh():
            return
        self._is_stale_reported = True
        effect = "good tokens are answered with 503" if self._fail_closed else "the old copy serves"
        logger.error(
            "the copy of the revocations is missing or older than "
            "CONNECTOR_AUTH_REVOCATION_MAX_LAG (%g s): %s",
            *(self._max_lag, effect),
        )
        self._on_stale()

    def add_pending(self, change: Change) -> bool:
        """Put a revocation of this process in force, and return whether it made a difference.

        Until the store has confirmed it, no answer of the store takes it back.
        """
        with self._lock:
            self._pending.add(change, self.revoked.entries.get(change.key))
            return self.revoked.put(self.revoked.keep_later_time(change))

    def end_write(self, change: Change, *, acknowledged: bool) -> None:
        """Record that the write of a pending revocation has ended.

        :param acknowledged: whether the store has acknowledged the revocation. If it has, the
            revocation stays in force until a read that began after this call shows what the store
            has for its key. If it has not, until the store reports a change of its key.
        """
        with self._lock:
            self._pending.record_write(change, self._clock() if acknowledged else None)

    def apply_changes(self, changes: Iterable[Change], read_began: float) -> list[Change]:
        """Apply *changes* from the store, and return those that made a difference.

        :param read_began: when the read began, by the clock of this cache. The copy is as old as
            that.
        """
        with self._lock:
            applied = [*filter(self.revoked.put, map(self._pending.resolve, changes))]
            # Afterwards: the changes may report a pending revocation.
            applied += filter(self.revoked.put, self._pending.release_reported(read_began))
        self._confirm(read_began)
        return applied

    def replace_entries(self, revoked: RevocationSet, read_began: float) -> RevocationSet:
        """Check against *revoked* and what is pending from now on; return the previous set.

        :param read_began: see :meth:`apply_changes`.
        """
        with self._lock:
            self._pending.release_due(read_began)
            for pending in self._pending:
                pending.stored_value = revoked.entries.get(pending.change.key)
                revoked.put(revoked.keep_later_time(pending.change))
            previous, self.revoked = self.revoked, revoked
        self._confirm(read_began)
        return previous

    def unreported_revocations(self, read_began: float) -> list[Change]:
        """Return the revocations that the store acknowledged, and lost before any read showed them.

        The store cannot report such a loss: it compares what it has with what was read.

        :param read_began: when the last read that was applied began. Whatever the store had
            acknowledged before that, the read must show.
        """
        with self._lock:
            return self._pending.due(read_began)

    def entries_needed_at(self, now: float) -> list[Change]:
        """See :meth:`RevocationSet.entries_needed_at`."""
        with self._lock:
            return [*self.revoked.entries_needed_at(now)]

    def remove_expired(self, now: float) -> None:
        """See :meth:`RevocationSet.remove_expired`."""
        with self._lock:
            self.revoked.remove_expired(now)

    def _confirm(self, read_began: float) -> None:
        self.confirmed_at, self._fresh_until = read_began, read_began + self._max_lag
        if self._is_stale_reported and self.is_fresh():
            self._is_stale_reported = False
            logger.info("the copy of the revocations is confirmed again")
