"""Sources of keys in; one that has the keys of all of them out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ..core import Closable, Unavailable, close_if_closable
from .remote import RemoteKeys
from .source import AMBIGUOUS, MAX_CANDIDATES, Health, KeySource, VerificationKey
from .static import KeyIndex

_Keys = Sequence[VerificationKey]


class _InDoubt(Exception):
    """Of the keys of one source alone, several fit."""


def _without_kid(algorithm: str, source: KeySource) -> _Keys:
    keys = source.candidates(None, algorithm)
    if keys is AMBIGUOUS:
        raise _InDoubt
    return keys


class CombinedKeys(KeySource, Closable):
    """Keys of different sources side by side, as in a migration from one to the next.

    :param sources: asked in this order, so those that answer at once come first.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = sources

    def close(self) -> None:
        """Close those sources that the package made."""
        for source in self.sources:
            close_if_closable(source)

    def candidates(self, kid: str | None, algorithm: str) -> _Keys:
        """See :class:`KeySource`: the keys of the first source that has any.

        So the tokens of a configured key never make another source fetch. That two sources have
        different keys under one ``kid`` shows when the signature fails.
        """
        if kid is not None:
            return self._ask(lambda source: source.candidates(kid, algorithm), bool)
        # Without a kid there must be no doubt, in and among all that answer, which key is meant.
        try:
            keys = self._ask(partial(_without_kid, algorithm), lambda found: False)
        except _InDoubt:
            return AMBIGUOUS
        return keys if len({key.thumbprint for key in keys}) <= 1 else AMBIGUOUS

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: _Keys) -> _Keys:
        """See :class:`KeySource`: now every source is asked."""
        known = {key.thumbprint for key in tried}

        def others(source: KeySource) -> _Keys:
            keys = source.candidates(kid, algorithm)
            new = [key for key in keys if key.thumbprint not in known]
            return new or (source.candidates_after_failure(kid, algorithm, tried) if keys else [])

        return self._ask(others, lambda found: len(found) >= MAX_CANDIDATES)[:MAX_CANDIDATES]

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """See :class:`KeySource`: whichever source it is of, though others come before it."""
        if kid is None:
            return super().is_active(key, kid, algorithm)
        for source in self.sources:
            # Whether one that is out of reach had it, is found out as for a new token.
            with suppress(Unavailable):
                if source.is_active(key, kid, algorithm):
                    return True
        return False

    def health(self) -> Health:
        """See :class:`KeySource`; ready if all sources are."""
        each = [source.health() for source in self.sources]
        return {"ready": all(health.get("ready") for health in each), "sources": each}

    def _ask(
        self, question: Callable[[KeySource], _Keys], enough: Callable[[_Keys], bool]
    ) -> list[VerificationKey]:
        """Join the answers to *question*, until it is *enough*.

        :raises Unavailable: if there is none, and a source that could have had it is out of reach.
        """
        found: list[VerificationKey] = []
        out_of_reach: Unavailable | None = None
        for source in self.sources:
            try:
                found += question(source)
            except Unavailable as unavailable:
                out_of_reach = unavailable
            if enough(found):
                break
        if out_of_reach is not None and not found:
            raise out_of_reach
        return found


class ListedKey(NamedTuple):
    """One key of a source."""

    key: VerificationKey
    origin: str  #: ``configuration``, or the URL it was fetched from, without its query
    age: float | None  #: seconds since its issuer confirmed it; ``None`` for a configured key


def list_keys(source: KeySource) -> Iterator[ListedKey]:
    """Yield the keys of *source*; those of an app's own kind of source cannot be listed."""
    if isinstance(source, CombinedKeys):
        for each in source.sources:
            yield from list_keys(each)
    elif isinstance(source, RemoteKeys) and source.snapshot:
        told = source.health()
        for key in source.snapshot.index.keys:
            yield ListedKey(key, told["source"], told["age"])
    elif isinstance(source, KeyIndex):
        for key in source.keys:
            yield ListedKey(key, "configuration", None)
