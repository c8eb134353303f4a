"""A fixed list of keys in; the ones that fit a token out."""

from collections.abc import Iterable, Sequence

from .index import KeyIndex
from .source import MAX_CANDIDATES, Health, KeySource, VerificationKey


class StaticKeys(KeySource):
    """Keys that were configured once and stay as they are.

    :raises ValueError: if more keys would have to be tried for one token than
        ``MAX_CANDIDATES``.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._index = KeyIndex(keys)
        self.keys = self._index.keys
        for kid, number in self._index.crowded().items():
            name = "no kid" if kid is None else f"the kid {kid!r}"
            raise ValueError(f"{number} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """See :class:`KeySource`."""
        return self._index.candidates(kid, algorithm)

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self._index.health()}
