"""A fetched key set as it was confirmed at one time, and the rules by which it is used."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core import Malformed, load_json_object
from ..importing import KeyRules, import_key
from ..material import KeyProblem, PrivateKeyError
from ..source import MAX_CANDIDATES, VerificationKey
from ..static import KeyIndex


@dataclass(frozen=True, slots=True)
class RemoteRules:
    """When a key set is fetched, in seconds; sizes in bytes; requests that wait for it."""

    max_age: float = 300
    min_age: float = 30
    cooldown: float = 10
    timeout: float = 5
    wait: float = 2
    max_waiting: int = 4
    retry: float = 1
    retry_max: float = 60
    max_stale: float = 3600
    max_bytes: int = 262144
    max_keys: int = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A key set as it was confirmed at one time."""

    index: KeyIndex
    confirmed_at: float
    life: float  #: seconds that it is used without asking again
    ahead: float  #: seconds after which it is asked for again, without anyone waiting
    source: str  #: the URL it came from
    validators: Mapping[str, str] = field(default_factory=dict)  #: for a conditional request


logger: logging.Logger = logging.getLogger(__name__)


class BadKeySet(ValueError):
    """Nothing in the set can be used; the text says why, and quotes nothing of it."""


def parse_key_set(body: bytes, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys of a JWK Set that came from outside (RFC 7517 section 5).

    A bad entry is left out and logged; the good ones beside it are kept. Secrets are never taken
    from a set: whoever can read it could sign with them.

    :raises BadKeySet: if *body* is no JWK Set (strict JSON), holds more than *max_keys* entries,
        or none that can be used.
    """
    try:
        entries = load_json_object(body).get("keys")
    except Malformed as malformed:
        raise BadKeySet(str(malformed)) from None
    return usable_keys(entries, rules, max_keys)


def usable_keys(entries: Any, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys among *entries*, the member ``keys`` of a set.

    :raises BadKeySet: see :func:`parse_key_set`.
    """
    if not isinstance(entries, list):
        raise BadKeySet("no JWK Set")
    if len(entries) > max_keys:
        raise BadKeySet(f"more than {max_keys} keys")
    keys = list(_usable(entries, rules))
    if not keys:
        raise BadKeySet("no usable key")
    return keys


def _usable(entries: list[Any], rules: KeyRules) -> Iterator[VerificationKey]:
    seen = set()
    of_kid: Counter[str | None] = Counter()
    for number, entry in enumerate(entries, 1):
        try:
            key = _import(entry, rules)
        except KeyProblem as problem:
            level = logging.ERROR if isinstance(problem, PrivateKeyError) else logging.WARNING
            logger.log(level, "key %d of the set is left out: %s", number, problem)
            continue
        # The same key under the same name is one key (RFC 7638), unless it is for another use.
        name = (key.kid, key.thumbprint, *key.algorithms)
        if name in seen:
            continue
        seen.add(name)
        of_kid[key.kid] += 1
        if of_kid[key.kid] > MAX_CANDIDATES:
            logger.warning("key %d of the set is left out: too many for its kid", number)
            continue
        if of_kid[key.kid] == 2:
            logger.warning("key %d of the set has the kid of another one", number)
        yield key


def _import(entry: Any, rules: KeyRules) -> VerificationKey:
    if not isinstance(entry, dict):
        raise KeyProblem("not an object")
    # First of all, since it is the worst: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.
    if entry.get("kty") == "oct" or "d" in entry:
        raise PrivateKeyError("a secret or private key, which everyone can read here")
    # Without one, a key would be tried for every token, and no kid would be unknown any more.
    if entry.get("kid") is None:
        raise KeyProblem("without a kid")
    return import_key(entry, rules)
