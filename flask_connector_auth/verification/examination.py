"""A token under examination: what its checks need, and what they have found out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..core import AppJWT, ConsumerJWS, Reason, TokenRequirement
from ..keys import KeySource, VerificationKey
from ..revocation import RevocationCache
from .profiles import TokenProfile, VerifierRules


class Stage(StrEnum):
    """The part of a request that a check is about, in the order of the checks."""

    HEADER = "header"  #: the value of the header
    FORM = "form"  #: size and segments of the token
    ISSUER = "issuer"  #: which of several issuers the token is of
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
    #: ``alg`` and ``kid`` of JOSE headers that were checked before, by their encoded text.
    accepted_headers: Mapping[bytes, tuple[str, str | None]] = field(default_factory=dict)
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
    #: Whether the candidates are known already, and none of them has verified the signature.
    is_refuted: bool = False
    #: Where there are several issuers: the ``Verifier`` of each.
    verifiers: Mapping[str, Any] = field(default_factory=dict)
    expected_issuer: str | None = None  #: the only one of them that the token may be of
    # Set by ``inspect`` only, as arguments of the checks from ``REVOCATION`` on.
    revocation_cache: RevocationCache = field(init=False)
    account: str | None = field(init=False)  #: the account in the URL
    requirement: TokenRequirement = field(init=False)

    @property
    def token(self) -> AppJWT | ConsumerJWS:
        """The token as a value; only once all its claims have been checked."""
        token: AppJWT | ConsumerJWS = self.profile.build(self.claims, self.rules.issuer)
        return token

    def use_issuer(self, issuer: str) -> None:
        """Go on by the rules and keys of *issuer*, one of several."""
        verifier = self.verifiers[issuer]
        self.profile, self.rules, self.source = verifier.profile, verifier.rules, verifier.keys


def itself(examined: Examination) -> tuple[Examination]:
    """Return the arguments of a check that takes the examination itself."""
    return (examined,)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the table in the docs has the docstring of its function as the full rule."""

    stage: Stage
    run: Callable[..., None]  #: raises ``Rejected`` or ``Unavailable``, or returns
    reasons: tuple[Reason, ...]  #: those that it can fail with
    #: What holds if it passes, for ``inspect``; with values of the deployment in braces.
    sentence: str
    only: TokenProfile[Any] | None = None  #: the token type it is for; ``None``: both
    #: Whether settings ask for it; ``None``: always.
    is_needed: Callable[[TokenProfile[Any], VerifierRules], bool] | None = None
    #: Returns the arguments of ``run``, for ``inspect``; see :func:`itself`.
    arguments: Callable[[Examination], tuple[Any, ...]] = itself

    def applies(self, profile: TokenProfile[Any], rules: VerifierRules) -> bool:
        """Whether tokens of *profile* are checked so under *rules*."""
        if self.only is not None and self.only.label != profile.label:
            return False
        return self.is_needed is None or self.is_needed(profile, rules)
