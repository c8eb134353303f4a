"""A store of revocations in; whether it keeps what :class:`RevocationStore` promises out."""

import os
import threading
import time
from math import inf
from typing import Any

from ..revocation import Change, RevocationStore

_TOKEN = os.urandom(16) + b":\x00\xff" + os.urandom(13)
# Far enough in the future: what no token can match any more may be gone.
_LATER = 4_000_000_000.0
_INSTALL = Change("install:75588e18", 1_800_000_000.125, 1_800_003_600.0)


class RevocationStoreContract:
    """Tests for pytest: subclass it, and say in :meth:`connect` where your store is.

    Each test has to begin with nothing revoked.

    .. versionadded:: 0.1
    """

    def connect(self) -> RevocationStore:
        """Return one more worker's way to the same store."""
        raise NotImplementedError

    def test_an_empty_store_has_nothing(self) -> None:
        """A first worker finds nothing revoked."""
        assert known(self.connect()) == {}

    def test_who_knows_nothing_is_told_everything(self) -> None:
        """Said to be all, so that it replaces what a worker knew that had to begin anew."""
        store = Copy(self.connect()).store
        store.change([_INSTALL])
        assert store.read(None, 0).complete

    def test_a_change_lasts_and_is_found_by_who_comes_later(self) -> None:
        """What was changed before a worker was there is part of all that it reads first."""
        for change in (_INSTALL, Change(_TOKEN, inf, inf), Change("account:größe", 0.1)):
            self.connect().change([change])
        expected = {_INSTALL.key: _INSTALL.value, _TOKEN: inf, "account:größe": 0.1}
        assert known(self.connect()) == expected

    def test_changes_are_followed_in_order(self) -> None:
        """From a position on only what is new comes, to each worker, what was restored too."""
        one, other = Copy(self.connect()), Copy(self.connect())
        changes = [_INSTALL, Change(_TOKEN, inf, inf), Change(_TOKEN, None), Change("account:a", 1)]
        for change in changes:
            one.store.change([change])
        for copy in (one, other):
            assert [each[:2] for each in copy.follow()] == [each[:2] for each in changes]
            assert copy.entries == {_INSTALL.key: _INSTALL.value, "account:a": 1}
            assert copy.follow() == []

    def test_reading_waits_for_a_change(self) -> None:
        """A worker that waits hears of a change at once, and of none when its time is over."""
        copy = Copy(self.connect())
        begin = time.monotonic()
        assert copy.follow(wait=0.2) == []
        assert 0.1 < time.monotonic() - begin < 5
        timer = threading.Timer(0.1, self.connect().change, [[_INSTALL]])
        timer.start()
        begin, heard = time.monotonic(), 0
        while not heard and time.monotonic() - begin < 2:
            heard = len(copy.follow(wait=2))
        timer.join()
        assert heard == 1
        assert time.monotonic() - begin < 1.5

    def test_a_change_never_weakens_another(self) -> None:
        """Of two times the later one stays, in whichever order they come; restored, it is gone."""
        copy = Copy(self.connect())
        for times in ((_LATER, _LATER + 2), (_LATER + 4, _LATER + 3)):
            for at in times:
                copy.store.change([Change("account:a", at), Change(_TOKEN, at, at)])
            copy.follow()
            expected = {"account:a": max(times), _TOKEN: max(times)}
            assert copy.entries == known(self.connect()) == expected
        copy.store.change([Change("account:a", None)])
        copy.store.change([Change("account:a", 1)])
        copy.follow()
        assert copy.entries == known(self.connect()) == {"account:a": 1, _TOKEN: _LATER + 4}

    def test_what_is_there_is_left_alone_if_so_asked(self) -> None:
        """Written back is only what is absent, also where that was restored."""
        copy = Copy(self.connect())
        copy.store.change([Change("account:a", 1), Change("account:b", 1)])
        copy.store.change([Change("account:b", None)])
        back = [Change("account:a", 2), Change("account:b", 2), Change("account:c", 2)]
        copy.store.change(back, absent=True)
        copy.follow()
        expected = {"account:a": 1, "account:b": 2, "account:c": 2}
        assert copy.entries == known(self.connect()) == expected

    def test_many_changes_are_all_heard_of(self) -> None:
        """Nothing is lost by number: neither for who follows nor for who comes later."""
        copy = Copy(self.connect())
        changes = [Change(f"consumer:{number}", number) for number in range(2500)]
        copy.store.change(changes)
        copy.follow()
        assert copy.entries == known(self.connect()) == {each.key: each.value for each in changes}

    def test_many_workers_change_at_once(self) -> None:
        """Changes of several threads and connections are all made."""
        copy, shared = Copy(self.connect()), self.connect()

        def change(number: int) -> None:
            store = shared if number % 2 else self.connect()
            for each in range(50):
                store.change([Change(f"account:{number}-{each}", each)])

        threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        copy.follow()
        assert len(copy.entries) == 200
        assert copy.entries == known(self.connect())

    def test_there_is_one_clock(self) -> None:
        """The time is that of all workers, in seconds since the epoch, and goes on."""
        one, other = self.connect(), self.connect()
        times = [store.now() for store in (one, other, one, other)]
        assert times == sorted(times)
        assert times[-1] - times[0] < 60
        assert times[0] > 1_700_000_000


class Copy:
    """What one worker knows, read as a worker reads it."""

    def __init__(self, store: RevocationStore) -> None:
        self.store = store
        self.entries: dict[Any, float] = {}
        self.position: Any = None
        self._complete = False
        self.follow()

    def follow(self, wait: float = 0) -> list[Change]:
        """Read until the copy is up to date, and return the changes that came last."""
        for _ in range(100):
            update = self.store.read(self.position, wait)
            self.position, changes = update.position, [*update.changes]
            if update.lost:
                assert self._complete, "without a copy, it cannot be known what is missing"
                # As a worker that has nothing to write back.
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
        raise AssertionError("there is always something new")


def known(store: RevocationStore) -> dict[Any, float]:
    """Return what a worker knows that reads *store* for the first time."""
    return Copy(store).entries
