"""Tests for a revocation store of your own: the contract of :class:`RevocationStore`."""

import os
import threading
from collections.abc import Iterable
from math import inf
from typing import Any

from ..revocation import Change, RevocationStore, entry_key as _entry_key

_TOKEN = os.urandom(16) + b":\x00\xff" + os.urandom(13)
# Far in the future: a store may drop revocations that no token can match any more.
_LATER = 4_000_000_000.0
_INSTALL = Change("install:75588e18", 1_800_000_000.125, 1_800_003_600.0)


class RevocationStoreContract:
    """Tests for pytest: subclass it, and return your store from :meth:`connect`.

    Each test must start with nothing revoked.
    """

    def connect(self) -> RevocationStore:
        """Return a new client of the same store, as for another worker."""
        raise NotImplementedError

    def test_an_empty_store_has_nothing(self) -> None:
        """The first worker finds nothing revoked."""
        assert revocations_in(self.connect()) == {}

    def test_a_first_read_is_complete(self) -> None:
        """Marked as complete, so that it replaces the copy of a worker that had to start again."""
        store = StoreFollower(self.connect()).store
        store.change([_INSTALL])
        assert store.read(None).complete

    def test_a_later_worker_reads_earlier_changes(self) -> None:
        """The first read of a worker includes the changes made before."""
        changes = [_INSTALL, Change(_TOKEN, inf, inf), Change("account:größe", 0.1)]
        changes.append(Change("account@https%3A%2F%2Fa.example:größe", 0.2))
        for change in changes:
            self.connect().change([change])
        assert revocations_in(self.connect()) == entries(changes)

    def test_changes_are_followed_in_order(self) -> None:
        """From a position on, every worker reads only new changes, restored entries included."""
        writer, reader = StoreFollower(self.connect()), StoreFollower(self.connect())
        changes = [_INSTALL, Change(_TOKEN, inf, inf), Change(_TOKEN, None), Change("account:a", 1)]
        for change in changes:
            writer.store.change([change])
        for copy in (writer, reader):
            followed = [(_entry_key(change.key), change.value) for change in copy.follow()]
            assert followed == [(_entry_key(change.key), change.value) for change in changes]
            assert copy.entries == entries([_INSTALL, Change("account:a", 1)])
            assert copy.follow() == []

    def test_reading_does_not_wait_for_a_change(self) -> None:
        """A worker reads four times a second, and is not held up by a store without changes."""
        copy = StoreFollower(self.connect())
        reads = [copy.store.read(copy.position) for _ in range(50)]
        assert [[*update.changes] for update in reads] == [[]] * 50

    def test_an_entry_has_the_time_until_which_it_is_kept(self) -> None:
        """``Change.until``, in whole seconds at least; a copy drops the entry after that."""
        copy = StoreFollower(self.connect())
        copy.store.change([_INSTALL, Change("account:a", 1, _LATER), Change("account:b", 1)])
        for changes in (copy.follow(), StoreFollower(self.connect()).changes.values()):
            found = {_entry_key(change.key): change.until for change in changes}
            kept = {_INSTALL.key: _INSTALL.until, "account:a": _LATER, "account:b": inf}
            assert found == {_entry_key(key): until for key, until in kept.items()}

    def test_a_change_never_weakens_another(self) -> None:
        """The later of two times wins, whatever their order; a restored entry is gone."""
        copy = StoreFollower(self.connect())
        for times in ((_LATER, _LATER + 2), (_LATER + 4, _LATER + 3)):
            for at in times:
                copy.store.change([Change("account:a", at), Change(_TOKEN, at, at)])
            copy.follow()
            expected = entries([Change("account:a", max(times)), Change(_TOKEN, max(times))])
            assert copy.entries == revocations_in(self.connect()) == expected
        copy.store.change([Change("account:a", None)])
        copy.store.change([Change("account:a", 1)])
        copy.follow()
        expected = entries([Change("account:a", 1), Change(_TOKEN, _LATER + 4)])
        assert copy.entries == revocations_in(self.connect()) == expected

    def test_many_changes_are_all_read(self) -> None:
        """No change is lost among thousands, for a worker that follows or one that starts later."""
        copy = StoreFollower(self.connect())
        changes = [Change(f"lp_consumer:{number}", number) for number in range(2500)]
        copy.store.change(changes)
        copy.follow()
        expected = entries(changes)
        assert copy.entries == revocations_in(self.connect()) == expected

    def test_many_workers_change_at_once(self) -> None:
        """Changes of several threads and connections are all made."""
        copy, shared = StoreFollower(self.connect()), self.connect()

        def change(number: int) -> None:
            store = shared if number % 2 else self.connect()
            for index in range(50):
                store.change([Change(f"account:{number}-{index}", index)])

        threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        copy.follow()
        assert len(copy.entries) == 200
        assert copy.entries == revocations_in(self.connect())

    def test_there_is_one_clock(self) -> None:
        """All workers get the same time, in seconds since the epoch, and it does not go back."""
        first, second = self.connect(), self.connect()
        times = [store.now() for store in (first, second, first, second)]
        assert times == sorted(times)
        assert times[-1] - times[0] < 60
        assert times[0] > 1_700_000_000


class StoreFollower:
    """One worker's copy of a store, read as a worker reads it."""

    def __init__(self, store: RevocationStore) -> None:
        self.store = store
        self.position: Any = None
        self.changes: dict[bytes, Change] = {}  #: the last one of each entry in force
        self.follow()

    @property
    def entries(self) -> dict[bytes, float | None]:
        """The times of the entries, by their keys as :func:`entry_key` makes them."""
        return {key: change.value for key, change in self.changes.items()}

    def follow(self) -> list[Change]:
        """Read until the copy is up to date, and return the changes since it was."""
        followed: list[Change] = []
        for _ in range(100):
            update = self.store.read(self.position)
            assert not update.lost, "lost changes reported where none were lost"
            if update.complete:
                self.changes = {}
            for piece in update.pieces or ():
                followed += piece.changes()
            followed += update.changes
            for change in followed:
                self._apply(change)
            self.position = update.position
            if not update.more:
                return followed
        raise AssertionError("100 reads in a row had more changes")

    def _apply(self, change: Change) -> None:
        key = _entry_key(change.key)
        present = self.changes.get(key)
        if change.value is None:
            self.changes.pop(key, None)
        elif present is None or present.value is None or present.value <= change.value:
            self.changes[key] = change


def entries(changes: Iterable[Change]) -> dict[bytes, float | None]:
    """Return times by keys, as :attr:`StoreFollower.entries` has them."""
    return {_entry_key(change.key): change.value for change in changes}


def revocations_in(store: RevocationStore) -> dict[bytes, float | None]:
    """Return the entries that a new worker reads from *store*."""
    return StoreFollower(store).entries
