"""Any history of revocations, restorations and faults, with two workers and a real server.

An account is revoked for one of two issuers, or for all. The model is the least that each worker
must refuse: all that was revoked and not restored, unless no worker is left that had it. A worker
may refuse more only where a fault lost a restoration.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from flask_connector_auth import Change, Reason, RevocationStoreError, Update
from flask_connector_auth.core import Closable, Rejected, Unavailable
from flask_connector_auth.revocation import (
    Kind,
    RevocationRules,
    Revocations,
    RevocationSet,
    Subject,
    read_once,
    redis_scripts,
)
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.revocation.subjects import subject_key
from tests.support.floor_helpers import NOW, examples
from tests.support.redis_servers import Server
from tests.support.revocation_faults import change_after_eviction, put_back, saved

A, B = "https://a.example", "https://b.example"
NAMES = ("a", "b")
#: An account of all issuers, or of one.
Account = tuple[str, str | None]
ACCOUNTS: list[Account] = [(name, issuer) for name in NAMES for issuer in (None, A, B)]
accounts = st.sampled_from(ACCOUNTS)
WORKERS = 2
workers = st.integers(0, WORKERS - 1)


class SwitchedStore(Closable):
    """A store behind a connection that the test can cut; reads do not wait for a change."""

    def __init__(self, url: str) -> None:
        self.is_cut_off = False
        self._store = RedisStore(url, compact_after=0)
        self.now = self._store.now

    def close(self) -> None:
        """Close the connection, as the package does for a store of its own."""
        self._store.close()

    def change(self, changes: Sequence[Change]) -> None:
        """Make the changes."""
        self._check_connection()
        self._store.change(changes)

    def read(self, position: Any) -> Update:
        """Read."""
        self._check_connection()
        return self._store.read(position)

    def write_back(self, entries: RevocationSet, missing: Any, position: Any) -> Any:
        """Write back what the store has lost."""
        self._check_connection()
        return self._store.write_back(entries, missing, position)

    def compact(self, entries: RevocationSet, position: Any) -> Iterator[object]:
        """Replace the log, after each change."""
        return self._store.compact(entries, position)

    def names(self, keys: Sequence[bytes]) -> list[str | None]:
        """Return the names of ids."""
        return self._store.names(keys)

    def _check_connection(self) -> None:
        if self.is_cut_off:
            raise RevocationStoreError("cut off")


class Worker:
    """A copy of the store that reads only when the test calls for it."""

    def __init__(self, url: str) -> None:
        self.store = SwitchedStore(url)
        self.revocations = Revocations(self.store, RevocationRules(), lambda: NOW, issuers=(A, B))
        self.follower: Any = self.revocations._follower
        assert self.follower
        self.follower.start = lambda: None
        self.compacts = False

    def follow(self) -> None:
        """Read until the copy is up to date, as far as possible."""
        self.follower._is_current.clear()
        for _ in range(12):
            self.follower._next_expiry = 0.0 if self.compacts else inf
            read_once(lambda: self.follower)
            if self.follower._is_current.is_set():
                return

    def refused(self) -> set[Account]:
        """Return the accounts that are revoked, of one issuer or of all.

        A token is refused if its account is revoked, of its own issuer or of all, and only then.
        """
        self.revocations.cache.check_age()
        refused = {account for account in ACCOUNTS if self._refuses(account)}
        for name, issuer in ACCOUNTS:
            every, own = (name, None), (name, issuer)
            assert self._refuses(every, own) is bool(refused & {every, own})
        return refused

    def _refuses(self, *accounts: Account) -> bool:
        keys = tuple(subject_key(Kind.ACCOUNT, *account) for account in accounts)
        try:
            self.revocations.cache.check_not_revoked(Subject(b"", NOW, keys))
        except Rejected as rejected:
            assert rejected.reason is Reason.REVOKED
            return True
        return False


class Histories(RuleBasedStateMachine):
    """What may happen, in any order."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.server.renew()
        self.workers = [Worker(self.server.url) for _ in range(WORKERS)]
        for worker in self.workers:
            worker.follow()
        #: Accounts to refuse everywhere; accounts that may be, since a fault lost a restoration.
        self.revoked: set[Account] = set()
        self.doubtful: set[Account] = set()
        self.kept: dict[bytes, bytes] = {}
        self.kept_revoked: set[str] = set()

    @rule(number=workers, account=accounts)
    def revoke(self, number: int, account: Account) -> None:
        """What one worker revokes lasts, or is an error and in force there."""
        worker = self.workers[number]
        try:
            worker.revocations.revoke(account_id=account[0], issuer=account[1], at=NOW)
            self.revoked.add(account)
        except RevocationStoreError:
            assert worker.store.is_cut_off
            self.doubtful.add(account)
        assert account in worker.refused()

    @rule(number=workers, account=accounts)
    def restore(self, number: int, account: Account) -> None:
        """What one worker restores is restored everywhere, or is an error and changes nothing."""
        worker = self.workers[number]
        before = worker.refused()
        try:
            worker.revocations.restore(account_id=account[0], issuer=account[1])
            self.revoked.discard(account)
            if any(each.store.is_cut_off for each in self.workers):
                # A worker that has not read it may write the entry back after a fault.
                self.doubtful.add(account)
        except RevocationStoreError:
            assert worker.store.is_cut_off
            assert worker.refused() == before

    @rule(number=workers)
    def cut_off(self, number: int) -> None:
        """A worker loses its connection to the store."""
        self.workers[number].store.is_cut_off = True

    @rule(number=workers)
    def reconnect(self, number: int) -> None:
        """The worker connects again."""
        worker = self.workers[number]
        worker.store.is_cut_off = False
        worker.follow()
        assert worker.follower.failures.last_error is None

    @rule(number=workers, compacts=st.booleans())
    def compact(self, number: int, compacts: bool) -> None:
        """From now on, a worker replaces the log whenever it has changed, or no longer does."""
        self.workers[number].compacts = compacts

    @rule()
    def lose_replaced_logs(self) -> None:
        """A worker that was away cannot read the log to its end that it has begun to read."""
        with self.server.client() as client:
            if old := client.keys("*:old:*"):
                client.delete(*old)

    @rule()
    def flush(self) -> None:
        """All data are lost, after each worker has read them."""
        self._all_follow()
        self.server.do("FLUSHDB")

    @rule()
    def evict(self) -> None:
        """The log is lost, after each worker has read it."""
        self._all_follow()
        self.server.do("DEL", redis_scripts.LOG)

    @rule(account=accounts)
    def evict_and_revoke(self, account: Account) -> None:
        """The same, and no worker can read before the next change."""
        self._all_follow()
        change = Change(subject_key(Kind.ACCOUNT, *account), NOW)
        change_after_eviction(self.server, redis_scripts.LOG, change)
        self.revoked.add(account)

    @rule()
    def keep(self) -> None:
        """A replica is up to date for the last time."""
        with self.server.client() as client:
            self.kept = {name: client.dump(name) for name in client.scan_iter()}

    @rule()
    def fail_over(self) -> None:
        """The replica becomes the master; workers have what it did not receive."""
        self._all_follow()
        with self.server.client() as client:
            client.flushdb()
            for name, content in self.kept.items():
                client.restore(name, 0, content)
        # The replica has none of the later restorations.
        self.doubtful |= set(ACCOUNTS)

    @invariant()
    def nothing_that_is_revoked_passes(self) -> None:
        """A worker that is up to date refuses what is revoked, and nothing else without need. So
        does a worker that starts then."""
        for worker in self.workers:
            if not worker.store.is_cut_off:
                worker.follow()
        for worker in self.workers:
            if not worker.store.is_cut_off:
                worker.follow()
                self._refuses_what_it_must(worker)
        if not all(worker.store.is_cut_off for worker in self.workers):
            new = Worker(self.server.url)
            new.follow()
            self._refuses_what_it_must(new)
            new.store.close()

    def teardown(self) -> None:
        """Close the connections of the workers."""
        for worker in self.workers:
            worker.store.close()

    def _refuses_what_it_must(self, worker: Worker) -> None:
        assert self.revoked <= worker.refused() <= self.revoked | self.doubtful

    def _all_follow(self) -> None:
        for worker in self.workers:
            worker.store.is_cut_off = False
            worker.follow()


