"""What a command found in; text for people, or JSON for programs, out."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

#: For every command: ``as_json``.
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)


def show(
    found: Mapping[str, Any], as_json: bool, lines: Callable[[Mapping[str, Any]], Iterable[str]]
) -> None:
    """Print *found*.

    :param lines: returns the lines of the text.
    """
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in lines(found):
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
    """Return *value* as JSON in ASCII, in which nothing changes what a terminal shows."""
    return json.dumps(value)
