"""What is revoked, with the names of ids: as a list, and in signals."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from ..core import revocation_changed, send_signal
from .cache import RevocationCache
from .entries import Change, Revocation
from .store import RecoverableStore, RevocationStore, RevocationStoreError, describe_error
from .subjects import Key, Kind, issuer_and_name, kind_of

# Names that are read from a store at once.
_BATCH = 1000


class Listing:
    """Finds the names of ids, which are in this process or in the store.

    :param cache: has the names of what was revoked in this process, or read with names.
    """

    def __init__(self, store: RevocationStore, cache: RevocationCache) -> None:
        self._store = store
        self._cache = cache

    def revocations(self, changes: Iterator[Change]) -> Iterator[Revocation]:
        """Yield entries as people see them.

        :raises RevocationStoreError: if the names cannot be read from the store.
        """
        while some := [*islice(changes, _BATCH)]:
            for key, (_, since, until) in zip(self._named(some), some, strict=True):
                kind = kind_of(key)
                if isinstance(key, bytes):
                    subject: dict[str, Any] = {"digest": key}
                else:
                    issuer, name = issuer_and_name(key)
                    subject = {f"{kind}_id": name} | ({"issuer": issuer} if issuer else {})
                yield Revocation(kind, subject, None if kind is Kind.TOKEN else since, until)

    def send_changed(self, sender: object, changes: Iterable[Change]) -> None:
        """Send a signal for each change; without a name, if the store does not have it.

        The store is not asked if it is so far away that the copy would become too old meanwhile.
        """
        remaining, begin = iter(changes), self._cache.lag() or 0.0
        while some := [*islice(remaining, _BATCH)]:
            keys = self._known(some)
            # For its answer, and for that to the next read.
            if (self._cache.lag() or 0.0) + 2 * begin < self._cache.max_lag:
                with suppress(RevocationStoreError):
                    keys = self._named(some)
            for key, change in zip(keys, some, strict=True):
                issuer, name = (None, None) if isinstance(key, bytes) else issuer_and_name(key)
                payload = {"kind": kind_of(key), "name": name, "issuer": issuer}
                revoked = change.value is not None
                send_signal(revocation_changed, sender, **payload, revoked=revoked)

    def _known(self, changes: Sequence[Change]) -> Sequence[Key]:
        return [self._cache.revoked.name_of(change.key) for change in changes]

    def _named(self, changes: Sequence[Change]) -> Sequence[Key]:
        keys = self._known(changes)
        unnamed = [key for key in keys if isinstance(key, bytes) and kind_of(key) != Kind.TOKEN]
        if not unnamed or not isinstance(self._store, RecoverableStore):
            return keys
        try:
            names = zip(unnamed, self._store.names(unnamed), strict=True)
            known: dict[Key, Key] = {key: name for key, name in names if name}
        except Exception as error:
            text = f"the names of ids cannot be read: {describe_error(error)}"
            raise RevocationStoreError(text) from None
        return [known.get(key, key) for key in keys]
