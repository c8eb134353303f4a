"""The command ``revoke-many``: one subject on each line of standard input."""

import sys
from array import array
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any, cast

import click

from ..revocation import InvalidSubject, RevocationStoreError
from .common import CannotRun, json_option, moment, show
from .revoke import digest_subject, lines, revocation_store, token_subject

_KINDS = ("token", "digest", "install-id", "account-id", "lp-consumer-id", "ext-consumer-id")
_NO_IDS = ("token", "digest")
# Lines between two reports of progress.
_STEP = 1000


@click.command("revoke-many")
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default=_KINDS[0],
    show_default=True,
    help="What each line of the input is.",
)
@click.option("--issuer", metavar="ISS", help="With IDs: only the tokens of this issuer.")
@click.option(
    "--at",
    type=moment,
    metavar="TIME",
    help="Revoke what was issued until this time. [default: now]",
)
@json_option
@click.pass_context
def revoke_many(
    ctx: click.Context, /, kind: str, issuer: str | None, at: float | None, as_json: bool
) -> None:
    """Revoke many tokens or IDs: one on each line of standard input.

    Each line is a token, with or without Bearer, the digest of a token, or an ID. An ID is the
    whole line, so do not send a CSV file: its heading, quotes and commas would be read as parts of
    IDs. Empty lines are skipped. Among tokens and digests, lines that begin with # are skipped too.
    An ID may begin with #. The text is UTF-8.

    Status 2: a line has another content, or the store may not have all revocations. The message
    says which line it is, and from which line on to try again. You can revoke the same token or ID
    twice.

    \b
    Example:
      flask --app shop connector-auth revoke-many --kind account-id < accounts.txt
    """
    if kind in _NO_IDS and (issuer is not None or at is not None):
        raise click.UsageError("--issuer and --at are only for IDs.")
    if sys.stdin.isatty():
        raise click.UsageError("Send the lines to standard input, such as with < FILE.")
    with revocation_store(ctx) as runtime:
        subjects = _Subjects(kind, {"issuer": issuer, "at": at}, runtime.settings.max_token_bytes)
        try:
            count = runtime.revocations.revoke_many(subjects)
        except InvalidSubject as error:
            line, first = (subjects.numbers[index] for index in (error.index, error.written))
            problem = subjects.problems.get(error.index, f"{error.problem}.")
            text = f"Line {line}: {problem} Nothing was revoked from line {first} on."
            raise CannotRun(text) from None
        except RevocationStoreError as error:
            first = subjects.numbers[error.written]
            raise CannotRun(f"{error}. Send the lines from line {first} on again.") from None
        finally:
            subjects.end_progress()
    name = kind.replace("-", "_")
    of_issuer = {} if issuer is None else {"issuer": issuer}
    show({"change": "revoke", "subjects": name, **of_issuer, "revoked": count}, as_json, lines)


class _Subjects:
    """The subjects on the lines of standard input, which are read as they are iterated over.

    A line that is no subject ends them, with a mapping that is none either.

    :param kind: one of :data:`_KINDS`.
    :param options: further arguments for each subject.
    :param limit: the longest token, in bytes.
    """

    def __init__(self, kind: str, options: dict[str, Any], limit: int) -> None:
        self.numbers: array[int] = array("Q")  #: of the lines with the subjects so far
        self.problems: dict[int, str] = {}  #: why a line is no subject, by its index in numbers
        self._kind = kind
        self._options = options
        self._limit = limit
        self._at_terminal = sys.stderr.isatty()
        self._has_progress = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        stream = cast(TextIOWrapper, sys.stdin)
        # Bytes that are not UTF-8 are an error of their line alone. On Linux, standard input is
        # opened so that the line ends of Windows are kept.
        stream.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline=None)
        for number, line in enumerate(iter(lambda: stream.readline(2 * self._limit), ""), 1):
            if self._at_terminal and number % _STEP == 0:
                click.echo(f"\r{number:,} lines", nl=False, err=True)
                self._has_progress = True
            text = line.strip() if self._kind in _NO_IDS else line.removesuffix("\n")
            if not text or (self._kind in _NO_IDS and text.startswith("#")):
                continue
            self.numbers.append(number)
            try:
                subject = self._subject(text)
            except ValueError as error:
                self.problems[len(self.numbers) - 1] = str(error)
                yield {}
                return
            yield subject | self._options

    def end_progress(self) -> None:
        """End the line of the terminal that shows the progress, if there is one."""
        if self._has_progress:
            click.echo("", err=True)

    def _subject(self, text: str) -> dict[str, Any]:
        if len(text) > self._limit:
            raise ValueError(f"A line has at most {self._limit} characters.")
        if self._kind == "token":
            return token_subject(text, self._limit)
        if self._kind == "digest":
            return digest_subject(text)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("Not UTF-8.") from None
        if text != text.strip():
            problem = "White space around the ID. Remove it; if it is part of the ID, use revoke."
            raise ValueError(problem)
        return {self._kind.replace("-", "_"): text}
