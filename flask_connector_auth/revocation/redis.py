"""The store of revocations in Redis or Valkey, shared by all workers."""

import os
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from ..core import REDIS_TIMEOUT, steady_time
from . import redis_scripts as scripts
from .entries import Change
from .redis_connection import SETTING, RedisConnection
from .redis_log import (
    HEADER_BYTES,
    Answer,
    Header,
    Position,
    random_name,
    update_after,
)
from .revocation_set import BUCKETS, PIECE_BYTES, RECORD_BYTES, RevocationSet, pack
from .store import RevocationStoreError, Update
from .subjects import entry_key

# Changes, or names, that are sent at once.
_BATCH = 1000
# Seconds for which a log is kept that was replaced, for workers that have not read it to its end.
_KEPT = 60
# Seconds between two looks for entries that have expired.
_COMPACT_INTERVAL = 600
_LONGEST_MARK = 2**32


class RedisStore(RedisConnection):
    """Keeps revocations in Redis 6.2 or later, or Valkey; see :class:`RecoverableStore`.

    :param url: see :func:`redis_connector`.
    :param timeout: seconds to wait for a connection, and for each reply.
    :param compact_after: how many changes there may be, and a quarter of the entries, until they
        are merged into these.
    :raises Exception: see :class:`RedisConnection`.
    """

    def __init__(
        self, url: str, timeout: float = REDIS_TIMEOUT, *, compact_after: int = 50_000
    ) -> None:
        super().__init__(url, timeout)
        # Milliseconds after which another worker may write a log, if the present one is silent.
        self._lease = round(2000 * timeout)
        self._name = random_name().hex()
        self._compact_after = compact_after
        self._next_compaction = 0.0

    def change(self, changes: Sequence[Change]) -> None:
        """See :class:`RevocationStore`."""
        if any(change.value is None for change in changes):
            # By its time, a worker knows after a loss whether a restoration came later.
            now = self.now()
            changes = [each._replace(until=now) if each.value is None else each for each in changes]
        for start in range(0, len(changes), _BATCH):
            some = changes[start : start + _BATCH]
            # Whatever is written in the same place after a loss has another mark.
            mark = secrets.randbelow(_LONGEST_MARK)
            names: list[Any] = []
            for key, value, _until in some:
                if isinstance(key, str) and value is not None:
                    names += (entry_key(key), key)
            records = b"".join(pack(change, mark) for change in some)
            headers = [
                Header(random_name(), random_name(), incomplete=flag).pack() for flag in (0, 1)
            ]
            keys = [scripts.LOG, scripts.NAMES]
            length = self._call(scripts.CHANGE, keys, headers[0][:8], *headers, records, *names)
            if type(length) is not int:
                raise RevocationStoreError(f"unexpected answer from {SETTING}")

    def read(self, position: Any) -> Update:
        """See :class:`RevocationStore`; *position* is a :class:`Position`."""
        known: Position = position or Position()
        keys = [scripts.LOG, scripts.NAMES, scripts.OLD + known.generation.hex()]
        end = known.start + PIECE_BYTES - 1
        answer = self._call(scripts.READ, keys, known.generation, known.start, end)
        with self._connected():
            return update_after(position, Answer.decode(answer))

    def write_back(
        self, entries: RevocationSet, missing: Sequence[Change] | None, position: Any
    ) -> Any:
        """See :class:`RecoverableStore`."""
        known: Position = position
        if known.header and not known.header.incomplete and missing is not None:
            self.change([each._replace(key=entries.name_of(each.key)) for each in missing])
            return known
        number = 1 + (known.header.number if known.header else 0)
        header = Header(random_name(), random_name(), number=number)
        *_, written = [None, *self._replace_log(entries, known, header)]
        if written is None:
            return None
        if names := entries.names():
            with self._connected() as client:
                client.hset(scripts.NAMES, mapping=names)
        return Position(written, written.base_end, BUCKETS, confirmed=known.confirmed)

    def compact(self, entries: RevocationSet, position: Any) -> Iterator[object]:
        """See :class:`RecoverableStore`."""
        known: Position = position
        if known.header is None:
            return
        total, base = (
            (end - HEADER_BYTES) // RECORD_BYTES for end in (known.offset, known.header.base_end)
        )
        now, is_due = steady_time(), total - base > max(self._compact_after, base // 4)
        if now >= self._next_compaction:
            # Not at the first look: many workers may start at once.
            is_due |= total > len(entries) and self._next_compaction > 0
            self._next_compaction = now + _COMPACT_INTERVAL
        if not is_due:
            return
        number = known.header.number + 1
        header = Header(known.header.epoch, random_name(), number, cut=known.offset)
        written: Header | None = None
        for written in self._replace_log(entries, known, header):
            yield written
        if written is not None:
            yield from self._remove_names(entries)

    def names(self, keys: Sequence[bytes]) -> list[str | None]:
        """See :class:`RecoverableStore`."""
        with self._connected() as client:
            names = client.hmget(scripts.NAMES, list(keys))
            return [None if name is None else name.decode() for name in names]

    def _replace_log(
        self, entries: RevocationSet, known: Position, header: Header
    ) -> Iterator[Header | None]:
        """Replace the log by one of *entries*; yield after each part, and at last its header.

        ``None``: there is none yet. Nothing is replaced if another worker writes one, or if the log
        is not that of the position any more.
        """
        writing = [scripts.NEXT, scripts.LEASE]
        # After a failure, this worker begins again at once.
        claim = f"{self._name}-{os.getpid()}", self._lease
        keys = [*writing, scripts.LOG]
        if not self._call(scripts.BEGIN, keys, *claim, known.generation):
            return
        length, part = 0, bytes(HEADER_BYTES)
        for piece in entries.pieces():
            part += piece.records
            if not self._call(scripts.WRITE, writing, *claim, part):
                return
            length, part = length + len(part), b""
            yield None
        header = header._replace(base_end=length)
        keys = [*writing, scripts.LOG, scripts.NAMES, scripts.OLD + known.generation.hex()]
        # Of another epoch, no worker goes on in the present log.
        kept = _KEPT if known.header and known.header.epoch == header.epoch else 0
        state = known.generation, known.offset, known.last, kept
        if self._call(scripts.REPLACE, keys, *claim, length, header.pack(), *state):
            yield header

    def _remove_names(self, entries: RevocationSet) -> Iterator[None]:
        """Remove the names of entries that are gone."""
        cursor = 0
        while True:
            with self._connected() as client:
                cursor, found = client.hscan(scripts.NAMES, cursor, count=_BATCH)
                gone = [key for key in found if key and entries.change_of(key) is None]
                if gone:
                    client.hdel(scripts.NAMES, *gone)
            yield
            if not cursor:
                return
