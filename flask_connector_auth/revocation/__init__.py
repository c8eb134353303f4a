"""Revocation of tokens, installs, accounts and consumers.

The service revokes, restores and lists, the follower keeps a local copy of the shared store up to
date, and requests read that copy only. Nothing in here depends on Flask or on how a token is
verified.
"""

from .cache import RevocationCache as RevocationCache
from .entries import (
    SLACK as SLACK,
    Change as Change,
    Revocation as Revocation,
    RevocationRules as RevocationRules,
    retention_by_kind as retention_by_kind,
    token_expiry as token_expiry,
)
from .follower import Follower as Follower, read_once as read_once
from .pending import PendingRevocations as PendingRevocations
from .revocation_set import RevocationSet as RevocationSet
from .service import Revocations as Revocations
from .store import (
    MemoryStore as MemoryStore,
    RecoverableStore as RecoverableStore,
    RevocationStore as RevocationStore,
    RevocationStoreError as RevocationStoreError,
    Update as Update,
)
from .subjects import (
    InvalidSubject as InvalidSubject,
    Kind as Kind,
    Subject as Subject,
    digest_of as digest_of,
    entry_key as entry_key,
    issuer_part as issuer_part,
    kind_of as kind_of,
    token_digest as token_digest,
)
