"""The commands ``revoke``, ``restore`` and ``revocations``: change and list what is revoked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any

import click

from ..core import Rejected
from ..revocation import RevocationStoreError, token_digest
from ..verification import read_token
from ..web import Runtime
from .common import CannotRun, date_of, json_option, literal, load_runtime, moment, show, table
from .health import wait_for_revocations
from .token_input import read_token_text, token_file_argument

# Seconds to wait for the entries of the store: a million of them take some.
_PATIENCE = 30.0
_DIGEST = re.compile(r"(?:[0-9a-f]{32}){1,2}", re.IGNORECASE)


def _subject_options(command: Any) -> Any:
    for option in (
        click.option("--issuer", metavar="ISS", help="With an ID: only the tokens of this issuer."),
        click.option("--digest", metavar="HEX", help="One token, by its digest."),
        click.option(
            "--ext-consumer-id",
            metavar="ID",
            help="The ConsumerJWSs of one consumer, by its ext_consumer_id, in every account.",
        ),
        click.option(
            "--lp-consumer-id",
            metavar="ID",
            help="The ConsumerJWSs of one consumer, by its lp_consumer_id.",
        ),
        click.option("--account-id", metavar="ID", help="All tokens of one account."),
        click.option("--install-id", metavar="ID", help="The AppJWTs of one app install."),
    ):
        command = option(command)
    return command


@click.command()
@token_file_argument
@_subject_options
@click.option(
    "--at",
    type=moment,
    metavar="TIME",
    help="Revoke what was issued until this time. [default: now]",
)
@json_option
@click.pass_context
def revoke(
    ctx: click.Context,
    /,
    token_file: str | None,
    at: float | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Revoke a token, or all tokens that were issued for an ID until now.

    Without an ID, one token is read from TOKEN-FILE, from standard input (also with -), or at a
    prompt. When the command ends with status 0, the store has the revocation. Every worker that
    reads the store then refuses the token, usually within a second.

    Status 2: the store may not have the revocation; try again. Without
    CONNECTOR_AUTH_REVOCATION_URL the status is 2 too, because each process then has its own
    revocations.

    \b
    Example:
      flask --app shop connector-auth revoke token.txt
      flask --app shop connector-auth revoke --account-id le81823118
    """
    with revocation_store(ctx) as runtime:
        subject = _subject(runtime, token_file, given)
        runtime.revocations.revoke(**subject, at=at)
    show({"change": "revoke", **_shown(subject)}, as_json, lines)


@click.command()
@token_file_argument
@_subject_options
@json_option
@click.pass_context
def restore(
    ctx: click.Context, /, token_file: str | None, as_json: bool, **given: str | None
) -> None:
    """Undo a revocation.

    Give the same token or ID that was given to revoke. While an account is revoked, restoring one
    of its tokens has no effect. For --digest, take what revoke or revocations prints for a token:
    revoke prints 64 digits, and revocations 32. They differ, and both are accepted.

    Status 1: nothing was revoked for this subject, so nothing has changed.

    \b
    Example:
      flask --app shop connector-auth restore --account-id le81823118
    """
    with revocation_store(ctx) as runtime:
        subject = _subject(runtime, token_file, given)
        # Without the entries of the store it is not known whether there is anything to restore.
        wait_for_revocations(runtime.revocations, _PATIENCE)
        was_revoked = runtime.revocations.restore(**subject)
    report = {"change": "restore", **_shown(subject), "was_revoked": was_revoked}
    show(report, as_json, lines)
    if not was_revoked:
        click.echo("Nothing was revoked for this subject: see the command revocations.", err=True)
        ctx.exit(1)


