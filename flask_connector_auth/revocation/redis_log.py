"""The log of changes that :class:`RedisStore` keeps, and what a worker can conclude from it.

Keys under one hash tag, so that a Cluster has them on one node:

- ``log``, a string: a header; the *base*, all entries of one moment, bucket by bucket; and the
  *tail*, each change since, in order. All of these are records of one size.
- ``names``, a hash: the names of ids by the keys of their entries, for people. It has one more
  field, so that it exists while the log does: if only the log is missing, it has been evicted.
- ``old:…``, a string: a log that was replaced by a shorter one, and the header of that; kept for a
  minute.
- ``next`` and ``lease``: while a worker writes a log that replaces the present one.

A log has a random *generation*. One that continues another one has its *epoch*, and the next
*number*. Another epoch, or a smaller number, shows that data were lost.
"""

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from struct import Struct
from typing import Any, NamedTuple, Self

from .entries import PAUSE, Change
from .revocation_set import BUCKETS, PIECE_BYTES, RECORD_BYTES, Piece, unpack
from .store import Update
from .subjects import KEY_BYTES, check_kinds

# Another version that writes another format needs another value.
_MAGIC = b"revoked1"
_HEADER = Struct("<8s8s8sQQQQ8x")
HEADER_BYTES: int = _HEADER.size
_VALUE = Struct("<16xd8x")  # of a record


def random_name() -> bytes:
    """Return the name of an epoch or of a generation."""
    return secrets.token_bytes(8)


class Header(NamedTuple):
    """What a log begins with."""

    epoch: bytes
    generation: bytes
    number: int = 1
    base_end: int = HEADER_BYTES  #: where the tail begins
    #: How much of the previous log the base has. What came later was copied to the tail.
    cut: int = 0
    #: Whether entries are missing that no worker has written back: 0 or 1.
    incomplete: int = 0

    def pack(self) -> bytes:
        """Return it as it is stored."""
        return _HEADER.pack(_MAGIC, *self)

    @classmethod
    def unpack(cls, stored: bytes) -> Self | None:
        """Return it from what is stored; ``None``: nothing is.

        :raises ValueError: if it is not understood.
        """
        if not stored:
            return None
        if len(stored) != HEADER_BYTES or not stored.startswith(_MAGIC):
            raise ValueError("not a log of this version")
        return cls(*_HEADER.unpack(stored)[1:])


@dataclass(frozen=True, slots=True)
class Position:
    """How far a worker has read a log."""

    header: Header | None = None  #: of the log; ``None``: there was none
    offset: int = HEADER_BYTES  #: where the next read begins
    bucket: int = 0  #: the next one of the base to read
    last: bytes = b""  #: the last record of the tail that was read
    #: When there was no later change, by the clock of the store, in seconds since the epoch.
    confirmed: float = 0.0
    #: While what is left after a loss is read: when the worker was up to date before.
    lost_since: float | None = None

    @property
    def generation(self) -> bytes:
        """The generation of the log; empty: there was none."""
        return self.header.generation if self.header else b""

    @property
    def base_end(self) -> int:
        """Where the tail begins."""
        return self.header.base_end if self.header else HEADER_BYTES

    @property
    def start(self) -> int:
        """The first byte to read: the last record again, to see whether it is still there."""
        return self.offset - len(self.last)


class Answer(NamedTuple):
    """What the script :data:`READ` answers."""

    now: float
    header: Header | None
    has_names: bool
    successor: Header | None  #: of the log that *data* is of, if that was replaced
    data: bytes

    @classmethod
    def decode(cls, answer: Sequence[Any]) -> Self:
        """Return what the script answered."""
        (seconds, micros), header, has_names, successor, data = answer
        now = int(seconds) + int(micros) / 1e6
        return cls(now, Header.unpack(header), bool(has_names), Header.unpack(successor), data)


# Bytes of records that are checked at a time: for less than a millisecond.
_CHECKED_BYTES = PIECE_BYTES // 8


