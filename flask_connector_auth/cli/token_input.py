"""Tokens at a terminal: read from a file or a prompt, never from an argument, and never shown."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from ..core import Malformed, decode_base64url, load_json_object

# Bytes to read beyond the longest token: white space around it, or proof that it is too long.
_SLACK = 1024
# PowerShell 5 writes such files.
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# The shortest signature, of HS256, has 43 characters.
_MAX_TEXT, _SHOWN = 40, 16
#: The header parameters whose values are shown.
SHOWN_PARAMETERS = ("alg", "kid", "typ")
#: What to do with a token instead.
NEVER_AN_ARGUMENT: str = (
    "A token itself is not accepted as an argument, because it would stay in the history of the "
    "shell and in the list of processes: write it to a file, or send it to standard input."
)


def _one_file(
    _ctx: click.Context, _parameter: click.Parameter, files: tuple[str, ...]
) -> str | None:
    # Not by click, whose message would quote the arguments: ``inspect Bearer eyJ…`` has two.
    if len(files) > 1:
        raise click.UsageError(f"TOKEN-FILE is one file. {NEVER_AN_ARGUMENT}")
    return files[0] if files else None


#: For every command that reads a token: ``token_file``.
token_file_argument: Callable[[Any], Any] = click.argument(
    "token_file", metavar="[TOKEN-FILE]", nargs=-1, callback=_one_file
)


def read_token_text(file: str | None, limit: int) -> str:
    """Return the text in *file*, without the white space around it.

    Standard input is read without *file*, and for ``-``. If it is a terminal, there is a prompt,
    and the input is not shown; a line of a terminal has 4095 characters at most.

    :param limit: the longest token, in bytes; the end of a longer input is not read.
    :raises UsageError: if the file cannot be read; its message does not quote *file*, which may be
        a token.
    """
    if file in (None, "-"):
        if sys.stdin.isatty():
            text: str = click.prompt("Token", hide_input=True, err=True)
            return text.strip()
        content = sys.stdin.buffer.read(limit + _SLACK)
    else:
        try:
            with open(str(file), "rb") as stream:
                content = stream.read(2 * limit + _SLACK)
        except OSError as error:
            raise click.UsageError(
                f"TOKEN-FILE cannot be read: {error.strerror}. {NEVER_AN_ARGUMENT}"
            ) from None
    # As bytes: input that is not UTF-8 is a bad token, not an error of the command.
    encoding = "utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig"
    return content.decode(encoding, errors="replace")[: limit + _SLACK].strip()


def decode_segment(segment: str) -> dict[str, Any] | None:
    """Return the JSON object in a *segment* of a token, or ``None`` if it has none."""
    with suppress(Malformed):
        return load_json_object(decode_base64url(segment.encode()))
    return None


def shorten(value: Any) -> Any:
    """Return *value*, a JSON value, with the beginning of each long text only.

    A claim may hold a token that another service would accept, in whatever encoding.
    """
    match value:
        case str():
            return value if len(value) <= _MAX_TEXT else f"{value[:_SHOWN]}***"
        case list():
            return [shorten(inner) for inner in value]
        case dict():
            return {shorten(name): shorten(inner) for name, inner in value.items()}
        case _:
            return value
