"""The stores of the package keep the contract for any store."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from flask_connector_auth import Change, Update
from flask_connector_auth.revocation import MemoryStore, RevocationStore, entry_key
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing.stores import RevocationStoreContract, StoreFollower
from tests.support.redis_servers import Server
from tests.support.revocation_faults import compact
from tests.support.revocation_worlds import KEPT_FOREVER


class TestMemoryStore(RevocationStoreContract):
    """The store of one process, which all its threads share."""

    @pytest.fixture(autouse=True)
    def _one(self) -> None:
        self.store = MemoryStore(KEPT_FOREVER, clock=lambda: 1_800_000_000.0)

    def connect(self) -> RevocationStore:
        """Return the one there is."""
        return self.store


class TestRedisStore(RevocationStoreContract):
    """The store in Redis, on each available server."""

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.url = server.url

    def connect(self) -> RevocationStore:
        """Return a store with a connection of its own."""
        return RedisStore(self.url)


class TestRedisStoreThatIsCompacted(TestRedisStore):
    """The same where the log is replaced before each read."""

    def connect(self) -> RevocationStore:
        """Return a store that replaces the log."""
        return Compacting(self.url, compact_after=0)

    def test_changes_are_followed_in_order(self) -> None:
        """A worker that has read nothing yet gets the entries rather than each change."""
        writer, reader = StoreFollower(self.connect()), StoreFollower(self.connect())
        for at, value in enumerate((1, 2, None, 3)):
            writer.store.change([Change("account:a", value), Change("account:b", at)])
            for copy in (writer, reader):
                copy.follow()
                expected = {"account:b": at} | ({} if value is None else {"account:a": value})
                assert copy.entries == {entry_key(key): value for key, value in expected.items()}


class Compacting(RedisStore):
    """Replaces the log by a shorter one before each read."""

    def read(self, position: Any) -> Update:
        """Compact, and read."""
        compact(self)
        return super().read(position)


class TestRedisStoreWithOptions(TestRedisStore):
    """The same with options for redis-py in the URL."""

    @pytest.fixture(
        autouse=True, params=["protocol=3", "decode_responses=true", "socket_timeout=0.0001"]
    )
    def _options(self, request: pytest.FixtureRequest) -> None:
        self.options = request.param

    def connect(self) -> RevocationStore:
        """Return a store with the options in its URL."""
        return RedisStore(f"{self.url}?{self.options}")


class Careless(MemoryStore):
    """Keeps the contract; each subclass breaks it in one way."""

    def connect(self) -> RevocationStore:
        """Return itself."""
        return self


class Forgetful(Careless):
    """Forgets every change."""

    def change(self, changes: Sequence[Change]) -> None:
        """Forget."""


class Weak(Careless):
    """Lets the last change win."""

    def change(self, changes: Sequence[Change]) -> None:
        """Restore first."""
        for change in changes:
            super().change([Change(change.key, None), change])


class Lasting(Careless):
    """Forgets when an entry ends."""

    def change(self, changes: Sequence[Change]) -> None:
        """Change it."""
        super().change([change._replace(until=inf) for change in changes])


class Repeating(Careless):
    """Returns all entries again, as if they were new."""

    def read(self, position: Any) -> Update:
        """Return all entries, marked as complete only for a first read."""
        update = super().read(None)
        return update if position is None else replace(update, complete=False)


class Vague(Careless):
    """Never marks an update as complete."""

    def read(self, position: Any) -> Update:
        """Read."""
        return replace(super().read(position), complete=False)


class Incomplete(Careless):
    """Reports a loss to each new worker."""

    def read(self, position: Any) -> Update:
        """Read."""
        return replace(super().read(position), lost=position is None)


class Endless(Careless):
    """Returns changes to every read."""

    def read(self, position: Any) -> Update:
        """Read everything."""
        return super().read(None)


class Unending(Careless):
    """Always has more."""

    def read(self, position: Any) -> Update:
        """Read."""
        return replace(super().read(position), more=True)


def failures(store: Careless) -> list[str]:
    """Return the tests of the contract that *store* fails."""
    contract = type("Contract", (RevocationStoreContract,), {"connect": store.connect})()
    failed = []
    for name in (name for name in dir(contract) if name.startswith("test_")):
        store.__init__(KEPT_FOREVER)  # type: ignore[misc]
        try:
            getattr(contract, name)()
        except AssertionError:
            failed.append(name)
    return failed


@pytest.mark.parametrize(
    "careless", [Forgetful, Weak, Lasting, Repeating, Vague, Incomplete, Endless, Unending]
)
def test_the_contract_finds_fault(careless: type[Careless]) -> None:
    """Each promise has a test that fails where the promise is broken, and passes where it is
    kept."""
    assert failures(careless(KEPT_FOREVER))
    assert failures(Careless(KEPT_FOREVER)) == []


def test_connect_must_be_implemented() -> None:
    """Without a store, no test of the contract passes."""
    with pytest.raises(NotImplementedError):
        RevocationStoreContract().test_an_empty_store_has_nothing()
