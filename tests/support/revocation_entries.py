"""The entries of a process, for comparison with what a test expects."""

from collections.abc import Mapping
from typing import Any, Self

from flask_connector_auth.revocation import Change, RevocationCache, RevocationSet, entry_key


class Entries(dict[bytes, float | None]):
    """Times by key, however the keys are written: as digests, or with names."""

    def __init__(self, entries: Mapping[Any, float | None]) -> None:
        super().__init__({entry_key(key): value for key, value in entries.items()})

    @classmethod
    def of(cls, revoked: RevocationSet) -> Self:
        """Return the entries of a set."""
        return cls({change.key: change.value for change in revoked.changes()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and super().__eq__(
            {entry_key(key): value for key, value in other.items()}
        )

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, bytes | str)
        return super().__contains__(entry_key(key))

    __hash__ = None  # type: ignore[assignment]


def replace_entries(cache: RevocationCache, revoked: RevocationSet, read_began: float) -> None:
    """Read all entries of a store again: those of *revoked*."""
    for piece in revoked.pieces():
        cache.apply_piece(piece, read_began)
    cache.apply_changes([], read_began)


def table_of(*changes: Change) -> RevocationSet:
    """Return a set with *changes*."""
    table = RevocationSet()
    for change in changes:
        table.put(change)
    return table
