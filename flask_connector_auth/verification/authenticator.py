"""Authentication of header values: the token is remembered, or verified by its issuer's rules."""

from collections.abc import Sequence
from typing import Generic

from ..core import Reason, Rejected, Unavailable, shared_claims, steady_time
from ..keys import NO_LEASE, UNLIMITED, current_lease, find_lease
from ..revocation import RevocationCache, RevocationSet
from .cache import CachedToken
from .examination import Examination, Stage
from .profiles import TokenT
from .verifier import Verifier

_SCHEME = "Bearer "
# The last characters of a header value, of which each is six bits of a signature: too many to be
# guessed, and too few to be sent as a signature.
_END = slice(-22, None)


class Authenticator(Generic[TokenT]):
    """Authenticates the header values of one token type.

    :param verifiers: one for each issuer whose tokens are accepted.
    :param revocation_cache: what is revoked; nothing, if not given.
    """

    def __init__(
        self,
        verifiers: Sequence[Verifier[TokenT]],
        revocation_cache: RevocationCache | None = None,
    ) -> None:
        self.verifiers: dict[str, Verifier[TokenT]] = {
            each.rules.issuer: each for each in verifiers
        }
        self.revocation_cache: RevocationCache = revocation_cache or RevocationCache(
            RevocationSet({})
        )
        # What does not depend on the issuer is the same for all of them.
        self._first = first = verifiers[0]
        self._max_bytes = max_bytes = first.rules.max_token_bytes
        # Bound once: in a cached request each attribute look-up is a measurable part of the time.
        self._bearer = first.profile.allows_bearer_prefix
        # Of a header value that is too large, only a little more than the limit is copied.
        self._after_scheme = slice(len(_SCHEME), 2 * max_bytes + len(_SCHEME) + 1)
        self._max_cached = max_bytes + len(_SCHEME) if first.cache.size else -1
        self._cached = first.cache.get
        self.has_choice: bool = len(verifiers) > 1
        if self.has_choice:
            # One look-up finds a token of any issuer. Each cache still evicts only its own tokens.
            index: dict[int, CachedToken[TokenT]] = {}
            for each in verifiers:
                each.cache.share_index(index)
            self._cached = index.get
        self._header_checks = first.runs(Stage.HEADER)
        self._issuer_checks = first.runs(Stage.FORM, Stage.ISSUER)

    def recognise(
        self, header: str | None, now: float, issuer: str | None = None
    ) -> CachedToken[TokenT] | None:
        """Return the remembered token of a *header* value, if nothing has changed for it.

        Its key and the revocations were checked before, under a lease and a version that still
        hold. ``None`` says nothing about the token: :meth:`authenticate` decides. The arguments are
        those of that method; an absent *header* is ``None``. The caller counts the hit.
        """
        if header is None or len(header) > self._max_cached:
            return None
        entry = self._cached(hash(header) if issuer or not self.has_choice else ~hash(header))
        if (
            entry is not None
            and entry.end == header[_END]
            and entry.not_before <= now < entry.expires
            and (entry.lease is UNLIMITED or entry.lease.until > steady_time())
            and (issuer is None or entry.token.issuer == issuer)
            and entry.checked_version is (revocations := self.revocation_cache).revoked.version
            and (not revocations.is_copy or revocations.is_fresh())
        ):
            return entry
        return None

    def authenticate(
        self, header: str, now: float, issuer: str | None = None, was_read: bool = False
    ) -> CachedToken[TokenT] | None:
        """Return the token in a *header* value, from the cache or newly verified.

        :param now: seconds since the epoch.
        :param issuer: the issuer whose token it must be; ``None``: any.
        :param was_read: whether *header* is a token that was read from a header value before.
            Positional on purpose: a call of a function with keyword-only arguments is slower.
        :returns: the token, or ``None`` if *header* is blank.
        :raises Rejected: if the token is not good, or was revoked.
        :raises Unavailable: if the keys, or what is revoked, cannot be known at the moment.
        """
        entry = self.recognise(header, now, issuer)
        if entry is not None:
            entry.used = True
            entry.verifier.cache.hits += 1
            return entry
        # Fast path: how nearly all clients spell it; ``eyJ`` is no blank and begins no scheme.
        text = header[self._after_scheme] if self._bearer and header[:7] == _SCHEME else header
        if not was_read and (
            text[:3] != "eyJ"
            or len(text) > self._max_bytes
            or (" " in text or "," in text or "\t" in text)
        ):
            bare = self._read(header, now)
            if bare != text:
                return None if bare is None else self.authenticate(bare, now, issuer, True)
        # The issuer of a ConsumerJWS may be certain only beside an AppJWT.
        key = None
        if len(header) <= self._max_cached:
            key = hash(header) if issuer or not self.has_choice else ~hash(header)
            entry = self._cached(key)
        # A token is verified anew once its key is no longer in force. The call also lets the key
        # source refresh its keys, even if every token is found in the cache.
        try:
            if (
                entry is None
                or entry.end != header[_END]
                or not entry.not_before <= now < entry.expires
                or (issuer is not None and entry.token.issuer != issuer)
                or not self._is_active(entry)
            ):
                entry = self._verify(text, now, issuer)
                entry.end = header[_END]
                if key is not None:
                    entry.verifier.cache.put(key, entry)
            else:
                entry.used = True
                entry.verifier.cache.hits += 1
        except Unavailable as unavailable:
            if entry is None or unavailable.reason_details:
                raise
            raise entry.verifier.named_outage(unavailable) from None
        # Last: a bad token is answered with 401 even while revocations are unavailable.
        revocations = self.revocation_cache
        if revocations.is_copy:
            revocations.check_age()
        # The version is read first: if the entries change later, the next request checks again.
        if entry.checked_version is not (version := revocations.revoked.version):
            self._check_revocation(entry, text)
            entry.checked_version = version
        return entry

    def examine(self, header: str, now: float, issuer: str | None = None) -> Examination:
        """Return the examination of a *header* value, or a token of *issuer*, before any check."""
        first = self._first
        examined = Examination(first.profile, first.rules, first.keys, header, now)
        examined.verifiers, examined.expected_issuer = self.verifiers, issuer
        return examined

    def _is_active(self, entry: CachedToken[TokenT]) -> bool:
        lease = find_lease(entry.verifier.keys, entry.key, entry.kid, entry.algorithm)
        entry.lease = lease or NO_LEASE
        return lease is not None

    def _read(self, header: str, now: float) -> str | None:
        """Return the token text in *header*, or ``None`` if it is blank."""
        examined = self.examine(header, now)
        try:
            for run in self._header_checks:
                run(examined)
        except Rejected as rejected:
            if rejected.reason is Reason.MISSING:
                return None
            raise
        return examined.text

    def _verify(self, text: str, now: float, issuer: str | None) -> CachedToken[TokenT]:
        """Return the token in the compact JWS *text*, verified by the rules of its issuer."""
        if self.revocation_cache.confirmed_at is None:
            # Beside the fetch of the keys, so that the request does not wait for one after another.
            self.revocation_cache.start_refresh()
        if not self.has_choice:
            lease = current_lease(self._first.keys)
            entry = self._first.verify(text, now)
        else:
            examined = self.examine(text, now, issuer)
            for run in self._issuer_checks:
                run(examined)
            verifier = self.verifiers[examined.rules.issuer]
            lease = current_lease(verifier.keys)
            entry = verifier.complete(examined)
        entry.lease = lease
        return entry

    def _check_revocation(self, entry: CachedToken[TokenT], text: str) -> None:
        if entry.subject is None:
            entry.subject = entry.verifier.profile.subject(entry.token, text)
        try:
            self.revocation_cache.check_not_revoked(entry.subject)
        except Rejected as rejected:
            rejected.find_loggable_claims = lambda: entry.verifier.loggable_claims(
                entry.kid, shared_claims(entry.token)
            )
            raise
