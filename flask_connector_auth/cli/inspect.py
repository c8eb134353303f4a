"""``inspect`` in; what the app makes of a token, check by check, and what the token says, out."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import click

from ..core import Malformed, Rejected, decode_base64url, load_object, token_requirement
from ..verification import read_token
from .app import load_state
from .health import wait_for_revocations
from .redaction import redact_signatures
from .steps import steps_of, walk
from .terminal import date_of, distance, json_option, literal, moment, read_input, show
from .traced import Result, judge

# Seconds for what is revoked; a key set has as many before a request is answered with 503.
_PATIENCE = 5.0
_TIMES = ("exp", "iat", "nbf")
_SHOWN_PARAMETERS = ("alg", "kid", "typ")
_VERDICTS = {
    Result.PASSED: ("accepted", 0),
    Result.FAILED: ("refused", 1),
    Result.UNAVAILABLE: ("unavailable", 2),
}


@click.command()
@click.option(
    "--app-jwt/--consumer-jws",
    "is_app_jwt",
    default=True,
    show_default=True,
    help="Which of the two tokens it is.",
)
@click.option("--account", metavar="ID", help="The account in the URL.")
@click.option(
    "--scope", "scopes", metavar="SCOPE", multiple=True, help="A scope that is asked for."
)
@click.option("--at", type=moment, metavar="TIME", help="Judge it as of then; else as of now.")
@json_option
@click.pass_context
def inspect(
    ctx: click.Context,
    is_app_jwt: bool,
    account: str | None,
    scopes: tuple[str, ...],
    at: float | None,
    as_json: bool,
) -> None:
    """Explain what the app makes of a token.

    The token, or the whole value of its header, is read from standard input, or asked for. It is
    judged by the app's own verifier. Each check is shown in its order with pass, fail, not reached
    or unavailable; then what the token says, whether or not it can be believed. The signature is
    not shown, so what is printed is no token any more.

    Status 0: the app would accept it. Status 1: it would not. Status 2: nobody can know just now.

    \b
    Example:
      flask --app shop connector-auth inspect --scope msg.consumer < token.txt
    """
    state = load_state(ctx)
    name = "app_jwt" if is_app_jwt else "consumer_jws"
    verifier = state.verifiers[name]
    try:
        requirement = token_requirement(scopes)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param_hint="--scope") from None
    header = read_input(verifier.rules.max_token_bytes)
    now = state.clock() if at is None else at
    wait_for_revocations(state.revocations, _PATIENCE)
    judgement = judge(state, verifier, header, now, account, requirement)
    checks = walk(steps_of(state, verifier, account, requirement), judgement)
    verdict, status = _VERDICTS[judgement.result]
    found = {
        "token": name,
        "verdict": verdict,
        "reason": judgement.reason,
        "at": date_of(now),
        "checks": checks,
        "verified": ("signature", "pass") in [(one["stage"], one["result"]) for one in checks],
        **_said(header, verifier.profile.bearer, now),
    }
    # A claim may hold a token that somebody would accept.
    show(redact_signatures(found), as_json, _lines)
    ctx.exit(status)


def _said(header: str, bearer: bool, now: float) -> dict[str, Any]:
    """Return what a token says of itself, as far as it can be read."""
    parameters = claims = None
    with suppress(Rejected):
        segments = read_token(header, bearer=bearer).split(".")
        if len(segments) == 3:
            parameters, claims = map(_decoded, segments[:2])
    times = {name: claims[name] for name in _TIMES if name in claims} if claims else {}
    return {
        "header": parameters and _header(parameters),
        "claims": claims,
        "times": {
            name: {"date": date, "in": value - now}
            for name, value in times.items()
            if (date := date_of(value)) is not None
        },
    }


def _decoded(segment: str) -> dict[str, Any] | None:
    with suppress(Malformed):
        return load_object(decode_base64url(segment.encode()))
    return None


def _header(parameters: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: parameters[name] for name in _SHOWN_PARAMETERS if name in parameters}
    # By name alone: a key that a token brings along is none.
    return {**shown, "others": sorted(parameters.keys() - shown.keys())}


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    yield f"{found['token']} as of {found['at']}: {found['verdict']}{_why(found)}"
    yield ""
    yield from (f"  {one['result']:<11}  {one['check']}{_why(one)}" for one in found["checks"])
    unverified = "" if found["verified"] else ", not verified"
    for title in ("header", "claims"):
        if found[title] is not None:
            yield from ("", f"{title}{unverified}:")
            times = found["times"] if title == "claims" else {}
            yield from (_line(name, one, times.get(name)) for name, one in found[title].items())


def _why(found: Mapping[str, Any]) -> str:
    return f" ({found['reason']})" if found["reason"] else ""


def _line(name: str, value: Any, time: Mapping[str, Any] | None) -> str:
    date = f"  {time['date']}, {distance(time['in'])}" if time else ""
    return f"  {literal(name)[1:-1]}: {literal(value)}{date}"
