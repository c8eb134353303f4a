"""A fixed list of keys in; the ones that fit a token out."""

from collections.abc import Iterable

from .index import KeyIndex
from .source import MAX_CANDIDATES, Health, KeySource, VerificationKey


class StaticKeys(KeyIndex, KeySource):
    """Keys that were configured once and stay as they are.

    :raises ValueError: if more keys would have to be tried for one token than
        ``MAX_CANDIDATES``.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        super().__init__(keys)
        for kid, number in self.crowded().items():
            name = "no kid" if kid is None else f"the kid {kid!r}"
            raise ValueError(f"{number} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self.summary()}
