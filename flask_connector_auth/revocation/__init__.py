"""Revoked tokens, installs, accounts and consumers.

The service revokes and restores, a follower keeps a local copy of the shared store fresh, and
requests read the copy alone. Nothing here knows Flask or how a token is verified.
"""

from .cache import Mirror
from .follower import Follower, turn
from .revocation_set import Table
from .service import RevocationRules, Revocations
from .store import (
    NOTHING,
    Known,
    Logged,
    Position,
    RevocationStore,
    RevocationStoreError,
    State,
    Update,
    has_lost,
    later,
    news,
)
from .stores.memory import MemoryStore
from .subjects import (
    SLACK,
    Change,
    Kind,
    Subject,
    digest_of,
    kind_of,
    last_use,
    lives,
    mark,
    token_digest,
)

__all__ = [
    "NOTHING",
    "SLACK",
    "Change",
    "Follower",
    "Kind",
    "Known",
    "Logged",
    "MemoryStore",
    "Mirror",
    "Position",
    "RevocationRules",
    "RevocationStore",
    "RevocationStoreError",
    "Revocations",
    "State",
    "Subject",
    "Table",
    "Update",
    "digest_of",
    "has_lost",
    "kind_of",
    "last_use",
    "later",
    "lives",
    "mark",
    "news",
    "token_digest",
    "turn",
]
