"""The command ``inspect``: the result of each check of a token, and the content of the token."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import click
from flask import current_app

from ..core import Reason, Rejected, TokenRequirement, token_requirement
from ..verification import CONSUMER_JWS, Stage, read_token
from ..web import Binding, audit
from .common import date_of, distance, json_option, literal, load_runtime, moment, show
from .explanation import SIZES, Explanation, Result
from .health import wait_for_revocations
from .token_input import (
    SHOWN_PARAMETERS,
    decode_segment,
    read_token_text,
    shorten,
    token_file_argument,
)

# Seconds to wait for the revocations, as long as a request waits for a key set before a 503.
_PATIENCE = 5.0
_TIMES = ("exp", "iat", "nbf")
_VERDICTS = {
    Result.PASSED: ("accepted", 0),
    Result.FAILED: ("refused", 1),
    Result.UNAVAILABLE: ("unavailable", 2),
    Result.ERROR: ("error", 2),
}
# What the command may not know, by its word in JSON.
_NOT_CHECKED = {
    "account": "account in the URL (--account-id)",
    "scopes": "scopes (--endpoint or --scope)",
    "revocations": "revocations of other processes",
}


@click.command()
@token_file_argument
@click.option(
    "--app-jwt/--consumer-jws",
    "is_app_jwt",
    default=True,
    show_default=True,
    help="The type of the token.",
)
@click.option(
    "--issuer",
    metavar="ISS",
    help="With --consumer-jws: the issuer of the AppJWT of the same request.",
)
@click.option("--account-id", "account", metavar="ID", help="The account in the URL.")
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    help="A required scope. Can be given several times.",
)
@click.option(
    "--endpoint",
    metavar="NAME",
    help="Require what this endpoint requires of the token; routes lists the endpoints.",
)
@click.option(
    "--method",
    metavar="NAME",
    help="With --endpoint: the method of the request, if the methods require different things.",
)
@click.option("--at", type=moment, metavar="TIME", help="Check the token as of this time, not now.")
@json_option
@click.pass_context
def inspect(
    ctx: click.Context,
    token_file: str | None,
    is_app_jwt: bool,
    issuer: str | None,
    account: str | None,
    scopes: tuple[str, ...],
    endpoint: str | None,
    method: str | None,
    at: float | None,
    as_json: bool,
) -> None:
    """Explain why the app accepts or refuses a token.

    The token, or the whole value of its header, is read from TOKEN-FILE, from standard input (also
    with -), or at a prompt. It is not accepted as an argument, because it would stay in the history
    of the shell and in the list of processes.

    The command runs the checks of a request, in the same order; the app's own checks are the last
    ones. Each check is shown with its result: pass, fail, not reached, unavailable or error. For a
    check that fails, the output says what the token has. Then follows the content of the token,
    verified or not. The signature is not shown, and a long text in a claim is cut. So nothing in
    the output can be used as a token.

    The account in the URL and the scopes are checked only if you name them. Without
    CONNECTOR_AUTH_REVOCATION_URL, the command does not know what other processes have revoked. The
    first line says what was not checked.

    Status 0: all that was checked is good. Status 1: the app would refuse the token. Status 2: keys
    or revocations are unavailable at the moment, or code of the app raised an error.

    \b
    Example:
      flask --app shop connector-auth inspect --scope msg.consumer token.txt
      flask --app shop connector-auth inspect --endpoint send --account-id le81823118 token.txt
    """
    runtime = load_runtime(ctx)
    name = "app_jwt" if is_app_jwt else "consumer_jws"
    authenticator = runtime.app_jwt if is_app_jwt else runtime.consumer_jws
    if issuer is not None and (is_app_jwt or issuer not in runtime.issuers):
        known = f"belongs to --consumer-jws, with one of {', '.join(map(repr, runtime.issuers))}."
        raise click.UsageError(f"--issuer {known}", ctx)
    try:
        requirement = token_requirement(scopes)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param_hint="--scope") from None
    if endpoint is not None:
        requirement |= _requirement_of(endpoint, method, name, account)
    elif method is not None:
        raise click.UsageError("--method belongs to --endpoint.", ctx)
    header = read_token_text(token_file, 2 * runtime.settings.max_token_bytes)
    now = runtime.clock() if at is None else at
    wait_for_revocations(runtime.revocations, _PATIENCE)
    explanation = Explanation(runtime, authenticator, account, requirement, issuer)
    results = list(explanation.results(header, now))
    # The first one that has not passed, or else the last one.
    decisive = next((each for each in results if each["result"] != Result.PASSED), results[-1])
    verdict, status = _VERDICTS[decisive["result"]]
    unknown = {
        "account": account is None and endpoint is None,
        "scopes": is_app_jwt and not scopes and endpoint is None,
        "revocations": runtime.settings.revocation_store is None,
    }
    report = {
        "token": name,
        "verdict": verdict,
        "not_checked": [each for each in _NOT_CHECKED if unknown[each]],
        "reason": decisive["reason"],
        "at": date_of(now),
        "checks": results,
        "verified": any(
            (each["stage"], each["result"]) == (Stage.SIGNATURE, Result.PASSED) for each in results
        ),
        **_content(header, is_app_jwt, now, explanation),
    }
    show(report, as_json, _lines)
    ctx.exit(status)


def _requirement_of(
    endpoint: str, method: str | None, token: str, account: str | None
) -> TokenRequirement:
    """Return what *endpoint* requires of the token with the name *token*.

    :param account: the account in the URL of the request, which the rule alone does not tell.
    :raises UsageError: if the options do not name one requirement of that token.
    """
    named = f"The endpoint {literal(endpoint)}"
    routes = [
        route
        for route in audit(current_app)
        if route.endpoint == endpoint and (method is None or method.upper() in route.methods)
    ]
    if not routes:
        of_method = "" if method is None else f" with the method {literal(method)}"
        raise click.UsageError(f"{named}{of_method} is not among those that routes lists.")
    found: set[TokenRequirement | None] = {getattr(each.requirements, token) for each in routes}
    requirement, *others = found
    if others:
        raise click.UsageError(f"{named} differs in its methods: name one with --method.")
    if requirement is None:
        raise click.UsageError(f"{named} does not require this token; routes lists what it does.")
    has_account = {route.binding in (Binding.URL, Binding.BOTH) for route in routes}
    if account is None and has_account == {True}:
        raise click.UsageError(f"{named} has the account in its URL: name it with --account-id.")
    if account is not None and has_account == {False}:
        raise click.UsageError(f"{named} has no account in its URL: leave --account-id out.")
    return requirement


def _content(header: str, bearer: bool, now: float, explanation: Explanation) -> dict[str, Any]:
    """Return the header, the claims and the times of a token, as far as it can be read."""
    parameters = claims = None
    with suppress(Rejected):
        segments = read_token(header, bearer=bearer).split(".")
        if len(segments) == 3:
            parameters, claims = map(decode_segment, segments[:2])
    if parameters is not None:
        known = [name for name in SHOWN_PARAMETERS if name in parameters]
        shown = {name: explanation.redact(name, parameters[name]) for name in known}
        # Names only: a key in a token is never used, so it is not shown.
        parameters = {**shown, "others": shorten(sorted(parameters.keys() - shown.keys()))}
    return {
        "header": parameters,
        "claims": claims
        and {shorten(name): explanation.redact(name, claims[name]) for name in claims},
        "times": {
            name: {"date": date, "in": claims[name] - now}
            for name in _TIMES
            if claims and (date := date_of(claims.get(name)))
        },
    }


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    verdict, missing = f"{report['verdict']}{_reason(report)}", report["not_checked"]
    if missing and verdict == "accepted":
        verdict += f"; not checked: {', '.join(_NOT_CHECKED[each] for each in missing)}"
    yield f"{report['token']} as of {report['at']}: {verdict}"
    yield ""
    dates = {name: f"{at['date']}, {distance(at['in'])}" for name, at in report["times"].items()}
    for check in report["checks"]:
        found = _found(check, dates, report["token"] == CONSUMER_JWS.label)
        yield f"  {check['result']:<11}  {check['check']}{_reason(check)}{found}"
    unverified = "" if report["verified"] else ", not verified"
    for title in ("header", "claims"):
        if report[title] is not None:
            yield from ("", f"{title}{unverified}:")
            for name, value in report[title].items():
                date = f"  {dates[name]}" if title == "claims" and name in dates else ""
                yield f"  {literal(name)[1:-1]}: {literal(value)}{date}"


def _reason(part: Mapping[str, Any]) -> str:
    return f" ({part['reason']})" if part["reason"] else ""


def _found(check: Mapping[str, Any], dates: Mapping[str, str], is_consumer: bool) -> str:
    """Return the sentence that says what the token has, where *check* failed."""
    parts = []
    for name, value in check["has"].items():
        date = f" ({dates[name]})" if name in dates else ""
        # "3 segments", but "exp 1".
        parts.append(f"{value} {name}" if name in SIZES else f"{name} {literal(value)}{date}")
    parts += [f"no {name}" for name in check["lacks"]]
    found = f" The token has {', '.join(parts)}." if parts else ""
    details = check["details"]
    if check["result"] == Result.ERROR:
        return f" {details['error']} at {details['at']}."
    if check["reason"] == Reason.REVOKED:
        # That is what restore takes.
        return f"{found} The {details['kind']} is revoked."
    if (check["stage"], check["reason"]) == (Stage.ISSUER, Reason.MISSING_CLAIM) and is_consumer:
        return f"{found} In a request, its issuer is that of the AppJWT: name it with --issuer."
    return found
