"""What makes a payload an AppJWT or a ConsumerJWS, as data: the rules in which the two differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ..core import AppJWT, ConsumerJWS, Reason, Rejected, freeze_claims
from ..revocation import Kind

TokenT = TypeVar("TokenT", bound=AppJWT | ConsumerJWS)


@dataclass(frozen=True, slots=True)
class TokenProfile(Generic[TokenT]):
    """The claim rules of one token type, and the value it becomes."""

    name: str
    text_claims: tuple[str, ...]  #: mandatory, each a non-empty string
    time_claims: tuple[str, ...]  #: mandatory; the other times are honoured where present
    foreign_claims: frozenset[str]  #: only the other token has these (RFC 8725 section 3.12)
    has_issuer: bool  #: whether ``iss`` is mandatory and must be the configured one
    revocable: tuple[tuple[Kind, str], ...]  #: what revokes it, and the attribute with its id
    bearer: bool  #: whether its header may say ``Bearer`` before the token
    build: Callable[[dict[str, Any]], TokenT]  #: checked claims in, the value out
    label: str  #: what the log calls it
    ids: Mapping[str, str]  #: what the log tells of it: the claim, by the name of the attribute

    def loggable_claims(self, kid: str | None, claims: Mapping[str, Any]) -> dict[str, str]:
        """Return what the log tells of a token with a good signature, whatever its *claims*."""
        told: dict[str, Any] = {
            "kid": kid,
            **{name: claims.get(claim) for name, claim in self.ids.items()},
        }
        for name, value in told.items():
            # The audience may be a list of one (RFC 7519 section 4.1.3).
            if isinstance(value, list | tuple) and len(value) == 1:
                told[name] = value[0]
        return {f"{self.label}.{name}": one for name, one in told.items() if type(one) is str}


def _app_jwt(claims: dict[str, Any]) -> AppJWT:
    scope = claims.get("scope", "")
    if type(scope) is not str:
        raise Rejected(Reason.BAD_CLAIM)
    return AppJWT(
        account_id=_account(claims),
        install_id=claims["azp"],
        scopes=_scopes(scope),
        issuer=claims["iss"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        claims=freeze_claims(claims),
    )


@lru_cache(maxsize=256)
def _scopes(scope: str) -> frozenset[str]:
    """Split *scope*; all tokens of an app have the same one, and so share the set."""
    # RFC 6749 section 3.3: one space (%x20) between scopes, so never str.split().
    return frozenset(scope.split(" ")) - {""}


def _account(claims: dict[str, Any]) -> str:
    if "aud" not in claims:
        raise Rejected(Reason.MISSING_CLAIM)
    audience = claims["aud"]
    if type(audience) is list and len(audience) == 1:
        audience = audience[0]
    if type(audience) is not str or not audience:
        raise Rejected(Reason.BAD_CLAIM)
    return audience


def _consumer_jws(claims: dict[str, Any]) -> ConsumerJWS:
    return ConsumerJWS(
        account_id=claims["account_id"],
        ext_consumer_id=claims["ext_consumer_id"],
        lp_consumer_id=claims["lp_consumer_id"],
        claims=freeze_claims(claims),
    )


APP_JWT = TokenProfile(
    name="AppJWT",
    text_claims=("azp",),
    time_claims=("exp", "iat"),
    foreign_claims=frozenset({"lp_consumer_id", "ext_consumer_id"}),
    has_issuer=True,
    revocable=((Kind.INSTALL, "install_id"), (Kind.ACCOUNT, "account_id")),
    bearer=True,
    build=_app_jwt,
    label="app_jwt",
    ids={"account_id": "aud", "install_id": "azp"},
)
CONSUMER_JWS = TokenProfile(
    name="ConsumerJWS",
    text_claims=("account_id", "ext_consumer_id", "lp_consumer_id"),
    time_claims=(),
    foreign_claims=frozenset({"azp", "scope"}),
    has_issuer=False,
    revocable=((Kind.CONSUMER, "lp_consumer_id"), (Kind.ACCOUNT, "account_id")),
    bearer=False,
    build=_consumer_jws,
    label="consumer_jws",
    ids={"account_id": "account_id"},
)