@click.command()
@json_option
@click.pass_context
def revocations(ctx: click.Context, /, as_json: bool) -> None:
    """List what is revoked.

    SUBJECT is the ID, or the digest of a token; restore takes either. ISSUER is shown if an ID is
    revoked for one issuer; "-" stands for all issuers. SINCE is the time of the revocation, or the
    time that was given with --at. Tokens that were issued later are accepted. SINCE is not stored
    for a single token. UNTIL is the time at which the revocation ends by itself, if there is one.

    Status 2: the store cannot be read at the moment.

    \b
    Example:
      flask --app shop connector-auth revocations
    """
    with revocation_store(ctx) as runtime:
        if problem := wait_for_revocations(runtime.revocations, _PATIENCE):
            raise CannotRun(problem)
        entries = sorted(runtime.revocations.entries(), key=str)
    listed = [
        {
            "kind": str(entry.kind),
            **_shown(entry.subject),
            "since": entry.since,
            "until": None if entry.until == inf else entry.until,
        }
        for entry in entries
    ]
    show({"revocations": listed}, as_json, _table)


@contextmanager
def revocation_store(ctx: click.Context) -> Iterator[Runtime]:
    """Load an app that has a store; end with status 2 on an error of the store or the input."""
    runtime = load_runtime(ctx)
    if runtime.settings.revocation_store is None:
        raise CannotRun(
            "The app has no CONNECTOR_AUTH_REVOCATION_URL. So each process has its own revocations "
            "in memory, and no other process can read or change them."
        )
    try:
        yield runtime
    except RevocationStoreError as error:
        raise CannotRun(str(error)) from None
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None


def _subject(
    runtime: Runtime, token_file: str | None, options: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return the subject that *options* name, or else the token in a file or on standard input.

    :raises ValueError: if there is no token, or more than one subject.
    """
    given = {name: value for name, value in options.items() if value is not None}
    issuer = {"issuer": given.pop("issuer")} if "issuer" in given else {}
    if len(given) + (token_file is not None) > 1:
        names = (f"--{name.replace('_', '-')}" for name in options if name != "issuer")
        raise ValueError(f"Give one of TOKEN-FILE, {', '.join(names)}.")
    if issuer and given.keys() <= {"digest"}:
        raise ValueError("--issuer is only for an ID: a token has one issuer.")
    if "digest" in given:
        return digest_subject(given["digest"])
    if given:
        return given | issuer
    limit = runtime.settings.max_token_bytes
    return token_subject(read_token_text(token_file, limit), limit)


def digest_subject(text: str) -> dict[str, Any]:
    """Return the subject of a digest in hexadecimal.

    :raises ValueError: if *text* is none.
    """
    if not _DIGEST.fullmatch(text):
        raise ValueError("A digest is 64 hexadecimal digits, or 32, as revocations lists them.")
    return {"digest": bytes.fromhex(text)}


def token_subject(text: str, limit: int) -> dict[str, Any]:
    """Return the subject of a token, bare or behind ``Bearer``, of *limit* bytes at most.

    :raises ValueError: if *text* is none.
    """
    # The digest is of the whole token, and the end of a longer one was not read.
    if len(text) > limit:
        raise ValueError(f"A token has at most {limit} bytes.")
    try:
        return {"token": read_token(text, bearer=True)}
    except Rejected:
        raise ValueError("Not exactly one token, with or without Bearer.") from None


def _shown(subject: Mapping[str, Any]) -> dict[str, str]:
    """Return *subject* as JSON can hold it, without a token."""
    if "token" in subject:
        return {"digest": token_digest(subject["token"]).hex()}
    return {name: value.hex() if name == "digest" else value for name, value in subject.items()}


def lines(report: Mapping[str, Any]) -> Iterable[str]:
    """Return a line for each member of *report*."""
    return [f"{name}: {literal(value)}" for name, value in report.items()]


def _table(report: Mapping[str, Any]) -> Iterable[str]:
    entries = report["revocations"]
    columns = ["issuer"] if any("issuer" in entry for entry in entries) else []
    head = ("KIND", "SUBJECT", *map(str.upper, columns), "SINCE", "UNTIL")
    return table(head, (_row(entry, columns) for entry in entries))


def _row(entry: Mapping[str, Any], columns: Iterable[str]) -> tuple[str, ...]:
    kind, subject, *_ = entry.values()
    texts = (literal(entry[name]) if name in entry else "-" for name in columns)
    times = (entry["since"], entry["until"])
    dates = ("-" if time is None else date_of(time) or str(time) for time in times)
    return kind, literal(subject), *texts, *dates
