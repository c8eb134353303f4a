"""Our own stores keep the contract that any other store has to keep."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flask_connector_auth import Change, Update
from flask_connector_auth.revocation import MemoryStore, RevocationStore
from flask_connector_auth.revocation.stores.redis import RedisStore
from flask_connector_auth.testing.stores import RevocationStoreContract
from tests.support.redis_servers import Server
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
    """The store in Redis, on each server that there is."""

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.url = server.url

    def connect(self) -> RevocationStore:
        """Return a store with a connection of its own."""
        return RedisStore(self.url)


class TestRedisStoreWithAShortLog(TestRedisStore):
    """The same where the log is cut off, so that who is behind has to read everything."""

    def connect(self) -> RevocationStore:
        """Return a store that keeps as few changes as Redis will."""
        return RedisStore(self.url, log_length=1)


class TestRedisStoreWithOptions(TestRedisStore):
    """The same whatever the URL asks redis-py for."""

    @pytest.fixture(
        autouse=True, params=["protocol=3", "decode_responses=true", "socket_timeout=0.0001"]
    )
    def _options(self, request: pytest.FixtureRequest) -> None:
        self.options = request.param

    def connect(self) -> RevocationStore:
        """Return a store that is asked for something special."""
        return RedisStore(f"{self.url}?{self.options}")


class Careless(MemoryStore):
    """Has nothing wrong yet."""

    def connect(self) -> RevocationStore:
        """Return itself."""
        return self


class Forgetful(Careless):
    """Forgets every change."""

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """Forget."""


class Weak(Careless):
    """Lets the last change win."""

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """Restore first."""
        for change in changes:
            super().change([Change(change.key, None), change], absent=absent)


class Overwriting(Careless):
    """Does not care what is there."""

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """Change it."""
        super().change(changes)


class Hasty(Careless):
    """Never waits."""

    def read(self, position: Any, wait: float) -> Update:
        """Read."""
        return super().read(position, 0)


class Slow(Careless):
    """Waits until the time is over, whatever there is."""

    def read(self, position: Any, wait: float) -> Update:
        """Wait, and read."""
        threading.Event().wait(wait)
        return super().read(position, 0)


class Repeating(Careless):
    """Says everything again, as if it were new."""

    def read(self, position: Any, wait: float) -> Update:
        """Read everything, but where all was asked for."""
        update = super().read(None, wait)
        return update if position is None else replace(update, complete=False)


class Vague(Careless):
    """Never says that it says everything."""

    def read(self, position: Any, wait: float) -> Update:
        """Read."""
        return replace(super().read(position, wait), complete=False)


class Incomplete(Careless):
    """Says to each new worker that it has lost something."""

    def read(self, position: Any, wait: float) -> Update:
        """Read."""
        return replace(super().read(position, wait), lost=position is None)


class Endless(Careless):
    """Has always something new."""

    def read(self, position: Any, wait: float) -> Update:
        """Read everything."""
        return super().read(None, wait)


def failures(store: Careless) -> list[str]:
    """Return the tests of the contract that *store* does not pass."""
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
    "careless", [Forgetful, Weak, Overwriting, Hasty, Slow, Repeating, Vague, Incomplete, Endless]
)
def test_the_contract_finds_fault(careless: type[Careless]) -> None:
    """Each promise has a test that fails where it is broken, and none where it is kept."""
    assert failures(careless(KEPT_FOREVER))
    assert failures(Careless(KEPT_FOREVER)) == []


def test_a_store_has_to_be_named() -> None:
    """Who forgets to say where the store is gets no pass."""
    with pytest.raises(NotImplementedError):
        RevocationStoreContract().test_an_empty_store_has_nothing()
