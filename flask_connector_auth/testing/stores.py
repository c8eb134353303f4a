"""Tests for a revocation store of your own: the contract of :class:`RevocationStore`."""

import os
import threading
import time
from math import inf
from typing import Any

from ..revocation import Change, RevocationStore

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
        assert store.read(None, 0).complete

    def test_a_later_worker_reads_earlier_changes(self) -> None:
        """The first read of a worker includes the changes made before."""
        changes = [_INSTALL, Change(_TOKEN, inf, inf), Change("account:größe", 0.1)]
        changes.append(Change("account@https%3A%2F%2Fa.example:größe", 0.2))
        for change in changes:
            self.connect().change([change])
        assert revocations_in(self.connect()) == {change.key: change.value for change in changes}

    def test_changes_are_followed_in_order(self) -> None:
        """From a position on, every worker reads only new changes, restored entries included."""
        writer, reader = StoreFollower(self.connect()), StoreFollower(self.connect())
        changes = [_INSTALL, Change(_TOKEN, inf, inf), Change(_TOKEN, None), Change("account:a", 1)]
        for change in changes:
            writer.store.change([change])
        for copy in (writer, reader):
            followed = [change[:2] for change in copy.follow()]
            assert followed == [change[:2] for change in changes]
            assert copy.entries == {_INSTALL.key: _INSTALL.value, "account:a": 1}
            assert copy.follow() == []

    def test_reading_waits_for_a_change(self) -> None:
        """A read that waits returns at once on a change, and empty when its time is over."""
        copy = StoreFollower(self.connect())
        begin = time.monotonic()
        assert copy.follow(wait=0.2) == []
        assert 0.1 < time.monotonic() - begin < 5
        timer = threading.Timer(0.1, self.connect().change, [[_INSTALL]])
        timer.start()
        begin, received = time.monotonic(), 0
        while not received and time.monotonic() - begin < 2:
            received = len(copy.follow(wait=2))
        timer.join()
        assert received == 1
        assert time.monotonic() - begin < 1.5

    def test_a_change_never_weakens_another(self) -> None:
        """The later of two times wins, whatever their order; a restored entry is gone."""
        copy = StoreFollower(self.connect())
        for times in ((_LATER, _LATER + 2), (_LATER + 4, _LATER + 3)):
            for at in times:
                copy.store.change([Change("account:a", at), Change(_TOKEN, at, at)])
            copy.follow()
            expected = {"account:a": max(times), _TOKEN: max(times)}
            assert copy.entries == revocations_in(self.connect()) == expected
        copy.store.change([Change("account:a", None)])
        copy.store.change([Change("account:a", 1)])
        copy.follow()
        expected = {"account:a": 1, _TOKEN: _LATER + 4}
        assert copy.entries == revocations_in(self.connect()) == expected

    def test_absent_adds_only_missing_entries(self) -> None:
        """``absent`` writes only entries that are missing, restored ones included."""
        copy = StoreFollower(self.connect())
        copy.store.change([Change("account:a", 1), Change("account:b", 1)])
        copy.store.change([Change("account:b", None)])
        back = [Change("account:a", 2), Change("account:b", 2), Change("account:c", 2)]
        copy.store.change(back, absent=True)
        copy.follow()
        expected = {"account:a": 1, "account:b": 2, "account:c": 2}
        assert copy.entries == revocations_in(self.connect()) == expected

    def test_many_changes_are_all_read(self) -> None:
        """No change is lost among thousands, for a worker that follows or one that starts later."""
        copy = StoreFollower(self.connect())
        changes = [Change(f"lp_consumer:{number}", number) for number in range(2500)]
        copy.store.change(changes)
        copy.follow()
        expected = {change.key: change.value for change in changes}
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
        self.entries: dict[Any, float] = {}
        self.position: Any = None
        self._complete = False
        self.follow()

    def follow(self, wait: float = 0) -> list[Change]:
        """Read until the copy is up to date, and return the last changes."""
        for _ in range(100):
            update = self.store.read(self.position, wait)
            self.position, changes = update.position, [*update.changes]
            if update.lost:
                assert self._complete, "lost changes reported to a worker without a copy"
                # Like a worker without any revocations to write back.
                self.store.change([], absent=True)
            if update.lost or update.complete:
                self.entries = {}
            for change in changes:
                if change.value is None:
                    self.entries.pop(change.key, None)
                else:
                    self.entries[change.key] = change.value
            if not (update.lost or update.complete):
                self._complete = True
                return changes
        raise AssertionError("100 reads in a row were incomplete")


def revocations_in(store: RevocationStore) -> dict[Any, float]:
    """Return the entries that a new worker reads from *store*."""
    return StoreFollower(store).entries
