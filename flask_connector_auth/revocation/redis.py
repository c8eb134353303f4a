"""The store of revocations in Redis or Valkey, shared by all workers."""

import os
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from ..core import Closable, JumpResistantClock, redis_connector, steady_time
from . import redis_history as history
from .entries import Change
from .redis_history import HistoryState, Position, ReadPosition
from .store import RevocationStoreError, Update
from .subjects import Key

_SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
_BATCH = 1000


class RedisStore(Closable):
    """Keeps revocations in Redis 6.2 or later, or Valkey; see :class:`RevocationStore`.

    :param url: see :func:`redis_connector`.
    :param log_length: how many changes to keep one by one, at least.
    :param clock: returns the time in seconds since the epoch, by another clock than the server's.
        An entry is removed a day after it is no longer needed, by both clocks.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a URL of Redis.
    """

    def __init__(
        self, url: str, log_length: int = 100_000, clock: Callable[[], float] = time.time
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
        with self._connected() as client:
            if type(_eval(client, history.CHANGE, *arguments)) is not int:
                raise ValueError("not a number of entries")

    def now(self) -> float:
        """See :class:`RevocationStore`."""
        with self._connected() as client:
            seconds, micros = _eval(client, history.TIME)
            return int(seconds) + int(micros) / 1e6

    def read(self, position: Any, wait: float) -> Update:
        """See :class:`RevocationStore`; *position* is a :class:`ReadPosition`."""
        known: ReadPosition | None = position
        if known is None:
            return self._without_changes(self._state(), None)
        last = known.position
        if wait:
            # This only waits. The changes are read below, in one step with the state.
            with self._connected() as client:
                client.xread({history.LOG: last.log_id}, 1, round(wait * 1000))
        changes: list[Change] = []
        while True:
            # The known change is read again: if the log has it, the history is still the same.
            state = self._state(last.log_id, count=_BATCH)
            log = state.changes_after(last)
            if log:
                changes += (logged.change for logged in log)
                last = log[-1].position._replace(run=last.run or state.position.run)
            if not log or last.is_same_change(state.position):
                break
        if changes:
            # The log may have the last of the changes that the store has lost. A worker applies
            # them first, and sees the loss with its next read.
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

        It is read from INFO, which this store needs anyway. Providers and access lists often deny
        CONFIG.
        """
        with self._connected() as client:
            memory = _eval(client, history.MEMORY)
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
        state = self._state()
        if state.position.run != position.run or not state.is_intact:
            raise RevocationStoreError("it has lost data while its entries were read")

    def _state(self, first_id: str = "-", last_id: str = "+", count: int = 0) -> HistoryState:
        with self._connected() as client:
            return history.decode_state(_eval(client, history.READ, first_id, last_id, count))

    def _entries(self) -> Iterator[Change]:
        cursor = 0
        while True:
            with self._connected() as client:
                cursor, found = client.hscan(history.ENTRIES, cursor, count=_BATCH)
                changes = [history.decode_change(*item) for item in found.items()]
            yield from changes
            if not cursor:
                return

    def _restored(self, first_id: str, last_id: str) -> Iterator[Change]:
        latest: dict[Key, Change] = {}
        while log := self._state(first_id, last_id, _BATCH).log:
            latest |= {logged.change.key: logged.change for logged in log}
            first_id = f"({log[-1].position.log_id}"
        yield from (change for change in latest.values() if change.value is None)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Provide a client, whose errors are raised as :exc:`RevocationStoreError`."""
        try:
            # Never the connection of another process.
            if self._client is None or self._process != os.getpid():
                client = self._connect()
                try:
                    _check_version(_eval(client, history.INFO))
                except Exception:
                    client.close()
                    raise
                self._client, self._process = client, os.getpid()
            yield self._client
        except Exception as error:
            # After most failures, a new client works: it makes a new connection.
            self.close()
            # Without the cause, whose text may quote what was sent or received.
            raise RevocationStoreError(f"{_describe(error)} {_SETTING}") from None


def _eval(client: Any, script: str, *arguments: Any) -> Any:
    return client.eval(script, len(history.KEYS), *history.KEYS, *arguments)


def _check_version(info: bytes) -> None:
    found = re.search(rb"redis_version:(\d+\.\d+)", info)
    if found is None:
        raise RevocationStoreError("there is no Redis at")
    version = found[1].decode()
    # XRANGE with an exclusive first id and ZADD GT came with 6.2.
    if tuple(map(int, version.split("."))) < (6, 2):
        raise RevocationStoreError(f"Redis {version} is too old, and 6.2 is needed, at")


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
    if isinstance(error, RevocationStoreError):
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