@dataclass(frozen=True, slots=True)
class _Tail:
    """The changes in some records. They are made one by one: the collector would visit a list.

    :raises ValueError: see :func:`unpack`; before any of them is applied.
    """

    records: bytes

    def __post_init__(self) -> None:
        for begin in range(0, len(self.records), _CHECKED_BYTES):
            some = self.records[begin : begin + _CHECKED_BYTES]
            # Without a call for each record, of which an answer may have thirty thousand.
            check_kinds(some[KEY_BYTES - 1 :: RECORD_BYTES])
            if any(value != value for (value,) in _VALUE.iter_unpack(some)):
                raise ValueError("not a time")
            if len(some) == _CHECKED_BYTES:
                time.sleep(PAUSE)

    def __iter__(self) -> Iterator[Change]:
        return unpack(self.records)


def update_after(known: Position | None, answer: Answer) -> Update:
    """Return what a worker learns from an answer to a read of its position."""
    header = answer.header
    if header is None:
        if answer.has_names or (known and known.header):
            position = Position(confirmed=answer.now)
            return Update(position, (), complete=True, lost=True, pieces=[])
        return _update(Position(), answer, (), complete=known is None)
    if known is None or known.header is None:
        if known and header.incomplete:
            return _anew(header, known.confirmed)
        start = Position(header, lost_since=0.0 if header.incomplete else None)
        return _advance(start, answer, complete=known is None)
    if known.lost_since is None and _is_lost(known.header, header):
        return _anew(header, known.confirmed)
    if header.generation == known.generation:
        return _go_on(known, header, answer)
    return _after_replacement(known, header, answer)


def _is_lost(known: Header, header: Header) -> bool:
    is_same = header.generation == known.generation
    return bool(
        header.epoch != known.epoch
        or header.incomplete
        or (header.number <= known.number and not is_same)
    )


def _anew(header: Header, lost_since: float | None) -> Update:
    """Begin again to read a log."""
    lost = lost_since is not None
    position = Position(header, lost_since=lost_since)
    return Update(position, (), complete=True, more=True, lost=lost, pieces=[])


def _go_on(known: Position, header: Header, answer: Answer) -> Update:
    if known.last and not answer.data.startswith(known.last):
        # Another change in its place, or none: a replica took over that had not received it.
        return _anew(header, known.confirmed if known.lost_since is None else known.lost_since)
    return _advance(known, answer._replace(data=answer.data[len(known.last) :]))


def _after_replacement(known: Position, header: Header, answer: Answer) -> Update:
    """Read the log to its end that was replaced, and then go on in the one that continues it."""
    successor = answer.successor
    if successor is None or known.lost_since is not None:
        return _anew(header, known.lost_since)
    update = _go_on(known, header, answer)
    position: Position = update.position
    if update.more or update.lost:
        return update
    offset = successor.base_end + position.offset - successor.cut
    # What the base has is not read again.
    last = position.last if position.offset > successor.cut else b""
    moved = Position(successor, offset, BUCKETS, last, known.confirmed)
    return replace(update, position=moved, more=True)


def _advance(position: Position, answer: Answer, *, complete: bool = False) -> Update:
    """Go on by the data of an answer, which begin at the position."""
    data, pieces = answer.data[: len(answer.data) // RECORD_BYTES * RECORD_BYTES], []
    if position.bucket < BUCKETS:
        base = data[: position.base_end - position.offset]
        piece = Piece(position.bucket, BUCKETS, base)
        if position.offset + len(base) < position.base_end:
            piece = piece.without_last_bucket()
            if not piece.records:
                raise ValueError("a part of the log is missing")
        position = replace(position, offset=position.offset + len(piece.records), bucket=piece.end)
        pieces, data = [piece], data[len(piece.records) :]
    if position.bucket < BUCKETS:
        return _update(position, answer, (), pieces, complete=complete, more=True)
    position = replace(
        position, offset=position.offset + len(data), last=data[-RECORD_BYTES:] or position.last
    )
    more = len(answer.data) + RECORD_BYTES >= PIECE_BYTES
    return _update(position, answer, _Tail(data), pieces, complete=complete, more=more)


def _update(
    position: Position,
    answer: Answer,
    changes: Iterable[Change],
    pieces: Sequence[Piece] = (),
    *,
    complete: bool,
    more: bool = False,
) -> Update:
    since = position.lost_since
    if not more:
        position = replace(position, confirmed=answer.now, lost_since=None)
    return Update(
        position,
        changes,
        complete=complete,
        more=more,
        lost=since is not None,
        lost_since=-inf if since is None else since,
        now=answer.now,
        pieces=pieces,
    )
