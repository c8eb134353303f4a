"""A collection of keys in; those to try for a key id and an algorithm out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from .source import AMBIGUOUS, MAX_CANDIDATES, Health, KeySource, VerificationKey

Keys = list[VerificationKey]


class KeyIndex:
    """Keys by ``kid``, never changed once made."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        # The same key for the same use, given twice, is one key (RFC 7638).
        self.keys: Keys = list(
            {(key.kid, key.thumbprint, *key.algorithms): key for key in keys}.values()
        )
        self.names: frozenset[tuple[str | None, ...]] = frozenset(
            (key.kid, key.thumbprint, *key.algorithms) for key in self.keys
        )
        named: defaultdict[str | None, Keys] = defaultdict(list)
        for key in self.keys:
            named[key.kid].append(key)
        self._unnamed = named.pop(None, [])
        self._by_kid = {kid: keys + self._unnamed for kid, keys in named.items()}
        algorithms = {name for key in self.keys for name in key.algorithms}
        # Answered once and for all: a request pays for one look into a dict.
        self._answers: dict[tuple[str | None, str], Sequence[VerificationKey]] = {
            **{(None, name): _only(_fitting(self.keys, name)) for name in algorithms},
            **{
                (kid, name): _fitting(keys, name)[:MAX_CANDIDATES]
                for kid, keys in self._by_kid.items()
                for name in algorithms
            },
        }
        self._others = {name: _fitting(self._unnamed, name) for name in algorithms}

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys of that *kid* and the keys without one, at most :data:`MAX_CANDIDATES`.

        A token without ``kid`` is tried only where exactly one key fits its algorithm.
        """
        keys = self._answers.get((kid, algorithm))
        return self._others.get(algorithm, []) if keys is None else keys

    def covers_kid(self, kid: str | None) -> bool:
        """Whether a token with that *kid* can be judged by these keys as they are."""
        return kid is None or kid in self._by_kid or bool(self._unnamed)

    def overfull_kids(self) -> dict[str | None, int]:
        """Return the number of keys for each ``kid`` that has more than are tried for a token."""
        numbers: dict[str | None, int] = {None: len(self._unnamed)}
        numbers |= {kid: len(keys) for kid, keys in self._by_kid.items()}
        return {kid: number for kid, number in numbers.items() if number > MAX_CANDIDATES}

    def summary(self) -> dict[str, Any]:
        """Return how many keys there are, and under which ``kid``."""
        return {"keys": len(self.keys), "kids": sorted({key.kid or "" for key in self.keys})}


def _fitting(keys: Keys, algorithm: str) -> Keys:
    return [key for key in keys if algorithm in key.algorithms]


def _only(keys: Keys) -> Sequence[VerificationKey]:
    return keys[:1] if len({key.thumbprint for key in keys}) == 1 else AMBIGUOUS


class StaticKeys(KeyIndex, KeySource):
    """Keys that were configured once and stay as they are.

    :raises ValueError: if more keys would have to be tried for one token than
        ``MAX_CANDIDATES``.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        super().__init__(keys)
        for kid, number in self.overfull_kids().items():
            name = "no kid" if kid is None else f"the kid {kid!r}"
            raise ValueError(f"{number} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self.summary()}
