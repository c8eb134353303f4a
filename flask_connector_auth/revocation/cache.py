"""The revocations that requests are checked against, in local memory."""

import logging
import threading
from collections.abc import Callable, Iterable
from math import inf

from ..core import Reason, Rejected, Unavailable, steady_time
from .pending import PendingRevocations
from .revocation_set import RevocationSet
from .subjects import Change, Subject

logger: logging.Logger = logging.getLogger(__name__)


class RevocationCache:
    """The copy of the store's revocations, and how old it is. Checks take no lock.

    :param revoked: the entries at the beginning.
    :param max_lag: how old the copy may be, in seconds; infinity: it is no copy, but the original.
    :param fail_closed: whether an older copy refuses every token.
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
        """Go on in a child process, where no thread refreshes the copy yet."""
        self._lock = threading.Lock()
        self.expire()
        self._pending.interrupt_writes()

    def expire(self) -> None:
        """Treat a copy as too old until it is confirmed again; an original never is too old."""
        self._fresh_until = -inf if self.is_copy else inf

    def check(self, subject: Subject) -> None:
        """Return if the token is not revoked.

        :raises Rejected: if it is revoked.
        :raises Unavailable: if the copy is too old to tell.
        """
        self.check_age()
        self.check_not_revoked(subject)

    def check_age(self) -> None:
        """Check that the local copy of the revocations may be used.

        If it is older than ``CONNECTOR_AUTH_REVOCATION_MAX_LAG``, the answer is 503, unless
        ``CONNECTOR_AUTH_REVOCATION_ON_OUTAGE`` is ``open``.

        :raises Unavailable: if it is too old, and :attr:`RevocationRules.fail_closed` is set.
        """
        if self._clock() > self._fresh_until:
            self._handle_stale_copy()

    def check_not_revoked(self, subject: Subject) -> None:
        """Check that no revocation matches the token.

        It may be of the token itself, or of all that was issued to its account, app install or
        consumer.

        :raises Rejected: if an entry matches *subject*. If none does, that holds for this version
            of the entries.
        """
        revoked = self.revoked
        digest, issued_at, keys = subject
        if digest in revoked.tokens:
            raise Rejected(Reason.REVOKED)
        if not_before := revoked.not_before:
            for key in keys:
                at = not_before.get(key)
                if at is not None and (issued_at is None or issued_at <= at):
                    raise Rejected(Reason.REVOKED)

    def _handle_stale_copy(self) -> None:
        self.ensure_refresh()
        # The refresh may have confirmed the copy at once.
        if not self.is_fresh():
            self.report_if_stale()
            if self._fail_closed:
                raise Unavailable(Reason.REVOCATION_UNAVAILABLE)

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
            self._pending.add(change, self.revoked.value_of(change.key))
            return self.revoked.put(self.revoked.keep_later_time(change))

    def end_write(self, change: Change, *, acknowledged: bool) -> None:
        """Record that the write of a pending revocation has ended.

        :param acknowledged: whether the store has it. Then the first read that begins from now on
            decides. If not, the revocation stays in force until the store reports a change of its
            key.
        """
        with self._lock:
            self._pending.record_write(change, self._clock() if acknowledged else None)

    def apply_changes(self, changes: Iterable[Change], read_began: float) -> list[Change]:
        """Apply *changes* from the store, and return those that made a difference.

        :param read_began: when the read began, by the clock of this cache: the copy is confirmed
            as of then.
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
                pending.stored_value = revoked.value_of(pending.change.key)
                revoked.put(revoked.keep_later_time(pending.change))
            previous, self.revoked = self.revoked, revoked
        self._confirm(read_began)
        return previous

    def unreported_revocations(self, read_began: float) -> list[Change]:
        """Return the revocations that the store acknowledged, and lost before any read showed them.

        No position shows such a loss, since the revocation was never in an answer.

        :param read_began: of the last read that was applied; it must show what the store
            acknowledged before.
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
