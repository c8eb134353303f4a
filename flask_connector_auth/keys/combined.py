"""A key source that combines several others, and until when each source need not be asked."""

from collections.abc import Callable, Sequence

from ..core import Closable, Unavailable, close_if_closable, forget_origin
from .lookups import FetchingSource, Keys, Lookup, LookupResults, finish, look_up, look_up_all
from .remote import RemoteKeys
from .source import (
    AMBIGUOUS_MATCH,
    MAX_CANDIDATES,
    NO_LEASE,
    UNLIMITED,
    Health,
    KeySource,
    Lease,
    StaticKeys,
    VerificationKey,
)


def _combine(results: LookupResults[int]) -> Keys:
    """Return the keys in the *results* of several sources; ambiguous ones make all ambiguous.

    :raises Unavailable: if no key was found and a source is out of reach.
    """
    if _is_ambiguous(results):
        return AMBIGUOUS_MATCH
    found = _keys_in(results)
    if not found:
        for result in results.values():
            if isinstance(result, Unavailable):
                raise result
    return found


def _is_ambiguous(results: LookupResults[int]) -> bool:
    return any(result is AMBIGUOUS_MATCH for result in results.values())


def _keys_in(results: LookupResults[int]) -> list[VerificationKey]:
    return [key for keys in results.values() if not isinstance(keys, Unavailable) for key in keys]


def _at_hand(source: KeySource) -> Callable[[str, str], Keys] | None:
    if isinstance(source, FetchingSource):
        return source.at_hand
    # By exact type: a subclass may be out of reach.
    return source.candidates if type(source) is StaticKeys else None


def find_lease(
    source: KeySource, key: VerificationKey, kid: str | None, algorithm: str
) -> Lease | None:
    """Return the lease of the answer that *key* is active; ``None`` if it is not.

    Arguments and errors are those of :meth:`KeySource.is_active`.
    """
    if type(source) is CombinedKeys:
        return source.find_lease(key, kid, algorithm)
    lease = current_lease(source)
    return lease if source.is_active(key, kid, algorithm) else None


def current_lease(source: KeySource) -> Lease:
    """Return the lease of the answers of *source*; of several sources none.

    Read it before you ask the source: if its keys change in between, the lease has ended.
    """
    # By exact type: a subclass, or a source of the application, may answer otherwise each time.
    if type(source) is StaticKeys:
        return UNLIMITED
    return source.lease if type(source) is RemoteKeys else NO_LEASE


class CombinedKeys(FetchingSource, Closable):
    """The keys of several sources, as during a migration.

    :param sources: in the order of their use; those without I/O come first.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = sources
        # Those without I/O. Found out once: it is slow to ask for an instance of a protocol.
        self._at_hand: list[Callable[[str, str], Keys] | None] = [*map(_at_hand, sources)]

    def close(self) -> None:
        """Close the sources that the package has made."""
        for source in self.sources:
            close_if_closable(source)

    def at_hand(self, kid: str, algorithm: str) -> Keys:
        """See :class:`FetchingSource`: the keys of the first source that has any at hand."""
        for at_hand in self._at_hand:
            if at_hand is not None and (keys := at_hand(kid, algorithm)):
                return keys
        return ()

    def candidates(self, kid: str | None, algorithm: str) -> Keys:
        """See :class:`KeySource`; :meth:`look_up` does the same, more slowly."""
        if kid is not None and (keys := self.at_hand(kid, algorithm)):
            return keys
        return finish(self.look_up(kid, algorithm))

    def look_up(self, kid: str | None, algorithm: str) -> Lookup:
        """Find the keys of one source that has any.

        A token whose key is at hand waits for no fetch, and causes none. For another one all
        sources fetch beside each other, and the first answer with a key is taken. If the keys of
        several sources have one ``kid``, :meth:`candidates_after_failure` finds the others.
        """
        if kid is not None and (keys := self.at_hand(kid, algorithm)):
            return keys
        # Without a kid, exactly one key may match in all sources that can be reached.
        results = yield from look_up_all(
            {number: look_up(source, kid, algorithm) for number, source in enumerate(self.sources)},
            _is_ambiguous if kid is None else _keys_in,
        )
        keys = _combine(results)
        if kid is None and len({key.thumbprint for key in keys}) > 1:
            return AMBIGUOUS_MATCH
        return keys

    def look_up_after_failure(self, kid: str | None, algorithm: str, tried: Keys) -> Lookup:
        """Find the keys of all sources, without those *tried*."""
        tried_thumbprints = {key.thumbprint for key in tried}

        def untried(source: KeySource) -> Lookup:
            keys = yield from look_up(source, kid, algorithm)
            new = [key for key in keys if key.thumbprint not in tried_thumbprints]
            if new or not keys:
                return new
            if isinstance(source, FetchingSource):
                return (yield from source.look_up_after_failure(kid, algorithm, tried))
            return source.candidates_after_failure(kid, algorithm, tried)

        results = yield from look_up_all(
            {number: untried(source) for number, source in enumerate(self.sources)},
            lambda results: len(_keys_in(results)) >= MAX_CANDIDATES,
        )
        return _combine(results)[:MAX_CANDIDATES]

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """See :class:`KeySource`: whether *key* is active in any source that need not wait.

        Otherwise the token is verified again, and that waits, or finds that it cannot be done.
        """
        return self.find_lease(key, kid, algorithm) is not None

    def find_lease(self, key: VerificationKey, kid: str | None, algorithm: str) -> Lease | None:
        """See :func:`find_lease`: the lease of the first source in which *key* is active."""
        if kid is None:
            # Whether it is the only key depends on all sources.
            return NO_LEASE if super().is_active(key, kid, algorithm) else None
        for source, at_hand in zip(self.sources, self._at_hand, strict=True):
            lease = current_lease(source)
            if at_hand is not None:
                if key in at_hand(kid, algorithm):
                    return lease
            else:
                try:
                    if source.is_active(key, kid, algorithm):
                        return lease
                except Unavailable as unavailable:
                    # If no other source has the key, the token is verified again, and that raises
                    # the error of this source.
                    forget_origin(unavailable)
        return None

    def health(self) -> Health:
        """See :class:`KeySource`: ready if all sources are."""
        states = [source.health() for source in self.sources]
        return {"ready": all(state.get("ready") for state in states), "sources": states}
