"""Input and output of the commands: text or JSON, tables, times, files, tokens."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import click

from .app import CannotRun

#: For every command: ``as_json``.
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)


def show(
    report: Mapping[str, Any], as_json: bool, lines: Callable[[Mapping[str, Any]], Iterable[str]]
) -> None:
    """Print *report*, as JSON or as text.

    :param lines: returns the lines of the text.
    """
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for line in lines(report):
            click.echo(line)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table, aligned."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def literal(value: Any) -> str:
    """Return *value* as JSON in ASCII, which has no control sequence for a terminal."""
    return json.dumps(value)


def create_files(contents: Mapping[Path, str]) -> None:
    """Create all files of *contents*, readable by their owner only, or none of them.

    :raises CannotRun: if one cannot be created; no file is ever overwritten.
    """
    created: list[Path] = []
    for path, content in contents.items():
        try:
            with open(path, "x", encoding="utf-8", opener=_open_for_owner) as file:
                created.append(path)
                file.write(content)
        except OSError as error:
            for each in created:
                with suppress(OSError):
                    each.unlink()
            raise CannotRun(f"{path}: {error.strerror}; nothing was written.") from None


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: str) -> float:
    """Return *value*, a number of seconds since the epoch or a date, as seconds since the epoch.

    :param value: a date of ISO 8601 is in UTC unless it says otherwise.
    :raises BadParameter: if it is neither.
    """
    with suppress(ValueError):
        seconds = float(value)
        if isfinite(seconds):
            return seconds
    with suppress(ValueError, OverflowError):
        date = datetime.fromisoformat(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    raise click.BadParameter("neither seconds nor a date such as 2030-01-31T12:00:00Z.")


def date_of(seconds: Any) -> str | None:
    """Return the date in UTC, or ``None`` if *seconds* is not a time of the calendar."""
    if type(seconds) not in (int, float):
        return None
    with suppress(ValueError, OverflowError):
        # Not fromtimestamp(), which refuses times before 1970 on Windows.
        date = _EPOCH + timedelta(seconds=seconds)
        return date.isoformat(timespec="seconds")[:-6] + "Z"
    return None


def distance(seconds: float) -> str:
    """Return how far away a time is, such as ``in 0:10:00``; *seconds* is negative in the past."""
    away = timedelta(seconds=round(abs(seconds)))
    return f"{away} ago" if seconds < 0 else f"in {away}"


# Bytes to read beyond the longest token: white space around it, or proof that it is too long.
_SLACK = 1024


def read_input(limit: int) -> str:
    """Return the text on standard input, without the white space around it.

    At a terminal there is a prompt, and the input is not shown; a line of a terminal has 4095
    characters at most.

    :param limit: the longest token, in bytes; the end of a longer input is not read.
    """
    if sys.stdin.isatty():
        text: str = click.prompt("Token", hide_input=True, err=True)
    else:
        # As bytes: input that is not UTF-8 is a bad token, not an error of the command.
        text = sys.stdin.buffer.read(limit + _SLACK).decode(errors="replace")
    return text.strip()
