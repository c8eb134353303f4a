"""A token under examination, and what a check of it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..core import AppJWT, ConsumerJWS, Reason, TokenRequirement
from ..keys import KeySource, VerificationKey
from ..revocation import RevocationCache, Subject
from .profiles import TokenProfile, VerifierRules

#: ``alg`` and ``kid`` of JOSE headers that were checked before, by their encoded text.
KnownHeaders = Mapping[bytes, tuple[str, str | None]]
NO_HEADERS: KnownHeaders = {}


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


class Examination:
    """A token under examination: each check reads the attributes, and sets those it finds out."""

    __slots__ = (
        "accepted_headers",
        "account",
        "algorithm",
        "audience",
        "candidates",
        "claims",
        "header",
        "json_header",
        "json_payload",
        "key",
        "kid",
        "now",
        "parameters",
        "profile",
        "requirement",
        "revocation_cache",
        "rules",
        "signature",
        "signing_input",
        "source",
        "text",
    )
    header: bytes  #: the first segment, encoded
    signing_input: bytes  #: the first two segments, encoded
    json_header: bytes
    json_payload: bytes
    signature: bytes
    parameters: dict[str, Any]  #: the JOSE header
    algorithm: str
    kid: str | None
    candidates: Sequence[VerificationKey]
    # Set by ``inspect`` only, as arguments of the checks from ``REVOCATION`` on.
    revocation_cache: RevocationCache
    account: str | None  #: the account in the URL
    audience: frozenset[str] | None  #: the accounts that are served
    requirement: TokenRequirement

    def __init__(
        self,
        profile: TokenProfile[Any],
        rules: VerifierRules,
        source: KeySource,
        text: str,
        now: float,
        accepted_headers: KnownHeaders = NO_HEADERS,
    ) -> None:
        self.profile: TokenProfile[Any] = profile
        self.rules: VerifierRules = rules
        self.source: KeySource = source
        self.text: str = text  #: the header value until that has been read, then the token
        self.now: float = now  #: seconds since the epoch
        self.accepted_headers: KnownHeaders = accepted_headers
        self.key: VerificationKey | None = None  #: set once it has verified the signature
        self.claims: dict[str, Any] = {}

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

    def applies_to(self, profile: TokenProfile[Any]) -> bool:
        """Whether tokens of *profile* are checked."""
        return self.only is None or self.only is profile
