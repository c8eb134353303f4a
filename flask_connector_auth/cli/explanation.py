"""The result of each check of a token, by the checks that a request runs."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypedDict

from ..core import Reason, Rejected, TokenRequirement, Unavailable
from ..keys import MAX_KID, list_keys
from ..verification import Check, Examination, Stage, Verifier
from ..web import Runtime
from .common import literal


class Result(StrEnum):
    """What a check has found."""

    PASSED = "pass"
    FAILED = "fail"  #: the token is refused
    UNAVAILABLE = "unavailable"  #: keys or revocations cannot be had at the moment
    NOT_REACHED = "not reached"


class CheckResult(TypedDict):
    """One check, in words, with its result."""

    stage: str
    check: str
    result: Result
    reason: Reason | None
    reason_details: Mapping[str, str]


class Explanation:
    """The checks of one token, in their order, with the values of the app in their sentences.

    :param verifier: one of *state*; its cache is neither read nor changed.
    :param account: the account in the URL, if it has one.
    :param requirement: the required scopes.
    """

    def __init__(
        self,
        state: Runtime,
        verifier: Verifier[Any],
        account: str | None,
        requirement: TokenRequirement,
    ) -> None:
        self._state = state
        self._verifier = verifier
        self._account = account
        self._requirement = requirement
        #: All but those that take both tokens of a request.
        self.checks: list[Check] = [each for each in verifier.checks if each.stage != Stage.PAIR]
        values = self._values()
        #: What holds if a check passes, in the order of the checks.
        self.sentences: list[str] = [each.sentence.format_map(values) for each in self.checks]

    def results(self, header: str, now: float) -> Iterator[CheckResult]:
        """Run the checks on *header*, the value of a token's header, and yield their results.

        A request stops at the first check that fails: those after it are not reached.

        :param now: seconds since the epoch.
        """
        verifier = self._verifier
        examined = Examination(verifier.profile, verifier.rules, verifier.keys, header, now)
        examined.revocation_cache = verifier.revocation_cache
        examined.account, examined.audience = self._account, self._state.audience
        examined.requirement = self._requirement
        failed = False
        for check, sentence in zip(self.checks, self.sentences, strict=True):
            result, reason, details = (
                (Result.NOT_REACHED, None, {}) if failed else _run(check, examined)
            )
            failed = failed or result is not Result.PASSED
            yield {
                "stage": check.stage.value,
                "check": sentence,
                "result": result,
                "reason": reason,
                "reason_details": details,
            }

    def _values(self) -> dict[str, str]:
        """Return the values that stand in braces in the sentences of the checks."""
        profile, rules = self._verifier.profile, self._verifier.rules
        kids = sorted({literal(listed.key.kid) for listed in list_keys(self._verifier.keys)})
        longest = rules.max_lifetime
        times = " and ".join(profile.time_claims)
        accounts = [] if self._account is None else [f"{self._account!r}, that of the URL"]
        if self._state.audience is not None:
            accounts.append(f"one of AUDIENCE: {', '.join(sorted(self._state.audience))}")
        return {
            "value_limit": f"{2 * rules.max_token_bytes} bytes",
            "scheme": "bare or behind Bearer" if profile.allows_bearer_prefix else "bare",
            "token_limit": f"{rules.max_token_bytes} bytes",
            "header_limit": f"{rules.max_header_bytes} bytes",
            "algorithms": ", ".join(rules.algorithms),
            "kid_length": f"1 to {MAX_KID} characters",
            "kids": ", ".join(kids) or "none",
            "claims_of_other_token": " or ".join(sorted(profile.claims_of_other_token)),
            "text_claims": ", ".join(profile.text_claims),
            "issuer": repr(rules.issuer),
            "time_claims": f"{times} are present" if times else "each may be absent",
            "leeway": f"give or take {rules.leeway:g} s",
            "lifetime": "any time" if longest is None else f"at most {longest:g} s",
            "revocable": ", ".join(kind.value for kind, _ in profile.revocable),
            "accounts": " and ".join(accounts) or "any: no AUDIENCE is set",
            "scopes": " ".join(sorted(self._requirement.scopes)) or "none required",
        }


def _run(check: Check, examined: Examination) -> tuple[Result, Reason | None, Mapping[str, str]]:
    try:
        check.run(*(check.arguments(examined) if check.arguments else (examined,)))
    except Rejected as rejected:
        return Result.FAILED, rejected.reason, rejected.reason_details
    except Unavailable as unavailable:
        return Result.UNAVAILABLE, unavailable.reason, {}
    return Result.PASSED, None, {}
