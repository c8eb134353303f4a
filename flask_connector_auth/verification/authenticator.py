"""Authentication of header values: the token is remembered, or verified by its issuer's rules."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Generic

from ..core import Reason, Rejected, Unavailable, shared_claims
from ..revocation import RevocationCache, RevocationSet
from .cache import CachedToken
from .examination import Examination, Stage
from .profiles import TokenT
from .verifier import Verifier

_SCHEME = "Bearer "
# Tells a token that was sent alone from the same one beside a token of a known issuer.
_ALONE = b"alone"


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
        # Without a cache there is no digest to look up.
        self._max_cached_bytes = max_bytes if first.cache.size else -1
        self._cached = first.cache.get
        self._has_choice = len(verifiers) > 1
        if self._has_choice:
            # One look-up finds a token of any issuer. Each cache still evicts only its own tokens.
            index: dict[bytes, CachedToken[TokenT]] = {}
            for each in verifiers:
                each.cache.share_index(index)
            self._cached = index.get
        self._header_checks = first.runs(Stage.HEADER)
        self._issuer_checks = first.runs(Stage.FORM, Stage.ISSUER)

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
        # Fast path: the spelling of the scheme that nearly all clients use.
        text = header[self._after_scheme] if self._bearer and header[:7] == _SCHEME else header
        digest, entry = b"", None
        if len(text) <= self._max_cached_bytes and text.isascii():
            digest = sha256(text.encode()).digest()
            if self._has_choice and issuer is None:
                # The issuer of a ConsumerJWS may be certain only beside an AppJWT.
                digest += _ALONE
            entry = self._cached(digest)
        # A token is verified anew once its key is no longer in force. The call also lets the key
        # source refresh its keys, even if every token is found in the cache.
        try:
            if (
                entry is not None
                and entry.not_before <= now < entry.expires
                and (issuer is None or entry.token.issuer == issuer)
                and entry.verifier.is_active(entry.key, entry.kid, entry.algorithm)
            ):
                entry.used = True
                entry.verifier.cache.hits += 1
            else:
                # Fast path: no blank or scheme starts with ``eyJ``. No huge header is searched.
                if not was_read and (
                    text[:3] != "eyJ"
                    or len(text) > self._max_bytes
                    or (" " in text or "," in text or "\t" in text)
                ):
                    bare = self._read(header, now)
                    if bare != text:
                        return None if bare is None else self.authenticate(bare, now, issuer, True)
                entry = self._verify(text, now, issuer)
                if digest:
                    entry.verifier.cache.put(digest, entry)
        except Unavailable as unavailable:
            if entry is None or unavailable.reason_details:
                raise
            raise entry.verifier.named_outage(unavailable) from None
        # Last: a bad token is answered with 401 even while revocations are unavailable.
        revocations = self.revocation_cache
        if revocations.is_copy:
            revocations.check_age()
        # The version is read first: if the entries change later, the next request checks again.
        version = revocations.revoked.version
        if entry.checked_version is not version:
            self._check_revocation(entry, text)
            entry.checked_version = version
        return entry

    def examine(self, header: str, now: float, issuer: str | None = None) -> Examination:
        """Return the examination of a *header* value, or a token of *issuer*, before any check."""
        first = self._first
        examined = Examination(first.profile, first.rules, first.keys, header, now)
        examined.verifiers, examined.expected_issuer = self.verifiers, issuer
        return examined

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
        if not self._has_choice:
            return self._first.verify(text, now)
        examined = self.examine(text, now, issuer)
        for run in self._issuer_checks:
            run(examined)
        return self.verifiers[examined.rules.issuer].complete(examined)

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
