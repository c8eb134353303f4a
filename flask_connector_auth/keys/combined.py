"""A key source that combines several others, and until when each source need not be asked."""

from collections.abc import Callable, Sequence

from ..core import Closable, Unavailable, close_if_closable, forget_origin
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

Keys = Sequence[VerificationKey]


def find_lease(
    source: KeySource, key: VerificationKey, kid: str | None, algorithm: str
) -> Lease | None:
    """Return the lease of the answer that *key* is active; ``None`` if it is not.

    Arguments and errors are those of :meth:`KeySource.is_active`.
    """
    # By exact type: a subclass, or a source of the application, may answer otherwise each time.
    if type(source) is CombinedKeys:
        return source.find_lease(key, kid, algorithm)
    lease = NO_LEASE
    if type(source) is StaticKeys:
        lease = UNLIMITED
    elif type(source) is RemoteKeys:
        # Read before the source is asked: if its keys change in between, the lease has ended.
        lease = source.lease
    return lease if source.is_active(key, kid, algorithm) else None


class CombinedKeys(KeySource, Closable):
    """The keys of several sources, as during a migration.

    :param sources: in the order of their use; those without I/O come first.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = sources

    def close(self) -> None:
        """Close the sources that the package has made."""
        for source in self.sources:
            close_if_closable(source)

    def candidates(self, kid: str | None, algorithm: str) -> Keys:
        """See :class:`KeySource`: the keys of the first source that has any.

        So a token of a configured key never causes a fetch. If the keys of several sources have one
        ``kid``, :meth:`candidates_after_failure` finds those of the others.
        """
        if kid is not None:
            return self._collect(lambda source: source.candidates(kid, algorithm), bool)
        # Without a kid, exactly one key may match in all sources that can be reached.
        keys = self._collect(lambda source: source.candidates(None, algorithm), lambda found: False)
        return keys if len({key.thumbprint for key in keys}) <= 1 else AMBIGUOUS_MATCH

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: Keys) -> Keys:
        """See :class:`KeySource`: the keys of all sources, without those *tried*."""
        tried_thumbprints = {key.thumbprint for key in tried}

        def untried(source: KeySource) -> Keys:
            keys = source.candidates(kid, algorithm)
            new = [key for key in keys if key.thumbprint not in tried_thumbprints]
            return new or (source.candidates_after_failure(kid, algorithm, tried) if keys else [])

        return self._collect(untried, lambda found: len(found) >= MAX_CANDIDATES)[:MAX_CANDIDATES]

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """See :class:`KeySource`: whether *key* is active in any source."""
        return self.find_lease(key, kid, algorithm) is not None

    def find_lease(self, key: VerificationKey, kid: str | None, algorithm: str) -> Lease | None:
        """See :func:`find_lease`: the lease of the first source in which *key* is active."""
        if kid is None:
            # Whether it is the only key depends on all sources.
            return NO_LEASE if super().is_active(key, kid, algorithm) else None
        for source in self.sources:
            try:
                lease = find_lease(source, key, kid, algorithm)
            except Unavailable as unavailable:
                # If no other source has the key, the token is verified again, and that raises the
                # error of this source.
                forget_origin(unavailable)
            else:
                if lease is not None:
                    return lease
        return None

    def health(self) -> Health:
        """See :class:`KeySource`: ready if all sources are."""
        states = [source.health() for source in self.sources]
        return {"ready": all(state.get("ready") for state in states), "sources": states}

    def _collect(
        self, keys_of: Callable[[KeySource], Keys], is_enough: Callable[[Keys], bool]
    ) -> Keys:
        """Return the keys of one source after the other, until they are enough or ambiguous.

        :raises Unavailable: if no key was found and a source is out of reach.
        """
        found: list[VerificationKey] = []
        outage: Unavailable | None = None
        for source in self.sources:
            try:
                keys = keys_of(source)
            except Unavailable as unavailable:
                forget_origin(unavailable)
                outage = unavailable
                continue
            if keys is AMBIGUOUS_MATCH:
                return keys
            found += keys
            if is_enough(found):
                break
        if outage is not None and not found:
            raise outage
        return found
