"""Configured keys, and the index that selects the keys to try by key id and algorithm."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from .source import AMBIGUOUS_MATCH, MAX_CANDIDATES, Health, KeySource, VerificationKey

Keys = list[VerificationKey]


class KeyIndex:
    """Immutable index of keys by ``kid`` and algorithm."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        # The same key for the same use, given twice, is one key (RFC 7638).
        by_identity = {(key.kid, key.thumbprint, *key.algorithms): key for key in keys}
        self.keys: Keys = list(by_identity.values())
        #: ``kid``, thumbprint and algorithms of each key: equal indexes have equal identities.
        self.identities: frozenset[tuple[str | None, ...]] = frozenset(by_identity)
        keys_of_kid: defaultdict[str | None, Keys] = defaultdict(list)
        for key in self.keys:
            keys_of_kid[key.kid].append(key)
        self._without_kid = keys_of_kid.pop(None, [])
        self._by_kid = {kid: keys + self._without_kid for kid, keys in keys_of_kid.items()}
        algorithms = {name for key in self.keys for name in key.algorithms}
        # Worked out in advance, so that a request costs one dict lookup.
        self._candidates: dict[tuple[str | None, str], Sequence[VerificationKey]] = {
            **{(None, name): _unambiguous(_usable_for(name, self.keys)) for name in algorithms},
            **{
                (kid, name): _usable_for(name, keys)[:MAX_CANDIDATES]
                for kid, keys in self._by_kid.items()
                for name in algorithms
            },
        }
        self._of_unknown_kid = {name: _usable_for(name, self._without_kid) for name in algorithms}

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys with that *kid* and those without one, at most :data:`MAX_CANDIDATES`.

        For a token without ``kid`` there is a candidate only if exactly one key supports its
        algorithm.
        """
        keys = self._candidates.get((kid, algorithm))
        return self._of_unknown_kid.get(algorithm, []) if keys is None else keys

    def covers_kid(self, kid: str | None) -> bool:
        """Whether these keys decide on a token with that *kid*, so that no fetch is needed."""
        return kid is None or kid in self._by_kid or bool(self._without_kid)

    def kids_over_limit(self) -> dict[str | None, int]:
        """Return the number of keys for each ``kid`` with more than :data:`MAX_CANDIDATES`."""
        counts: dict[str | None, int] = {None: len(self._without_kid)}
        counts |= {kid: len(keys) for kid, keys in self._by_kid.items()}
        return {kid: count for kid, count in counts.items() if count > MAX_CANDIDATES}

    def summary(self) -> dict[str, Any]:
        """Return the number of keys, and each ``kid``; an empty one stands for keys without."""
        return {"keys": len(self.keys), "kids": sorted({key.kid or "" for key in self.keys})}


def _usable_for(algorithm: str, keys: Keys) -> Keys:
    return [key for key in keys if algorithm in key.algorithms]


def _unambiguous(keys: Keys) -> Sequence[VerificationKey]:
    return keys[:1] if len({key.thumbprint for key in keys}) == 1 else AMBIGUOUS_MATCH


class StaticKeys(KeyIndex, KeySource):
    """Keys from configuration, which never change.

    :raises ValueError: if more than :data:`MAX_CANDIDATES` keys would be tried for one token.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        super().__init__(keys)
        for kid, count in self.kids_over_limit().items():
            name = "no kid" if kid is None else f"the kid {kid!r}"
            raise ValueError(f"{count} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self.summary()}
