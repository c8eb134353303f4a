"""The bytes of a copy in; the same bytes out later, unless others could have written them."""

import os
import stat
import tempfile
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Protocol

from ...core import redis_connector
from .key_set import BadKeySet


class BackupStore(Protocol):
    """Where the bytes of a copy are kept."""

    def read(self) -> bytes | None:
        """Return what was written last, or ``None``; any exception counts as ``None``."""
        ...

    def write(self, record: bytes) -> None:
        """Keep *record* in place of the last one; an exception is logged."""
        ...


class FileBackupStore:
    """Keeps a copy in a file. Whoever can write that file can sign tokens that are accepted.

    :param limit: bytes that a record may have.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit

    def read(self) -> bytes | None:
        """See :class:`BackupStore`; a file that others own or can change is not read."""
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                status, folder = os.fstat(file.fileno()), os.stat(self.path.parent)
                if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or not _is_ours(folder):
                    raise PermissionError("others could have written it")
                return _bounded(file.read(self._limit + 1), self._limit)
        except FileNotFoundError:
            return None

    def write(self, record: bytes) -> None:
        """See :class:`BackupStore`; a reader sees the old record or the new one, never a part."""
        # For its owner alone, whatever the umask is.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(record)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def _open_at_once(path: str, flags: int) -> int:
    # A pipe that somebody has put there would be waited for; a link would lead to any file of ours.
    # Windows has neither flag: no pipe stands in a folder there, and few may make links.
    for name in ("O_NONBLOCK", "O_NOFOLLOW"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags)


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user and root can change what has this *status*.

    In a folder with the sticky bit, others can add files and not put one in place of ours. On
    Windows this is always so: these bits say nothing there, and access lists are not looked at.
    """
    if not hasattr(os, "geteuid"):
        return True
    mode = status.st_mode
    spared = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    shared = mode & (stat.S_IWGRP | stat.S_IWOTH) and not spared
    return status.st_uid in (0, os.geteuid()) and not shared


def _bounded(record: bytes, limit: int) -> bytes:
    if len(record) > limit:
        raise BadKeySet(f"it is over {limit} bytes")
    return record


class RedisBackupStore:
    """Keeps a copy in Redis. Whoever can write there can sign tokens that are accepted.

    A connection for each use, of which there are few: nothing is shared over a fork.

    :param url: see :func:`redis_connector`.
    :param name: the key.
    :param lifetime: seconds after which Redis drops the copy.
    :param limit: bytes that a record may have.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a Redis URL.
    """

    def __init__(self, url: str, name: str, lifetime: float, limit: int) -> None:
        self._connect = redis_connector(url)
        self._name = name
        self._lifetime = max(1, ceil(lifetime))
        self._limit = limit

    def read(self) -> bytes | None:
        """See :class:`BackupStore`."""
        with self._connect() as redis:
            record: bytes = redis.getrange(self._name, 0, self._limit)
        # Nothing, if there is none.
        return _bounded(record, self._limit) if record else None

    def write(self, record: bytes) -> None:
        """See :class:`BackupStore`."""
        with self._connect() as redis:
            redis.set(self._name, record, ex=self._lifetime)
