"""The set of entries that are in force, made for quick checks."""

from collections.abc import Iterator, Mapping
from typing import Any

from .subjects import SLACK, Change, Key, Kind, kind_of


class RevocationSet:
    """All entries of one process. Readers need no lock; writers must hold one.

    :param retention: how long after its *not before* time an entry can match, in seconds, by kind.
    """

    __slots__ = ("not_before", "retention", "tokens", "version")

    def __init__(self, retention: Mapping[Kind, float]) -> None:
        self.retention: Mapping[Kind, float] = retention
        self.tokens: dict[bytes, float] = {}  #: when each entry is no longer needed, by digest
        self.not_before: dict[str, float] = {}  #: *not before* times, by key
        #: A new object after each change. A token that was checked under this very object need not
        #: be checked again.
        self.version: object = None

    def value_of(self, key: Key) -> float | None:
        """Return the time that the entry of *key* has, or ``None`` if there is no entry."""
        return self._entries(key).get(key)

    def put(self, change: Change) -> bool:
        """Apply *change*, and return whether it made a difference."""
        entries = self._entries(change.key)
        previous = entries.get(change.key)
        if change.value is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.value
        # Last: a reader that sees the new version must see the change.
        self.version = object()
        return previous != change.value

    def keep_later_time(self, change: Change) -> Change:
        """Return *change*, with the time of the present entry where that is later.

        So an earlier time never takes back a part of what is revoked.
        """
        present = self.value_of(change.key)
        if change.value is None or present is None or present <= change.value:
            return change
        return change._replace(value=present)

    def entries_needed_at(self, now: float) -> Iterator[Change]:
        """Yield the entries that are needed at *now*, each with the time until which it is."""
        for digest, until in self.tokens.items():
            if now < until + SLACK:
                yield Change(digest, until, until)
        for key, not_before in self.not_before.items():
            until = not_before + self.retention[kind_of(key)]
            if now < until + SLACK:
                yield Change(key, not_before, until)

    def remove_expired(self, now: float) -> None:
        """Remove the entries that no token can match any more.

        Entry by entry, so that other threads can serve requests meanwhile.
        """
        for digest in [key for key, until in self.tokens.items() if until + SLACK <= now]:
            del self.tokens[digest]
        oldest = {kind: now - SLACK - seconds for kind, seconds in self.retention.items()}
        for key in [key for key, at in self.not_before.items() if at <= oldest[kind_of(key)]]:
            del self.not_before[key]

    def changes_since(self, previous: "RevocationSet") -> Iterator[Change]:
        """Yield the changes that lead from the set *previous* to this one."""
        for name in ("tokens", "not_before"):
            old, new = dict(getattr(previous, name)), dict(getattr(self, name))
            yield from (Change(key, at) for key, at in new.items() if old.pop(key, None) != at)
            yield from (Change(key, None) for key in old)

    def _entries(self, key: Key) -> dict[Any, float]:
        return self.tokens if isinstance(key, bytes) else self.not_before

    def __len__(self) -> int:
        return len(self.tokens) + len(self.not_before)
