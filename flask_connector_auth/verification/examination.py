"""A token under examination: what its type and the deployment require, what has been found out, and
what a check is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ..core import AppJWT, ConsumerJWS, Reason, TokenRequirement, shared_claims, token_maker
from ..keys import KeySource, VerificationKey
from ..revocation import Kind, RevocationCache, Subject, digest_of, subject_key

TokenT = TypeVar("TokenT", bound=AppJWT | ConsumerJWS)


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


@dataclass(frozen=True, slots=True)
class TokenProfile(Generic[TokenT]):
    """The claim rules of one token type, and the value it becomes."""

    name: str
    text_claims: tuple[str, ...]  #: mandatory, each a non-empty string
    time_claims: tuple[str, ...]  #: mandatory; the other times are checked where present
    claims_of_other_token: frozenset[str]  #: only the other token has these (RFC 8725 section 3.12)
    revocable: tuple[tuple[Kind, str], ...]  #: what revokes it, and the attribute with its id
    allows_bearer_prefix: bool  #: whether its header may have ``Bearer`` before the token
    build: Callable[[dict[str, Any]], TokenT]  #: makes the value of checked claims, and keeps them
    label: str  #: the prefix of its fields in the log
    ids: Mapping[str, str]  #: the claims in the log, by field

    def loggable_claims(self, kid: str | None, claims: Mapping[str, Any]) -> dict[str, str]:
        """Return the fields for the log of a token with a good signature, whatever its *claims*."""
        fields: dict[str, Any] = {
            "kid": kid,
            **{name: claims.get(claim) for name, claim in self.ids.items()},
        }
        for name, value in fields.items():
            # The audience may be a list of one (RFC 7519 section 4.1.3).
            if isinstance(value, list) and len(value) == 1:
                fields[name] = value[0]
        return {
            f"{self.label}.{name}": value for name, value in fields.items() if type(value) is str
        }

    def subject(self, token: AppJWT | ConsumerJWS, text: str) -> Subject:
        """Return what of *token*, whose text is *text*, can be revoked."""
        keys = [subject_key(kind, getattr(token, name)) for kind, name in self.revocable]
        return Subject(digest_of(text), shared_claims(token).get("iat"), tuple(keys))


_make_app_jwt = token_maker(AppJWT)
_make_consumer_jws = token_maker(ConsumerJWS)


def _app_jwt(claims: dict[str, Any]) -> AppJWT:
    audience = claims["aud"]
    return _make_app_jwt(
        account_id=audience if type(audience) is str else audience[0],
        install_id=claims["azp"],
        scopes=_scopes(claims.get("scope", "")),
        issuer=claims["iss"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        claims=claims,
    )


@lru_cache(maxsize=256)
def _scopes(scope: str) -> frozenset[str]:
    """Return the scopes in *scope*: all tokens of an app have the same ones, and share the set."""
    # RFC 6749 section 3.3: one space (%x20) between scopes, so never str.split().
    return frozenset(scope.split(" ")) - {""}


def _consumer_jws(claims: dict[str, Any]) -> ConsumerJWS:
    return _make_consumer_jws(
        account_id=claims["account_id"],
        ext_consumer_id=claims["ext_consumer_id"],
        lp_consumer_id=claims["lp_consumer_id"],
        claims=claims,
    )


APP_JWT = TokenProfile(
    name="AppJWT",
    text_claims=("azp",),
    time_claims=("exp", "iat"),
    claims_of_other_token=frozenset({"lp_consumer_id", "ext_consumer_id"}),
    revocable=((Kind.INSTALL, "install_id"), (Kind.ACCOUNT, "account_id")),
    allows_bearer_prefix=True,
    build=_app_jwt,
    label="app_jwt",
    ids={"account_id": "aud", "install_id": "azp"},
)
CONSUMER_JWS = TokenProfile(
    name="ConsumerJWS",
    text_claims=("account_id", "ext_consumer_id", "lp_consumer_id"),
    time_claims=(),
    claims_of_other_token=frozenset({"azp", "scope"}),
    revocable=(
        (Kind.LP_CONSUMER, "lp_consumer_id"),
        (Kind.EXT_CONSUMER, "ext_consumer_id"),
        (Kind.ACCOUNT, "account_id"),
    ),
    allows_bearer_prefix=False,
    build=_consumer_jws,
    label="consumer_jws",
    ids={"account_id": "account_id"},
)


#: ``alg`` and ``kid`` of JOSE headers that were checked before, by their encoded text.
KnownHeaders = Mapping[bytes, tuple[str, str | None]]


class Stage(StrEnum):
    """The part of a request that a check is about, in the order of the checks."""

    HEADER = "header"  #: the value of the header
    FORM = "form"  #: size and segments of the token
    PARAMETERS = "parameters"  #: the JOSE header
    KEY = "key"
    SIGNATURE = "signature"
    PAYLOAD = "payload"  #: the JSON of the claims
    CLAIMS = "claims"
    TIMES = "times"
    VALUE = "value"  #: claims that are taken apart
    REVOCATION = "revocation"
    ACCOUNT = "account"
    SCOPES = "scopes"
    PAIR = "pair"  #: both tokens of a request together


# Without a ``repr``, which would show the token to error reporters.
@dataclass(slots=True, eq=False, repr=False)
class Examination:
    """A token under examination: each check reads the attributes, and sets those it finds out."""

    profile: TokenProfile[Any]
    rules: VerifierRules
    source: KeySource
    text: str  #: the header value until that has been read, then the token
    now: float  #: seconds since the epoch
    accepted_headers: KnownHeaders = field(default_factory=dict)
    key: VerificationKey | None = None  #: set once it has verified the signature
    claims: dict[str, Any] = field(default_factory=dict)
    header: bytes = field(init=False)  #: the first segment, encoded
    signing_input: bytes = field(init=False)  #: the first two segments, encoded
    json_header: bytes = field(init=False)
    json_payload: bytes = field(init=False)
    signature: bytes = field(init=False)
    parameters: dict[str, Any] = field(init=False)  #: the JOSE header
    algorithm: str = field(init=False)
    kid: str | None = field(init=False)
    candidates: Sequence[VerificationKey] = field(init=False)
    # Set by ``inspect`` only, as arguments of the checks from ``REVOCATION`` on.
    revocation_cache: RevocationCache = field(init=False)
    account: str | None = field(init=False)  #: the account in the URL
    audience: frozenset[str] | None = field(init=False)  #: the accounts that are served
    requirement: TokenRequirement = field(init=False)

    @property
    def token(self) -> AppJWT | ConsumerJWS:
        """The token as a value; only once all its claims have been checked."""
        token: AppJWT | ConsumerJWS = self.profile.build(self.claims)
        return token

    @property
    def subject(self) -> Subject:
        """What of the token can be revoked."""
        return self.profile.subject(self.token, self.text)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the table in the docs has the docstring of its function as the full rule."""

    stage: Stage
    run: Callable[..., None]  #: raises ``Rejected`` or ``Unavailable``, or returns
    reasons: tuple[Reason, ...]  #: those that it can fail with
    #: What holds if it passes, for ``inspect``; with values of the deployment in braces.
    sentence: str
    only: TokenProfile[Any] | None = None  #: the token type it is for; ``None``: both
    #: Returns the arguments of ``run``, for ``inspect``; ``None``: it takes the examination itself.
    arguments: Callable[[Examination], tuple[Any, ...]] | None = None
