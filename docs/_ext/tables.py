"""The package's own definitions in; the reference tables of the docs, as reStructuredText, out."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from inspect import getsource
from textwrap import indent
from typing import Any

import click
from marshmallow.validate import Range

from flask_connector_auth import (
    ConnectorAuthError,
    Reason,
    envelope,
    jwks_schema,
    reasons,
    revocation_schema,
    schema,
)
from flask_connector_auth.cli import COMMANDS, connector_auth
from flask_connector_auth.testing import broken


def settings_table() -> str:
    """Return all settings: key, default, bounds, meaning."""
    fields = schema.SettingsSchema().fields.values()
    return _table(
        ("Setting", "Default", "Bounds", "Meaning"),
        ((f"``{f.data_key}``", _default(f), _bounds(f), f.metadata["doc"]) for f in fields),
    )


def rows_table() -> str:
    """Return all error rows: status, error code, title, details, exception."""
    exceptions = {error.row: error.__name__ for error in ConnectorAuthError.__subclasses__()}
    return _table(
        ("Status", "errorCode", "title", "details", "Exception"),
        (
            (row.status, code, row.title, row.details, f":exc:`{exceptions[row]}`")
            for code, row in envelope.ROWS.items()
        ),
    )


def reasons_table() -> str:
    """Return all reasons: the word in the log, and the comment on it in the source."""
    comments = dict(re.findall(r"^ +(\w+) = .*#: (.+)$", getsource(Reason), re.MULTILINE))
    return _table(
        ("Reason", "Meaning"), ((f"``{reason}``", comments[reason.name]) for reason in Reason)
    )


def ways_table() -> str:
    """Return all ways to break a token: name, reason, for which token, what is wrong with it."""
    return _table(
        ("Name", "Reason", "Token", "Fault"),
        (
            (
                f"``{name}``",
                f"``{way.reason}``",
                "AppJWT" if way.app_jwt_only else "both",
                way.make.__doc__ or "",
            )
            for name, way in broken.WAYS.items()
        ),
    )


def command_help(name: str) -> str:
    """Return the help of a command, as a terminal of 80 columns shows it."""
    group = click.Context(connector_auth, info_name="flask connector-auth", terminal_width=80)
    command = group.command.get_command(group, name)
    context = click.Context(command, parent=group, info_name=name)
    return ".. code-block:: text\n\n" + indent(command.get_help(context), "   ") + "\n"


#: What the ``generated`` directive takes.
TABLES = {
    "settings": settings_table,
    "rows": rows_table,
    "reasons": reasons_table,
    "ways": ways_table,
    **{f"{name}-help": partial(command_help, name) for name in COMMANDS},
}
#: The modules that the tables are made from.
SOURCES = (
    *(broken, envelope, reasons, schema, jwks_schema, revocation_schema),
    *(import_module(f"flask_connector_auth.cli.{module}") for module in COMMANDS.values()),
)


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.load_default() if callable(field.load_default) else field.load_default
    return "unset" if value is None else f"``{value!r}``"


def _bounds(field: Any) -> str:
    ranges = (validator for validator in field.validators if isinstance(validator, Range))
    return ", ".join(
        f"{inside if inclusive else outside} {bound}"
        for each in ranges
        for bound, inclusive, inside, outside in (
            (each.min, each.min_inclusive, "at least", "above"),
            (each.max, each.max_inclusive, "at most", "below"),
        )
        if bound is not None
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        first, *rest = (str(cell) for cell in row)
        lines += [f"   * - {first}", *(f"     - {cell}".rstrip() for cell in rest)]
    return "\n".join(lines) + "\n"
