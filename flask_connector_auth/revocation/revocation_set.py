"""The set of entries in force: packed records, grouped and found by their keys."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import ceil, inf
from struct import Struct
from typing import NamedTuple

from .entries import SLACK, Change
from .subjects import KEY_BYTES, Key, Kind, check_kinds, entry_key, kind_of

#: A record: the key; the time, see :attr:`Change.value`; until when it is kept, in whole seconds
#: since the epoch; a mark, which is zero in a set.
_RECORD = Struct("<16sdII")
RECORD_BYTES: int = _RECORD.size
_TIMES = Struct("<dI")
_UNTIL = Struct("<24xI4x")
_FOREVER = 0xFFFFFFFF
# In place of when it ends: the record is that of a restoration, and its time is when it was made.
_RESTORED = 0
#: Records are grouped by the first 14 bits of their keys. Of a million, one bucket has two
#: kilobytes, which are searched in less than half a microsecond, and copied for each change.
BUCKETS = 1 << 14
_NO_RECORDS = (b"",) * BUCKETS  # shared by all sets without entries
#: Bytes of records that are moved at once.
PIECE_BYTES = 1 << 20
_SHIFTED = bytes(byte >> 2 for byte in range(256))


def _bucket_of(key: bytes) -> int:
    return (key[0] << 6) | (key[1] >> 2)


def _packed_until(until: float) -> int:
    return _FOREVER if until == inf else min(max(_RESTORED + 1, ceil(until)), _FOREVER - 1)


def pack(change: Change, mark: int = 0) -> bytes:
    """Return the record of *change*."""
    key, value, until = change
    if value is None:
        return _RECORD.pack(entry_key(key), until, _RESTORED, mark)
    return _RECORD.pack(entry_key(key), value, _packed_until(until), mark)


def unpack(records: bytes) -> Iterator[Change]:
    """Yield the changes that *records* stand for.

    :raises ValueError: if one of them stands for none that this version understands.
    """
    for key, value, until, _mark in _RECORD.iter_unpack(records):
        kind_of(key)
        if value != value:
            raise ValueError("not a time")
        if until == _RESTORED:
            yield Change(key, None, value)
        else:
            yield Change(key, value, inf if until == _FOREVER else float(until))


def _position(bucket: bytes, key: bytes) -> int:
    """Return where the record of *key* begins; below zero: it is not there."""
    at = bucket.find(key)
    while at % RECORD_BYTES and at > 0:
        # The bytes of the key are part of other records.
        at = bucket.find(key, at + 1)
    return at


class Piece(NamedTuple):
    """All records of some buckets, bucket by bucket."""

    first: int  #: the first bucket
    end: int  #: the bucket after the last one
    records: bytes

    def buckets(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number of each bucket that has records, and these.

        :raises ValueError: if this version does not understand one of them.
        """
        records = self.records
        check_kinds(records[KEY_BYTES - 1 :: RECORD_BYTES])
        # Columns of bytes, which are searched without a call for each record.
        high, low = records[::RECORD_BYTES], records[1::RECORD_BYTES].translate(_SHIFTED)
        begin = 0
        while begin < len(high):
            end = bisect_right(high, high[begin], begin)
            end = bisect_right(low, low[begin], begin, end)
            number = high[begin] << 6 | low[begin]
            yield number, records[begin * RECORD_BYTES : end * RECORD_BYTES]
            begin = end

    def changes(self) -> Iterator[Change]:
        """Yield the entries."""
        return unpack(self.records)

    def without_last_bucket(self) -> "Piece":
        """Return this piece without the bucket of its last record, which may be incomplete."""
        last = _bucket_of(self.records[-RECORD_BYTES:])
        starts = range(0, len(self.records), RECORD_BYTES)
        end = bisect_left(starts, last, key=lambda at: _bucket_of(self.records[at : at + 2]))
        return Piece(self.first, last, self.records[: end * RECORD_BYTES])


