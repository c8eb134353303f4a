"""Finds what a store has lost, by the copy of a worker, and writes it back."""

import logging
from collections.abc import Sequence
from typing import Any

from .cache import MANY_MISSING, RevocationCache
from .entries import Change, is_later
from .store import RecoverableStore, RevocationStore, RevocationStoreError, Update
from .subjects import entry_key

logger: logging.Logger = logging.getLogger(__name__)

LOG_LOSS = "the revocation store has lost data; entries that this process writes back: %d"
NOBODY_WROTE_BACK = "it has lost data, and no worker that has a copy has written it back yet"
# Seconds for which a worker whose copy was too old waits for the others, before it writes and after
# that. They may know more. The second one is longer: the others may be in the first one.
_BEFORE, _AFTER = 0.5, 1.0


class Recovery:
    """Compares what a store still has, part by part, with a complete copy.

    The copy keeps what the store lacks, and gets what only the store has.
    """

    def __init__(self, cache: RevocationCache) -> None:
        self._cache = cache
        # What the store lacks; None: too much of it.
        self._missing: dict[bytes, Change] | None = None
        self._waited_at: float | None = None  # the age of the copy when it last waited to write

    def pause_before_writing(self) -> float:
        """Return the seconds to wait before the store is given what it lacks, once for each copy.

        If others have a copy that is no older than it may be, one of them writes all of it.
        """
        waited_at, self._waited_at = self._waited_at, self._cache.confirmed_at
        return 0.0 if self._cache.is_fresh() or waited_at == self._waited_at else _BEFORE

    def pause_after_writing(self) -> float:
        """Return the seconds to wait, before the copy counts as up to date, for what others add."""
        return 0.0 if self._cache.is_fresh() else _AFTER

    def apply(self, update: Update, read_began: float) -> list[Change]:
        """Apply a part, and return the changes that made a difference."""
        if update.complete:
            # A store that has nothing lacks everything.
            self._missing = {} if update.more or update.pieces else None
        applied: list[Change] = []
        for piece in update.pieces or ():
            changes, absent = self._cache.apply_piece(piece, read_began, lost=True)
            applied += changes
            self._note_missing(absent)
        for change in update.changes:
            applied += self._apply_change(change, update.lost_since)
        return applied

    def follow(self, store: RevocationStore, update: Update) -> Any:
        """Return the position to read on from; after the last part, write back what is missing.

        :raises RevocationStoreError: if another worker is writing.
        """
        if update.more:
            return update.position
        entries, missing = self._cache.revoked, self._missing
        if count := len(entries) if missing is None else len(missing):
            logger.error(LOG_LOSS, count)
        changes = None if missing is None else [*missing.values()]
        if not isinstance(store, RecoverableStore):
            raise RevocationStoreError("it has lost data, and has no method to write it back")
        following = store.write_back(entries, changes, update.position)
        if following is None:
            raise RevocationStoreError("it has lost data, and another worker writes it back")
        return following

    def _apply_change(self, change: Change, lost_since: float) -> Sequence[Change]:
        present = self._cache.revoked.change_of(change.key)
        if change.value is None and change.until <= lost_since:
            # Nothing proves that the restoration came later than what is known here.
            self._note_missing([present] if present else [])
            return ()
        if self._missing and not is_later(present, change):
            self._missing.pop(entry_key(change.key), None)
        return self._cache.apply_changes([change], None)

    def _note_missing(self, changes: Sequence[Change]) -> None:
        if self._missing is not None:
            self._missing |= {entry_key(change.key): change for change in changes}
            if len(self._missing) > MANY_MISSING:
                self._missing = None
