"""The settings of fetched key sets in; one value that is handed on out."""

from collections.abc import Sequence
from dataclasses import dataclass

from .fetch import Fetch
from .snapshot import RemoteRules


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How key sets are fetched."""

    rules: RemoteRules
    fetch: Fetch
    failover: Sequence[str] = ()  #: URLs of the same issuer
    copy: str | None = None  #: a path or a Redis URL
