"""Verification of the tokens of one type and issuer, by all checks in their order."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Generic

from ..core import Rejected, Unavailable, forget_origin
from ..keys import KeySource
from .cache import CachedToken, TokenCache
from .checks import CHECKS
from .examination import Check, Examination, Stage
from .profiles import TokenProfile, TokenT, VerifierRules

# More than the different JOSE headers that the tokens of an issuer have at a time.
_MAX_HEADERS = 64


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
        self._content_checks = self.runs(
            *(Stage.KEY, Stage.SIGNATURE, Stage.PAYLOAD, Stage.CLAIMS, Stage.TIMES, Stage.VALUE)
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
        known = self.accepted_headers
        examined = Examination(self.profile, self.rules, self.keys, text, now, known)
        for run in self._form_checks:
            run(examined)
        return self.complete(examined)

    def complete(self, examined: Examination) -> CachedToken[TokenT]:
        """Do what :meth:`verify` does for a token whose form was checked."""
        known = self.accepted_headers
        try:
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
                rejected.find_loggable_claims = lambda: self.loggable_claims(
                    examined.kid, examined.claims
                )
            raise
        except Unavailable as unavailable:
            raise self.named_outage(unavailable) from None
        algorithm, kid, claims = examined.algorithm, examined.kid, examined.claims
        if parameters is None and len(known) < _MAX_HEADERS:
            known[examined.header] = algorithm, kid
        now, leeway = examined.now, self.rules.leeway
        not_before = max(claims.get("iat", now), claims.get("nbf", now)) - leeway
        expires = min(claims.get("exp", inf) + leeway, now + self.rules.cache_max_age)
        token = self.profile.build(claims, self.rules.issuer)
        return CachedToken(token, self, kid, algorithm, examined.key, not_before, expires)

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
