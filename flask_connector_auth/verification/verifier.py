"""Verification of the tokens of one type and issuer, by all checks in their order."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Generic

from ..core import (
    MAX_INTEGER,
    Malformed,
    Rejected,
    Unavailable,
    decode_base64url,
    forget_origin,
    load_json_object,
)
from ..keys import KeySource, VerificationKey
from . import claims, jws
from .cache import CachedToken, TokenCache
from .checks import CHECKS
from .examination import Check, Examination, Stage
from .profiles import TokenProfile, TokenT, VerifierRules

# More than the different JOSE headers that the tokens of an issuer have at a time.
_MAX_HEADERS = 64
_TIMES = frozenset({"exp", "iat", "nbf"})
_NUMBERS = (int, float)
# The checks that a token passes which is accepted by the short cut.
_SHORT_CUT = frozenset(
    {
        *(jws.check_token_size, jws.check_segments, jws.check_header_segment_size),
        *(jws.check_encoding, jws.check_header_json, jws.check_extensions, jws.check_algorithm),
        *(jws.check_type_and_kid, jws.check_key, jws.check_signature, jws.check_payload_json),
        *(claims.check_no_claims_of_other_token, claims.check_text_claims, claims.check_issuer),
        *(claims.check_time_claims, claims.check_expiry, claims.check_start),
        *(claims.check_lifetime, claims.check_scope_claim, claims.check_account_claim),
    }
)


class Verifier(Generic[TokenT]):
    """Verifies the tokens of one type and issuer.

    :param checks: the checks, in the order in which they run.
    """

    def __init__(
        self,
        profile: TokenProfile[TokenT],
        rules: VerifierRules,
        keys: KeySource,
        checks: Sequence[Check] = CHECKS,
    ) -> None:
        self.profile: TokenProfile[TokenT] = profile
        self.rules: VerifierRules = rules
        self.keys: KeySource = keys
        self.checks: list[Check] = [check for check in checks if check.applies(profile, rules)]
        self.cache: TokenCache[TokenT] = TokenCache(rules.cache_size if rules.cache_max_age else 0)
        #: ``alg`` and ``kid`` by encoded JOSE header. Only headers of verified tokens are kept.
        self.accepted_headers: dict[bytes, tuple[str, str | None]] = {}
        self._form_checks = self.runs(Stage.FORM)
        self._parameter_checks = self.runs(Stage.PARAMETERS)
        self._claim_checks = self.runs(Stage.PAYLOAD, Stage.CLAIMS, Stage.TIMES, Stage.VALUE)
        self._content_checks = self.runs(Stage.KEY, Stage.SIGNATURE) + self._claim_checks
        #: Whether the short cut stands for every check. One more check is never skipped.
        self.has_short_cut: bool = _SHORT_CUT.issuperset(
            self._form_checks + self._parameter_checks + self._content_checks
        )

    def runs(self, *stages: Stage) -> list[Callable[[Examination], None]]:
        """Return the functions of the checks of these *stages*."""
        return [check.run for check in self.checks if check.stage in stages]

    def verify(self, text: str, now: float) -> CachedToken[TokenT]:
        """Return the token in the compact JWS *text*, ready for the cache, if it passes the checks.

        The header value, revocation and policy are not checked here.

        :param now: seconds since the epoch.
        :raises Rejected: if the token is not good (RFC 7515 section 5.2, RFC 8725 section 3).
        :raises Unavailable: if the keys cannot be had at the moment.
        """
        if self.has_short_cut:
            entry = self._take_short_cut(text, now)
            if entry is not None:
                return entry
        known = self.accepted_headers
        examined = Examination(self.profile, self.rules, self.keys, text, now, known)
        for run in self._form_checks:
            run(examined)
        return self.complete(examined)

    def _take_short_cut(self, text: str, now: float) -> CachedToken[TokenT] | None:
        """Return the token in *text* if it is like most tokens in each respect, or ``None``.

        Such a token passes the checks in ``_SHORT_CUT``. A condition here and in
        :func:`_are_plain` may ask for more than they do, never for less. No token is refused here:
        the list alone has the order of checks and reasons. For any other token the checks of the
        list run: all of them if this returns ``None``; those that are left, once the key source was
        asked. A change of such a check is made here too.

        Hot path, deliberately inline: verifying a signature evicts the processor's caches, and
        after that a call costs several times what a micro-benchmark shows.
        """
        if len(text) > self.rules.max_token_bytes:
            return None
        try:
            message, _, end = text.encode("ascii").rpartition(b".")
            header, dot, payload = message.partition(b".")
            if not dot:
                return None
            # Only headers that have passed the checks are there.
            algorithm, kid = self.accepted_headers[header]
            # No fourth segment: base64url has no dot.
            json_payload, signature = decode_base64url(payload), decode_base64url(end)
        except (KeyError, ValueError):
            return None
        try:
            candidates = self.keys.candidates(kid, algorithm)
        except Unavailable as unavailable:
            raise self.named_outage(unavailable) from None
        signer: VerificationKey | None = None
        members: dict[str, Any] = {}
        for key in candidates:
            if key.verifies(algorithm, message, signature):
                signer = key
                try:
                    members = load_json_object(json_payload)
                except Malformed:
                    break
                if _are_plain(members, now, self.profile, self.rules):
                    return self._entry(members, key, kid, algorithm, now)
                break
        examined = Examination(self.profile, self.rules, self.keys, text, now)
        examined.key, examined.claims = signer, members
        examined.signing_input, examined.json_payload = message, json_payload
        examined.signature, examined.candidates = signature, candidates
        examined.algorithm, examined.kid = algorithm, kid
        examined.is_refuted = signer is None
        self._run(self._claim_checks if signer else self._content_checks, examined)
        return self._entry(examined.claims, examined.key, kid, algorithm, now)

    def complete(self, examined: Examination) -> CachedToken[TokenT]:
        """Do what :meth:`verify` does for a token whose form was checked."""
        known = self.accepted_headers
        # All tokens of a key have the same header: what was read from one holds for the next.
        parameters = known.get(examined.header)
        if parameters is None:
            self._run(self._parameter_checks + self._content_checks, examined)
        else:
            examined.algorithm, examined.kid = parameters
            self._run(self._content_checks, examined)
        algorithm, kid = examined.algorithm, examined.kid
        if parameters is None and len(known) < _MAX_HEADERS:
            known[examined.header] = algorithm, kid
        return self._entry(examined.claims, examined.key, kid, algorithm, examined.now)

    def _run(self, checks: Sequence[Callable[[Examination], None]], examined: Examination) -> None:
        """Run *checks*; what they raise has what the log needs."""
        try:
            for run in checks:
                run(examined)
        except Rejected as rejected:
            if examined.key is not None:
                rejected.find_loggable_claims = lambda: self.loggable_claims(
                    examined.kid, examined.claims
                )
            raise
        except Unavailable as unavailable:
            raise self.named_outage(unavailable) from None

    def _entry(
        self, members: dict[str, Any], key: object, kid: str | None, algorithm: str, now: float
    ) -> CachedToken[TokenT]:
        """Return the token with the claims *members*, which have passed the checks."""
        rules = self.rules
        start, end = members.get("iat", now), members.get("exp", inf)
        if (not_before := members.get("nbf", start)) < start:
            not_before = start
        if (expires := now + rules.cache_max_age) > end + rules.leeway:
            expires = end + rules.leeway
        token = self.profile.build(members, rules.issuer)
        not_before -= rules.leeway
        return CachedToken(token, self, kid, algorithm, key, not_before, expires)

    def named_outage(self, unavailable: Unavailable) -> Unavailable:
        """Return an outage that tells whose keys cannot be had, unless there is only one issuer.

        A new one: a key source of the application may raise the same object for several issuers.
        """
        if not self.rules.has_other_issuers:
            return unavailable
        forget_origin(unavailable)
        named = Unavailable(unavailable.reason, unavailable.retry_after)
        named.reason_details = {"issuer": self.rules.issuer}
        return named

    def loggable_claims(self, kid: str | None, claims: Mapping[str, Any]) -> dict[str, str]:
        """Return the fields for the log of a token with a good signature, whatever its *claims*."""
        profile = self.profile
        fields = {name: claims.get(claim) for name, claim in profile.logged_ids.items()}
        # The audience may be a list of one (RFC 7519 section 4.1.3).
        for name, value in fields.items():
            if isinstance(value, list) and len(value) == 1:
                fields[name] = value[0]
        issuer = {"issuer": self.rules.issuer} if self.rules.has_other_issuers else {}
        return {
            f"{profile.label}.{name}": value
            for name, value in {"kid": kid, **fields, **issuer}.items()
            if type(value) is str
        }


def _are_plain(
    members: dict[str, Any], now: float, profile: TokenProfile[Any], rules: VerifierRules
) -> bool:
    """Whether the claims *members* are as most tokens have them, and pass the checks of claims.

    If not, the checks decide. See :meth:`Verifier._take_short_cut`.
    """
    names, leeway = profile.names, rules.leeway
    for name in profile.plain_texts:
        text = members.get(name)
        if type(text) is not str or not text:
            return False
    is_issuer_checked = names.requires_issuer or rules.has_other_issuers
    if is_issuer_checked and members.get("iss") != rules.issuer:
        return False
    if profile.time_claims:
        start: Any = members.get("iat")
        end: Any = members.get("exp")
        if (
            type(start) not in _NUMBERS
            or type(end) not in _NUMBERS
            or not -MAX_INTEGER < start <= now + leeway
            or not end < MAX_INTEGER  # first: a greater one may be too great to be added to
            or not end + leeway > now
            or "nbf" in members
            or (rules.max_lifetime is not None and end - start > rules.max_lifetime)
        ):
            return False
    elif not _TIMES.isdisjoint(members):
        return False
    return profile.claims_of_other_token.isdisjoint(members) and (
        not names.scopes or type(members.get(names.scope_claim(members), "")) is str
    )
