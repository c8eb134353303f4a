"""Revoking and restoring: arguments, errors, signals, health."""

import logging
import pickle
import threading
from collections.abc import Iterator, Sequence
from math import inf, nan
from typing import Any

import pytest

from flask_connector_auth import (
    Change,
    InvalidSubject,
    RevocationStore,
    RevocationStoreError,
    Unavailable,
    Update,
    revocation_changed,
    revocation_stale,
    token_digest,
)
from flask_connector_auth.core import Rejected
from flask_connector_auth.revocation import (
    MemoryStore,
    RecoverableStore,
    RevocationCache,
    RevocationRules,
    Revocations,
    RevocationSet,
    Subject,
    entry_key,
    redis_scripts,
)
from flask_connector_auth.revocation.listing import Listing
from flask_connector_auth.testing import OMIT
from tests.support.floor_helpers import NOW, cases, issuer_of
from tests.support.redis_servers import SOON, Server, until
from tests.support.revocation_entries import Entries
from tests.support.revocation_worlds import ACCOUNT, INSTALL, KEPT_FOREVER, MakeWorld

TOKEN = issuer_of().app_jwt()
DIGEST = token_digest(TOKEN)
A, B = "https://a.example", "https://b.example"
OF_A = "install@https%3A%2F%2Fa.example"


class Broken(MemoryStore):
    """A store that refuses changes while an error is set."""

    def __init__(self) -> None:
        super().__init__(KEPT_FOREVER, lambda: NOW + 3600)
        self.error: Exception | None = None
        self.requested: list[Change] = []
        self.batches: list[int] = []

    def change(self, changes: Sequence[Change]) -> None:
        """Take them, or not."""
        self.requested += changes
        self.batches.append(len(changes))
        if self.error:
            raise self.error
        super().change(changes)


def made(store: RevocationStore | None = None, **rules: Any) -> Revocations:
    """Return a service of two issuers, whose clock stands still."""
    return Revocations(store, RevocationRules(**rules), lambda: NOW, issuers=(A, B))


def entries(revocations: Revocations) -> Entries:
    """Return the entries that requests are checked against."""
    return Entries.of(revocations.cache.revoked)


@pytest.fixture
def sent() -> Iterator[list[tuple[Any, ...]]]:
    """The payloads of ``revocation_changed``."""
    news: list[tuple[Any, ...]] = []

    def receive(
        _sender: object, kind: str, name: str | None, issuer: str | None, revoked: bool
    ) -> None:
        news.append((kind, name, revoked) if issuer is None else (kind, name, revoked, issuer))

    with revocation_changed.connected_to(receive):
        yield news


@cases(
    ("rules", "subject", "entry"),
    {
        "a token": ({}, {"token": TOKEN}, {DIGEST: NOW + 3600 + 30 + 60}),
        "with another leeway": ({"leeway": 5}, {"token": TOKEN}, {DIGEST: NOW + 3600 + 5 + 60}),
        "a digest": ({}, {"digest": DIGEST}, {DIGEST: inf}),
        "a digest, kept": ({"keep": 100}, {"digest": DIGEST}, {DIGEST: NOW + 100}),
        "an install": ({}, {"install_id": "a"}, {"install:a": NOW}),
        "an account": ({}, {"account_id": "a"}, {"account:a": NOW}),
        "a consumer": ({}, {"lp_consumer_id": "ä:"}, {"lp_consumer:ä:": NOW}),
        "a name with dots": ({}, {"install_id": "com.a.b"}, {"install:com.a.b": NOW}),
        "by the other id": ({}, {"ext_consumer_id": "ä:"}, {"ext_consumer:ä:": NOW}),
        "of one issuer": ({}, {"install_id": "a:b", "issuer": A}, {f"{OF_A}:a:b": NOW}),
        "of all, by name": ({}, {"install_id": "a", "issuer": None}, {"install:a": NOW}),
        "at a time": ({}, {"account_id": "a", "at": NOW - 0.5}, {"account:a": NOW - 0.5}),
        "in the future": ({}, {"account_id": "a", "at": 2 * NOW}, {"account:a": 2 * NOW}),
        "long ago": ({}, {"account_id": "a", "at": 0}, {"account:a": 0}),
        "not too long ago": (
            {"keep": 9},
            {"account_id": "a", "at": NOW - 8},
            {"account:a": NOW - 8},
        ),
    },
)
def test_the_entry_of_a_revocation(
    rules: dict[str, Any], subject: dict[str, Any], entry: dict[Any, float]
) -> None:
    """A digest or a *not before* time, never a token."""
    revocations = made(**rules)
    revocations.revoke(**subject)
    assert entries(revocations) == entry
    subject.pop("at", None)
    assert revocations.is_revoked(**subject)
    assert revocations.restore(**subject)
    assert entries(revocations) == {}
    assert not revocations.is_revoked(**subject)
    assert not revocations.restore(**subject)


