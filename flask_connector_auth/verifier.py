"""A token's text and the time in; an AppJWT or a ConsumerJWS out, or the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from .keys.source import MAX_KID, KeySource, VerificationKey
from .profiles import TokenProfile, TokenT
from .reasons import Reason, Rejected
from .strict import Malformed, decode_base64url, load_object

_TIMES = ("exp", "iat", "nbf")
_UNSUPPORTED = frozenset({"crit", "b64", "zip"})
# The integers that every JSON parser reads alike (RFC 8259 section 6).
_MAX_TIME = 2**53


@dataclass(frozen=True, slots=True)
class VerifierRules:
    """What a deployment decides about a token type."""

    algorithms: Sequence[str]  #: the allow-list, never empty
    issuer: str
    leeway: float  #: seconds
    max_lifetime: float | None  #: seconds from ``iat`` to ``exp``
    max_token_bytes: int
    max_header_bytes: int  #: of the encoded header segment


class Verifier(Generic[TokenT]):
    """Verifies tokens of one profile."""

    def __init__(
        self, profile: TokenProfile[TokenT], rules: VerifierRules, keys: KeySource
    ) -> None:
        self.profile = profile
        self.rules = rules
        self.keys = keys
        self._algorithms = frozenset(rules.algorithms)

    def verify(self, text: str, now: float) -> TokenT:
        """Return what the compact JWS *text* says, once every check has passed.

        :param now: seconds since the epoch.
        :raises Rejected: if the token is not good (RFC 7515 section 5.2, RFC 8725 section 3).
        :raises Unavailable: if the keys cannot be had just now.
        """
        signing_input, header, payload, signature = self._split(text)
        algorithm, kid = self._parameters(header)
        keys = self.keys.candidates(kid, algorithm)
        if not keys:
            raise Rejected(Reason.UNKNOWN_KEY)
        if not _verified(keys, algorithm, signing_input, signature):
            others = self.keys.reconsider(kid, algorithm, keys)
            if not _verified(others, algorithm, signing_input, signature):
                raise Rejected(Reason.BAD_SIGNATURE)
        claims = _object(payload)
        self._check_claims(claims)
        self._check_times(claims, now)
        return self.profile.build(claims)

    def _split(self, text: str) -> tuple[bytes, bytes, bytes, bytes]:
        # Sizes and dots before anything is copied, so that junk costs next to nothing.
        if len(text) > self.rules.max_token_bytes:
            raise Rejected(Reason.TOO_LARGE)
        if text.count(".") != 2 or not text.isascii():
            raise Rejected(Reason.NOT_COMPACT)
        if text.index(".") > self.rules.max_header_bytes:
            raise Rejected(Reason.TOO_LARGE)
        signing_input, _, signature = text.encode("ascii").rpartition(b".")
        header, _, payload = signing_input.partition(b".")
        try:
            return (
                signing_input,
                decode_base64url(header),
                decode_base64url(payload),
                decode_base64url(signature),
            )
        except Malformed:
            raise Rejected(Reason.NOT_COMPACT) from None

    def _parameters(self, header: bytes) -> tuple[str, str | None]:
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

    def _check_claims(self, claims: dict[str, Any]) -> None:
        profile = self.profile
        if not profile.foreign_claims.isdisjoint(claims):
            raise Rejected(Reason.WRONG_TYPE)
        for name in profile.text_claims:
            if name not in claims:
                raise Rejected(Reason.MISSING_CLAIM)
            if type(claims[name]) is not str or not claims[name]:
                raise Rejected(Reason.BAD_CLAIM)
        if profile.has_issuer:
            if "iss" not in claims:
                raise Rejected(Reason.MISSING_CLAIM)
            if claims["iss"] != self.rules.issuer:
                raise Rejected(Reason.WRONG_ISSUER)

    def _check_times(self, claims: dict[str, Any], now: float) -> None:
        for name in self.profile.time_claims:
            if name not in claims:
                raise Rejected(Reason.MISSING_CLAIM)
        for name in _TIMES:
            if name in claims and not _is_time(claims[name]):
                raise Rejected(Reason.BAD_CLAIM)
        leeway, longest = self.rules.leeway, self.rules.max_lifetime
        if "exp" in claims and claims["exp"] + leeway <= now:
            raise Rejected(Reason.EXPIRED)
        if max(claims.get("iat", now), claims.get("nbf", now)) > now + leeway:
            raise Rejected(Reason.NOT_YET_VALID)
        limited = longest is not None and "exp" in self.profile.time_claims
        if limited and claims["exp"] - claims["iat"] > longest:
            raise Rejected(Reason.TOO_LONG_LIVED)


def _verified(
    keys: Sequence[VerificationKey], algorithm: str, message: bytes, signature: bytes
) -> bool:
    return any(key.verifies(algorithm, message, signature) for key in keys)


def _object(text: bytes) -> dict[str, Any]:
    try:
        return load_object(text)
    except Malformed:
        raise Rejected(Reason.BAD_JSON) from None


def _is_time(value: Any) -> bool:
    # By exact type: a JSON boolean is an int to Python.
    return type(value) in (int, float) and abs(value) < _MAX_TIME
