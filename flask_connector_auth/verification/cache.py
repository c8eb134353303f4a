"""A token's digest in; what was verified of it before out, for as long as that may be believed."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ..core import register_fork_reset
from ..revocation import Subject

T = TypeVar("T")

# How many entries one eviction may pass over, so that it takes no longer the more of them are used.
_MAX_CHANCES = 16


class CachedToken(Generic[T]):
    """A verified token, with what must still hold when it comes again."""

    __slots__ = (
        "algorithm",
        "checked_version",
        "expires",
        "key",
        "kid",
        "not_before",
        "subject",
        "token",
        "used",
    )

    def __init__(
        self,
        token: T,
        kid: str | None,
        algorithm: str,
        key: object,
        not_before: float,
        expires: float,
    ) -> None:
        self.token: T = token
        self.kid: str | None = kid
        self.algorithm: str = algorithm
        self.key: object = key  #: that verified it
        self.subject: Subject | None = None  #: what of it can be revoked, once that is needed
        self.checked_version: object = None  #: the version of the revocations that it was not among
        self.not_before: float = not_before  #: seconds since the epoch, leeway included
        self.expires: float = expires  #: likewise; not later than the entry's own age allows
        self.used: bool = False  #: since an eviction last passed by


class TokenCache(Generic[T]):
    """Verified tokens by the SHA-256 of their text: no live token is at rest in memory.

    Reading takes no lock. A hit only sets a flag, which gives the entry a second chance when the
    cache is full: so a flood of tokens that come once cannot push out those that come again.

    :param size: entries, at most.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.hits = 0  #: tokens that were known; counted without a lock, so not to the last one
        self.misses: int = 0  #: good tokens that had to be verified
        self._entries: OrderedDict[bytes, CachedToken[T]] = OrderedDict()
        self.reset_after_fork()
        register_fork_reset(self)
        #: Return the entry of a digest, or ``None``; whether it still holds is for the caller.
        self.get: Callable[[bytes], CachedToken[T] | None] = self._entries.get

    def reset_after_fork(self) -> None:
        """Go on in a child process, where a lock that a thread held at the fork stays locked."""
        self._lock = threading.Lock()

    def put(self, digest: bytes, entry: CachedToken[T]) -> None:
        """Keep *entry*, in place of the one that came first and was not used since."""
        with self._lock:
            self.misses += 1
            self._entries[digest] = entry
            chances = _MAX_CHANCES
            while len(self._entries) > self.size:
                oldest, passed = self._entries.popitem(last=False)
                if passed.used and chances:
                    chances -= 1
                    passed.used = False
                    self._entries[oldest] = passed

    def health(self) -> dict[str, int]:
        """Return size, entries, hits and misses."""
        entries = len(self._entries)
        return {"size": self.size, "entries": entries, "hits": self.hits, "misses": self.misses}
