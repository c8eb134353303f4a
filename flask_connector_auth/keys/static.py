"""A fixed list of keys in; the ones that fit a token out."""

from collections.abc import Iterable, Sequence

from .source import MAX_CANDIDATES, VerificationKey


class StaticKeys:
    """Keys that were configured once and stay as they are.

    :raises ValueError: if more keys would have to be tried for one token than
        ``MAX_CANDIDATES``.
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        # The same key for the same use, given twice, is one key (RFC 7638).
        self.keys = tuple(
            {(key.kid, key.thumbprint, *key.algorithms): key for key in keys}.values()
        )
        self._unnamed = [key for key in self.keys if key.kid is None]
        self._by_kid = {
            key.kid: [other for other in self.keys if other.kid == key.kid] + self._unnamed
            for key in self.keys
            if key.kid is not None
        }
        for kid, keys_of_kid in [(None, self._unnamed), *self._by_kid.items()]:
            if len(keys_of_kid) > MAX_CANDIDATES:
                name = "no kid" if kid is None else f"the kid {kid!r}"
                raise ValueError(
                    f"{len(keys_of_kid)} keys for {name}: at most {MAX_CANDIDATES} are tried"
                )

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys of that *kid* and the keys without one; see :class:`KeySource`.

        A token without ``kid`` is tried only where exactly one key fits its algorithm.
        """
        if kid is not None:
            keys = self._by_kid.get(kid, self._unnamed)
            return [key for key in keys if algorithm in key.algorithms]
        fitting = {key.thumbprint: key for key in self.keys if algorithm in key.algorithms}
        return list(fitting.values()) if len(fitting) == 1 else []
