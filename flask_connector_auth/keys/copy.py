"""A confirmed key set in; the same set out again after a restart, while its allowance lasts."""

import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..strict import Malformed, load_object
from .index import KeyIndex
from .key_set import BadKeySet, usable_keys
from .parse import KeyRules
from .source import VerificationKey

logger: logging.Logger = logging.getLogger(__name__)

_FORMAT = 1
# A clock may be a little behind the one that wrote the copy, and no more.
_MAX_AHEAD = 60
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Copied(NamedTuple):
    """A key set from a copy."""

    keys: KeyIndex
    age: float  #: seconds since its issuer confirmed it
    source: str  #: the URL that did


class Store(Protocol):
    """Where the bytes of a copy are kept."""

    def read(self) -> bytes | None:
        """Return what was written last, or ``None``; any exception counts as ``None``."""
        ...

    def write(self, record: bytes) -> None:
        """Keep *record* in place of the last one; an exception is logged."""
        ...


class FileStore:
    """Keeps a copy in a file. Whoever can write that file can sign tokens that are accepted.

    :param limit: bytes that a record may have.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit

    def read(self) -> bytes | None:
        """See :class:`Store`; a file that others can write, own, or have put there is not read."""
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                status, folder = os.fstat(file.fileno()), os.stat(self.path.parent)
                if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or not _is_ours(folder):
                    raise PermissionError("others could have written it")
                return _bounded(file.read(self._limit + 1), self._limit)
        except FileNotFoundError:
            return None

    def write(self, record: bytes) -> None:
        """See :class:`Store`; a reader sees the old record or the new one, never a part."""
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
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user and root can change what has this *status*.

    In a folder with the sticky bit, others can add files and not put one in place of ours.
    """
    mode = status.st_mode
    spared = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    shared = mode & (stat.S_IWGRP | stat.S_IWOTH) and not spared
    return status.st_uid in (0, os.geteuid()) and not shared


def _bounded(record: bytes, limit: int) -> bytes:
    if len(record) > limit:
        raise BadKeySet(f"it is over {limit} bytes")
    return record


class RedisStore:
    """Keeps a copy in Redis. Whoever can write there can sign tokens that are accepted.

    A connection for each use, of which there are few: nothing is shared over a fork.

    :param url: as redis-py reads it.
    :param name: the key.
    :param lifetime: seconds after which Redis drops the copy.
    :param limit: bytes that a record may have.
    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is not a Redis URL.
    """

    def __init__(self, url: str, name: str, lifetime: float, limit: int) -> None:
        # Only where it is used: an extra.
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # redis-py's own retries take longer than a request may wait.
        self._redis: Any = Redis.from_url(
            url, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        self._name = name
        self._lifetime = max(1, ceil(lifetime))
        self._limit = limit

    def read(self) -> bytes | None:
        """See :class:`Store`."""
        with self._redis as redis:
            record: bytes | str = redis.getrange(self._name, 0, self._limit)
        # Text, if the URL asks for that; nothing, if there is none.
        content = record.encode() if isinstance(record, str) else record
        return _bounded(content, self._limit) if content else None

    def write(self, record: bytes) -> None:
        """See :class:`Store`."""
        with self._redis as redis:
            redis.set(self._name, record, ex=self._lifetime)


def boot_clock() -> tuple[str, float]:
    """Return the name of this run of the machine, and the seconds that it lasts, sleep included.

    Where there is no such name, it is empty.
    """
    try:
        return _BOOT_ID.read_text().strip(), time.clock_gettime(time.CLOCK_BOOTTIME)
    except OSError:
        return "", 0.0


class KeySetCopy:
    """The last good set, for a start while its issuer is out of reach.

    Without the issuer's ETag: what was restored is replaced by what the issuer sends, never
    confirmed, so that a copy someone has edited does not outlive the outage.

    :param max_age: seconds, from its last confirmation by the issuer, that a set may serve:
        a restart does not start them again.
    :param clock: returns the time in seconds since the epoch.
    :param boot: see :func:`boot_clock`.
    """

    def __init__(
        self,
        store: Store,
        rules: KeyRules,
        max_age: float,
        max_keys: int,
        clock: Callable[[], float] = time.time,
        boot: Callable[[], tuple[str, float]] = boot_clock,
    ) -> None:
        self._store = store
        self._rules = rules
        self._max_age = max_age
        self._max_keys = max_keys
        self._clock = clock
        self._boot = boot
        self._told = ""

    def save(self, url: str, index: KeyIndex) -> None:
        """Keep *index*, confirmed just now by *url*; a failure is logged, and changes nothing."""
        boot, uptime = self._boot()
        record = {
            "format": _FORMAT,
            "url": url,
            "confirmed_at": self._clock(),
            "boot": boot,
            "uptime": uptime,
            "keys": [_jwk(key) for key in index.keys],
        }
        try:
            self._store.write(json.dumps(record).encode())
        except Exception as error:
            self._tell(f"cannot be written: {type(error).__name__}")
        else:
            self._told = ""

    def read(self, urls: Sequence[str]) -> Copied | None:
        """Return the keys, their age in seconds, and the URL that confirmed them; or ``None``.

        :param urls: only a copy of one of these is good.
        """
        try:
            record = self._store.read()
            return None if record is None else self._understood(load_object(record), urls)
        except (BadKeySet, Malformed) as problem:
            self._tell(f"is not used: {problem}")
        except Exception as error:
            self._tell(f"is not used: {type(error).__name__}")
        return None

    def _understood(self, record: dict[str, Any], urls: Sequence[str]) -> Copied:
        url = record.get("url")
        if record.get("format") != _FORMAT or not isinstance(url, str) or url not in urls:
            raise BadKeySet("it is of another format or URL")
        age = self._age(record.get("confirmed_at"), record.get("boot"), record.get("uptime"))
        if age > self._max_age:
            raise BadKeySet("it is too old")
        # The same filters as for what the issuer sends: a file can be edited.
        keys = usable_keys(record.get("keys"), self._rules, self._max_keys)
        return Copied(KeyIndex(keys), age, url)

    def _age(self, confirmed_at: Any, boot: Any, uptime: Any) -> float:
        times = (confirmed_at, uptime)
        if not all(isinstance(each, int | float) for each in times):
            raise BadKeySet("it does not say when it was confirmed")
        age: float = self._clock() - confirmed_at
        if age < -_MAX_AHEAD:
            raise BadKeySet("it is from the future")
        # Set back, a clock must not make an old copy young: that of the machine cannot be set.
        # In whole seconds: two clocks need not agree better than that.
        this_boot, now = self._boot()
        lasted = int(now - uptime) if this_boot and boot == this_boot else 0
        return max(0.0, age, lasted)

    def _tell(self, what: str) -> None:
        # Once, not at each attempt of a long outage.
        if what != self._told:
            logger.warning("the copy of the key set %s", what)
            self._told = what


def _jwk(key: VerificationKey) -> dict[str, Any]:
    jwk = {**key.key.as_dict(private=False), "kid": key.kid}
    if len(key.algorithms) == 1:
        jwk["alg"] = next(iter(key.algorithms))
    return jwk
