"""A confirmed key set in; the same set out again after a restart, while its allowance lasts."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...core import Malformed, load_json_object, steady_time
from ..importing import KeyRules
from ..source import VerificationKey
from ..static import KeyIndex
from .backup_stores import BackupStore
from .key_set import BadKeySet, usable_keys

logger: logging.Logger = logging.getLogger(__name__)

_FORMAT = 1
# A clock may be a little behind the one that wrote the copy, and no more.
_MAX_AHEAD = 60
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SavedKeySet(NamedTuple):
    """A key set from a copy."""

    keys: KeyIndex
    age: float  #: seconds since its issuer confirmed it
    source: str  #: the URL that did


def boot_clock() -> tuple[str, float]:
    """Return the name of this run of the machine, and the seconds that it lasts, sleep included.

    Where there is no such name, it is empty.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip(), steady_time()
    except OSError:
        return "", 0.0


class KeySetBackup:
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
        store: BackupStore,
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

    def read(self, urls: Sequence[str]) -> SavedKeySet | None:
        """Return the keys, their age in seconds, and the URL that confirmed them; or ``None``.

        :param urls: only a copy of one of these is good.
        """
        try:
            record = self._store.read()
            return None if record is None else self._understood(load_json_object(record), urls)
        except (BadKeySet, Malformed) as problem:
            self._tell(f"is not used: {problem}")
        except Exception as error:
            self._tell(f"is not used: {type(error).__name__}")
        return None

    def _understood(self, record: dict[str, Any], urls: Sequence[str]) -> SavedKeySet:
        url = record.get("url")
        if record.get("format") != _FORMAT or not isinstance(url, str) or url not in urls:
            raise BadKeySet("it is of another format or URL")
        age = self._age(record.get("confirmed_at"), record.get("boot"), record.get("uptime"))
        if age > self._max_age:
            raise BadKeySet("it is too old")
        # The same filters as for what the issuer sends: a file can be edited.
        keys = usable_keys(record.get("keys"), self._rules, self._max_keys)
        return SavedKeySet(KeyIndex(keys), age, url)

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
