"""Revocations made in this process that the store has not confirmed yet."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .entries import Change
from .subjects import entry_key


class WriteState(Enum):
    """The state of the write that carries a pending revocation to the store."""

    UNDER_WAY = auto()
    ACKNOWLEDGED = auto()  #: the store answered that it has the revocation
    UNCONFIRMED = auto()  #: the write failed or was cut off: the store may never have it


@dataclass(slots=True)
class PendingRevocation:
    """A revocation made in this process, with what the store has reported of the same key."""

    change: Change
    stored: Change  #: what the store has for the key, as far as it has reported
    write: WriteState = WriteState.UNDER_WAY
    acknowledged_at: float = 0.0  #: set with :attr:`WriteState.ACKNOWLEDGED`, by the cache's clock
    #: Whether the store has reported since that the key was restored, or all that it has for it.
    is_decided: bool = False

    def is_due(self, read_began: float) -> bool:
        """Whether a read that began at that time must show the revocation or a later change."""
        return self.write is WriteState.ACKNOWLEDGED and self.acknowledged_at < read_began

    def is_stored(self) -> bool:
        """Whether the store last reported the time of the revocation, or a later one."""
        revoked_at, stored_at = self.change.value, self.stored.value
        return revoked_at is not None and stored_at is not None and revoked_at <= stored_at

    def report(self, reported: Change, all_read_at: float | None) -> None:
        """Record what the store reports; see :meth:`PendingRevocations.resolve`."""
        if all_read_at is None:
            self.stored = _later(reported, self.stored)
            self.is_decided |= reported.value is None
        else:
            self.stored = reported
            self.is_decided |= self.is_due(all_read_at)


def _later(change: Change, other: Change) -> Change:
    """Return what is in force after two changes of one key: a restoration, or the later time."""
    if change.value is None or other.value is None:
        return change
    until = max(change.until, other.until)
    return Change(change.key, max(change.value, other.value), until)


class PendingRevocations:
    """The pending revocations of one process; the caller holds a lock around each call.

    A pending revocation stays in force here whatever the store reports of its key:

    - while the write is under way, since every report may be older than the write;
    - after the acknowledgement, until the store reports the revocation in a read that began later,
      since the answer to an earlier read may be older;
    - after a failed write, until the store reports any change of the key.
    """

    def __init__(self) -> None:
        self._by_key: dict[bytes, PendingRevocation] = {}

    def add(self, change: Change, stored_value: float | None) -> None:
        """Add the revocation *change*, whose write begins now.

        :param stored_value: what the store has for the key; ignored if another revocation of the
            same key is pending, which recorded that.
        """
        key = entry_key(change.key)
        earlier = self._by_key.get(key)
        stored = earlier.stored if earlier else Change(change.key, stored_value)
        self._by_key[key] = PendingRevocation(change, stored)

    def record_write(self, change: Change, acknowledged_at: float | None) -> None:
        """Record that the write of *change* has ended, if no later one of the same key is pending.

        :param acknowledged_at: ``None``: the store has not acknowledged it.
        """
        pending = self._by_key.get(entry_key(change.key))
        if pending is None or pending.change is not change:
            return
        if acknowledged_at is None:
            pending.write = WriteState.UNCONFIRMED
        else:
            pending.write, pending.acknowledged_at = WriteState.ACKNOWLEDGED, acknowledged_at

    def interrupt_writes(self) -> None:
        """Mark the writes under way as unconfirmed: after a fork, their threads are gone."""
        for pending in self._by_key.values():
            if pending.write is WriteState.UNDER_WAY:
                pending.write = WriteState.UNCONFIRMED

    def resolve(self, reported: Change, all_read_at: float | None = None) -> Change | None:
        """Record the change *reported* by the store.

        :param all_read_at: *reported* is all that the store has for the key, by a read that began
            then; ``None``: it is one change.
        :returns: what is in force now, exactly; ``None``: no revocation of the key is pending.
        """
        key = entry_key(reported.key)
        pending = self._by_key.get(key)
        if pending is None:
            return None
        if pending.write is not WriteState.UNCONFIRMED:
            pending.report(reported, all_read_at)
        elif all_read_at is None or reported.value is not None:
            pending.report(reported, all_read_at)
            return self._by_key.pop(key).stored
        # Otherwise the store never had the revocation, and it was not restored.
        return _later(pending.change, pending.stored)

    def release_reported(self, read_began: float) -> list[Change]:
        """Drop each revocation that is due and reported; return what the store has in its place.

        :param read_began: when the last read that was applied began.
        """
        keys = [
            key
            for key, pending in self._by_key.items()
            if pending.is_due(read_began) and (pending.is_decided or pending.is_stored())
        ]
        return [self._by_key.pop(key).stored for key in keys]

    def due(self, read_began: float) -> list[Change]:
        """Return the revocations that are due."""
        return [pending.change for pending in self if pending.is_due(read_began)]

    def keys(self) -> Collection[bytes]:
        """Return the keys of the entries."""
        return self._by_key.keys()

    def __iter__(self) -> Iterator[PendingRevocation]:
        return iter(self._by_key.values())
