"""A connection to Redis or Valkey, whose errors say what to do."""

import hashlib
import os
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from ..core import REDIS_TIMEOUT, Closable, redis_connector
from . import redis_scripts as scripts
from .store import RevocationStoreError

SETTING = "CONNECTOR_AUTH_REVOCATION_URL"
_ANOTHER_FORMAT = (
    "another version or program has written the keys {connector-auth}:* (give this one a database "
    "of its own, or delete them and revoke again), at"
)
_REPLICA = "only the master knows every change, and there is a replica at"
# What to say, by a part of the text of an error.
_CAUSES = {
    "READONLY": _REPLICA,
    "exceeds maximum allowed size": "the log of revocations is full (proto-max-bulk-len) at",
    "WRONGTYPE": _ANOTHER_FORMAT,
    "not a log of this version": _ANOTHER_FORMAT,
}


class RedisConnection(Closable):
    """One client of redis-py, made when it is needed, and again after each error.

    :param url: see :func:`redis_connector`.
    :param timeout: seconds to wait for a connection, and for each reply.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a URL of Redis.
    """

    def __init__(self, url: str, timeout: float = REDIS_TIMEOUT) -> None:
        self._connect = redis_connector(url, timeout)
        self._client: Any = None
        self._process = 0

    def now(self) -> float:
        """Return the time of the server, in seconds since the epoch."""
        with self._connected() as client:
            seconds, micros = _eval(client, scripts.TIME)
            return int(seconds) + int(micros) / 1e6

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
            memory = _eval(client, scripts.MEMORY)
        found = re.search(rb"maxmemory_policy:([\w-]+)", memory)
        return found[1].decode() if found else None

    def _call(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run a script that the server mostly has already."""
        from redis.exceptions import NoScriptError

        with self._connected() as client:
            try:
                return client.evalsha(_digest_of(script), len(keys), *keys, *arguments)
            except NoScriptError:
                return client.eval(script, len(keys), *keys, *arguments)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Provide a client, whose errors are raised as :exc:`RevocationStoreError`."""
        try:
            # Never the connection of another process.
            if self._client is None or self._process != os.getpid():
                client = self._connect()
                try:
                    _check_version(_eval(client, scripts.INFO))
                except Exception:
                    client.close()
                    raise
                self._client, self._process = client, os.getpid()
            yield self._client
        except Exception as error:
            # After most failures, a new client works: it makes a new connection.
            self.close()
            # Without the cause, whose text may quote what was sent or received.
            raise RevocationStoreError(f"{_describe(error)} {SETTING}") from None


@cache
def _digest_of(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _eval(client: Any, script: str) -> Any:
    # A Cluster finds the node by the key.
    return client.eval(script, 1, scripts.LOG)


def _check_version(info: bytes) -> None:
    found = re.search(rb"redis_version:(\d+\.\d+)", info)
    if found is None:
        raise RevocationStoreError("there is no Redis at")
    version = found[1].decode()
    # The oldest version that is tested.
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
    if isinstance(error, exceptions.ReadOnlyError):
        return _REPLICA
    for text, cause in _CAUSES.items():
        if text in str(error):
            return cause
    unreachable = exceptions.ConnectionError | exceptions.TimeoutError | OSError
    if isinstance(error, unreachable | exceptions.ClusterError | exceptions.RedisClusterException):
        return f"out of reach ({_name_cause(error)}):"
    return f"unexpected answer ({name}) from"