NO_TOKEN = "not a token"


@cases(
    ("subject", "error", "text"),
    {
        "nothing": ({}, TypeError, "give exactly one of"),
        "two": ({"token": TOKEN, "account_id": "a"}, TypeError, "give exactly one of"),
        "all": (
            {"token": TOKEN, "digest": DIGEST, "install_id": "a", "account_id": "a"},
            TypeError,
            "give exactly one of",
        ),
        "a token as bytes": ({"token": TOKEN.encode()}, TypeError, "a string"),
        "a digest as text": ({"digest": DIGEST.hex()}, TypeError, "bytes"),
        "another digest": ({"digest": DIGEST[:20]}, ValueError, "token_digest"),
        "a number": ({"account_id": 31457780}, TypeError, "a string"),
        "no id": ({"account_id": ""}, ValueError, "must not be empty"),
        "half a character": ({"account_id": "\ud800"}, ValueError, "surrogates"),
        "no token": ({"token": "do-not-tell"}, ValueError, NO_TOKEN),
        "an install by a token": ({"install_id": TOKEN}, ValueError, "install_id is a token, not"),
        "an account by a header": (
            {"account_id": f"Bearer {TOKEN}"},
            ValueError,
            "account_id is a token, not an id: give it as token",
        ),
        "by a token in JSON": ({"lp_consumer_id": f'"{TOKEN}"'}, ValueError, "is a token, not"),
        "by one without signature": (
            {"ext_consumer_id": TOKEN.rpartition(".")[0] + "."},
            ValueError,
            "is a token, not",
        ),
        "with Bearer": ({"token": f"Bearer {TOKEN}"}, ValueError, NO_TOKEN),
        "a token of an issuer": ({"token": TOKEN, "issuer": A}, TypeError, "has one issuer"),
        "a digest of an issuer": ({"digest": DIGEST, "issuer": A}, TypeError, "has one issuer"),
        "an issuer alone": ({"issuer": A}, TypeError, "give exactly one of"),
        "an issuer as bytes": ({"account_id": "a", "issuer": A.encode()}, TypeError, "a string"),
        "several issuers": ({"account_id": "a", "issuer": [A, B]}, TypeError, "a string"),
        "no issuer": ({"account_id": "a", "issuer": ""}, ValueError, "the iss of tokens"),
        "a token as issuer": (
            {"account_id": "a", "issuer": TOKEN},
            ValueError,
            "the iss of tokens",
        ),
    },
)
@pytest.mark.parametrize("name", ["revoke", "restore", "is_revoked"])
def test_invalid_subjects(
    name: str, subject: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Exactly one subject of the right type; an invalid one changes nothing, and no message quotes
    a token."""
    revocations = made()
    with pytest.raises(error, match=text) as caught:
        getattr(revocations, name)(**subject)
    assert TOKEN.split(".")[1] not in str(caught.value)
    assert "do-not-tell" not in str(caught.value)
    assert entries(revocations) == {}


def test_a_revocation_of_an_issuer_that_is_gone_can_be_restored() -> None:
    """docs/revocation.rst: nothing new is revoked for it, and what was is taken back as listed."""
    before = made()
    before.revoke(account_id="a", issuer=A)
    [entry] = before.entries()
    after = Revocations(None, RevocationRules(), lambda: NOW, issuers=(B,))
    after.cache.revoked.put(next(before.cache.revoked.changes()))
    with pytest.raises(
        ValueError, match=f"^no tokens of that issuer are accepted, only of: '{B}'$"
    ):
        after.revoke(account_id="b", issuer=A)
    assert after.is_revoked(**entry.subject)
    assert after.restore(**entry.subject)
    assert entries(after) == {}


@cases(
    ("rules", "subject", "error"),
    {
        "of a token": ({}, {"token": TOKEN, "at": NOW}, TypeError),
        "of a digest": ({}, {"digest": DIGEST, "at": NOW}, TypeError),
        "a string": ({}, {"account_id": "a", "at": "now"}, TypeError),
        "true": ({}, {"account_id": "a", "at": True}, TypeError),
        "NaN": ({}, {"account_id": "a", "at": nan}, ValueError),
        "infinity": ({}, {"account_id": "a", "at": inf}, ValueError),
        "not kept for so long": ({"keep": 9}, {"account_id": "a", "at": NOW - 9}, ValueError),
        "no token lives for so long": (
            {"max_lifetime": 60},
            {"install_id": "a", "at": NOW - 150},
            ValueError,
        ),
        "more than a float holds": ({}, {"account_id": "a", "at": 10**400}, ValueError),
        "no integer of JSON": ({}, {"account_id": "a", "at": 2**53}, ValueError),
        "none below zero": ({}, {"account_id": "a", "at": -(2**53)}, ValueError),
        "not a payload": ({}, {"token": "a.AAAA.a"}, ValueError),
    },
)
def test_invalid_times(
    rules: dict[str, Any], subject: dict[str, Any], error: type[Exception]
) -> None:
    """Seconds since the epoch, only for an id; an entry that would expire at once is refused."""
    revocations = made(**rules)
    with pytest.raises(error):
        revocations.revoke(**subject)
    assert entries(revocations) == {}


def test_a_revocation_never_weakens_another(sent: list[Any]) -> None:
    """An earlier time changes nothing and sends no signal; a later one does both."""
    revocations = made()
    for at, kept, news in (
        (NOW, NOW, 1),
        (NOW - 1, NOW, 1),
        (NOW, NOW, 1),
        (NOW + 1, NOW + 1, 2),
    ):
        revocations.revoke(account_id="a", at=at)
        assert entries(revocations) == {"account:a": kept}
        assert sent == [("account", "a", True)] * news


REVOKED = {
    "a token": ({"digest": entry_key(DIGEST)}, ("token", None, NOW + 3600)),
    "an install": ({"install_id": "a"}, ("install", NOW, NOW + 60 + 30 + 60)),
    "an account": ({"account_id": "a:b"}, ("account", NOW, NOW + 3600)),
    "a consumer": ({"lp_consumer_id": "a"}, ("lp_consumer", NOW, NOW + 3600)),
    "by the other id": ({"ext_consumer_id": "a"}, ("ext_consumer", NOW, NOW + 3600)),
    "of one issuer": ({"install_id": "a", "issuer": A}, ("install", NOW, NOW + 60 + 30 + 60)),
    "of another": ({"install_id": "a", "issuer": B}, ("install", NOW, NOW + 60 + 30 + 60)),
}


@pytest.mark.parametrize("case", REVOKED)
def test_an_entry_is_listed_by_what_restores_it(case: str) -> None:
    """``entries()``: kind, the arguments that restore it, since when, until when; ``is_revoked()``
    is about that very subject, not about another kind or issuer with the same id."""
    subject, (kind, since, until_when) = REVOKED[case]
    revocations = made(max_lifetime=60, keep=3600)
    assert [*revocations.entries()] == []
    revocations.revoke(**subject)
    [entry] = revocations.entries()
    assert entry == (kind, subject, since, until_when)
    others = [other for other, _ in REVOKED.values() if other != subject]
    assert not any(revocations.is_revoked(**other) for other in others)
    assert revocations.restore(**entry.subject)
    assert [*revocations.entries()] == []


def test_an_id_of_all_issuers_and_of_one_are_two_entries() -> None:
    """Each is restored by itself, and the other one stays."""
    revocations = made()
    every, one = {"install_id": "a"}, {"install_id": "a", "issuer": A}
    for restored, kept in ((every, one), (one, every)):
        for subject in (every, one):
            revocations.revoke(**subject)
        assert revocations.restore(**restored)
        assert [entry.subject for entry in revocations.entries()] == [kept]
        assert not revocations.restore(**restored)
        assert revocations.restore(**kept)
    assert [*revocations.entries()] == []


def test_the_one_issuer_of_an_app_may_be_named(world: MakeWorld) -> None:
    """``issuer=`` of that one revokes its tokens; any other one is a :exc:`ValueError`."""
    revocations = world().revocations
    with pytest.raises(ValueError, match=r"only of: 'Sentinel'$"):
        revocations.revoke(account_id=ACCOUNT, issuer=A)
    revocations.revoke(account_id=ACCOUNT, issuer="Sentinel")
    assert [entry.subject for entry in revocations.entries()] == [
        {"account_id": ACCOUNT, "issuer": "Sentinel"}
    ]


def test_entries_can_be_changed_while_they_are_listed() -> None:
    """An iterator over the entries at its beginning: a change neither fails it nor is in it."""
    revocations = made()
    for number in range(3):
        revocations.revoke(account_id=str(number))
    listed = revocations.entries()
    first = next(listed)
    for number in range(3, 1000):
        revocations.revoke(account_id=str(number))
    revocations.restore(account_id="2")
    names = [entry.subject["account_id"] for entry in (first, *listed)]
    assert sorted(names) == ["0", "1", "2"]


def test_other_workers_list_what_one_has_revoked(world: MakeWorld, server: Server) -> None:
    """The copy of the store is read first, by a worker that has served no request yet."""
    one, other = (world(REVOCATION_URL=server.url).revocations for _ in range(2))
    one.revoke(account_id="a", at=NOW)
    assert [*other.entries()] == [("account", {"account_id": "a"}, NOW, inf)]
    assert other.is_revoked(account_id="a")
    assert not other.is_revoked(install_id="a")
    assert not other.restore(install_id="a")
    assert other.restore(account_id="a")


def test_without_its_name_an_id_is_listed_by_its_digest(world: MakeWorld, server: Server) -> None:
    """The store has lost the names, or they cannot be read; the digest restores the entry too."""
    one, other = (world(REVOCATION_URL=server.url).revocations for _ in range(2))
    one.revoke(account_id="a", at=NOW)
    assert other.wait_until_ready(10)
    server.do("DEL", redis_scripts.NAMES)
    digest = entry_key("account:a")
    assert [*other.entries()] == [("account", {"digest": digest}, NOW, inf)]
    server.do("SET", redis_scripts.NAMES, "of another type")
    with pytest.raises(RevocationStoreError, match="the names of ids cannot be read: another"):
        [*other.entries()]
    server.do("DEL", redis_scripts.NAMES)
    assert other.is_revoked(digest=digest)
    assert other.restore(digest=digest)
    until(lambda: not one.is_revoked(account_id="a"))


def test_a_digest_of_an_unknown_kind_is_an_error() -> None:
    """A listed digest has the kind of its entry."""
    with pytest.raises(ValueError, match="unknown kind"):
        made().revoke(digest=bytes(15) + b"\x09")


def test_without_a_store_there_is_nothing_to_wait_for() -> None:
    """``wait_until_ready``: the entries are those of this process."""
    assert made().wait_until_ready(0)


def test_each_change_sends_a_signal(sent: list[Any]) -> None:
    """``revocation_changed``: kind, name, direction and issuer, without token or digest; once for
    each change."""
    revocations = made()
    for _ in range(2):
        revocations.revoke(token=TOKEN)
        revocations.revoke(install_id="a:b")
        revocations.revoke(install_id="a:b", issuer=B)
    for _ in range(2):
        revocations.restore(token=TOKEN)
        revocations.restore(install_id="a:b")
        revocations.restore(install_id="a:b", issuer=B)
    assert sent == [
        ("token", None, True),
        ("install", "a:b", True),
        ("install", "a:b", True, B),
        ("token", None, False),
        ("install", "a:b", False),
        ("install", "a:b", False, B),
    ]


def test_a_signal_has_the_service_of_its_app_as_sender() -> None:
    """``revocation_changed``: a receiver can subscribe to one app."""
    one, other = made(), made()
    heard: list[object] = []

    def receive(sender: object, **_payload: object) -> None:
        heard.append(sender)

    with revocation_changed.connected_to(receive, sender=one):
        one.revoke(account_id="a")
        other.revoke(account_id="a")
    assert heard == [one]


def test_each_worker_sends_the_signal(world: MakeWorld, server: Server, sent: list[Any]) -> None:
    """Once in the process that revokes, and once in each that reads the change."""
    workers = [world(REVOCATION_URL=server.url) for _ in range(3)]
    for worker in workers:
        assert worker.answer(issuer_of().app_jwt()) == 40102  # of another issuer
        until(lambda: worker.health["ready"])  # noqa: B023
    workers[0].revoke(lp_consumer_id="a")
    until(lambda: len(sent) == 3)
    workers[1].restore(lp_consumer_id="a")
    until(lambda: len(sent) == 6)
    assert sent == [("lp_consumer", "a", True)] * 3 + [("lp_consumer", "a", False)] * 3


class Distant(MemoryStore, RecoverableStore):
    """A store whose answers take time, by the clock of the test, and which has every name."""

    def __init__(self, delay: float) -> None:
        super().__init__(KEPT_FOREVER)
        self.elapsed = 0.0
        self._delay = delay

    def read(self, position: Any) -> Update:
        """Take the time."""
        self.elapsed += self._delay
        return super().read(position)

    def names(self, keys: Sequence[bytes]) -> list[str | None]:
        """Take the time, and make a name of each key."""
        self.elapsed += self._delay
        return [f"install:{key.hex()}" for key in keys]

    write_back = compact = None  # type: ignore[assignment]


@pytest.mark.parametrize(("delay", "named"), [(1.6, 1000), (1.2, 2000), (0.9, 3000), (1.7, 0)])
def test_no_signal_makes_the_copy_too_old(delay: float, named: int, sent: list[Any]) -> None:
    """The names of ids are read from the store as long as the next read comes in time; the others
    are not in their signals."""
    store = Distant(delay)
    cache = RevocationCache(RevocationSet(), 5, clock=lambda: store.elapsed)
    began = store.elapsed
    store.read(None)
    cache.apply_changes([], began)
    changes = [Change(entry_key(f"install:{number}"), 1.0) for number in range(3000)]
    Listing(store, cache).send_changed(None, changes)
    assert [name for _, name, _ in sent] == [
        None if number >= named else change.key.hex()
        for number, change in enumerate(changes)
        if isinstance(change.key, bytes)
    ]
    store.read(None)
    assert cache.is_fresh()


def test_a_receiver_that_fails_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the revocation nor a request fails with it."""

    def fail(_sender: object, **_payload: object) -> None:
        raise RuntimeError("the listener's")

    store = Broken()
    revocations = made(store)
    with revocation_changed.connected_to(fail), revocation_stale.connected_to(fail):
        revocations.cache.report_if_stale()
        revocations.revoke(account_id="a")
    assert entries(revocations) == {"account:a": NOW + 3600}
    assert Entries.of(store.revoked) == {"account:a": NOW + 3600}
    failed = [record.getMessage() for record in caplog.records if record.exc_info]
    assert failed[:2] == [
        "a receiver of revocation-stale failed",
        "a receiver of revocation-changed failed",
    ]


@cases(
    ("subject", "change"),
    {
        "an install": ({"install_id": "a", "at": NOW}, Change("install:a", NOW, NOW + 100)),
        "an account": ({"account_id": "a", "at": NOW}, Change("account:a", NOW, NOW + 100)),
        "a token": ({"token": TOKEN}, Change(DIGEST, NOW + 3690, NOW + 3690)),
        "a digest": ({"digest": DIGEST}, Change(DIGEST, NOW + 100, NOW + 100)),
    },
)
def test_a_change_has_the_time_until_which_its_entry_is_needed(
    subject: dict[str, Any], change: Change
) -> None:
    """``Change.until``: when the last token that it can refuse has expired, or ``keep`` is over.
    Not when ``max_lifetime`` is: another service that shares the store may allow more."""
    store = Broken()
    made(store, max_lifetime=60, keep=100).revoke(**subject)
    assert store.requested == [change]


@pytest.mark.parametrize("shared", [False, True])
def test_max_lifetime_ends_the_entry_of_an_install_where_no_store_is_shared(shared: bool) -> None:
    """Only without a shared store is it certain that no older token of the install is accepted
    later."""
    revocations = made(Broken() if shared else None, max_lifetime=60)
    revocations.revoke(install_id="a", at=NOW)
    revocations.cache.remove_expired(NOW + 10**6)
    assert entries(revocations) == ({"install:a": NOW} if shared else {})


class OutOfReach(Broken):
    """A store that cannot be read."""

    def read(self, position: Any) -> Update:
        """Fail."""
        raise RevocationStoreError("out of reach")


def test_an_outage_has_the_configured_effect() -> None:
    """REVOCATION_ON_OUTAGE: 503 for any token, or checks against the last copy."""
    closed, open_ = (made(OutOfReach(), fail_closed=closed) for closed in (True, False))
    subject = Subject(DIGEST, NOW, ())
    with pytest.raises(Unavailable):
        closed.cache.check_age()
    open_.cache.check_age()
    open_.cache.check_not_revoked(subject)
    open_.revoke(token=TOKEN)
    with pytest.raises(Rejected):
        open_.cache.check_not_revoked(subject)


@pytest.mark.parametrize("fail_closed", [True, False])
def test_an_old_copy_does_not_tell_what_is_revoked(fail_closed: bool) -> None:
    """Neither yes nor no: an error, whatever requests are answered with in the meantime. To restore
    is possible, and nothing says then that there was nothing to restore."""
    store = OutOfReach()
    revocations = made(store, fail_closed=fail_closed)
    revocations.revoke(account_id="a")
    for call in (revocations.entries, lambda: revocations.is_revoked(account_id="a")):
        with pytest.raises(RevocationStoreError, match="too old to tell"):
            call()
    assert revocations.restore(account_id="b")
    assert store.requested[-1] == Change("account:b", None)


def test_now_is_by_the_clock_of_the_store() -> None:
    """A worker whose clock is an hour behind revokes tokens that were issued just now, too."""
    revocations = made(Broken())
    revocations.revoke(account_id="a")
    assert entries(revocations) == {"account:a": NOW + 3600}


def test_a_clock_an_hour_ahead_does_not_make_now_too_long_ago() -> None:
    """Only a time that was given can be too long ago."""
    store = MemoryStore(KEPT_FOREVER, lambda: NOW - 3600)
    revocations = made(store, keep=60)
    revocations.revoke(install_id="a")
    assert entries(revocations) == {"install:a": NOW - 3600}


@cases(
    ("error", "text"),
    {
        "in its own words": (RevocationStoreError("it is full"), "it is full"),
        "of another kind": (ValueError("redis://:do-not-tell@host"), "ValueError"),
    },
)
def test_an_unconfirmed_revocation_is_an_error_and_in_force_here(
    error: Exception, text: str, sent: list[Any]
) -> None:
    """Revoked locally first, then in the store; the error has the kind of failure, and no
    secret."""
    store = Broken()
    revocations = made(store)
    store.error = error
    with pytest.raises(
        RevocationStoreError, match=f"^the store has not confirmed the change: {text}$"
    ) as caught:
        revocations.revoke(token=TOKEN)
    assert caught.value.__cause__ is None
    assert DIGEST in entries(revocations)
    with pytest.raises(RevocationStoreError):
        revocations.restore(token=TOKEN)
    assert DIGEST in entries(revocations)
    assert sent == []
    store.error = None
    revocations.revoke(token=TOKEN)
    assert DIGEST in Entries.of(store.revoked)
    revocations.restore(token=TOKEN)
    until(lambda: DIGEST not in entries(revocations))


class Clockless(Broken):
    """A store whose clock cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.now = lambda: 1 / 0


def test_without_the_clock_of_the_store_the_local_clock_is_used() -> None:
    """The write that follows fails too and reports the outage; in this process the revocation is in
    force."""
    revocations = made(Clockless())
    revocations.revoke(account_id="a")
    assert entries(revocations) == {"account:a": NOW}


MANY = [
    *({"token": TOKEN}, {"digest": b"d" * 32}, {"install_id": "a", "at": NOW}),
    *({"account_id": "a", "issuer": A, "at": None}, {"lp_consumer_id": "a"}),
    {"ext_consumer_id": "a", "token": None},
]


@pytest.mark.parametrize("shared", [False, True])
def test_many_are_revoked_as_one_is(shared: bool, sent: list[Any]) -> None:
    """``revoke_many()``: the same entries and signals; it returns how many, a repeated one too."""
    one, many = (made(Broken() if shared else None) for _ in range(2))
    for subject in MANY:
        one.revoke(**subject)
    expected, sent[:] = [*sent], []
    assert many.revoke_many(iter([*MANY, *MANY[:2]])) == len(MANY) + 2
    assert entries(many) == entries(one)
    assert sent == expected
    assert many.revoke_many([]) == 0


def test_many_are_written_in_batches() -> None:
    """A thousand at a time are taken from a generator, and the store is asked for the time once for
    each, when it is complete; not at all where no id needs it."""
    store, taken, asked = Broken(), 0, []
    here = threading.current_thread()

    def now() -> float:
        # The thread that reads the store asks too.
        if threading.current_thread() is here:
            asked.append(taken)
        return float(taken)

    store.now = now  # type: ignore[method-assign]

    def rows(name: str) -> Iterator[dict[str, Any]]:
        nonlocal taken
        for taken in range(1, 2502):
            assert len(store.requested) == (taken - 1) // 1000 * 1000
            yield {"digest": taken.to_bytes(32)} if name == "digest" else {name: str(taken)}

    revocations = made(store)
    assert revocations.revoke_many(rows("account_id")) == 2501
    assert store.batches == [1000, 1000, 501]
    assert asked == [1000, 2000, 2501]
    assert entries(revocations) == {
        f"account:{number}": min(2501, -(-number // 1000) * 1000) for number in range(1, 2502)
    }
    store.requested.clear()
    assert revocations.revoke_many(rows("digest")) == 2501
    assert len(asked) == 3


@cases(
    ("subject", "problem"),
    {
        "no token": ({"token": "do-not-tell"}, f"{NO_TOKEN}: three base64url segments are .*"),
        "two": ({"token": TOKEN, "account_id": "a"}, "give exactly one of .*"),
        "none": ({}, "give exactly one of .*"),
        "of another type": ({"account_id": 1}, "a token or an id must be a string"),
        "a token as id": ({"account_id": TOKEN}, "account_id is a token, not an id: .*"),
        "a token as name": (
            {TOKEN: None, "account_id": "a"},
            "a subject has other keys than at, issuer, token, digest, install_id, account_id, "
            "lp_consumer_id, ext_consumer_id",
        ),
        "the token alone": (TOKEN, "a subject must be a mapping"),
        "of a stranger": ({"account_id": "a", "issuer": "b"}, "no tokens of that issuer .*"),
        "no time": ({"account_id": "a", "at": nan}, "at is too large or too small .*"),
    },
)
def test_one_invalid_subject_of_many(subject: Any, problem: str) -> None:
    """Its index, and how many are revoked: the full thousands before it. No part of a token."""
    store = Broken()
    revocations = made(store)
    rows: list[Any] = [{"install_id": str(number)} for number in range(2000)]
    rows[1500] = subject
    text = f"^subject 1500: {problem}; the first 1000 are revoked$"
    with pytest.raises(InvalidSubject, match=text) as caught:
        revocations.revoke_many(rows)
    error = caught.value
    assert (error.index, error.written) == (1500, 1000)
    assert error.__cause__ is None
    assert error.__suppress_context__
    for part in (*TOKEN.split("."), "do-not-tell"):
        assert part not in str(error) + repr(error)
    assert store.batches == [1000]
    assert len(entries(revocations)) == 1000
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_many_of_which_the_store_confirms_some() -> None:
    """``written``: those of which it is certain. The next thousand are in force in this process."""
    store = Broken()
    revocations = made(store)

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3000):
            if number == 1500:
                store.error = RevocationStoreError("it is full")
            yield {"account_id": str(number)}

    with pytest.raises(RevocationStoreError, match=r"confirmed the change: it is full$") as caught:
        revocations.revoke_many(rows())
    assert caught.value.written == 1000
    assert len(store.revoked) == 1000
    assert len(entries(revocations)) == 2000
    assert pickle.loads(pickle.dumps(caught.value)).written == 1000  # noqa: S301


def test_many_whose_source_fails() -> None:
    """Its own error passes through; the full thousands before it are revoked."""
    store = Broken()

    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"account_id": str(number)} for number in range(1500))
        raise ValueError("the cursor is closed")

    with pytest.raises(ValueError, match=r"^the cursor is closed$"):
        made(store).revoke_many(rows())
    assert store.batches == [1000]


def test_many_reach_another_worker(world: MakeWorld, server: Server) -> None:
    """A real store: what one process has written in batches, another one lists."""
    one, other = (world(REVOCATION_URL=server.url).revocations for _ in range(2))
    assert one.revoke_many({"account_id": str(number)} for number in range(2500)) == 2500
    assert len([*one.entries()]) == 2500
    assert len([*other.entries()]) == 2500


def test_the_health_of_a_process_without_a_store(world: MakeWorld) -> None:
    """``health()``: the store, whether it is ready, lag, entries, last error."""
    one = world()
    one.revoke(account_id=ACCOUNT)
    assert one.health == {
        **{"store": "MemoryStore", "ready": True, "waiting_for": None},
        **{"lag": 0.0, "entries": 1, "last_error": None},
    }


def test_the_health_of_a_worker(world: MakeWorld, own_server: Server) -> None:
    """The call starts the thread, so that a probe before any request can succeed."""
    one = world(REVOCATION_URL=own_server.url, REVOCATION_MAX_LAG=1)
    health = one.health
    # The thread may have read the store already.
    assert health["waiting_for"] == (None if health["ready"] else "first_copy")
    until(lambda: one.health["ready"])
    one.revoke(install_id=INSTALL)
    health = one.health
    assert health.pop("lag") < 1
    assert health == {
        **{"store": "RedisStore", "ready": True, "waiting_for": None},
        **{"entries": 1, "last_error": None},
    }
    own_server.kill()
    until(lambda: not one.health["ready"])
    assert one.health["waiting_for"] == "confirmation"
    assert one.health["last_error"] == (
        "out of reach (ConnectionRefusedError): CONNECTOR_AUTH_REVOCATION_URL"
    )


def test_a_store_of_the_app(world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Any object with the three methods: other workers read the changes from it."""
    store = MemoryStore(KEPT_FOREVER)
    one, other = (world(REVOCATION_STORE=store) for _ in range(2))
    caplog.set_level(logging.CRITICAL)
    one.revoke(account_id=ACCOUNT)
    until(lambda: other.health["entries"] == 1, SOON)
    assert one.health["store"] == "MemoryStore"


def test_a_token_without_exp_is_kept_forever_or_as_configured() -> None:
    """The expiry of a ConsumerJWS is not known."""
    token = issuer_of().consumer_jws(exp=OMIT)
    for rules, until_when in (({}, inf), ({"keep": 100}, NOW + 100)):
        revocations = made(**rules)
        revocations.revoke(token=token)
        assert [*entries(revocations).values()] == [until_when]


def test_an_update_is_a_value() -> None:
    """A store of the app makes updates."""
    assert Update(1, []) == Update(1, [], complete=False, lost=False)
