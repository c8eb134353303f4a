"""Changes in; the entries that are in force out, small and quick to look at."""

from collections.abc import Iterator, Mapping
from typing import Any

from .subjects import SLACK, Change, Key, Kind, kind_of


class RevocationSet:
    """All entries that one process knows. Readers need no lock; writers take turns.

    :param lives: for how long after its time each kind of mark can match, in seconds.
    """

    __slots__ = ("marks", "retention", "tokens", "version")

    def __init__(self, retention: Mapping[Kind, float]) -> None:
        self.retention: Mapping[Kind, float] = retention
        self.tokens: dict[bytes, float] = {}  #: until when each is needed, by digest
        self.marks: dict[str, float] = {}  #: *not before* times, by name
        #: Another object after each change: what passed under this very one passes again.
        self.version: object = None

    def value(self, key: Key) -> float | None:
        """Return the time that the entry of *key* has, or ``None`` if there is none."""
        return self._entries(key).get(key)

    def put(self, change: Change) -> bool:
        """Make *change*, and return whether anything is different now."""
        entries = self._entries(change.key)
        before = entries.get(change.key)
        if change.value is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.value
        # Last: whoever sees the new version sees the change.
        self.version = object()
        return before != change.value

    def merged(self, change: Change) -> Change:
        """Return *change*, or if it would take back a part of what is revoked, what is there."""
        before = self.value(change.key)
        if change.value is None or before is None or before <= change.value:
            return change
        return change._replace(value=before)

    def entries(self, now: float) -> Iterator[Change]:
        """Yield all that is needed at *now*, with the time from which it is not."""
        for digest, until in self.tokens.items():
            if now < until + SLACK:
                yield Change(digest, until, until)
        for name, at in self.marks.items():
            until = at + self.retention[kind_of(name)]
            if now < until + SLACK:
                yield Change(name, at, until)

    def sweep(self, now: float) -> None:
        """Forget what no token can match any more.

        In steps of the interpreter, so that requests go on meanwhile.
        """
        for digest in [one for one, until in self.tokens.items() if until + SLACK <= now]:
            del self.tokens[digest]
        ends = {kind: now - SLACK - life for kind, life in self.retention.items()}
        for name in [one for one, at in self.marks.items() if at <= ends[kind_of(one)]]:
            del self.marks[name]

    def since(self, before: "RevocationSet") -> Iterator[Change]:
        """Yield what is not as it was in the table *before*."""
        for entries in ("tokens", "marks"):
            old, new = dict(getattr(before, entries)), dict(getattr(self, entries))
            yield from (Change(key, at) for key, at in new.items() if old.pop(key, None) != at)
            yield from (Change(key, None) for key in old)

    def _entries(self, key: Key) -> dict[Any, float]:
        return self.tokens if isinstance(key, bytes) else self.marks

    def __len__(self) -> int:
        return len(self.tokens) + len(self.marks)
