"""Key sets from a URL: their states, lookups in them, and the parser. Times are in seconds."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..core import Malformed, load_json_object
from .importing import KeyRules, import_key
from .material import KeyProblem, PrivateKeyError
from .source import MAX_CANDIDATES, KeyIndex, VerificationKey

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteRules:
    """The ``JWKS_`` settings of the same names, with their defaults.

    All are seconds, except ``max_bytes``, ``max_keys`` and ``max_waiting`` (waiting requests).
    """

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
class LoadedKeySet:
    """A usable key set, which the issuer has just sent or confirmed, or which a backup contains."""

    index: KeyIndex
    url: str  #: where the issuer confirmed it
    lifetime: float | None = None  #: seconds that the issuer allows its use, if it says so
    conditional_headers: Mapping[str, str] = field(default_factory=dict)  #: for the next request
    age: float = 0  #: seconds since the issuer confirmed it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The key set in use, as it was confirmed at one time."""

    index: KeyIndex
    confirmed_at: float
    #: Seconds after the confirmation during which the set is fresh; ``None`` for a set from a
    #: backup, which is never fresh.
    lifetime: float | None
    refresh_after: float  #: seconds after which a token starts a refresh in the background
    url: str
    conditional_headers: Mapping[str, str] = field(default_factory=dict)  #: for the next request


class KeySetState(StrEnum):
    """How current the keys are."""

    EMPTY = "empty"  #: no key set yet
    FRESH = "fresh"  #: confirmed within the lifetime
    DUE = "due"  #: older than the lifetime, and no fetch has failed
    STALE = "stale"  #: older than the lifetime, and fetches fail; younger than max_stale
    OUTAGE = "outage"  #: fetches fail, and the set is older than max_stale


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """The lookup of the keys for one token."""

    kid: str | None
    algorithm: str
    arrived_at: float
    may_wait: bool = True  #: for a fetch
    tried_index: KeyIndex | None = None  #: the keys that did not verify the signature


class LookupOutcome(StrEnum):
    """The result of a lookup; ``health()`` counts all but ``ANSWERED``, by their values."""

    ANSWERED = "answered"  #: with keys of a fresh set, or with none after a failed signature
    STALE_SERVED = "stale_served"  #: with keys of a set that is no longer fresh
    UNKNOWN_REFRESHED = "unknown_refreshed"  #: the key is not in a set fetched since the arrival
    UNKNOWN_COOLDOWN = "unknown_cooldown"  #: the key is unknown, and the cooldown forbids a fetch
    WAIT = "waits"  #: look up again once the fetch under way has ended
    UNAVAILABLE = "unavailable"  #: the keys for the token cannot be determined now


@dataclass(frozen=True, slots=True)
class LookupDecision:
    """How to answer one lookup, and whether to start a fetch."""

    outcome: LookupOutcome
    keys: Sequence[VerificationKey] = ()  #: to try; with ``ANSWERED`` and ``STALE_SERVED``
    wait: float = 0  #: most seconds since the token arrived; with ``WAIT``
    start_fetch: bool = False
    for_unknown_key: bool = False  #: the fetch starts the cooldown


class BadKeySet(ValueError):
    """The key set cannot be used. The text says why and quotes nothing of the set."""


def parse_key_set(body: bytes, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys of a JWK Set from a URL (RFC 7517 section 5).

    A bad entry is logged and ignored; the others are kept. A secret is never used: everyone who can
    read the set could sign with it.

    :raises BadKeySet: if *body* is no JWK Set (strict JSON), has more than *max_keys* entries, or
        has no usable key.
    """
    try:
        entries = load_json_object(body).get("keys")
    except Malformed as malformed:
        raise BadKeySet(str(malformed)) from None
    return usable_keys(entries, rules, max_keys)


def usable_keys(entries: Any, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys among *entries*, the member ``keys`` of a JWK Set.

    :raises BadKeySet: see :func:`parse_key_set`.
    """
    if not isinstance(entries, list):
        raise BadKeySet("not a JWK Set")
    if len(entries) > max_keys:
        raise BadKeySet(f"more than {max_keys} keys (JWKS_MAX_KEYS)")
    keys = list(_iter_usable_keys(entries, rules))
    if not keys:
        raise BadKeySet("no usable key")
    return keys


def _iter_usable_keys(entries: list[Any], rules: KeyRules) -> Iterator[VerificationKey]:
    seen = set()
    keys_per_kid: Counter[str | None] = Counter()
    for number, entry in enumerate(entries, 1):
        try:
            key = _import_entry(entry, rules)
        except KeyProblem as problem:
            level = logging.ERROR if isinstance(problem, PrivateKeyError) else logging.WARNING
            logger.log(level, "key %d of the key set is ignored: %s", number, problem)
            continue
        # Equal entries are one key, as in KeyIndex.
        identity = (key.kid, key.thumbprint, *key.algorithms)
        if identity in seen:
            continue
        seen.add(identity)
        keys_per_kid[key.kid] += 1
        if keys_per_kid[key.kid] > MAX_CANDIDATES:
            text = "key %d of the key set is ignored: more than %d keys have its kid"
            logger.warning(text, number, MAX_CANDIDATES)
            continue
        if keys_per_kid[key.kid] == 2:
            logger.warning("key %d of the key set has the kid of another key", number)
        yield key


def _import_entry(entry: Any, rules: KeyRules) -> VerificationKey:
    if not isinstance(entry, dict):
        raise KeyProblem("not an object")
    # Checked first: a published secret is the worst problem that an entry can have (RFC 7518
    # sections 6.2.2, 6.3.2 and 6.4).
    if entry.get("kty") == "oct" or "d" in entry:
        raise PrivateKeyError("a secret or private key, which everyone can read here")
    # A key without a kid would be tried for every token, so that no kid would be unknown.
    if entry.get("kid") is None:
        raise KeyProblem("without a kid")
    return import_key(entry, rules)
