"""Revoked tokens, installs, accounts and consumers.

The service revokes and restores, a follower keeps a local copy of the shared store fresh, and
requests read the copy alone. Nothing here knows Flask or how a token is verified.
"""

from .cache import RevocationCache
from .follower import Follower, turn
from .revocation_set import RevocationSet
from .service import RevocationRules, Revocations
from .store import (
    NOTHING,
    Known,
    Logged,
    Position,
    RevocationStore,
    RevocationStoreError,
    StoreState,
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
    retention,
    subject_key,
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
    "Position",
    "RevocationCache",
    "RevocationRules",
    "RevocationSet",
    "RevocationStore",
    "RevocationStoreError",
    "Revocations",
    "StoreState",
    "Subject",
    "Update",
    "digest_of",
    "has_lost",
    "kind_of",
    "last_use",
    "later",
    "news",
    "retention",
    "subject_key",
    "token_digest",
    "turn",
]
