"""A key source without keys."""

from collections.abc import Sequence
from typing import Any

from flask_connector_auth import KeySource, Reason, Unavailable, VerificationKey


class Outage(KeySource):
    """A key source that cannot be reached."""

    def __init__(self, retry_after: Any) -> None:
        self.retry_after = retry_after
        self.look_ups = 0

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        self.look_ups += 1
        raise Unavailable(Reason.KEYS_UNAVAILABLE, self.retry_after)
