"""The backup of a key set: for a start of the service while the issuer is out of reach."""

import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from glob import escape
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from ..core import Malformed, load_json_object, redis_connector, steady_time
from .importing import KeyRules
from .key_set import BadKeySet, LoadedKeySet, RemoteRules, usable_keys
from .source import KeyIndex, VerificationKey

logger: logging.Logger = logging.getLogger(__name__)

_FORMAT = 1
_OVERHEAD = 65536  # bytes of a record beside the keys
_MAX_CLOCK_SKEW = 60  # seconds that the clock may be behind that of the writing machine
_MAX_WRITE_TIME = 3600  # seconds; the process that wrote an older temporary file has ended
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class BackupStore(Protocol):
    """Where the bytes of a backup are kept."""

    def read(self, size: int) -> bytes | None:
        """Return the first *size* bytes of what was written last; an error counts as ``None``."""

    def write(self, record: bytes) -> None:
        """Replace the last bytes by *record*; an exception is logged."""


def boot_clock(boot_id: Path = _BOOT_ID) -> tuple[str, float]:
    """Return the id of this boot, or "" if the system has none, and the uptime with sleep in s."""
    try:
        return boot_id.read_text(encoding="ascii").strip(), steady_time()
    except OSError:
        return "", 0.0


class KeySetBackup:
    """The last good key set, for a start of the service while the issuer is out of reach.

    The issuer's ETag is not saved: the issuer sends the whole set after an outage, so a backup that
    somebody has edited is used no longer.

    :param rules: ``max_stale`` counts from the confirmation by the issuer; a restart does not
        extend it.
    :param clock: returns the time in seconds since the epoch.
    :param boot: see :func:`boot_clock`.
    """

    def __init__(
        self,
        store: BackupStore,
        key_rules: KeyRules,
        rules: RemoteRules,
        clock: Callable[[], float] = time.time,
        boot: Callable[[], tuple[str, float]] = boot_clock,
    ) -> None:
        self._store = store
        self._key_rules = key_rules
        self._rules = rules
        # The keys are encoded again, which can make them longer than in the issuer's response.
        self._limit = 4 * rules.max_bytes + _OVERHEAD
        self._clock = clock
        self._boot = boot
        self._logged_problem = ""

    def save(self, url: str, index: KeyIndex) -> None:
        """Save *index*, which *url* has just confirmed; a failure is only logged."""
        boot, uptime = self._boot()
        record = {
            "format": _FORMAT,
            "url": url,
            "confirmed_at": self._clock(),
            "boot": boot,
            "uptime": uptime,
            "keys": [_to_jwk(key) for key in index.keys],
        }
        try:
            self._store.write(json.dumps(record).encode())
        except Exception as error:
            self._log(f"cannot be written: {type(error).__name__}")
        else:
            self._logged_problem = ""

    def read(self, urls: Sequence[str]) -> LoadedKeySet | None:
        """Return the saved key set if one of *urls* has confirmed it and it may be used."""
        try:
            record = self._store.read(self._limit + 1)
            if record is None:
                return None
            if len(record) > self._limit:
                raise BadKeySet(f"it is over {self._limit} bytes")
            return self._parse(load_json_object(record), urls)
        except (BadKeySet, Malformed) as problem:
            self._log(f"is not used: {problem}")
        except Exception as error:
            # Only the class is logged: the text may hold a password of the store.
            self._log(f"is not used: {type(error).__name__}")
        return None

    def _parse(self, record: dict[str, Any], urls: Sequence[str]) -> LoadedKeySet:
        url = record.get("url")
        if record.get("format") != _FORMAT or not isinstance(url, str) or url not in urls:
            raise BadKeySet("it has another format or is of another URL")
        age, limit = self._age(record), self._rules.max_stale
        if age > limit:
            raise BadKeySet(f"it was confirmed more than {limit:g} s ago (JWKS_MAX_STALE)")
        # The same filters as for a set from the issuer: a backup can be edited.
        keys = usable_keys(record.get("keys"), self._key_rules, self._rules.max_keys)
        return LoadedKeySet(KeyIndex(keys), url, age=age)

    def _age(self, record: dict[str, Any]) -> float:
        confirmed_at, uptime = record.get("confirmed_at"), record.get("uptime")
        if not isinstance(confirmed_at, int | float) or not isinstance(uptime, int | float):
            raise BadKeySet("its time of confirmation is missing or not a number")
        age = self._clock() - confirmed_at
        if age < -_MAX_CLOCK_SKEW:
            raise BadKeySet("its time of confirmation is in the future; check the system clock")
        # A wall clock that is set back would make an old backup young. The uptime cannot be set.
        # It counts in whole seconds, because the two clocks differ by fractions.
        this_boot, now = self._boot()
        elapsed = int(now - uptime) if this_boot and record.get("boot") == this_boot else 0
        return max(0.0, age, elapsed)

    def _log(self, problem: str) -> None:
        # Once in an outage, not at each of its attempts.
        if problem != self._logged_problem:
            logger.warning("the backup of the key set (JWKS_BACKUP) %s", problem)
            self._logged_problem = problem


