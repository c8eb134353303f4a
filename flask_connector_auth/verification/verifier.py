"""A token's text and the time in; an AppJWT or a ConsumerJWS out, or the reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import inf
from typing import Any, Generic

from ..core import Malformed, Reason, Rejected, decode_base64url, load_json_object
from ..keys import MAX_KID, KeySource, VerificationKey
from ..revocation import RevocationCache, RevocationSet, Subject, digest_of, subject_key
from .cache import CachedToken, TokenCache
from .checks import check_names, check_times
from .headers import read_token
from .profiles import TokenProfile, TokenT

_UNSUPPORTED = frozenset({"crit", "b64", "zip"})
# Values in a header, at every depth: more than are seen in earnest.
_MAX_VALUES = 64
# More than a key set has headers in use at a time.
_MAX_HEADERS = 64


@dataclass(frozen=True, slots=True)
class VerifierRules:
    """What a deployment decides about a token type."""

    algorithms: Sequence[str]  #: the allow-list, never empty
    issuer: str
    leeway: float  #: seconds
    max_lifetime: float | None  #: seconds from ``iat`` to ``exp``
    max_token_bytes: int
    max_header_bytes: int  #: of the encoded header segment
    cache_size: int = 0  #: verified tokens that are kept, at most; 0: none
    cache_max_age: float = 0  #: seconds that one is kept; 0: none is


class Verifier(Generic[TokenT]):
    """Verifies tokens of one profile.

    :param mirror: what is revoked; nothing, if not given.
    """

    def __init__(
        self,
        profile: TokenProfile[TokenT],
        rules: VerifierRules,
        keys: KeySource,
        mirror: RevocationCache | None = None,
    ) -> None:
        self.profile = profile
        self.rules = rules
        self.keys = keys
        self.cache: TokenCache[TokenT] = TokenCache(rules.cache_size if rules.cache_max_age else 0)
        self._algorithms = frozenset(rules.algorithms)
        # Bound once: each attribute on the way costs a cached request a part of its time.
        self._max_bytes = rules.max_token_bytes
        # Where nothing is remembered, there is no digest to look for.
        self._max_known = rules.max_token_bytes if self.cache.size else -1
        self._candidates = keys.candidates
        self._is_active: Callable[[Any, str | None, str], bool] = keys.is_active
        self._known = self.cache.get
        self._check_names: Callable[[dict[str, Any]], None] = partial(
            check_names, profile, rules.issuer
        )
        self._check_times: Callable[[dict[str, Any], float], None] = partial(
            check_times, profile, rules.leeway, rules.max_lifetime
        )
        self._mirror = mirror or RevocationCache(RevocationSet({}))
        # Of good tokens alone: what a stranger sends never stays.
        self._headers: dict[bytes, tuple[str, str | None]] = {}

    def authenticate(self, text: str, now: float, header: str | None = None) -> TokenT | None:
        """Return what *text* says, remembered or verified.

        :param text: a token; or what may be one, if *header* is given.
        :param now: seconds since the epoch.
        :param header: the whole header value; only what is not remembered is read off it.
        :returns: the token, or ``None`` if *header* is blank.
        :raises Rejected: if the token is not good, or was revoked.
        :raises Unavailable: if the keys, or what is revoked, cannot be had just now.
        """
        digest, entry = b"", None
        if len(text) <= self._max_known and text.isascii():
            digest = sha256(text.encode()).digest()
            entry = self._known(digest)
        # A key that is no longer in force takes its tokens with it. The source is asked as for a
        # new token, so that it is kept as fresh by a hit as by a miss.
        if (
            entry is not None
            and entry.not_before <= now < entry.expires
            and self._is_active(entry.key, entry.kid, entry.algorithm)
        ):
            entry.used = True
            self.cache.hits += 1
        else:
            # What starts as the JSON of a JOSE header does is neither blank nor a scheme. What no
            # scheme or blanks make so long is too large: it is not searched, nor copied.
            if (
                header is not None
                and len(text) <= 2 * self._max_bytes
                and (text[:3] != "eyJ" or " " in text or "," in text or "\t" in text)
            ):
                try:
                    plain = read_token(header, bearer=self.profile.bearer)
                except Rejected as rejected:
                    if rejected.reason is Reason.MISSING:
                        return None
                    raise
                if plain != text:
                    return self.authenticate(plain, now)
            entry = self._verified(text, now)
            if digest:
                self.cache.put(digest, entry)
        # Last, so that a bad token is the client's fault even where this cannot be known.
        mirror = self._mirror
        if mirror.is_copy:
            mirror.check_age()
        # Read before the entries are: what changes meanwhile makes another version.
        version = mirror.revoked.version
        if entry.checked_version is not version:
            try:
                mirror.check_entries(entry.subject or self._subject(entry, text))
            except Rejected as rejected:
                rejected.loggable_claims = self.profile.loggable_claims(
                    entry.kid, entry.token.claims
                )
                raise
            entry.checked_version = version
        return entry.token

    def verify(self, text: str, now: float) -> TokenT:
        """Return what the compact JWS *text* says, once every check but revocation has passed.

        :param now: seconds since the epoch.
        :raises Rejected: if the token is not good (RFC 7515 section 5.2, RFC 8725 section 3).
        :raises Unavailable: if the keys cannot be had just now.
        """
        return self._verified(text, now).token

    def _verified(self, text: str, now: float) -> CachedToken[TokenT]:
        # Sizes and dots before anything is copied, so that junk costs next to nothing.
        if len(text) > self._max_bytes:
            raise Rejected(Reason.TOO_LARGE)
        if text.count(".") != 2 or not text.isascii():
            raise Rejected(Reason.NOT_COMPACT)
        if text.index(".") > self.rules.max_header_bytes:
            raise Rejected(Reason.TOO_LARGE)
        encoded = text.encode("ascii")
        signing_input, _, signature = encoded.rpartition(b".")
        header, _, payload = signing_input.partition(b".")
        # The headers of one key are all alike: what was read of one holds for the next.
        parameters = self._headers.get(header)
        try:
            json_header = b"" if parameters else decode_base64url(header)
            json_payload, signature = decode_base64url(payload), decode_base64url(signature)
        except Malformed:
            raise Rejected(Reason.NOT_COMPACT) from None
        algorithm, kid = parameters or self._parameters(json_header)
        key = self._key(kid, algorithm, signing_input, signature)
        claims: dict[str, Any] = {}
        try:
            claims = _object(json_payload)
            self._check_names(claims)
            self._check_times(claims, now)
            token = self.profile.build(claims)
        except Rejected as rejected:
            rejected.loggable_claims = self.profile.loggable_claims(kid, claims)
            raise
        if parameters is None and len(self._headers) < _MAX_HEADERS:
            self._headers[header] = algorithm, kid
        not_before = max(claims.get("iat", now), claims.get("nbf", now)) - self.rules.leeway
        expires = min(claims.get("exp", inf) + self.rules.leeway, now + self.rules.cache_max_age)
        return CachedToken(token, kid, algorithm, key, not_before, expires)

    def _subject(self, entry: CachedToken[TokenT], text: str) -> Subject:
        """Work out what of *entry* can be revoked; only where that is needed, and once."""
        marks = [
            subject_key(kind, getattr(entry.token, name)) for kind, name in self.profile.revocable
        ]
        issued_at = entry.token.claims.get("iat")
        entry.subject = Subject(digest_of(text), issued_at, tuple(marks))
        return entry.subject

    def loggable_claims(self, text: str, token: TokenT) -> dict[str, str]:
        """Return what the log tells of *token*, whose *text* was verified before."""
        header = text.encode("ascii").partition(b".")[0]
        _, kid = self._headers.get(header) or self._parameters(decode_base64url(header))
        return self.profile.loggable_claims(kid, token.claims)

    def _key(
        self, kid: str | None, algorithm: str, message: bytes, signature: bytes
    ) -> VerificationKey:
        """Return the key that verifies *signature*."""
        keys = self._candidates(kid, algorithm)
        if not keys:
            raise Rejected(Reason.UNKNOWN_KEY)
        key = _verifying(keys, algorithm, message, signature) or _verifying(
            self.keys.candidates_after_failure(kid, algorithm, keys), algorithm, message, signature
        )
        if key is None:
            raise Rejected(Reason.BAD_SIGNATURE)
        return key

    def _parameters(self, header: bytes) -> tuple[str, str | None]:
        # Nobody has signed it yet: to read it must cost less than to verify a signature.
        if sum(map(header.count, (b"{", b"[", b","))) > _MAX_VALUES:
            raise Rejected(Reason.BAD_JSON)
        parameters = _object(header)
        # No extension is understood, so whatever names one is refused (RFC 7515 section 4.1.11);
        # other unknown parameters are ignored (section 4), and so is every key in the token.
        if not _UNSUPPORTED.isdisjoint(parameters):
            raise Rejected(Reason.CRITICAL)
        algorithm, kid = parameters.get("alg"), parameters.get("kid")
        if type(algorithm) is not str or algorithm not in self._algorithms:
            raise Rejected(Reason.BAD_ALGORITHM)
        if parameters.get("typ", "JWT") != "JWT":
            raise Rejected(Reason.BAD_PARAMETER)
        if "kid" in parameters and not (type(kid) is str and 0 < len(kid) <= MAX_KID):
            raise Rejected(Reason.BAD_PARAMETER)
        return algorithm, kid


def _verifying(
    keys: Sequence[VerificationKey], algorithm: str, message: bytes, signature: bytes
) -> VerificationKey | None:
    for key in keys:
        if key.verifies(algorithm, message, signature):
            return key
    return None


def _object(text: bytes) -> dict[str, Any]:
    try:
        return load_json_object(text)
    except Malformed:
        raise Rejected(Reason.BAD_JSON) from None
