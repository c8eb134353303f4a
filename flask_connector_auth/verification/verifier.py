"""Verification of header values: from the cache, or by all checks in their order."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from math import inf
from typing import Any, Generic

from ..core import Reason, Rejected, decode_base64url, load_json_object, shared_claims
from ..keys import KeySource
from ..revocation import RevocationCache, RevocationSet
from .cache import CachedToken, TokenCache
from .checks import CHECKS
from .examination import Check, Examination, Stage, TokenProfile, TokenT, VerifierRules

# More than the different JOSE headers that the tokens of an issuer have at a time.
_MAX_HEADERS = 64
_SCHEME = "Bearer "


class Verifier(Generic[TokenT]):
    """Verifies tokens of one profile.

    :param revocation_cache: what is revoked; nothing, if not given.
    :param checks: the checks, in the order in which they run.
    """

    def __init__(
        self,
        profile: TokenProfile[TokenT],
        rules: VerifierRules,
        keys: KeySource,
        revocation_cache: RevocationCache | None = None,
        checks: Sequence[Check] = CHECKS,
    ) -> None:
        self.profile = profile
        self.rules = rules
        self.keys = keys
        self.revocation_cache: RevocationCache = revocation_cache or RevocationCache(
            RevocationSet({})
        )
        self.checks: list[Check] = [check for check in checks if check.only in (None, profile)]
        self.cache: TokenCache[TokenT] = TokenCache(rules.cache_size if rules.cache_max_age else 0)
        #: ``alg`` and ``kid`` by encoded JOSE header. Only headers of verified tokens are kept.
        self.accepted_headers: dict[bytes, tuple[str, str | None]] = {}
        # Bound once: in a cached request each attribute look-up is a measurable part of the time.
        self._bearer = profile.allows_bearer_prefix
        # Of a header value that is too large, only a little more than the limit is copied.
        self._after_scheme = slice(len(_SCHEME), 2 * rules.max_token_bytes + len(_SCHEME) + 1)
        # Without a cache there is no digest to look up.
        self._max_cached_bytes = rules.max_token_bytes if self.cache.size else -1
        self._is_active: Callable[[Any, str | None, str], bool] = keys.is_active
        self._cached = self.cache.get
        self._header_checks = self._runs(Stage.HEADER)
        self._form_checks = self._runs(Stage.FORM)
        self._parameter_checks = self._runs(Stage.PARAMETERS)
        self._content_checks = self._runs(
            *(Stage.KEY, Stage.SIGNATURE, Stage.PAYLOAD, Stage.CLAIMS, Stage.TIMES, Stage.VALUE)
        )

    def _runs(self, *stages: Stage) -> list[Callable[[Examination], None]]:
        return [check.run for check in self.checks if check.stage in stages]

    def authenticate(self, header: str, now: float, is_bare: bool = False) -> TokenT | None:
        """Return the token in a *header* value, from the cache or newly verified.

        :param now: seconds since the epoch.
        :param is_bare: whether *header* is a token that was read from a header value before.
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
            entry = self._cached(digest)
        # A token is verified anew once its key is no longer in force. The call also lets the key
        # source refresh its keys, even if every token is found in the cache.
        if (
            entry is not None
            and entry.not_before <= now < entry.expires
            and self._is_active(entry.key, entry.kid, entry.algorithm)
        ):
            entry.used = True
            self.cache.hits += 1
        else:
            # Fast path: a compact JWS starts with ``eyJ``, so it is neither blank nor a scheme.
            # The size comes first: a huge header is not searched.
            if not is_bare and (
                text[:3] != "eyJ"
                or len(text) > self.rules.max_token_bytes
                or (" " in text or "," in text or "\t" in text)
            ):
                bare = self._read(header, now)
                if bare != text:
                    return None if bare is None else self.authenticate(bare, now, is_bare=True)
            entry = self.verify(text, now)
            if digest:
                self.cache.put(digest, entry)
        # Last: a bad token is answered with 401 even while revocations are unavailable.
        revocations = self.revocation_cache
        if revocations.is_copy:
            revocations.check_age()
        # The version is read first. If the entries change after that, the version differs, and the
        # next request checks the token again.
        version = revocations.revoked.version
        if entry.checked_version is not version:
            self._check_revocation(entry, text)
            entry.checked_version = version
        return entry.token

    def _read(self, header: str, now: float) -> str | None:
        """Return the token text in *header*, or ``None`` if it is blank."""
        examined = Examination(self.profile, self.rules, self.keys, header, now)
        try:
            for run in self._header_checks:
                run(examined)
        except Rejected as rejected:
            if rejected.reason is Reason.MISSING:
                return None
            raise
        return examined.text

    def verify(self, text: str, now: float) -> CachedToken[TokenT]:
        """Return the token in the compact JWS *text*, ready for the cache, if it passes the checks.

        The header value, revocation and policy are not checked here.

        :param now: seconds since the epoch.
        :raises Rejected: if the token is not good (RFC 7515 section 5.2, RFC 8725 section 3).
        :raises Unavailable: if the keys cannot be had at the moment.
        """
        known = self.accepted_headers
        examined = Examination(self.profile, self.rules, self.keys, text, now, known)
        try:
            for run in self._form_checks:
                run(examined)
            # All tokens of a key have the same header: what was read from one holds for the next.
            parameters = known.get(examined.header)
            if parameters is None:
                for run in self._parameter_checks:
                    run(examined)
            else:
                examined.algorithm, examined.kid = parameters
            for run in self._content_checks:
                run(examined)
        except Rejected as rejected:
            if examined.key is not None:
                self._add_loggable_claims(rejected, examined.kid, examined.claims)
            raise
        algorithm, kid, claims = examined.algorithm, examined.kid, examined.claims
        if parameters is None and len(known) < _MAX_HEADERS:
            known[examined.header] = algorithm, kid
        leeway = self.rules.leeway
        not_before = max(claims.get("iat", now), claims.get("nbf", now)) - leeway
        expires = min(claims.get("exp", inf) + leeway, now + self.rules.cache_max_age)
        token = self.profile.build(claims)
        return CachedToken(token, kid, algorithm, examined.key, not_before, expires)

    def _check_revocation(self, entry: CachedToken[TokenT], text: str) -> None:
        if entry.subject is None:
            entry.subject = self.profile.subject(entry.token, text)
        try:
            self.revocation_cache.check_not_revoked(entry.subject)
        except Rejected as rejected:
            self._add_loggable_claims(rejected, entry.kid, shared_claims(entry.token))
            raise

    def _add_loggable_claims(
        self, rejected: Rejected, kid: str | None, claims: Mapping[str, Any]
    ) -> None:
        rejected.find_loggable_claims = lambda: self.profile.loggable_claims(kid, claims)

    def loggable_claims(self, text: str, token: TokenT) -> dict[str, str]:
        """Return the fields for the log of *token*, whose *text* was verified before."""
        header = text.encode("ascii").partition(b".")[0]
        known = self.accepted_headers.get(header)
        kid = known[1] if known else load_json_object(decode_base64url(header)).get("kid")
        return self.profile.loggable_claims(kid, shared_claims(token))
