"""The store of revocations in Redis or Valkey, which all workers share."""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from math import isnan
from typing import Any, TypeVar

from ...core import Closable, JumpResistantClock, redis_connector, steady_time
from ..store import (
    NOTHING,
    Known,
    Logged,
    Position,
    RevocationStoreError,
    StoreState,
    Update,
    has_lost,
    later,
    news,
    same,
)
from ..subjects import Change, Key, Kind, kind_of
from . import redis_scripts as scripts

T = TypeVar("T")

_SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
# For XRANGE from behind an id, and ZADD GT.
_OLDEST = (6, 2)
_LOG_LENGTH = 100_000
_AT_ONCE = 1000
_KEYS = (scripts.ENTRIES, scripts.EXPIRY, scripts.LOG, scripts.META)


class RedisStore(Closable):
    """Keeps revocations in Redis 6.2 or later, or Valkey; see :class:`RevocationStore`.

    :param url: see :func:`redis_connector`.
    :param log_length: changes that are remembered one by one, at least.
    :param clock: returns the time in seconds since the epoch, by another clock than the server's.
        An entry is forgotten only a day after both say that it is no longer needed.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not that of a Redis.
    """

    def __init__(
        self,
        url: str,
        log_length: int = _LOG_LENGTH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connect = redis_connector(url)
        self._clock = JumpResistantClock(clock, steady_time)
        self._log_length = log_length
        self._client: Any = None
        self._process = 0

    def change(self, changes: Sequence[Change], *, absent: bool = False) -> None:
        """See :class:`RevocationStore`."""
        arguments: list[Any] = ["1" if absent else "0", secrets.token_hex(8)]
        arguments += (self._log_length, repr(self._clock()))
        for key, value, until in changes:
            arguments += (_field(key), "" if value is None else repr(value), repr(until))
        self._do(lambda redis: _make(redis, arguments))

    def now(self) -> float:
        """See :class:`RevocationStore`."""
        return self._do(_time)

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`; *position* is a :class:`Known`."""
        known: Known | None = position
        at = known.position if known else None
        if at and wait:
            # Only to be woken: what is there is then read in one step.
            after = {scripts.LOG: at.last}
            self._do(lambda redis: redis.xread(after, 1, round(wait * 1000)))
        changes: list[Change] = []
        while True:
            # From the known change on: whether it is there says whether this is the same history.
            state = self._state(at.last, "+", _AT_ONCE) if at else self._state("-", "+", 0)
            log = news(state, at) if at else ()
            changes += (one.change for one in log)
            if at and log:
                at = log[-1].position._replace(run=at.run or state.position.run)
            if at is None or not log or same(at, state.position):
                break
        if at and changes:
            # Of what the store has lost, the log may have the last part: a worker learns that
            # first, and is told of the loss when it reads next.
            return Update(Known(at, state.now), changes)
        return self._without_news(state, known)

    def close(self) -> None:
        """See :class:`Closable`; what waits for an answer in another thread fails."""
        client, self._client = self._client, None
        # Never the connection of another process.
        if client is not None and self._process == os.getpid():
            with suppress(Exception):
                client.close()

    def eviction_policy(self) -> str | None:
        """Return the ``maxmemory-policy`` of the server, or ``None`` if it does not say.

        From INFO, which this store needs anyway: providers and access lists often deny CONFIG.
        """
        memory = self._do(lambda redis: _eval(redis, scripts.MEMORY))
        found = re.search(rb"maxmemory_policy:([\w-]+)", memory)
        return found[1].decode() if found else None

    def _without_news(self, state: StoreState, known: Known | None) -> Update:
        there = Known(state.position, state.now)
        if has_lost(state, known.position if known else None):
            restored = self._restored(*later(state, known)) if known else ()
            # An empty store has no position: the worker that writes back makes one.
            position = there if state.position.run else known
            return Update(position, chain(self._all(), restored), lost=True)
        if known and known.position == state.position:
            return Update(there, [])
        return Update(there, self._whole(state.position), complete=True)

    def _whole(self, there: Position) -> Iterator[Change]:
        if not there.run:
            return
        yield from self._all()
        after = self._state("-", "+", 0)
        if after.position.run != there.run or not after.intact:
            raise RevocationStoreError("it has lost data while they were read")

    def _state(self, first: str, last: str, count: int) -> StoreState:
        return self._do(lambda redis: _state(_eval(redis, scripts.READ, first, last, count)))

    def _all(self) -> Iterator[Change]:
        cursor = 0
        while True:
            cursor, changes = self._do(partial(_scan, cursor=cursor))
            yield from changes
            if not cursor:
                return

    def _restored(self, first: str, last: str) -> Iterator[Change]:
        latest: dict[Key, Change] = {}
        while log := self._state(first, last, _AT_ONCE).log:
            latest |= {one.change.key: one.change for one in log}
            first = f"({log[-1].position.last}"
        yield from (change for change in latest.values() if change.value is None)

    def _do(self, action: Callable[[Any], T]) -> T:
        try:
            return action(self._redis())
        except Exception as error:
            # Another client, and with it another connection, is the remedy for most of this.
            self.close()
            # Without the cause, whose text may quote what was sent or received.
            raise RevocationStoreError(f"{_why(error)} {_SETTING}") from None

    def _redis(self) -> Any:
        # Never the connection of another process.
        if self._client is None or self._process != os.getpid():
            client = self._connect()
            _check_version(_eval(client, scripts.INFO))
            self._client, self._process = client, os.getpid()
        return self._client


class _Unfit(Exception):
    """The server cannot be used; the text says why."""


def _eval(redis: Any, script: str, *arguments: Any) -> Any:
    return redis.eval(script, len(_KEYS), *_KEYS, *arguments)


def _check_version(info: bytes) -> None:
    found = re.search(rb"redis_version:(\d+)\.(\d+)", info)
    if found is None:
        raise _Unfit("there is no Redis at")
    version = tuple(map(int, found.groups()))
    if version < _OLDEST:
        shown = [".".join(map(str, each)) for each in (version, _OLDEST)]
        raise _Unfit("Redis {} is too old, and {} is needed, at".format(*shown))


def _state(answer: Sequence[Any]) -> StoreState:
    run, version, last, subject_key, size, entries, lost, (seconds, micros), oldest, log = answer
    now = int(seconds) * 1000 + int(micros) // 1000
    name = run.decode()
    whole = int(size) == entries and not lost
    if not name:
        # Without a history, a log that was left over belongs to none.
        return StoreState(NOTHING, whole, now, None, ())
    return StoreState(
        Position(name, int(version), last.decode(), subject_key.decode()),
        whole,
        now,
        int(oldest) if oldest else None,
        [_logged(name, last, parts) for last, parts in log or ()],
    )


def _logged(run: str, last: bytes, parts: Sequence[bytes]) -> Logged:
    _, version, _, subject_key, field, value = parts
    position = Position(run, int(version), last.decode(), subject_key.decode())
    return Logged(position, _change(field, value))


def _make(redis: Any, arguments: Sequence[Any]) -> None:
    if type(_eval(redis, scripts.CHANGE, *arguments)) is not int:
        raise ValueError("not a number of entries")


def _time(redis: Any) -> float:
    seconds, micros = _eval(redis, scripts.TIME)
    return int(seconds) + int(micros) / 1e6


def _scan(redis: Any, cursor: int) -> tuple[int, list[Change]]:
    cursor, found = redis.hscan(scripts.ENTRIES, cursor, count=_AT_ONCE)
    return cursor, [_change(*item) for item in found.items()]


def _field(key: Key) -> bytes:
    return Kind.TOKEN.encode() + b":" + key if isinstance(key, bytes) else key.encode()


def _change(field: bytes, value: bytes) -> Change:
    kind, _, name = field.partition(b":")
    key = name if kind == Kind.TOKEN.encode() else field.decode()
    kind_of(key)  # an unknown one is an error: it may be that of a later version
    at = float(value) if value else None
    if at is not None and isnan(at):
        raise ValueError("not a time")
    return Change(key, at)


def _why(error: Exception) -> str:
    from redis import exceptions as known

    name = type(error).__name__
    if isinstance(error, _Unfit):
        return str(error)
    if isinstance(error, known.AuthenticationError):
        return "wrong user or password in"
    if isinstance(error, known.NoPermissionError):
        return "the user may not do what is needed, in"
    if isinstance(error, known.OutOfMemoryError):
        return "no memory is left (maxmemory) at"
    unreachable = known.ConnectionError | known.TimeoutError | OSError
    if isinstance(error, unreachable | known.ClusterError | known.RedisClusterException):
        return f"out of reach ({name}):"
    return f"not what is expected ({name}) at"