class RevocationSet:
    """All entries of one process. Readers need no lock; writers must hold one.

    :param retention: by which the end of an entry is known that was put without; see
        :func:`retention_by_kind`.
    """

    __slots__ = ("_buckets", "_names", "_retention", "version")

    def __init__(self, retention: Mapping[Kind, float] | None = None) -> None:
        # Bytes, of which the collector has nothing to do. A change replaces those of one bucket.
        self._buckets: Sequence[bytes] = _NO_RECORDS
        self._names: dict[bytes, str] = {}
        self._retention = retention
        #: A new object after each change. A token that was checked under this very object need not
        #: be checked again.
        self.version: object = None

    def get(self, key: bytes) -> float | None:
        """Return the time of an entry; see :attr:`Change.value`.

        :param key: see :func:`entry_key`.
        """
        bucket = self._buckets[(key[0] << 6) | (key[1] >> 2)]
        if not bucket or (at := _position(bucket, key)) < 0:
            return None
        value: float = _TIMES.unpack_from(bucket, at + KEY_BYTES)[0]
        return value

    def change_of(self, key: Key) -> Change | None:
        """Return the entry of *key*, or ``None``."""
        packed = entry_key(key)
        bucket = self._buckets[_bucket_of(packed)]
        at = _position(bucket, packed)
        return None if at < 0 else next(unpack(bucket[at : at + RECORD_BYTES]))

    def put(self, change: Change, *, exact: bool = False) -> bool:
        """Apply *change*, and return whether it made a difference.

        Of two times the later one stays, so an earlier time never takes back a part of what is
        revoked.

        :param exact: the time of *change* counts even if it is earlier.
        """
        key, value = entry_key(change.key), change.value
        number = _bucket_of(key)
        at = _position(bucket := self._buckets[number], key)
        previous, kept = _TIMES.unpack_from(bucket, at + KEY_BYTES) if at >= 0 else (None, 0)
        if value is None:
            self._names.pop(key, None)
            record = b""
        else:
            if isinstance(change.key, str):
                self._names[key] = change.key
            until = _packed_until(self._end_of(change))
            if previous is not None and not exact:
                value, until = max(value, previous), max(until, kept)
            record = _RECORD.pack(key, value, until, 0)
        end = at + RECORD_BYTES
        self._set_bucket(number, bucket + record if at < 0 else bucket[:at] + record + bucket[end:])
        # Last: a reader that sees the new version must see the change.
        self.version = object()
        return bool(previous != value)

    def used_buckets(self, first: int = 0, end: int = BUCKETS) -> list[int]:
        """Return the numbers of those buckets, of some, that have records."""
        return [number for number in range(first, end) if self._buckets[number]]

    def put_bucket(self, number: int, records: bytes) -> bool:
        """Put all records of a bucket, if it has none yet; return whether it had none."""
        if is_free := not self._buckets[number]:
            self._set_bucket(number, records)
            self.version = object()
        return is_free

    def differences(
        self, number: int, records: bytes, reported: Collection[bytes] = ()
    ) -> tuple[list[Change], list[Change]]:
        """Compare a bucket with *records*, in whatever order.

        :param reported: keys of records to return even if they do not differ.
        :returns: those that only *records* have, and those that only this set has.
        """
        if self._buckets[number] == records and not reported:
            return [], []
        own = {change.key: change for change in unpack(self._buckets[number])}
        found = [
            change
            for change in unpack(records)
            if own.pop(change.key, None) != change or change.key in reported
        ]
        return found, [*own.values()]

    def changes(self) -> Iterator[Change]:
        """Yield the entries as they were when the iteration began, by name where that is known."""
        for bucket in [*self._buckets]:
            for key, value, until in unpack(bucket):
                yield Change(self.name_of(key), value, until)

    def pieces(self) -> Iterator[Piece]:
        """Yield all records, in pieces of a megabyte or somewhat more."""
        first, records = 0, bytearray()
        for number, bucket in enumerate([*self._buckets], 1):
            records += bucket
            if number == BUCKETS or len(records) >= PIECE_BYTES:
                yield Piece(first, number, bytes(records))
                first, records = number, bytearray()

    def remove_expired(self, now: float, buckets: Iterable[int] | None = None) -> None:
        """Remove the entries that no token can match any more, of some buckets or of all."""
        over = now - SLACK
        for number in self.used_buckets() if buckets is None else buckets:
            bucket = self._buckets[number]
            if bucket and min(_UNTIL.iter_unpack(bucket))[0] <= over:
                for change in unpack(bucket):
                    if change.until <= over:
                        self.put(change._replace(value=None))

    def names(self) -> dict[bytes, str]:
        """Return the names that are known, by the keys of their entries."""
        return self._names.copy()

    def name_of(self, key: Key) -> Key:
        """Return the key of an entry with its name, where that is known."""
        return key if isinstance(key, str) else self._names.get(key) or key

    def _set_bucket(self, number: int, records: bytes) -> None:
        if not isinstance(self._buckets, list):
            self._buckets = [*_NO_RECORDS]
        self._buckets[number] = records

    def _end_of(self, change: Change) -> float:
        """Return when an entry is no longer needed."""
        key, value, until = change
        if until < inf or value is None or self._retention is None:
            return until
        kind = kind_of(key)
        return value if kind is Kind.TOKEN else value + self._retention.get(kind, inf)

    def __len__(self) -> int:
        # Not counted along: a fork between two steps would make that wrong for good.
        return sum(map(len, self._buckets)) // RECORD_BYTES
