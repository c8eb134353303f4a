"""A bounded cache of verified tokens."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from ..core import register_fork_reset
from ..keys import NO_LEASE, Lease
from ..revocation import Subject
from .profiles import TokenT

if TYPE_CHECKING:
    from .verifier import Verifier

# How many used entries one eviction may pass over, so that its time is bounded.
_MAX_CHANCES = 16


@dataclass(slots=True, eq=False, repr=False)
class CachedToken(Generic[TokenT]):
    """A verified token, with what must still hold when it is sent again."""

    token: TokenT
    verifier: "Verifier[TokenT]"  #: that of its issuer
    kid: str | None
    algorithm: str
    key: Any  #: the ``VerificationKey`` that verified it
    not_before: float  #: seconds since the epoch, leeway included
    expires: float  #: likewise, and not later than the age of an entry allows
    end: str = ""  #: the last characters of its text, which are of the signature
    lease: Lease = NO_LEASE  #: until when its key source need not be asked
    subject: Subject | None = None  #: what of it can be revoked; set once needed
    #: Version of the revocation set it was last checked against; None until the first check.
    checked_version: object = None
    passed_own_checks: bool = False  #: the checks of the application
    used: bool = False  #: since an eviction last passed over it


class TokenCache(Generic[TokenT]):
    """Verified tokens by the hash of their text, so that memory holds no usable token.

    Reading takes no lock. A hit only sets a flag, which gives the entry a second chance when the
    cache is full: a flood of tokens that are sent once does not evict those that are sent again.

    :param size: the most entries that are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.hits = 0  #: cached tokens; counted without a lock, so a few may be lost
        self.misses: int = 0  #: good tokens that were verified
        self._entries: OrderedDict[int, CachedToken[TokenT]] = OrderedDict()
        self._index: dict[int, CachedToken[TokenT]] = self._entries
        self.reset_after_fork()
        register_fork_reset(self)
        #: Returns the entry of a key, or ``None``; the caller checks whether it still holds.
        self.get: Callable[[int], CachedToken[TokenT] | None] = self._entries.get

    def reset_after_fork(self) -> None:
        """Replace the lock in a child process: one that was held at the fork stays locked."""
        self._lock = threading.Lock()

    def share_index(self, index: dict[int, CachedToken[TokenT]]) -> None:
        """Keep each entry in *index* too, in which several caches have theirs."""
        self._index = index

    def put(self, key: int, entry: CachedToken[TokenT]) -> None:
        """Store *entry*; if the cache is full, evict the oldest entry that was not used since."""
        with self._lock:
            self.misses += 1
            self._entries[key] = self._index[key] = entry
            chances = _MAX_CHANCES
            while len(self._entries) > self.size:
                oldest, candidate = self._entries.popitem(last=False)
                if candidate.used and chances:
                    chances -= 1
                    candidate.used = False
                    self._entries[oldest] = candidate
                else:
                    self._index.pop(oldest, None)

    def health(self) -> dict[str, int]:
        """Return size, entries, hits and misses."""
        entries = len(self._entries)
        return {"size": self.size, "entries": entries, "hits": self.hits, "misses": self.misses}
