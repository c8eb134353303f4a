"""The values that the refresh policy, the loader and the key source pass to each other.

Times are in seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ..source import VerificationKey
from ..static import KeyIndex


@dataclass(frozen=True, slots=True)
class RemoteRules:
    """When a key set is fetched, in seconds; its size, in bytes and keys; requests that wait.

    The ``JWKS_`` settings have the same names and defaults.
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
    """A usable key set, as the issuer has just sent or confirmed it."""

    index: KeyIndex
    lifetime: float | None  #: seconds that the issuer allows its use, if the response has them
    url: str
    conditional_headers: Mapping[str, str]  #: for the next request


@dataclass(frozen=True, slots=True)
class SavedKeySet:
    """A key set from a backup."""

    index: KeyIndex
    age: float  #: seconds since the issuer confirmed it
    url: str  #: where the issuer confirmed it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The key set in use, as it was confirmed at one time."""

    index: KeyIndex
    confirmed_at: float
    lifetime: float  #: seconds after the confirmation during which the set is fresh
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
    failed_index: KeyIndex | None = None  #: the keys under which the signature has failed


class LookupOutcome(StrEnum):
    """What a lookup comes to; ``health()`` counts all but ``ANSWERED`` by their values."""

    ANSWERED = "answered"
    STALE_SERVED = "stale_served"  #: answered with keys that cannot be confirmed
    UNKNOWN_REFRESHED = "unknown_refreshed"  #: no key: the set was fetched after the token came
    UNKNOWN_COOLDOWN = "unknown_cooldown"  #: no key: the next fetch has to wait for the cooldown
    WAIT = "waits"  #: wait for the fetch under way, then look up again
    UNAVAILABLE = "unavailable"  #: the keys for the token cannot be determined now


@dataclass(frozen=True, slots=True)
class LookupDecision:
    """How to answer one lookup, and whether to start a fetch."""

    outcome: LookupOutcome
    keys: Sequence[VerificationKey] = ()  #: to try; only of an outcome that answers
    wait: float = 0  #: seconds, at most, since the token arrived; only of ``WAIT``
    start_fetch: bool = False
    for_unknown_key: bool = False  #: the fetch counts towards the cooldown
