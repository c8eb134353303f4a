"""How far a token got in; each check, in the verifier's order, with what came of it, out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..core import Reason, TokenRequirement
from ..keys import MAX_KID, list_keys
from ..verification import TokenProfile, Verifier
from ..web import Runtime
from .terminal import literal
from .traced import Judgement, Result, Stage


@dataclass(frozen=True, slots=True)
class Step:
    """One check; the reasons with which it fails are told apart by the stage they come from."""

    stage: Stage
    reasons: tuple[Reason, ...]
    text: str  #: what is so if it passes


def walk(steps: list[Step], judgement: Judgement) -> list[dict[str, Any]]:
    """Return each check as ``stage``, ``check``, ``result`` and ``reason``.

    The verifier stops at the first check that fails: all before it have passed, and none after it
    was reached. A result is ``unavailable`` where nobody can know just now.
    """
    results, ended = [], False
    for step in steps:
        here = step.stage is judgement.stage and judgement.reason in step.reasons
        missed = Result.NOT_REACHED if ended else Result.PASSED
        result = judgement.result if here else missed
        reason = judgement.reason.value if here and judgement.reason else None
        told = {"stage": step.stage.value, "check": step.text}
        results.append({**told, "result": result.value, "reason": reason})
        ended = ended or here
    return results


def steps_of(
    state: Runtime, verifier: Verifier[Any], account: str | None, requirement: TokenRequirement
) -> list[Step]:
    """Return the checks of *verifier*, and those that come after it; see :func:`judge`."""
    return [*_form(verifier), *_content(verifier), *_policy(state, verifier, account, requirement)]


def _form(verifier: Verifier[Any]) -> Iterator[Step]:
    rules, bearer = verifier.rules, verifier.profile.bearer
    kids = sorted({literal(one.key.kid) for one in list_keys(verifier.keys)})
    yield Step(Stage.HEADER, (Reason.MISSING,), "There is a token.")
    where = "bare or behind Bearer" if bearer else "bare"
    yield Step(Stage.HEADER, (Reason.BAD_HEADER,), f"It is one token, {where}.")
    sizes = f"{rules.max_token_bytes} bytes, its header at most {rules.max_header_bytes}"
    yield Step(Stage.FORM, (Reason.TOO_LARGE,), f"It has at most {sizes}.")
    yield Step(Stage.FORM, (Reason.NOT_COMPACT,), "It is three segments of canonical base64url.")
    yield Step(Stage.PARAMETERS, (Reason.BAD_JSON,), "Its header is one strict JSON object.")
    yield Step(Stage.PARAMETERS, (Reason.CRITICAL,), "No crit, b64 or zip is in the header.")
    allowed = ", ".join(rules.algorithms)
    yield Step(Stage.PARAMETERS, (Reason.BAD_ALGORITHM,), f"alg is one of: {allowed}.")
    text = f"typ is absent or JWT; kid is absent or has 1 to {MAX_KID} characters."
    yield Step(Stage.PARAMETERS, (Reason.BAD_PARAMETER,), text)
    text = f"A key fits kid and alg; known are: {', '.join(kids) or 'none'}."
    yield Step(Stage.KEY, (Reason.UNKNOWN_KEY, Reason.KEYS_UNAVAILABLE), text)
    reasons = (Reason.BAD_SIGNATURE, Reason.KEYS_UNAVAILABLE)
    yield Step(Stage.SIGNATURE, reasons, "The signature is that key's.")


def _content(verifier: Verifier[Any]) -> Iterator[Step]:
    profile, rules = verifier.profile, verifier.rules
    missing_or_bad = (Reason.MISSING_CLAIM, Reason.BAD_CLAIM)
    yield Step(Stage.PAYLOAD, (Reason.BAD_JSON,), "The payload is one strict JSON object.")
    foreign = " or ".join(sorted(profile.foreign_claims))
    yield Step(Stage.CLAIMS, (Reason.WRONG_TYPE,), f"No {foreign}: the other token has these.")
    text = f"Non-empty strings: {', '.join(profile.text_claims)}"
    text += "; iss is there." if profile.has_issuer else "."
    yield Step(Stage.CLAIMS, missing_or_bad, text)
    if profile.has_issuer:
        yield Step(Stage.CLAIMS, (Reason.WRONG_ISSUER,), f"iss is {rules.issuer!r}.")
    yield Step(Stage.TIMES, missing_or_bad, f"exp, iat and nbf are numbers{_mandatory(profile)}.")
    leeway = f"give or take {rules.leeway:g} s"
    yield Step(Stage.TIMES, (Reason.EXPIRED,), f"exp lies in the future, {leeway}.")
    yield Step(Stage.TIMES, (Reason.NOT_YET_VALID,), f"iat and nbf do not, {leeway}.")
    if profile.time_claims:
        longest = "any time" if rules.max_lifetime is None else f"at most {rules.max_lifetime:g} s"
        yield Step(Stage.TIMES, (Reason.TOO_LONG_LIVED,), f"From iat to exp it is {longest}.")
        yield Step(Stage.VALUE, missing_or_bad, "aud is one account; scope, if there, a string.")


def _mandatory(profile: TokenProfile[Any]) -> str:
    named = " and ".join(profile.time_claims)
    return f", {named} there" if named else ", where they are there"


def _policy(
    state: Runtime, verifier: Verifier[Any], account: str | None, requirement: TokenRequirement
) -> Iterator[Step]:
    reasons = (Reason.REVOKED, Reason.REVOCATION_UNAVAILABLE)
    kinds = ", ".join(kind.value for kind, _ in verifier.profile.revocable)
    yield Step(Stage.REVOCATION, reasons, f"Not revoked: neither the token, nor its {kinds}.")
    served = [] if account is None else [f"{account!r}, that of the URL"]
    if state.audience is not None:
        served.append(f"one of AUDIENCE: {', '.join(sorted(state.audience))}")
    text = f"The account is {' and '.join(served) or 'any: no AUDIENCE is set'}."
    yield Step(Stage.ACCOUNT, (Reason.WRONG_ACCOUNT,), text)
    if verifier.profile.has_issuer:
        asked = " ".join(sorted(requirement.scopes)) or "none asked for"
        yield Step(Stage.SCOPES, (Reason.MISSING_SCOPE,), f"Its scopes include: {asked}.")
