"""The result of each check of a token, by the checks that a request runs.

Where one fails, it is shown what the token has, without anything that could itself be a token.
"""

import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from ..core import (
    DEFAULT_TYPE,
    AppJWT,
    ConsumerJWS,
    Reason,
    Rejected,
    TokenRequirement,
    Unavailable,
)
from ..keys import MAX_KID, list_keys
from ..verification import Authenticator, Check, Examination, Stage, Verifier
from ..web import Runtime
from .common import literal
from .token_input import SHOWN_PARAMETERS, shorten

SIZES = ("bytes", "segments")  #: what is counted of a token whose form is wrong
# What a check reads, by its function without ``check_``, unless the type of the token decides.
_PARAMETERS = {
    "extensions": ("crit", "b64", "zip"),
    "algorithm": ("alg",),
    "type_and_kid": ("typ", "kid"),
    "key": ("alg", "kid"),
    "signature": ("alg", "kid"),
}
_CLAIMS = {
    **dict.fromkeys(("known_issuer", "issuer"), ("iss",)),
    "time_claims": ("exp", "iat", "nbf"),
    "expiry": ("exp",),
    "start": ("iat", "nbf"),
    "lifetime": ("iat", "exp"),
}
# The shortest token has 65 characters.
_ID = re.compile(r"[^\s\\/]{0,64}(?:/[^\s\\/]{0,64})*")
_LACKING = (Reason.BAD_ALGORITHM, Reason.UNKNOWN_KEY, Reason.MISSING_CLAIM, Reason.MISSING_SCOPE)
# The stages that find out the issuer, and those of its rules.
_FOR_ANY_ISSUER = (Stage.HEADER, Stage.FORM, Stage.ISSUER)
_FOR_ONE_ISSUER = [each for each in Stage if each not in (*_FOR_ANY_ISSUER, Stage.PAIR)]


class Result(StrEnum):
    """What a check has found."""

    PASSED = "pass"
    FAILED = "fail"  #: the token is refused
    UNAVAILABLE = "unavailable"  #: keys or revocations cannot be had at the moment
    ERROR = "error"  #: code of the app has raised another error, by accident
    NOT_REACHED = "not reached"


class CheckResult(TypedDict):
    """One check, in words, with its result."""

    stage: str
    check: str
    result: Result
    reason: Reason | str | None
    has: dict[str, Any]  #: if it failed: what it reads of the token
    lacks: list[str]  #: if it failed: the names of what it reads that the token does not have
    details: Mapping[str, str]  #: what the reason is about, by name; of an error, class and place


@dataclass(frozen=True)
class Explanation:
    """The checks of one token, in their order, with the values of the app in their sentences."""

    runtime: Runtime
    #: One of *runtime*; its caches are neither read nor changed.
    authenticator: Authenticator[Any]
    account: str | None  #: the account in the URL, if it has one
    requirement: TokenRequirement  #: the required scopes
    issuer: str | None = None  #: the issuer that the token must be of; ``None``: any

    def checks(self, examined: Examination | None = None) -> Iterator[tuple[Check, Verifier[Any]]]:
        """Yield each check with the verifier that has it, but for those that take both tokens.

        :param examined: the token, whose issuer decides once it is known; by default, the first.
        """
        verifier, *_ = self.authenticator.verifiers.values()
        for stages in (_FOR_ANY_ISSUER, _FOR_ONE_ISSUER):
            for check in verifier.checks:
                if check.stage in stages:
                    yield check, verifier
            if examined is not None:
                verifier = self.authenticator.verifiers[examined.rules.issuer]

    def results(self, header: str, now: float) -> Iterator[CheckResult]:
        """Run the checks on *header*, the value of a token's header, and yield their results.

        A request stops at the first check that fails: those after it are not reached. If it fails
        before one of several issuers is known, the checks for one issuer are left out.

        :param now: seconds since the epoch.
        """
        examined = self.authenticator.examine(header, now, self.issuer)
        examined.revocation_cache = self.runtime.revocations.cache
        examined.account, examined.requirement = self.account, self.requirement
        failed, issuer = False, None
        for check, verifier in self.checks(examined):
            outcome = _NOT_REACHED if failed else _outcome(check.run, *check.arguments(examined))
            failed = outcome[0] is not Result.PASSED
            # Only now: the check may have fetched the keys that the sentence lists.
            sentence = check.sentence.format_map(self.values(verifier))
            result = _result(check.stage.value, sentence, outcome)
            if outcome[0] is Result.FAILED:
                has, result["lacks"] = relevant_content(check, examined, outcome[1])
                result["has"] = {name: self.redact(name, value) for name, value in has.items()}
            yield result
            if failed and check.stage is Stage.ISSUER:
                break
        else:
            issuer = examined.rules.issuer
        token_class = AppJWT if examined.profile.label == "app_jwt" else ConsumerJWS
        for own in self.runtime.callbacks.checks:
            if issubclass(token_class, own.token_class) and own.issuer in (None, issuer):
                outcome = _NOT_REACHED if failed else _outcome(own.run, examined.token)
                failed = outcome[0] is not Result.PASSED
                yield _result("own", f"The app's own check passes: {own.name}.", outcome)

    def redact(self, name: str, value: Any) -> Any:
        """Return the *value* of a claim or parameter, without what could be a token.

        What the checks read, beside times, is whole if its parts are shorter than any token.
        """
        of_tokens = [verifier.profile.names for verifier in self.runtime.verifiers]
        scopes = {claim for names in of_tokens for claim in names.scopes}
        ids = {claim for names in of_tokens for claim in names.ids.values()}
        if isinstance(value, str) and name in {*SHOWN_PARAMETERS, "iss", *ids, *scopes}:
            parts = value.split(" ") if name in scopes else [value]
            if all(map(_ID.fullmatch, parts)):
                return value
        return shorten(value)

    def values(self, verifier: Verifier[Any]) -> dict[str, str]:
        """Return the values that stand in braces in the sentences of the checks."""
        profile, rules, names = verifier.profile, verifier.rules, verifier.profile.names
        kids = sorted({literal(key.kid) for key, *_ in list_keys(verifier.keys)})
        longest, store = rules.max_lifetime, self.runtime.settings.revocation_store is not None
        times = " and ".join(profile.time_claims)
        accounts = [] if self.account is None else [f"{self.account!r}, from the URL"]
        if rules.audience is not None:
            accounts.append(f"one of AUDIENCE: {', '.join(sorted(rules.audience))}")
        return {
            "value_limit": f"{2 * rules.max_token_bytes} bytes",
            "scheme": f"with{' or without' if profile.allows_bearer_prefix else 'out'} Bearer",
            "token_limit": f"{rules.max_token_bytes} bytes",
            "header_limit": f"{rules.max_header_bytes} bytes",
            "issuers": ", ".join(map(repr, [self.issuer] if self.issuer else self.runtime.issuers)),
            "algorithms": ", ".join(rules.algorithms),
            "types": " or ".join(
                "absent or JWT" if each == DEFAULT_TYPE else each for each in sorted(profile.types)
            ),
            "kid_length": f"1 to {MAX_KID} characters",
            "kids": ", ".join(kids) or "none",
            "claims_of_other_token": " or ".join(sorted(profile.claims_of_other_token)),
            "text_claims": ", ".join(profile.text_claims),
            "issuer": "absent or " * (not names.requires_issuer) + repr(rules.issuer),
            "time_claims": f"{times} are present" if times else "each may be absent",
            "leeway": f"{rules.leeway:g} s",
            "lifetime": "not limited" if longest is None else f"at most {longest:g} s",
            "scope_claim": " or ".join(names.scopes),
            "scope_form": "a string" + " or a list of strings" * names.allows_scope_list,
            "account_claim": names.ids["account_id"],
            "revocations": "those in the store" if store else "only those of this process",
            "revocable": " or ".join(kind.value for kind, _ in profile.revocable),
            "accounts": " and ".join(accounts) or "not limited: no AUDIENCE is set",
            "scopes": " and ".join(_scopes(self.requirement)) or "none are required",
        }