def _to_jwk(key: VerificationKey) -> dict[str, Any]:
    jwk = {**key.key.as_dict(private=False), "kid": key.kid}
    if len(key.algorithms) == 1:
        jwk["alg"] = next(iter(key.algorithms))
    return jwk


class FileBackupStore:
    """Keeps a backup in a file. Everyone who can write the file can sign accepted tokens."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, size: int) -> bytes | None:
        """See :class:`BackupStore`; a file that other users can change is not read."""
        try:
            with open(self.path, "rb", opener=_open_without_waiting) as file:
                status, folder = os.fstat(file.fileno()), os.stat(self.path.parent)
                if not stat.S_ISREG(status.st_mode):
                    raise BadKeySet("it is not a regular file")
                if not (_is_protected(status) and _is_protected(folder)):
                    raise BadKeySet("another user owns or can write it or its folder")
                return file.read(size)
        except FileNotFoundError:
            return None

    def write(self, record: bytes) -> None:
        """See :class:`BackupStore`; a reader gets the old record or the new one, never a part."""
        prefix = f".{self.path.name}."
        # mkstemp makes a file of mode 0600, whatever the umask is.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=prefix)
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
        with suppress(OSError):
            for leftover in self.path.parent.glob(f"{escape(prefix)}*"):
                if time.time() - leftover.lstat().st_mtime > _MAX_WRITE_TIME:
                    leftover.unlink()


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a pipe would block, and a link could lead to any file of this user. Windows lacks both
    # flags, but its folders have no pipes, and only a few users may create links.
    for name in ("O_NONBLOCK", "O_NOFOLLOW"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags)


def _is_protected(status: os.stat_result) -> bool:
    """Whether only this user and root can change the file or folder with this *status*.

    In a folder with the sticky bit, other users can add files but not replace ours. Always true on
    Windows, where these bits have no meaning and access lists are not read.
    """
    if not hasattr(os, "geteuid"):
        return True
    mode = status.st_mode
    is_sticky_folder = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    is_shared = mode & (stat.S_IWGRP | stat.S_IWOTH) and not is_sticky_folder
    return status.st_uid in (0, os.geteuid()) and not is_shared


class RedisBackupStore:
    """Keeps a backup in Redis. Everyone who can write there can sign accepted tokens.

    Each use opens a connection, so that processes never share one after a fork.

    :param url: see :func:`redis_connector`.
    :param name: the Redis key.
    :param lifetime: seconds after which Redis deletes the backup.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a Redis URL.
    """

    def __init__(self, url: str, name: str, lifetime: float) -> None:
        self._connect = redis_connector(url)
        self._name = name
        self._lifetime = max(1, ceil(lifetime))

    def read(self, size: int) -> bytes | None:
        """See :class:`BackupStore`."""
        with self._connect() as redis:
            record: bytes = redis.getrange(self._name, 0, size - 1)
        return record or None  # Redis returns an empty string for a missing key

    def write(self, record: bytes) -> None:
        """See :class:`BackupStore`."""
        with self._connect() as redis:
            redis.set(self._name, record, ex=self._lifetime)
