"""Key sources for tests of what happens when keys cannot be had."""

from collections.abc import Sequence

from flask_connector_auth import (
    KeySource,
    Reason,
    Unavailable,
    VerificationKey,
)


class Outage(KeySource):
    """A key source that cannot be reached."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        self.asked = 0

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Raise, as a source does that cannot load its keys."""
        self.asked += 1
        raise Unavailable(Reason.KEYS_UNAVAILABLE, self.retry_after)
