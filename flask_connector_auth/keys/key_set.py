"""Key sets from a URL: their states, lookups in them, and the parser. Times are in seconds."""

import logging
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..core import Malformed, load_json_object
from .der import KeyProblem, PrivateKeyError
from .importing import AlgorithmMismatch, KeyRules, WeakSecret, import_key
from .material import describe_other_document, without_nulls
from .source import MAX_CANDIDATES, KeyIndex, VerificationKey

logger: logging.Logger = logging.getLogger(__name__)

#: Longest wait, in seconds, of a token that must not hold a thread for long: one whose signature
#: failed with the current keys, and one beside another that waits for the first key set.
MAX_SHORT_WAIT = 0.5
#: Longest pause after a failed fetch while no token can be verified, in seconds.
MAX_PAUSE_WITHOUT_KEYS = 5.0
# As many problems of single keys are in the message about a set without usable keys.
_MAX_CAUSES = 3


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
class FetchFailure:
    """A failed fetch and the parts of the pause after it; times in seconds."""

    at: float
    backoff: float  #: not yet limited by the state
    share: float  #: random share of the backoff
    retry_after: float  #: least pause, which the issuer has asked for


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
        # RFC 8259 section 8.1: a parser may ignore a byte order mark.
        document = load_json_object(body.removeprefix(BOM_UTF8))
    except Malformed as malformed:
        raise BadKeySet(str(malformed)) from None
    if "keys" not in document and (problem := describe_other_document(document)):
        raise BadKeySet(problem)
    return usable_keys(document.get("keys"), rules, max_keys)


def usable_keys(entries: Any, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys among *entries*, the member ``keys`` of a JWK Set from outside.

    :raises BadKeySet: see :func:`parse_key_set`.
    """
    if not isinstance(entries, list):
        raise BadKeySet("not a JWK Set")
    if len(entries) > max_keys:
        raise BadKeySet(f"more than {max_keys} keys (JWKS_MAX_KEYS)")
    # A key without a kid would be tried for every token. Of one key, that is all there is to try.
    needs_kid = len(entries) > 1
    try:
        return import_set(entries, lambda entry: _import_fetched(entry, rules, needs_kid))
    except KeyProblem as problem:
        raise BadKeySet(str(problem)) from None


def import_set(
    entries: Sequence[Any], import_entry: Callable[[Any], VerificationKey], place: str = ""
) -> list[VerificationKey]:
    """Return the usable keys among *entries* of a JWK Set. The others are logged.

    :param place: where the set is, for the log.
    :raises WeakSecret: if a secret among them is one that others may know.
    :raises KeyProblem: if no key is usable; an :exc:`AlgorithmMismatch` if only the allow-list is
        the reason.
    """
    keys: list[VerificationKey] = []
    problems: list[KeyProblem] = []
    seen = set()
    keys_per_kid: Counter[str | None] = Counter()
    for number, entry in enumerate(entries, 1):
        try:
            key = import_entry(entry)
        except WeakSecret as problem:
            # No issuer publishes secrets, so this is not the mistake of an issuer.
            raise problem.at(f"key {number}: ") from None
        except KeyProblem as problem:
            problems.append(problem.at(f"key {number}: "))
            text = "%skey %d of the key set is ignored: %s"
            logger.log(problem.log_level, text, place, number, problem)
            continue
        # Equal entries are one key, as in KeyIndex.
        identity = (key.kid, key.thumbprint, *key.algorithms)
        if identity in seen:
            continue
        seen.add(identity)
        keys_per_kid[key.kid] += 1
        # Keys without a kid are counted where they are put beside other ones.
        if key.kid and keys_per_kid[key.kid] > MAX_CANDIDATES:
            text = "%skey %d of the key set is ignored: more than %d keys have its kid"
            logger.warning(text, place, number, MAX_CANDIDATES)
            continue
        if key.kid and keys_per_kid[key.kid] == 2:
            logger.warning("%skey %d of the key set has the kid of another key", place, number)
        keys.append(key)
    if not keys:
        raise _no_usable_key(problems)
    return keys


def _no_usable_key(problems: Sequence[KeyProblem]) -> KeyProblem:
    """Return the problem of a set in which each key has one of *problems*."""
    if not problems:
        return KeyProblem("no usable key: the set is empty")
    causes = [str(problem) for problem in problems[:_MAX_CAUSES]]
    if more := problems[_MAX_CAUSES:]:
        causes.append(f"and {len(more)} more")
    is_mismatch = all(isinstance(problem, AlgorithmMismatch) for problem in problems)
    kind = AlgorithmMismatch if is_mismatch else KeyProblem
    return kind(f"no usable key: {'; '.join(causes)}")


def _import_fetched(entry: Any, rules: KeyRules, needs_kid: bool) -> VerificationKey:
    if isinstance(entry, dict):
        jwk = without_nulls(entry)
        # Checked first: a published secret is the worst problem that an entry can have (RFC 7518
        # sections 6.2.2, 6.3.2 and 6.4).
        if jwk.get("kty") == "oct" or "d" in jwk:
            raise PrivateKeyError("a secret or private key, which everyone can read here")
        if needs_kid and jwk.get("kid", "") == "":
            raise KeyProblem("without a kid, beside other keys")
    return import_key(entry, rules)


def format_kids(kids: set[str | None]) -> str:
    """Return *kids* for a log line: escaped and cut, since they come from outside."""
    return ", ".join(sorted(repr(kid)[:64] for kid in kids)) or "none"
