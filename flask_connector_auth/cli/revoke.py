"""The commands ``revoke`` and ``restore``: change what is revoked, for all workers of the app."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from ..core import Rejected
from ..revocation import RevocationStoreError, token_digest
from ..verification import read_token
from ..web import Runtime
from .common import CannotRun, json_option, literal, load_state, moment, show
from .token_input import read_token_text, token_file_argument

Command = TypeVar("Command", bound=Callable[..., Any])


def _subject_options(command: Command) -> Command:
    for option in (
        click.option("--digest", metavar="HEX", help="One token, by its digest."),
        click.option("--consumer-id", metavar="ID", help="The ConsumerJWS of one lp_consumer_id."),
        click.option("--account-id", metavar="ID", help="All tokens of one account."),
        click.option("--install-id", metavar="ID", help="The AppJWTs of one app install."),
    ):
        command = option(command)
    return command


@click.command()
@token_file_argument
@_subject_options
@click.option(
    "--at", type=moment, metavar="TIME", help="Revoke what was issued until then; default: now."
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
    """Revoke a token, or all tokens that were issued for an id until now.

    Without an id, one token is read from TOKEN-FILE, from standard input (also as -), or at a
    prompt. Once the command ends with status 0, the store has the revocation, and every worker that
    reads the store refuses the token, usually within a second.

    Status 2: the store may not have the revocation; try again. Status 2 also without
    CONNECTOR_AUTH_REVOCATION_URL, since each process then has revocations of its own.

    \b
    Example:
      flask --app shop connector-auth revoke token.txt
      flask --app shop connector-auth revoke --account-id le81823118
    """
    state = load_state(ctx)
    _change(state, state.revocations.revoke, token_file, given, as_json, at=at)


@click.command()
@token_file_argument
@_subject_options
@json_option
@click.pass_context
def restore(
    ctx: click.Context, /, token_file: str | None, as_json: bool, **given: str | None
) -> None:
    """Undo a revocation.

    Give the subject that was given to revoke: while an account is revoked, restoring one of its
    tokens has no effect. The digest of a token is printed by revoke.

    \b
    Example:
      flask --app shop connector-auth restore --account-id le81823118
    """
    state = load_state(ctx)
    _change(state, state.revocations.restore, token_file, given, as_json)


def _change(
    state: Runtime,
    change: Callable[..., None],
    token_file: str | None,
    given: Mapping[str, str | None],
    as_json: bool,
    **more: Any,
) -> None:
    if state.settings.revocation_store is None:
        raise CannotRun(
            "The app has no CONNECTOR_AUTH_REVOCATION_URL: no other process would read the change."
        )
    try:
        subject = _subject(
            state, token_file, {name: value for name, value in given.items() if value is not None}
        )
        change(**subject, **more)
    except RevocationStoreError as error:
        raise CannotRun(str(error)) from None
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    if "token" in subject:
        subject = {"digest": token_digest(subject["token"])}
    shown = {name: value.hex() if name == "digest" else value for name, value in subject.items()}
    show({"change": change.__name__, **shown}, as_json, _lines)


def _subject(state: Runtime, token_file: str | None, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the subject that is *given*, or else the token from *token_file* or standard input.

    :raises ValueError: if there is no token, or more than one subject.
    """
    if len(given) + (token_file is not None) > 1:
        raise ValueError(
            "Give one of TOKEN-FILE, --install-id, --account-id, --consumer-id, --digest."
        )
    if "digest" in given:
        return {"digest": bytes.fromhex(given["digest"])}
    if given:
        return dict(given)
    limit = state.settings.max_token_bytes
    text = read_token_text(token_file, limit)
    # The digest is of the whole token, and the end of a longer one was not read.
    if len(text) > limit:
        raise ValueError(f"A token has at most {limit} bytes.")
    try:
        return {"token": read_token(text, bearer=True)}
    except Rejected:
        raise ValueError("Not one token, bare or behind Bearer.") from None


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    return [f"{name}: {literal(value)}" for name, value in report.items()]
