"""A fetched key set as it was confirmed at one time, and the rules by which it is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .index import KeyIndex


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
