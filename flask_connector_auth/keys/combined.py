"""A key source that combines others, and the listing of the keys that a source has."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ..core import Closable, Unavailable, close_if_closable
from .remote import RemoteKeys
from .source import AMBIGUOUS_MATCH, MAX_CANDIDATES, Health, KeySource, VerificationKey
from .static import KeyIndex

_Keys = Sequence[VerificationKey]


class _AmbiguousKeys(Exception):
    """Several keys of one source alone match."""


def _candidates_without_kid(algorithm: str, source: KeySource) -> _Keys:
    keys = source.candidates(None, algorithm)
    if keys is AMBIGUOUS_MATCH:
        raise _AmbiguousKeys
    return keys


class CombinedKeys(KeySource, Closable):
    """The keys of several sources, as during a migration from one to another.

    :param sources: queried in this order, so sources without I/O come first.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = sources

    def close(self) -> None:
        """Close the sources that the package has made."""
        for source in self.sources:
            close_if_closable(source)

    def candidates(self, kid: str | None, algorithm: str) -> _Keys:
        """See :class:`KeySource`: the keys of the first source that has any.

        So the tokens of a configured key never cause a fetch by another source. If two sources
        have different keys with one ``kid``, the signature fails, and
        :meth:`candidates_after_failure` finds the other key.
        """
        if kid is not None:
            return self._collect(lambda source: source.candidates(kid, algorithm), bool)
        # Without a kid, exactly one key must match among all sources within reach.
        try:
            keys = self._collect(partial(_candidates_without_kid, algorithm), lambda found: False)
        except _AmbiguousKeys:
            return AMBIGUOUS_MATCH
        return keys if len({key.thumbprint for key in keys}) <= 1 else AMBIGUOUS_MATCH

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: _Keys) -> _Keys:
        """See :class:`KeySource`: the keys of all sources, without those *tried*."""
        tried_thumbprints = {key.thumbprint for key in tried}

        def untried(source: KeySource) -> _Keys:
            keys = source.candidates(kid, algorithm)
            new = [key for key in keys if key.thumbprint not in tried_thumbprints]
            return new or (source.candidates_after_failure(kid, algorithm, tried) if keys else [])

        return self._collect(untried, lambda found: len(found) >= MAX_CANDIDATES)[:MAX_CANDIDATES]

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """See :class:`KeySource`: whether it is active in any source, whatever their order."""
        if kid is None:
            return super().is_active(key, kid, algorithm)
        for source in self.sources:
            # If no other source has the key, the token is verified anew, and that reports the
            # source that is out of reach.
            with suppress(Unavailable):
                if source.is_active(key, kid, algorithm):
                    return True
        return False

    def health(self) -> Health:
        """See :class:`KeySource`: ready if all sources are."""
        states = [source.health() for source in self.sources]
        return {"ready": all(state.get("ready") for state in states), "sources": states}

    def _collect(
        self, keys_of: Callable[[KeySource], _Keys], is_enough: Callable[[_Keys], bool]
    ) -> list[VerificationKey]:
        """Return the keys of one source after the other, until they are enough.

        :raises Unavailable: if none were found, and a source that may have some is out of reach.
        """
        found: list[VerificationKey] = []
        outage: Unavailable | None = None
        for source in self.sources:
            try:
                found += keys_of(source)
            except Unavailable as unavailable:
                outage = unavailable
            if is_enough(found):
                break
        if outage is not None and not found:
            raise outage
        return found


class ListedKey(NamedTuple):
    """One key of a source."""

    key: VerificationKey
    origin: str  #: ``configuration``, or the URL it was fetched from, without its query
    age: float | None  #: seconds since its issuer confirmed it; ``None`` for a configured key


def leaf_sources(source: KeySource) -> Iterator[KeySource]:
    """Yield the sources that *source* combines, or *source* itself."""
    if isinstance(source, CombinedKeys):
        for part in source.sources:
            yield from leaf_sources(part)
    else:
        yield source


def list_keys(source: KeySource) -> Iterator[ListedKey]:
    """Yield the keys of *source*, except those of an app's own kind of source."""
    for leaf in leaf_sources(source):
        if isinstance(leaf, RemoteKeys) and leaf.snapshot:
            health = leaf.health()
            for key in leaf.snapshot.index.keys:
                yield ListedKey(key, health["source"], health["age"])
        elif isinstance(leaf, KeyIndex):
            for key in leaf.keys:
                yield ListedKey(key, "configuration", None)