#: The result of a check, the reason, and its details.
Outcome = tuple[Result, Reason | str | None, Mapping[str, str]]
_NOT_REACHED: Outcome = (Result.NOT_REACHED, None, {})


def _outcome(run: Callable[..., None], *arguments: Any) -> Outcome:
    try:
        run(*arguments)
    except Rejected as rejected:
        shown = {name: shorten(text) for name, text in rejected.reason_details.items()}
        return Result.FAILED, rejected.reason, shown
    except Unavailable as unavailable:
        return Result.UNAVAILABLE, unavailable.reason, {}
    except Exception as error:
        # Without its text, which may quote the token.
        place = traceback.extract_tb(error.__traceback__)[-1]
        details = {"error": type(error).__name__, "at": f"{place.filename}:{place.lineno}"}
        return Result.ERROR, None, details
    return Result.PASSED, None, {}


def _result(stage: str, sentence: str, outcome: Outcome) -> CheckResult:
    result, reason, details = outcome
    return CheckResult(
        stage=stage, check=sentence, result=result, reason=reason, has={}, lacks=[], details=details
    )


def _scopes(requirement: TokenRequirement) -> Iterator[str]:
    if requirement.scopes:
        yield " ".join(sorted(requirement.scopes))
    for scopes in sorted(map(sorted, requirement.any_scopes)):
        yield f"one of {' '.join(scopes)}"


def relevant_content(
    check: Check, examined: Examination, reason: Reason | str | None
) -> tuple[dict[str, Any], list[str]]:
    """Return what *check*, which failed, has read of the token, and what the token lacks of it."""
    name = check.run.__name__.removeprefix("check_")
    # A header over its limit was not read to its end.
    sizes = {
        "token_size": ("bytes", len(examined.text)),
        "header_segment_size": ("bytes", examined.text.find(".")),
        "segments": ("segments", examined.text.count(".") + 1),
    }
    if name in sizes:
        # Three segments are refused only for what is not ASCII.
        return ({} if sizes[name] == ("segments", 3) else dict([sizes[name]])), []
    profile = examined.profile
    scopes = profile.names.scopes and (profile.names.scope_claim(examined.claims),)
    claims: dict[str, Iterable[str]] = {
        **_CLAIMS,
        "no_claims_of_other_token": sorted(profile.claims_of_other_token),
        "text_claims": profile.text_claims,
        "not_revoked": (
            *dict.fromkeys((*profile.text_claims, *profile.logged_ids.values())),
            "iat",
        ),
        **dict.fromkeys(("account_claim", "account"), (profile.names.ids["account_id"],)),
        **dict.fromkeys(("scope_claim", "scopes"), scopes),
    }
    members = examined.parameters if name in _PARAMETERS else examined.claims
    names = _PARAMETERS.get(name) or claims.get(name, ())
    has = {each: members[each] for each in names if each in members}
    if reason not in _LACKING:
        return has, []
    return has, [each for each in names if each not in (*has, "nbf")]  # ``nbf`` is never mandatory
