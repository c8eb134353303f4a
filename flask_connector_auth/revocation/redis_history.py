"""The history of changes that :class:`RedisStore` keeps, and what a worker can conclude from it.

Four keys, under one hash tag, so that a Cluster has them on one node:

- ``entries``, a hash: the time of each entry, by its field. This is what is revoked.
- ``expiry``, a sorted set: the fields, by the time from which they may be removed.
- ``log``, a stream: the last changes, each with its version and its mark.
- ``meta``, a hash, from which each worker sees whether it missed a change, or the store lost one:
  ``run``, the random name of the history; of the last change its ``version``, its ``mark``, a
  random value, and ``last``, its id in the log; ``size``, the number of entries; ``lost``, set
  while entries are missing that no worker has written back.

Each Lua script runs as one atomic step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

from .entries import Change
from .subjects import Key, Kind, kind_of

TAG = "{connector-auth}:"
ENTRIES, EXPIRY, LOG, META = KEYS = tuple(
    TAG + name for name in ("entries", "expiry", "log", "meta")
)

#: Makes changes, and returns the number of entries.
#:
#: KEYS: the four keys. ARGV: "1" to leave present entries alone; a random value, the mark of these
#: changes and the run of a history that begins; the length of the log; the time by the caller's
#: clock; then for each change its field, its time ("": restored), and when it may be removed.
#:
#: A history begins where there is none, and where entries are missing: Redis may evict a key just
#: before it runs a command such as this script. The sizes are compared before anything is written,
#: since the new size would hide the loss. ``lost`` then stays until a worker that has a copy has
#: written back what is missing; "1" without a change reports that.
#:
#: Of two times at which an entry may be removed, the later one stays. If ``expiry`` was evicted, an
#: entry has no such time, and gets none.
#:
#: Removes the hundred oldest entries, at most, that could have been removed a day ago by both the
#: clock of the server and that of the caller, since either may be ahead.
CHANGE = """
local entries, expiry, log, meta = unpack(KEYS)
local run, before = unpack(redis.call('HMGET', meta, 'run', 'size'))
local whole = tonumber(before or 0) == redis.call('HLEN', entries)
if not run then redis.call('DEL', log) end
if not run or not whole then redis.call('HSET', meta, 'run', ARGV[2]) end
if not whole then redis.call('HSET', meta, 'lost', 1) end
if ARGV[1] == '1' and #ARGV == 4 then redis.call('HDEL', meta, 'lost') end
for i = 5, #ARGV, 3 do
  local field, value, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', entries, field)
  if value ~= '' and old then
    redis.call('ZADD', expiry, 'XX', 'GT', till, field)
  elseif value ~= '' then
    redis.call('ZADD', expiry, 'GT', till, field)
  end
  if not (old and ARGV[1] == '1') then
    if value == '' then
      redis.call('HDEL', entries, field)
      redis.call('ZREM', expiry, field)
    else
      if old and tonumber(old) > tonumber(value) then value = old end
      redis.call('HSET', entries, field, value)
    end
    local version = redis.call('HINCRBY', meta, 'version', 1)
    local id = redis.call(
      'XADD', log, 'MAXLEN', '~', ARGV[3], '*', 'v', version, 'm', ARGV[2], field, value
    )
    redis.call('HSET', meta, 'last', id, 'mark', ARGV[2])
  end
end
local over = math.min(redis.call('TIME')[1], ARGV[4]) - 86400
for _, field in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', over, 'LIMIT', 0, 100)) do
  redis.call('HDEL', entries, field)
  redis.call('ZREM', expiry, field)
