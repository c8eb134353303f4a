"""Revocation of tokens, installs, accounts and consumers.

The service revokes and restores, the follower keeps a local copy of the shared store up to date,
and requests read that copy only. Nothing in here depends on Flask or on how a token is verified.
"""

from .cache import RevocationCache
from .follower import Follower, read_once
from .pending import PendingRevocations
from .revocation_set import RevocationSet
from .service import RevocationRules, Revocations
from .store import RevocationStore, RevocationStoreError, Update
from .stores.memory import MemoryStore
from .subjects import (
    SLACK,
    Change,
    Kind,
    Subject,
    digest_of,
    kind_of,
    retention_by_kind,
    subject_key,
    token_digest,
    token_expiry,
)

__all__ = [
    "SLACK",
    "Change",
    "Follower",
    "Kind",
    "MemoryStore",
    "PendingRevocations",
    "RevocationCache",
    "RevocationRules",
    "RevocationSet",
    "RevocationStore",
    "RevocationStoreError",
    "Revocations",
    "Subject",
    "Update",
    "digest_of",
    "kind_of",
    "read_once",
    "retention_by_kind",
    "subject_key",
    "token_digest",
    "token_expiry",
]
