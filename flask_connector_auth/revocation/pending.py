"""Revocations made in this process that the store has not confirmed yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .entries import Change
from .subjects import Key


class WriteState(Enum):
    """The state of the write that carries a pending revocation to the store."""

    UNDER_WAY = auto()
    ACKNOWLEDGED = auto()  #: the store answered that it has the revocation
    UNCONFIRMED = auto()  #: the write failed or was cut off: the store may never have it


@dataclass(slots=True)
class PendingRevocation:
    """A revocation made in this process, with what the store has reported of the same key."""

    change: Change
    stored_value: float | None  #: the value that the store last reported for the key
    write: WriteState = WriteState.UNDER_WAY
    acknowledged_at: float = 0.0  #: set with :attr:`WriteState.ACKNOWLEDGED`, by the cache's clock
    is_restored: bool = False  #: whether the store has reported since that the key was restored

    def is_due(self, read_began: float) -> bool:
        """Whether a read that began at that time must show the revocation or a later change."""
        return self.write is WriteState.ACKNOWLEDGED and self.acknowledged_at < read_began

    def is_stored(self) -> bool:
        """Whether the store last reported the time of the revocation, or a later one."""
        revoked_at, stored_value = self.change.value, self.stored_value
        return revoked_at is not None and stored_value is not None and revoked_at <= stored_value


class PendingRevocations:
    """The pending revocations of one process; the caller holds a lock around each call.

    A pending revocation stays in force here whatever the store reports of its key:

    - while the write is under way, since every report may be older than the write;
    - after the acknowledgement, until the store reports the revocation in a read that began later,
      since the answer to an earlier read may be older;
    - after a failed write, until the store reports any change of the key.
    """

    def __init__(self) -> None:
        self._by_key: dict[Key, PendingRevocation] = {}

    def add(self, change: Change, stored_value: float | None) -> None:
        """Add the revocation *change*, whose write begins now.

        :param stored_value: what the store has for the key; ignored if another revocation of the
            same key is pending, which recorded that.
        """
        earlier = self._by_key.get(change.key)
        if earlier:
            stored_value = earlier.stored_value
        self._by_key[change.key] = PendingRevocation(change, stored_value)

    def record_write(self, change: Change, acknowledged_at: float | None) -> None:
        """Record that the write of *change* has ended, if no later one of the same key is pending.

        :param acknowledged_at: ``None``: the store has not acknowledged it.
        """
        pending = self._by_key.get(change.key)
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

    def resolve(self, reported: Change) -> Change:
        """Record the change *reported* by the store, and return the one to put in force."""
        pending = self._by_key.get(reported.key)
        if pending is None:
            return reported
        if pending.write is WriteState.UNCONFIRMED:
            del self._by_key[reported.key]
            return reported
        pending.stored_value = reported.value
        pending.is_restored |= reported.value is None
        return reported if pending.is_stored() else pending.change

    def release_reported(self, read_began: float) -> list[Change]:
        """Drop each revocation that is due and reported; return what the store has in its place.

        :param read_began: when the last read that was applied began.
        """
        keys = [
            key
            for key, pending in self._by_key.items()
            if pending.is_due(read_began) and (pending.is_restored or pending.is_stored())
        ]
        return [Change(key, self._by_key.pop(key).stored_value) for key in keys]

    def release_due(self, read_began: float) -> None:
        """Drop each revocation that is due: a complete copy was read, which shows it."""
        self._by_key = {
            key: pending for key, pending in self._by_key.items() if not pending.is_due(read_began)
        }

    def due(self, read_began: float) -> list[Change]:
        """Return the revocations that are due."""
        return [pending.change for pending in self if pending.is_due(read_began)]

    def __iter__(self) -> Iterator[PendingRevocation]:
        return iter(self._by_key.values())