end
local size = redis.call('HLEN', entries)
redis.call('HSET', meta, 'size', size)
return size
"""

#: Returns the state of the store, and a part of the log.
#:
#: KEYS: the same. ARGV: the first and the last id in the log to return, as XRANGE takes them; how
#: many changes to return, at most. If the log does not have the first id, the version of its oldest
#: change is returned too, which shows whether the log was trimmed.
READ = """
local entries, expiry, log, meta = unpack(KEYS)
local state = redis.call('HMGET', meta, 'run', 'version', 'last', 'mark', 'size', 'lost')
local found = redis.call('XRANGE', log, ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local oldest
if not (found and found[1] and found[1][1] == ARGV[1]) then
  oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
end
return {
  state[1] or '', state[2] or '0', state[3] or '0-0', state[4] or '', state[5] or '0',
  redis.call('HLEN', entries), state[6] or '', redis.call('TIME'),
  oldest and oldest[2][2] or '', found
}
"""

TIME = "return redis.call('TIME')"
INFO = "return redis.call('INFO', 'server')"
MEMORY = "return redis.call('INFO', 'memory')"


class Position(NamedTuple):
    """The last change of a history, or of the known part of it."""

    run: str  #: the random name of the history; empty: there is none yet
    version: int  #: of the change, counted from 1
    log_id: str  #: of the change: milliseconds and a number
    mark: str  #: a random value, the same for changes made together

    def is_same_change(self, other: "Position") -> bool:
        """Whether both are the same change. If so, all earlier changes are the same too.

        The run is not compared: a history that begins with a loss continues the log.
        """
        return self[1:] == other[1:]


#: The position where there is no history.
NO_HISTORY = Position("", 0, "0-0", "")


class ReadPosition(NamedTuple):
    """How far a worker has read the history."""

    position: Position  #: of the last change that it has read
    #: When no later change was there: milliseconds since the epoch, by the clock of the store.
    confirmed_ms: int


class LoggedChange(NamedTuple):
    """A change in the log."""

    position: Position
    change: Change


@dataclass(frozen=True, slots=True)
class HistoryState:
    """The state of the store at one moment."""

    position: Position
    #: Whether there are as many entries as after the last change, and every earlier loss has been
    #: written back.
    is_intact: bool
    now_ms: int  #: milliseconds since the epoch, by the clock of the store
    #: The version of the oldest change in the log; ``None`` if the requested first id is there.
    oldest_version: int | None
    log: Sequence[LoggedChange]  #: the log from the requested first id on, oldest first

    def has_lost_data(self, known: Position | None) -> bool:
        """Whether the store lost changes that it had acknowledged, as far as *known* shows.

        It was emptied, evicted entries, was restored from an older copy, or a replica took over
        that had not received all changes.
        """
        if not self.is_intact:
            return True
        if known is None or not known.run:
            return False
        if self.position.run != known.run:
            return True
        # Whether this history has another change than *known* at its version.
        if self.position.version <= known.version:
            return self.position != known
        if first := self._logged_under_id_of(known):
            return first != known
        # It is not under its id: it was trimmed, as all older ones were then, or was never there.
        return self.oldest_version is not None and self.oldest_version <= known.version

    def changes_after(self, known: Position) -> Sequence[LoggedChange]:
        """Return the changes after *known* if the log has no gap after it, else none."""
        first = self._logged_under_id_of(known)
        if known.version and not (first and first.is_same_change(known)):
            return ()
        log = self.log[1:] if first else self.log
        versions = [logged.position.version for logged in log]
        return log if versions == [*range(known.version + 1, known.version + 1 + len(log))] else ()

    def log_range_after(self, read: ReadPosition) -> tuple[str, str]:
        """Return the first and the last id, for XRANGE, of the changes surely made after *read*.

        In one history, ids only grow. The ids of another history are compared as times, from the
        confirmation of *read* until now. Later ids prove nothing: a clock that was ahead made them.
        """
        position = read.position
        if self.position.run == position.run or self.position.is_same_change(position):
            return f"({position.log_id}", "+"
        return str(read.confirmed_ms), str(self.now_ms)

    def _logged_under_id_of(self, known: Position) -> Position | None:
        first = self.log[0].position if self.log else None
        return first if first and first.log_id == known.log_id else None


def decode_state(answer: Sequence[Any]) -> HistoryState:
    """Return what the script :data:`READ` answered."""
    run, version, log_id, mark, size, entries, lost, (seconds, micros), oldest, log = answer
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    name = run.decode()
    is_intact = int(size) == entries and not lost
    if not name:
        # A log that is left over from an earlier history is ignored.
        return HistoryState(NO_HISTORY, is_intact, now_ms, None, ())
    return HistoryState(
        Position(name, int(version), log_id.decode(), mark.decode()),
        is_intact,
        now_ms,
        int(oldest) if oldest else None,
        [_decode_logged(name, log_id, parts) for log_id, parts in log or ()],
    )


def _decode_logged(run: str, log_id: bytes, parts: Sequence[bytes]) -> LoggedChange:
    _, version, _, mark, field, value = parts
    position = Position(run, int(version), log_id.decode(), mark.decode())
    return LoggedChange(position, decode_change(field, value))


def encode_key(key: Key) -> bytes:
    """Return the field of the entry of *key*."""
    return Kind.TOKEN.encode() + b":" + key if isinstance(key, bytes) else key.encode()


def decode_change(field: bytes, value: bytes) -> Change:
    """Return the change that a field and its value stand for.

    :raises ValueError: if they stand for none that this version understands.
    """
    kind, _, name = field.partition(b":")
    key = name if kind == Kind.TOKEN.encode() else field.decode()
    # An unknown kind is an error: a later version may have written it.
    if kind_of(key) is Kind.TOKEN and isinstance(key, str):
        raise ValueError("a token has one issuer")
    at = float(value) if value else None
    if at is not None and isnan(at):
        raise ValueError("not a time")
    return Change(key, at)
