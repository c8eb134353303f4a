"""A subject to revoke or to restore in; every worker told, and any token judged, out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from ..core import MAX_INTEGER, revocation_changed, revocation_stale, send
from .cache import RevocationCache
from .follower import Follower
from .revocation_set import RevocationSet
from .store import RevocationStore, RevocationStoreError
from .stores.memory import MemoryStore
from .subjects import (
    Change,
    Key,
    Kind,
    Subject,
    kind_of,
    last_use,
    retention,
    subject_key,
    token_digest,
)

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class RevocationRules:
    """What a deployment decides about revocation; times in seconds."""

    leeway: float = 30  #: that a verifier allows
    max_lifetime: float | None = None  #: of an AppJWT
    keep: float | None = None  #: how long what has no end is kept; ``None``: for good
    max_lag: float = 5  #: how old a copy of a store may be
    closed: bool = True  #: whether a copy that is older refuses to judge


class Revocations:
    """What is revoked, for one app; reached as :attr:`ConnectorAuth.revocations`.

    A subject is one of: ``token``, the compact text, verified or not, without ``Bearer``;
    ``digest``, what :func:`token_digest` made of one; ``install_id``, the AppJWTs of one app
    install; ``account_id``, all tokens of one account; ``consumer_id``, the ConsumerJWS of one
    ``lp_consumer_id``. Neither a token nor its text is stored or logged.

    :param store: for all workers; ``None``: there is one process.
    :param clock: returns the time in seconds since the epoch, by which tokens are judged.
    """

    def __init__(
        self, store: RevocationStore | None, rules: RevocationRules, clock: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._follower: Follower | None = None
        # Another service that shares the store may accept AppJWTs that live longer than ours: so
        # only in a process of its own MAX_LIFETIME says when an install's entry is over.
        max_lifetime = rules.max_lifetime if store is None else None
        kept = retention(max_lifetime, rules.leeway, rules.keep)
        if store is None:
            memory = MemoryStore(kept, clock)
            self._store: RevocationStore = memory
            # Not a copy: what is stored is what requests see.
            self.mirror: RevocationCache = RevocationCache(memory.table)
        else:
            self._store = store
            self.mirror = RevocationCache(
                RevocationSet(kept), rules.max_lag, closed=rules.closed, stale=self._tell_stale
            )
            self._follower = Follower(store, self.mirror, self._tell, clock)
        #: Return if a token may pass; see :meth:`Mirror.check`.
        self.check: Callable[[Subject], None] = self.mirror.check

    def revoke(
        self,
        *,
        token: str | None = None,
        digest: bytes | None = None,
        install_id: str | None = None,
        account_id: str | None = None,
        consumer_id: str | None = None,
        at: float | None = None,
    ) -> None:
        """Refuse a token, or all that one id was issued until *at*.

        Here it is refused at once, and on the other workers as soon as they have read the change.
        Once this returns, the revocation lasts.

        A token without ``iat``, as a ConsumerJWS is, is refused whatever *at* is. ``iat`` has whole
        seconds, so what is issued later in the second of *at* is refused too. What is revoked
        already stays so: an earlier *at* changes nothing.

        :param at: seconds since the epoch; now, by the clock of the store, if not given. Only for
            an id.
        :raises RevocationStoreError: if it cannot be known that it lasts, or that any other
            process knows of it; here it is in force.
        :raises TypeError: unless exactly one subject is given, of the right type.
        :raises ValueError: if what is given is not a token, digest, id or time.
        """
        key = _key(token, digest, install_id, account_id, consumer_id)
        change = self._change(key, token, at)
        if self._follower is None:
            self._make(change)
            return
        self._follower.start()
        news, lasts = self.mirror.hold(change), False
        try:
            self._make(change)
            lasts = True
        finally:
            self.mirror.settled(change, lasts=lasts)
        if news:
            self._tell([change])

    def restore(
        self,
        *,
        token: str | None = None,
        digest: bytes | None = None,
        install_id: str | None = None,
        account_id: str | None = None,
        consumer_id: str | None = None,
    ) -> None:
        """Take a revocation back, in each worker as soon as it hears of it, this one included.

        Only the same subject restores: a token whose account is revoked stays refused.

        :raises RevocationStoreError: if it cannot be known that it lasts.
        :raises TypeError: unless exactly one subject is given, of the right type.
        :raises ValueError: if what is given is not a token, digest or id.
        """
        key = _key(token, digest, install_id, account_id, consumer_id)
        if self._follower:
            self._follower.start()
        self._make(Change(key, None))

    def health(self) -> dict[str, Any]:
        """Return how the store is, as plain values; without I/O, though it begins to be followed.

        ``lag`` is for how many seconds the copy was not confirmed; ``None``: it never was.
        """
        error = None
        if self._follower:
            self._follower.start()
            error = self._follower.last_error
        return {
            "store": type(self._store).__name__,
            "ready": self.mirror.ready(),
            "lag": self.mirror.lag(),
            "entries": len(self.mirror.table),
            "last_error": error,
        }

    def close(self) -> None:
        """Stop following the store, until a request or another call needs it again."""
        if self._follower:
            self._follower.close()

    def _change(self, key: Key, token: str | None, at: float | None) -> Change:
        rules = self._rules
        if kind_of(key) is not Kind.TOKEN:
            life = self.mirror.table.retention[kind_of(key)]
            if at is None:
                at = self._now()
            elif _time(at) + life <= self._clock():
                raise ValueError("at is so long ago that the entry would not be kept")
            return Change(key, float(at), at + life)
        if at is not None:
            raise TypeError("at is for an id: a token is refused whenever it was issued")
        keep = inf if rules.keep is None else self._clock() + rules.keep
        until = keep if token is None else last_use(token, rules.leeway, keep)
        return Change(key, until, until)

    def _now(self) -> float:
        try:
            return self._store.now()
        except Exception:
            # Then the change will not last either, and that is told.
            return self._clock()

    def _make(self, change: Change) -> None:
        before = self.mirror.table.value(change.key)
        try:
            self._store.change([change])
        except Exception as error:
            why = str(error) if isinstance(error, RevocationStoreError) else type(error).__name__
            # Without the cause, whose text may quote a URL, with a password.
            raise RevocationStoreError(f"the change may not last: {why}") from None
        if self._follower is None and before != self.mirror.table.value(change.key):
            self._tell([change])

    def _tell(self, changes: Iterable[Change]) -> None:
        if not revocation_changed.receivers:
            return
        for key, value, _until in changes:
            name = None if isinstance(key, bytes) else key.partition(":")[2]
            revoked = value is not None
            send(revocation_changed, self, kind=kind_of(key), name=name, revoked=revoked)

    def _tell_stale(self) -> None:
        send(revocation_stale, self)


def _key(
    token: str | None,
    digest: bytes | None,
    install_id: str | None,
    account_id: str | None,
    consumer_id: str | None,
) -> Key:
    """Return the name of the entry of the one subject that is given."""
    ids = {Kind.INSTALL: install_id, Kind.ACCOUNT: account_id, Kind.CONSUMER: consumer_id}
    given = [one for one in (token, digest, *ids.values()) if one is not None]
    if len(given) != 1:
        raise TypeError("give one of token, digest, install_id, account_id, consumer_id")
    if digest is not None:
        if not isinstance(digest, bytes):
            raise TypeError("digest is bytes")
        if len(digest) != _DIGEST_BYTES:
            raise ValueError("digest is what token_digest returns")
        return digest
    if not isinstance(given[0], str):
        raise TypeError("a token or an id is a string")
    if token is not None:
        return token_digest(token)
    [(kind, name)] = [(kind, name) for kind, name in ids.items() if name is not None]
    if not name:
        raise ValueError("an id is not empty")
    name.encode()  # half a surrogate pair is an error: no claim has one
    return subject_key(kind, name)


def _time(at: Any) -> float:
    if type(at) not in (int, float):
        raise TypeError("at is a number of seconds since the epoch")
    if not -MAX_INTEGER < at < MAX_INTEGER:
        raise ValueError("at is no time")
    return at  # type: ignore[no-any-return]
