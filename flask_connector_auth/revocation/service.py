"""The service by which an app revokes, restores, and lists what is revoked."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from ..core import revocation_changed, revocation_stale, send_signal
from .cache import RevocationCache
from .changes import RevocationFactory
from .entries import Change, Revocation, RevocationRules
from .follower import Follower
from .listing import Listing
from .revocation_set import RevocationSet
from .store import MemoryStore, RevocationStore, RevocationStoreError, describe_error
from .subjects import entry_key, key_of_subject

# Few enough to be sent and written within the timeout of a client of Redis.
_BATCH = 1000
_PATIENCE = 1.0  # seconds to wait for a complete copy, where the answer needs one


class Revocations:
    """Revokes, restores and lists, for one app; available as :attr:`ConnectorAuth.revocations`.

    A subject is what a revocation is about, given as one of these arguments. ``token`` is a compact
    text without ``Bearer``, verified or not. ``digest`` is what :func:`token_digest` returns.
    ``install_id`` stands for the AppJWTs of one app install, and ``account_id`` for all tokens of
    one account. ``lp_consumer_id`` stands for the ConsumerJWSs of one consumer, and
    ``ext_consumer_id`` too, by the id of the calling app, in any account. No part of a token is
    stored or logged.

    An id applies to all issuers, or with ``issuer`` to that one. These are two subjects, and each
    is revoked and restored by itself. Each method with a subject raises :exc:`TypeError` unless
    exactly one is given, of the right type, and :exc:`ValueError` if it is not a token, digest or
    id. ``issuer`` with a token or digest is a :exc:`TypeError`.

    :param store: shared by all workers; ``None``: there is one process.
    :param clock: returns the time in seconds since the epoch, by which tokens are checked.
    :param issuers: those whose tokens the app accepts.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        store: RevocationStore | None,
        rules: RevocationRules,
        clock: Callable[[], float],
        issuers: Collection[str] = (),
    ) -> None:
        self._follower: Follower | None = None
        retention = rules.retention(is_shared=store is not None)
        if store is None:
            memory = MemoryStore(retention, clock)
            self._store: RevocationStore = memory
            # No copy: requests read the entries of the store itself.
            self.cache: RevocationCache = RevocationCache(memory.revoked)
        else:
            self._store = store
            self.cache = RevocationCache(
                RevocationSet(),
                rules.max_lag,
                fail_closed=rules.fail_closed,
                on_stale=partial(send_signal, revocation_stale, self),
            )
            self.cache.is_observed = lambda: bool(revocation_changed.receivers)
            self._follower = Follower(store, self.cache, self._send_changed, clock)
        self._factory = RevocationFactory(rules, retention, clock, self._store.now, issuers)
        self._listing = Listing(self._store, self.cache)

    def revoke(
        self,
        *,
        token: str | None = None,
        digest: bytes | None = None,
        install_id: str | None = None,
        account_id: str | None = None,
        lp_consumer_id: str | None = None,
        ext_consumer_id: str | None = None,
        issuer: str | None = None,
        at: float | None = None,
    ) -> None:
        """Refuse a token, or all tokens of one id that were issued until *at*.

        The revocation is in force in this process at once, and in the other workers as soon as they
        read the store. It is stored when this returns.

        A token without ``iat``, such as most ConsumerJWSs, is refused whatever *at* is. ``iat`` has
        whole seconds, so a token issued later in the second of *at* is refused too. If the subject
        is revoked with a later *at* already, nothing changes.

        :param at: seconds since the epoch; by default now, by the clock of the store. Only for an
            id.
        :raises RevocationStoreError: if the store has not confirmed the change. It is in force in
            this process then, and perhaps in no other.
        :raises TypeError: if *at* is given with a token or digest, or is not a number.
        :raises ValueError: if *at* is so long ago that the entry would not be kept, or is no time;
            or if the app accepts no tokens of *issuer*.
        """
        ids = install_id, account_id, lp_consumer_id, ext_consumer_id
        self._revoke([self._factory.make(None, at, issuer, token, digest, *ids)])

    def revoke_many(self, subjects: Iterable[Mapping[str, Any]]) -> int:
        """Revoke many subjects as :meth:`revoke` does, and return how many.

        *subjects* may be a generator: a thousand at a time are taken from it and written. If an
        error is raised, the full thousands before it are revoked. Call this again with the rest.

        :param subjects: mappings with the arguments of :meth:`revoke`.
        :raises InvalidSubject: for a subject with which :meth:`revoke` raises :exc:`TypeError` or
            :exc:`ValueError`. None of its thousand is revoked then.
        :raises RevocationStoreError: if the store has not confirmed a thousand. They are in force
            in this process then, and perhaps in no other. ``written`` is how many came before them.
        """
        written, rest = 0, iter(subjects)
        while batch := [*islice(rest, _BATCH)]:
            self._revoke(self._factory.make_many(batch, written), written)
            written += len(batch)
        return written

    def restore(
        self,
        *,
        token: str | None = None,
        digest: bytes | None = None,
        install_id: str | None = None,
        account_id: str | None = None,
        lp_consumer_id: str | None = None,
        ext_consumer_id: str | None = None,
        issuer: str | None = None,
    ) -> bool:
        """Take a revocation back, in each worker as soon as it reads the store, this one included.

        Restore the same subject that was revoked: a token whose account is revoked stays refused.

        :returns: ``False`` if the copy of the store in this process shows that nothing was revoked;
            ``True`` otherwise, also if the copy is too old to tell.
        :raises RevocationStoreError: if the store has not confirmed the change.
        """
        ids = install_id, account_id, lp_consumer_id, ext_consumer_id
        key = key_of_subject(issuer, token, digest, *ids)
        may_be_revoked = not self._is_current() or self.cache.revoked.change_of(key) is not None
        self._write([Change(key, None)])
        return may_be_revoked

    def is_revoked(
        self,
        *,
        token: str | None = None,
        digest: bytes | None = None,
        install_id: str | None = None,
        account_id: str | None = None,
        lp_consumer_id: str | None = None,
        ext_consumer_id: str | None = None,
        issuer: str | None = None,
    ) -> bool:
        """Return whether the subject itself is revoked.

        ``False`` does not mean that a token is accepted: its install, account or consumer may be
        revoked.

        :raises RevocationStoreError: if the copy of the store in this process is too old to tell.
        """
        ids = install_id, account_id, lp_consumer_id, ext_consumer_id
        key = key_of_subject(issuer, token, digest, *ids)
        return self._current_set().change_of(key) is not None

    def entries(self) -> Iterator[Revocation]:
        """Return an iterator over all that is revoked, in no certain order.

        The names of ids are not in the copy. They are read from the store, a thousand at a time.

        :raises RevocationStoreError: if the copy of the store in this process is too old to tell.
        """
        return self._listing.revocations(self._current_set().changes())

    def health(self) -> dict[str, Any]:
        """Return the state of the store and of its local copy, as plain values and without I/O.

        ``lag`` is how many seconds ago the copy was confirmed, or ``None`` if it never was. The
        call starts the thread that reads the store, so that a probe before any request can succeed.
        """
        last_error, entries = None, len(self.cache.revoked)
        if self._follower:
            self._follower.start()
            last_error = self._follower.failures.last_error
        return {
            "store": type(self._store).__name__,
            "ready": self.cache.is_fresh(),
            "lag": self.cache.lag(),
            "entries": entries,
            "last_error": last_error,
        }

    def wait_until_ready(self, timeout: float) -> bool:
        """Start reading the store, and wait until this process has a complete copy of it.

        :returns: whether it has one after *timeout* seconds.
        """
        return self._follower is None or self._follower.wait_until_current(timeout)

    def close(self) -> None:
        """Stop reading the store, until a request or another call needs it again."""
        if self._follower:
            self._follower.close()

    def _is_current(self) -> bool:
        """Whether the entries are no older than they may be; a copy is read first if necessary."""
        if self._follower and not self.cache.is_fresh():
            self.cache.ensure_refresh()
            if self._follower.failures.last_error is None:
                self._follower.wait_until_current(_PATIENCE)
        return self.cache.is_fresh()

    def _current_set(self) -> RevocationSet:
        if not self._is_current():
            raise RevocationStoreError("the copy of the store is too old to tell what is revoked")
        return self.cache.revoked

    def _revoke(self, changes: Sequence[Change], written: int = 0) -> None:
        if self._follower is None:
            self._write(changes, written)
            return
        self._follower.start()
        made_difference, acknowledged = [*filter(self.cache.add_pending, changes)], False
        try:
            self._write(changes, written)
            acknowledged = True
        finally:
            for change in changes:
                self.cache.end_write(change, acknowledged=acknowledged)
        self._send_changed(made_difference)

    def _write(self, changes: Sequence[Change], written: int = 0) -> None:
        get = self.cache.revoked.get
        previous = {change: get(entry_key(change.key)) for change in changes}
        try:
            self._store.change(changes)
        except Exception as error:
            # Without the cause, whose text may quote a URL with a password.
            text = f"the store has not confirmed the change: {describe_error(error)}"
            raise RevocationStoreError(text, written) from None
        if self._follower is None:
            self._send_changed(c for c, old in previous.items() if old != get(entry_key(c.key)))

    def _send_changed(self, changes: Iterable[Change]) -> None:
        if revocation_changed.receivers:
            self._listing.send_changed(self, changes)
