"""A token's text in; what the app's own verifier makes of it, and how far it got, out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

from ..core import AppJWT, ConsumerJWS, Reason, Rejected, TokenRequirement, Unavailable
from ..keys import VerificationKey
from ..revocation import RevocationCache
from ..verification import CachedToken, Verifier, check_account, check_scopes
from ..web import Runtime

_OURS = frozenset({Reason.KEYS_UNAVAILABLE, Reason.REVOCATION_UNAVAILABLE})


class Stage(StrEnum):
    """How far the judgement of a token got."""

    HEADER = "header"  #: reading it off its header
    FORM = "form"  #: size and segments
    PARAMETERS = "parameters"  #: its JOSE header
    KEY = "key"  #: looking for a key
    SIGNATURE = "signature"
    PAYLOAD = "payload"  #: reading the claims
    CLAIMS = "claims"
    TIMES = "times"
    VALUE = "value"  #: what the claims mean
    REVOCATION = "revocation"
    ACCOUNT = "account"
    SCOPES = "scopes"
    DONE = "done"


class Result(StrEnum):
    """What came of a check."""

    PASSED = "pass"
    FAILED = "fail"  #: the token is refused
    UNAVAILABLE = "unavailable"  #: nobody can know just now
    NOT_REACHED = "not reached"


class Judgement(NamedTuple):
    """What became of a token."""

    stage: Stage  #: where it ended
    reason: Reason | None  #: why it is no good; ``None``: it is good

    @property
    def result(self) -> Result:
        """What came of the last check that was made."""
        if self.reason is None:
            return Result.PASSED
        return Result.UNAVAILABLE if self.reason in _OURS else Result.FAILED


class _Traced(Verifier[Any]):
    """The verifier itself, which does all it always does, and remembers where it is."""

    def __init__(self, verifier: Verifier[Any], mirror: RevocationCache) -> None:
        rules = replace(verifier.rules, cache_size=0)
        super().__init__(verifier.profile, rules, verifier.keys, mirror)
        self.stage = Stage.HEADER
        self._candidates = self._look_up
        self._check_names = self._within(Stage.CLAIMS, self._check_names, Stage.TIMES)
        self._check_times = self._within(Stage.TIMES, self._check_times, Stage.VALUE)

    def _verified(self, text: str, now: float) -> CachedToken[Any]:
        self.stage = Stage.FORM
        entry = super()._verified(text, now)
        self.stage = Stage.REVOCATION
        return entry

    def _parameters(self, header: bytes) -> tuple[str, str | None]:
        self.stage = Stage.PARAMETERS
        return super()._parameters(header)

    def _key(
        self, kid: str | None, algorithm: str, message: bytes, signature: bytes
    ) -> VerificationKey:
        self.stage = Stage.KEY
        key = super()._key(kid, algorithm, message, signature)
        self.stage = Stage.PAYLOAD
        return key

    def _look_up(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        keys = self.keys.candidates(kid, algorithm)
        if keys:
            self.stage = Stage.SIGNATURE
        return keys

    def _within(
        self, stage: Stage, check: Callable[..., None], after: Stage
    ) -> Callable[..., None]:
        def traced(*arguments: Any) -> None:
            self.stage = stage
            check(*arguments)
            self.stage = after

        return traced


def judge(
    state: Runtime,
    verifier: Verifier[Any],
    header: str,
    now: float,
    account: str | None,
    requirement: TokenRequirement,
) -> Judgement:
    """Judge *header*, the value of a token's header, as a request with it would be.

    :param verifier: one of *state*; its cache is neither asked nor changed.
    :param now: seconds since the epoch.
    :param account: the account in the URL, if it has one.
    :param requirement: the scopes that are asked for.
    """
    traced = _Traced(verifier, state.revocations.cache)
    try:
        token: AppJWT | ConsumerJWS | None = traced.authenticate(header, now, header)
        if token is None:
            return Judgement(traced.stage, Reason.MISSING)
        traced.stage = Stage.ACCOUNT
        check_account(token.account_id, account, state.audience)
        if isinstance(token, AppJWT):
            traced.stage = Stage.SCOPES
            check_scopes(token, requirement)
    except (Rejected, Unavailable) as refused:
        return Judgement(traced.stage, refused.reason)
    return Judgement(Stage.DONE, None)
