"""The store of revocations in Redis or Valkey, shared by all workers."""

import os
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from ...core import Closable, JumpResistantClock, redis_connector, steady_time
from ..store import RevocationStoreError, Update
from ..subjects import Change, Key
from . import redis_history as history
from .redis_history import HistoryState, Position, ReadPosition

ResultT = TypeVar("ResultT")

_SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
# For XRANGE with an exclusive first id, and ZADD GT.
_OLDEST_VERSION = (6, 2)
_LOG_LENGTH = 100_000
_BATCH = 1000


class RedisStore(Closable):
    """Keeps revocations in Redis 6.2 or later, or Valkey; see :class:`RevocationStore`.

    :param url: see :func:`redis_connector`.
    :param log_length: how many changes to keep one by one, at least.
    :param clock: returns the time in seconds since the epoch, by another clock than the server's.
        An entry is removed only a day after it is no longer needed by both clocks.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a URL of Redis.
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
            arguments += (history.encode_key(key), "" if value is None else repr(value))
            arguments.append(repr(until))
        self._run(lambda client: _make_changes(client, arguments))

    def now(self) -> float:
        """See :class:`RevocationStore`."""
        return self._run(_read_time)

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`; *position* is a :class:`ReadPosition`."""
        known: ReadPosition | None = position
        last = known.position if known else None
        if last and wait:
            # Only to wait: the changes are then read in one step, together with the state.
            after = {history.LOG: last.log_id}
            self._run(lambda client: client.xread(after, 1, round(wait * 1000)))
        changes: list[Change] = []
        while True:
            # From the known change on: whether it is in the log shows whether the history is the
            # same.
            state = self._state(last.log_id, "+", _BATCH) if last else self._state("-", "+", 0)
            log = state.changes_after(last) if last else ()
            changes += (logged.change for logged in log)
            if last and log:
                last = log[-1].position._replace(run=last.run or state.position.run)
            if last is None or not log or last.is_same_change(state.position):
                break
        if last and changes:
            # The log may have the last part of what the store has lost: a worker applies that
            # first, and sees the loss with its next read.
            return Update(ReadPosition(last, state.now_ms), changes)
        return self._without_changes(state, known)

    def close(self) -> None:
        """See :class:`Closable`; a call that waits for an answer in another thread fails."""
        client, self._client = self._client, None
        # Never the connection of another process.
        if client is not None and self._process == os.getpid():
            with suppress(Exception):
                client.close()

    def eviction_policy(self) -> str | None:
        """Return the ``maxmemory-policy`` of the server, or ``None`` if the server hides it.

        From INFO, which this store needs anyway: providers and access lists often deny CONFIG.
        """
        memory = self._run(lambda client: _eval(client, history.MEMORY))
        found = re.search(rb"maxmemory_policy:([\w-]+)", memory)
        return found[1].decode() if found else None

    def _without_changes(self, state: HistoryState, known: ReadPosition | None) -> Update:
        current = ReadPosition(state.position, state.now_ms)
        if state.has_lost_data(known.position if known else None):
            restored = self._restored(*state.log_range_after(known)) if known else ()
            # An empty store has no position: the worker that writes back makes one.
            position = current if state.position.run else known
            return Update(position, chain(self._entries(), restored), lost=True)
        if known and known.position == state.position:
            return Update(current, [])
        return Update(current, self._complete_copy(state.position), complete=True)

    def _complete_copy(self, position: Position) -> Iterator[Change]:
        if not position.run:
            return
        yield from self._entries()
        state = self._state("-", "+", 0)
        if state.position.run != position.run or not state.is_intact:
            raise RevocationStoreError("it has lost data while its entries were read")

    def _state(self, first_id: str, last_id: str, count: int) -> HistoryState:
        def read_state(client: Any) -> HistoryState:
            return history.decode_state(_eval(client, history.READ, first_id, last_id, count))

        return self._run(read_state)

    def _entries(self) -> Iterator[Change]:
        cursor = 0
        while True:
            cursor, changes = self._run(partial(_scan, cursor=cursor))
            yield from changes
            if not cursor:
                return

    def _restored(self, first_id: str, last_id: str) -> Iterator[Change]:
        latest: dict[Key, Change] = {}
        while log := self._state(first_id, last_id, _BATCH).log:
            latest |= {logged.change.key: logged.change for logged in log}
            first_id = f"({log[-1].position.log_id}"
        yield from (change for change in latest.values() if change.value is None)

    def _run(self, action: Callable[[Any], ResultT]) -> ResultT:
        try:
            return action(self._connected_client())
        except Exception as error:
            # A new client, and with it a new connection, is the remedy for most failures.
            self.close()
            # Without the cause, whose text may quote what was sent or received.
            raise RevocationStoreError(f"{_describe(error)} {_SETTING}") from None

    def _connected_client(self) -> Any:
        # Never the connection of another process.
        if self._client is None or self._process != os.getpid():
            client = self._connect()
            try:
                _check_version(_eval(client, history.INFO))
            except Exception:
                client.close()
                raise
            self._client, self._process = client, os.getpid()
        return self._client


class _UnsuitableServer(Exception):
    """The server cannot be used; the text is the reason."""


def _eval(client: Any, script: str, *arguments: Any) -> Any:
    return client.eval(script, len(history.KEYS), *history.KEYS, *arguments)


def _check_version(info: bytes) -> None:
    found = re.search(rb"redis_version:(\d+)\.(\d+)", info)
    if found is None:
        raise _UnsuitableServer("there is no Redis at")
    version = tuple(map(int, found.groups()))
    if version < _OLDEST_VERSION:
        shown = [".".join(map(str, numbers)) for numbers in (version, _OLDEST_VERSION)]
        raise _UnsuitableServer("Redis {} is too old, and {} is needed, at".format(*shown))


def _make_changes(client: Any, arguments: Sequence[Any]) -> None:
    if type(_eval(client, history.CHANGE, *arguments)) is not int:
        raise ValueError("not a number of entries")


def _read_time(client: Any) -> float:
    seconds, micros = _eval(client, history.TIME)
    return int(seconds) + int(micros) / 1e6


def _scan(client: Any, cursor: int) -> tuple[int, list[Change]]:
    cursor, found = client.hscan(history.ENTRIES, cursor, count=_BATCH)
    return cursor, [history.decode_change(*item) for item in found.items()]


def _name_cause(error: BaseException) -> str:
    """Return the class of the error of the system that *error* of redis-py was made of."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{type(cause).__name__}: {cause.verify_message}"
    if isinstance(cause, socket.gaierror):
        return f"{type(cause).__name__}: the host name cannot be resolved"
    return type(cause or error).__name__


def _describe(error: Exception) -> str:
    from redis import exceptions

    name = type(error).__name__
    if isinstance(error, _UnsuitableServer):
        return str(error)
    if isinstance(error, exceptions.AuthenticationError):
        return "wrong user or password in"
    if isinstance(error, exceptions.NoPermissionError):
        return "the user has no permission for a command or for the keys {connector-auth}:* in"
    if isinstance(error, exceptions.OutOfMemoryError):
        return "no memory is left (maxmemory) at"
    unreachable = exceptions.ConnectionError | exceptions.TimeoutError | OSError
    if isinstance(error, unreachable | exceptions.ClusterError | exceptions.RedisClusterException):
        return f"out of reach ({_name_cause(error)}):"
    return f"unexpected answer ({name}) from"
