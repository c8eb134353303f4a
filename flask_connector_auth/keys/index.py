"""A collection of keys in; those to try for a key id and an algorithm out."""

from collections.abc import Iterable
from typing import Any

from .source import MAX_CANDIDATES, VerificationKey


class KeyIndex:
    """Keys by ``kid``, never changed once made."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        # The same key for the same use, given twice, is one key (RFC 7638).
        self.keys = tuple(
            {(key.kid, key.thumbprint, *key.algorithms): key for key in keys}.values()
        )
        self.names = frozenset((key.kid, key.thumbprint, *key.algorithms) for key in self.keys)
        self._unnamed = [key for key in self.keys if key.kid is None]
        self._by_kid: dict[str | None, list[VerificationKey]] = {
            key.kid: [other for other in self.keys if other.kid == key.kid] + self._unnamed
            for key in self.keys
            if key.kid is not None
        }

    def candidates(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """Return the keys of that *kid* and the keys without one, at most :data:`MAX_CANDIDATES`.

        A token without ``kid`` is tried only where exactly one key fits its algorithm.
        """
        if kid is not None:
            keys = self._by_kid.get(kid, self._unnamed)
            return [key for key in keys if algorithm in key.algorithms][:MAX_CANDIDATES]
        fitting = {key.thumbprint: key for key in self.keys if algorithm in key.algorithms}
        return list(fitting.values()) if len(fitting) == 1 else []

    def knows(self, kid: str | None) -> bool:
        """Whether a token with that *kid* can be judged by these keys as they are."""
        return kid is None or kid in self._by_kid or bool(self._unnamed)

    def crowded(self) -> dict[str | None, int]:
        """Return the number of keys for each ``kid`` that has more than are tried for a token."""
        numbers: dict[str | None, int] = {None: len(self._unnamed)}
        numbers |= {kid: len(keys) for kid, keys in self._by_kid.items()}
        return {kid: number for kid, number in numbers.items() if number > MAX_CANDIDATES}

    def health(self) -> dict[str, Any]:
        """Return how many keys there are, and under which ``kid``."""
        return {"keys": len(self.keys), "kids": sorted({key.kid or "" for key in self.keys})}