def test_any_history(server: Server) -> None:
    """No revoked token passes in a worker that can reach the store, whatever happened before."""
    machine = type("Machine", (Histories,), {"server": server})
    run_state_machine_as_test(machine, settings=examples(20, stateful_step_count=30))


@pytest.mark.parametrize("others", [(), (("a", A),), (("a", A), ("b", None))])
def test_a_failover_right_after_a_revocation(others: tuple[Account, ...], server: Server) -> None:
    """It was acknowledged, and lost before even the worker that revoked has read it: that worker
    still refuses, and writes it back, whatever else changed meanwhile."""
    one, other = workers = [Worker(server.url) for _ in range(2)]
    for worker in workers:
        one.revocations.revoke(account_id="x", at=NOW)
        worker.follow()
    before = saved(server)
    one.revocations.revoke(account_id="a", at=NOW)
    put_back(server, before)
    for account in others:
        key = subject_key(Kind.ACCOUNT, *account)
        RedisStore(server.url).change([Change(key, NOW)])
    for worker in (*workers, *workers):
        worker.follow()
    assert one.refused() == other.refused() == {("a", None), *others}


def test_without_faults_nothing_is_in_doubt(server: Server) -> None:
    """The control: two workers that revoke and restore agree with a set, exactly."""
    one, other = workers = [Worker(server.url) for _ in range(2)]
    revoked: set[Account] = set()
    for number, account in enumerate(ACCOUNTS * 3):
        name, issuer = account
        worker = workers[number % 2]
        if account in revoked and number % 3:
            worker.revocations.restore(account_id=name, issuer=issuer)
            revoked.discard(account)
        else:
            worker.revocations.revoke(account_id=name, issuer=issuer, at=NOW)
            revoked.add(account)
        for each in (one, other):
            each.follow()
            assert each.refused() == revoked


def test_a_worker_that_never_read_refuses_every_token(server: Server) -> None:
    """Without a read, a worker cannot know what is revoked."""
    with pytest.raises(Unavailable):
        Worker(server.url).refused()
