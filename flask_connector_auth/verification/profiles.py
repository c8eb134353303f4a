"""What is required of the tokens of one type and issuer, and the values that they become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from ..core import (
    APP_JWT_CLAIMS,
    CONSUMER_JWS_CLAIMS,
    DEFAULT_TYPE,
    AppJWT,
    ClaimNames,
    ConsumerJWS,
    shared_claims,
    token_maker,
)
from ..revocation import Kind, Subject, digest_of, issuer_part

TokenT = TypeVar("TokenT", bound=AppJWT | ConsumerJWS)


@dataclass(frozen=True, slots=True)
class VerifierRules:
    """What a deployment decides about a token type of one issuer."""

    algorithms: Sequence[str]  #: the allow-list, never empty
    issuer: str
    leeway: float  #: seconds
    max_lifetime: float | None  #: seconds from ``iat`` to ``exp``
    max_token_bytes: int
    max_header_bytes: int  #: of the encoded header segment
    cache_size: int = 0  #: verified tokens that are kept, at most; 0: none
    cache_max_age: float = 0  #: seconds that one is kept; 0: none is
    audience: frozenset[str] | None = None  #: the accounts that are served; ``None``: any
    has_other_issuers: bool = False  #: whether the tokens of other issuers are accepted too


@dataclass(frozen=True, slots=True)
class TokenProfile(Generic[TokenT]):
    """The claim rules of one token type at one issuer, and the value it becomes."""

    name: str
    label: str  #: tells the token type; the prefix of its fields in the log
    names: ClaimNames
    types: frozenset[str]  #: accepted ``typ``, in the form of :data:`DEFAULT_TYPE`
    text_claims: tuple[str, ...]  #: mandatory, each a non-empty string
    plain_texts: tuple[str, ...]  #: those, and that of the account, which may be a list
    time_claims: tuple[str, ...]  #: mandatory; the other times are checked where present
    claims_of_other_token: frozenset[str]  #: only the other token has these (RFC 8725 section 3.12)
    revocable: tuple[tuple[Kind, str], ...]  #: what revokes it, and the attribute with its id
    allows_bearer_prefix: bool  #: whether its header may have ``Bearer`` before the token
    #: Returns the value of claims that were checked, of a token of an issuer; it keeps the claims.
    build: Callable[[dict[str, Any], str], TokenT]
    logged_ids: Mapping[str, str]  #: the claims in the log, by field

    def subject(self, token: AppJWT | ConsumerJWS, text: str) -> Subject:
        """Return what of *token*, whose text is *text*, can be revoked."""
        all_issuers, own = issuer_part(None), issuer_part(token.issuer)
        keys: list[str] = []
        for kind, attribute in self.revocable:
            name = getattr(token, attribute)
            # As subject_key() does. Each call would be a measurable part of the time.
            keys += (kind + all_issuers + name, kind + own + name)
        return Subject(digest_of(text), shared_claims(token).get("iat"), tuple(keys))


_make_app_jwt = token_maker(AppJWT)
_make_consumer_jws = token_maker(ConsumerJWS)


def _app_jwt(names: ClaimNames, claims: dict[str, Any], issuer: str) -> AppJWT:
    account = claims[names.ids["account_id"]]
    scopes = claims.get(names.scope_claim(claims), "")
    return _make_app_jwt(
        account if type(account) is str else account[0],
        claims[names.ids["install_id"]],
        _split(scopes) if type(scopes) is str else frozenset(scopes) - {""},
        issuer,
        *(claims["iat"], claims["exp"]),
        claims,
    )


@lru_cache(maxsize=256)
def _split(scope: str) -> frozenset[str]:
    """Return the scopes in *scope*: all tokens of an app have the same ones, and share the set."""
    # RFC 6749 section 3.3: one space (%x20) between scopes, so never str.split().
    return frozenset(scope.split(" ")) - {""}


def _consumer_jws(names: ClaimNames, claims: dict[str, Any], issuer: str) -> ConsumerJWS:
    ids = names.ids
    texts = claims[ids["account_id"]], claims[ids["ext_consumer_id"]], claims[ids["lp_consumer_id"]]
    return _make_consumer_jws(*texts, issuer, claims)


def app_jwt_profile(
    names: ClaimNames, of_consumer: ClaimNames, types: frozenset[str]
) -> TokenProfile[AppJWT]:
    """Return the profile of the AppJWTs of an issuer, whose ConsumerJWSs are *of_consumer*."""
    return TokenProfile(
        name="AppJWT",
        label="app_jwt",
        names=names,
        types=types,
        text_claims=(names.ids["install_id"],),
        plain_texts=(names.ids["install_id"], names.ids["account_id"]),
        time_claims=("exp", "iat"),
        claims_of_other_token=frozenset(of_consumer.ids.values()) - {of_consumer.ids["account_id"]},
        revocable=((Kind.INSTALL, "install_id"), (Kind.ACCOUNT, "account_id")),
        allows_bearer_prefix=True,
        build=partial(_app_jwt, names),
        logged_ids=names.ids,
    )


def consumer_jws_profile(
    names: ClaimNames, of_app: ClaimNames, types: frozenset[str]
) -> TokenProfile[ConsumerJWS]:
    """Return the profile of the ConsumerJWSs of an issuer, whose AppJWTs are *of_app*."""
    return TokenProfile(
        name="ConsumerJWS",
        label="consumer_jws",
        names=names,
        types=types,
        text_claims=tuple(names.ids.values()),
        plain_texts=tuple(names.ids.values()),
        time_claims=(),
        claims_of_other_token=frozenset({of_app.ids["install_id"], *of_app.scopes}),
        revocable=(
            (Kind.LP_CONSUMER, "lp_consumer_id"),
            (Kind.EXT_CONSUMER, "ext_consumer_id"),
            (Kind.ACCOUNT, "account_id"),
        ),
        allows_bearer_prefix=False,
        build=partial(_consumer_jws, names),
        logged_ids={"account_id": names.ids["account_id"]},
    )


_JWT = frozenset({DEFAULT_TYPE})
#: The profiles with the claim names of the protocol.
APP_JWT = app_jwt_profile(APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, _JWT)
CONSUMER_JWS = consumer_jws_profile(CONSUMER_JWS_CLAIMS, APP_JWT_CLAIMS, _JWT)
