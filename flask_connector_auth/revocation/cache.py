"""The revocations that requests are checked against, in local memory."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf

from ..core import Reason, Rejected, Unavailable, steady_time
from .entries import PAUSE, STEP, Change, is_later
from .pending import PendingRevocations
from .revocation_set import Piece, RevocationSet
from .subjects import TOKEN_KIND_BYTE, Subject, entry_key, kind_of

logger: logging.Logger = logging.getLogger(__name__)

#: Entries that a store lacks after a loss; where there are more, it is given all of them.
MANY_MISSING = 1000
_STEP_TIME = 0.001  # seconds for one step of longer work


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
        #: Start the thread that refreshes the copy; the second one waits for its first answer.
        self.start_refresh: Callable[[], None] = lambda: None
        self.ensure_refresh: Callable[[], None] = lambda: None
        #: When the last read that was applied began; the copy is as old as that.
        self.confirmed_at: float | None = None
        #: Whether changes that made a difference are returned: many of them cost a collection.
        self.is_observed: Callable[[], bool] = lambda: True
        self.max_lag: float = max_lag
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
        """Check that the local copy of the revocations is recent enough.

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
        """Check that the token is not revoked.

        A revocation is of the token itself, or of all tokens of its account, app install or
        consumer that were issued until a time.

        :raises Rejected: if an entry matches *subject*; its details have the kind of the entry. If
            none matches, that holds until ``RevocationSet.version`` changes.
        """
        revoked, issued_at = self.revoked, subject.issued_at
        if revoked.version is None:
            return
        for key in subject.entry_keys():
            at = revoked.get(key)
            # A token itself is refused whenever it was issued. A time that is none refuses too.
            if at is not None and (
                issued_at is None or not issued_at > at or key[-1:] == TOKEN_KIND_BYTE
            ):
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
            *(self.max_lag, effect),
        )
        self._on_stale()

    def add_pending(self, change: Change) -> bool:
        """Put a revocation of this process in force, and return whether it made a difference.

        Until the store has confirmed it, no answer of the store takes it back.
        """
        with self._lock:
            self._pending.add(change, self.revoked.get(entry_key(change.key)))
            return self.revoked.put(change)

    def end_write(self, change: Change, *, acknowledged: bool) -> None:
        """Record that the write of a pending revocation has ended.

        :param acknowledged: whether the store has acknowledged the revocation. If it has, the
            revocation stays in force until a read that began after this call shows what the store
            has for its key. If it has not, until the store reports a change of its key.
        """
        with self._lock:
            self._pending.record_write(change, self._clock() if acknowledged else None)

    def apply_changes(self, changes: Iterable[Change], read_began: float | None) -> list[Change]:
        """Apply *changes* from the store, and return those that made a difference.

        :param read_began: when the read began, by the clock of this cache: the copy is up to date
            as of that. ``None``: it is not, since the store has more changes.
        """
        remaining = iter(changes)
        applied: list[Change] = []
        while some := [*islice(remaining, STEP)]:
            with self._lock:
                found = self._apply(some)
            applied += found if self.is_observed() else ()
            # Before the first copy is complete, no request with a token is served.
            if len(some) == STEP and self.confirmed_at is not None:
                time.sleep(PAUSE)
        if read_began is None:
            return applied
        with self._lock:
            # Afterwards: the changes may report a pending revocation.
            released = self._pending.release_reported(read_began)
            applied += [each for each in released if self.revoked.put(each, exact=True)]
        self.confirmed_at, self._fresh_until = read_began, read_began + self.max_lag
        if self._is_stale_reported and self.is_fresh():
            self._is_stale_reported = False
            logger.info("the copy of the revocations is confirmed again")
        return applied

    def apply_piece(
        self, piece: Piece, read_began: float, *, lost: bool = False
    ) -> tuple[list[Change], list[Change]]:
        """Apply *piece*, a part of all that the store has.

        In small steps, between which other threads can serve requests. Of the first copy, no
        change is returned.

        :param read_began: see :meth:`apply_changes`.
        :param lost: keep entries that the store does not have: it has lost them.
        :returns: the changes that made a difference; with *lost*, entries that the store does not
            have, or has with an earlier time, not many more than :data:`MANY_MISSING`.
        """
        applied: list[Change] = []
        missing: list[Change] = []
        buckets = dict.fromkeys(self.revoked.used_buckets(piece.first, piece.end), b"")
        buckets |= piece.buckets()
        begin = self._clock()
        for number, records in buckets.items():
            with self._lock:
                found, absent = self._differences(number, records)
                if not lost:
                    found += [change._replace(value=None) for change in absent]
                elif len(missing) <= MANY_MISSING:
                    present = [self.revoked.change_of(change.key) for change in found]
                    pairs = zip(present, found, strict=True)
                    missing += [mine for mine, theirs in pairs if mine and is_later(mine, theirs)]
                    missing += absent
                applied += self._apply(found, None if lost else read_began)
            if self._clock() - begin > _STEP_TIME:
                time.sleep(PAUSE)
                begin = self._clock()
        return applied, missing

    def _differences(self, number: int, records: bytes) -> tuple[list[Change], list[Change]]:
        pending = self._pending.keys()
        is_first = self.confirmed_at is None and not pending
        if is_first and self.revoked.put_bucket(number, records):
            return [], []
        return self.revoked.differences(number, records, reported=pending)

    def _apply(self, changes: Iterable[Change], all_read_at: float | None = None) -> list[Change]:
        applied, exact = [], all_read_at is not None
        for change in changes:
            in_force = self._pending.resolve(change, all_read_at)
            if in_force is None and self.revoked.put(change, exact=exact):
                applied.append(change)
            elif in_force is not None and self.revoked.put(in_force, exact=True):
                applied.append(in_force)
        return applied

    def has_pending(self) -> bool:
        """Whether a revocation of this process is in force that the store has not confirmed."""
        return bool(self._pending.keys())

    def unreported_revocations(self, read_began: float) -> list[Change]:
        """Return the revocations that the store acknowledged, and lost before any read showed them.

        The store cannot report such a loss: it compares what it has with what was read.

        :param read_began: when the last read that was applied began. Whatever the store had
            acknowledged before that, the read must show.
        """
        with self._lock:
            return self._pending.due(read_began)

    def remove_expired(self, now: float) -> None:
        """Remove the entries that no token can match any more, in small steps."""
        numbers = self.revoked.used_buckets()
        for begin in range(0, len(numbers), STEP):
            if begin:
                time.sleep(PAUSE)
            with self._lock:
                self.revoked.remove_expired(now, numbers[begin : begin + STEP])
