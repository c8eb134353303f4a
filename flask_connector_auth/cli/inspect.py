"""The command ``inspect``: the result of each check of a token, and the content of the token."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import click

from ..core import Malformed, Rejected, decode_base64url, load_json_object, token_requirement
from ..verification import Stage, read_token
from .common import date_of, json_option, literal, load_state, moment, read_input, show
from .explanation import Explanation, Result
from .health import wait_for_revocations

# Seconds to wait for the revocations, as long as a request waits for a key set before a 503.
_PATIENCE = 5.0
_TIMES = ("exp", "iat", "nbf")
_SHOWN_PARAMETERS = ("alg", "kid", "typ")
# What the checks read, beside times.
_CHECKED = frozenset(
    {
        *("aud", "azp", "iss", "scope", "account_id", "ext_consumer_id", "lp_consumer_id"),
        *_SHOWN_PARAMETERS,
    }
)
# The shortest signature, of HS256, has 43 characters, and a token with it 65 or more.
_MAX_TEXT, _SHOWN = 40, 16
_ID = re.compile(r"[^\s\\/]{0,64}(?:/[^\s\\/]{0,64})*")
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
    help="The type of the token.",
)
@click.option("--account", metavar="ID", help="The account in the URL.")
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help="A required scope.")
@click.option("--at", type=moment, metavar="TIME", help="Check the token as of this time, not now.")
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
    """Explain why the app accepts or refuses a token.

    The token, or the whole value of its header, is read from standard input, or at a prompt. The
    checks are those of the app itself. Each is shown in its order with pass, fail, not reached or
    unavailable; then the content of the token, verified or not. The signature is not shown, and of
    long texts in claims only the beginning, so the output has nothing that can be used as a token.

    Status 0: the app would accept it. Status 1: it would not. Status 2: keys or revocations are
    unavailable at the moment.

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
    header = read_input(2 * verifier.rules.max_token_bytes)
    now = state.clock() if at is None else at
    wait_for_revocations(state.revocations, _PATIENCE)
    results = list(Explanation(state, verifier, account, requirement).results(header, now))
    for each in results:
        each["reason_details"] = {
            name: _shown("scope" if name.endswith("scopes") else "iss", value)
            for name, value in each["reason_details"].items()
        }
    # The first one that has not passed, or else the last one.
    decisive = next((each for each in results if each["result"] != Result.PASSED), results[-1])
    verdict, status = _VERDICTS[decisive["result"]]
    report = {
        "token": name,
        "verdict": verdict,
        "reason": decisive["reason"],
        "at": date_of(now),
        "checks": results,
        "verified": any(
            (each["stage"], each["result"]) == (Stage.SIGNATURE, Result.PASSED) for each in results
        ),
        **_content(header, verifier.profile.allows_bearer_prefix, now),
    }
    show(report, as_json, _lines)
    ctx.exit(status)


def _content(header: str, bearer: bool, now: float) -> dict[str, Any]:
    """Return the header, the claims and the times of a token, as far as it can be read."""
    parameters = claims = None
    with suppress(Rejected):
        segments = read_token(header, bearer=bearer).split(".")
        if len(segments) == 3:
            parameters, claims = map(_decoded, segments[:2])
    times = {name: claims[name] for name in _TIMES if name in claims} if claims else {}
    return {
        "header": parameters and _header(parameters),
        "claims": claims and {_cut(name): _shown(name, claims[name]) for name in claims},
        "times": {
            name: {"date": date, "in": value - now}
            for name, value in times.items()
            if (date := date_of(value)) is not None
        },
    }


def _distance(seconds: float) -> str:
    """Return how far away a time is, such as ``in 0:10:00``; *seconds* is negative in the past."""
    away = timedelta(seconds=round(abs(seconds)))
    return f"{away} ago" if seconds < 0 else f"in {away}"


def _decoded(segment: str) -> dict[str, Any] | None:
    with suppress(Malformed):
        return load_json_object(decode_base64url(segment.encode()))
    return None


def _header(parameters: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        name: _shown(name, parameters[name]) for name in _SHOWN_PARAMETERS if name in parameters
    }
    # Names only: a key in a token is never used, so it is not shown.
    return {**shown, "others": _cut(sorted(parameters.keys() - shown.keys()))}


def _shown(name: str, value: Any) -> Any:
    """Return the *value* of a claim or parameter, without what could be a token.

    What the checks read is whole if its parts are shorter than any token.
    """
    if name in _CHECKED and isinstance(value, str):
        parts = value.split(" ") if name == "scope" else [value]
        if all(map(_ID.fullmatch, parts)):
            return value
    return _cut(value)


def _cut(value: Any) -> Any:
    """Return *value*, a JSON value, with the beginning of each long text only.

    A claim may hold a token that another service would accept, in whatever encoding.
    """
    match value:
        case str():
            return value if len(value) <= _MAX_TEXT else f"{value[:_SHOWN]}***"
        case list():
            return [_cut(inner) for inner in value]
        case dict():
            return {_cut(name): _cut(inner) for name, inner in value.items()}
        case _:
            return value


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    yield f"{report['token']} as of {report['at']}: {report['verdict']}{_reason(report)}"
    yield ""
    for check in report["checks"]:
        yield f"  {check['result']:<11}  {check['check']}{_reason(check)}"
    unverified = "" if report["verified"] else ", not verified"
    for title in ("header", "claims"):
        if report[title] is not None:
            yield from ("", f"{title}{unverified}:")
            times = report["times"] if title == "claims" else {}
            yield from (
                _line(name, value, times.get(name)) for name, value in report[title].items()
            )


def _reason(part: Mapping[str, Any]) -> str:
    details = part.get("reason_details", {}).items()
    words = [str(part["reason"]), *(f"{name}={literal(value)}" for name, value in details)]
    return f" ({' '.join(words)})" if part["reason"] else ""


def _line(name: str, value: Any, time: Mapping[str, Any] | None) -> str:
    date = f"  {time['date']}, {_distance(time['in'])}" if time else ""
    return f"  {literal(name)[1:-1]}: {literal(value)}{date}"
