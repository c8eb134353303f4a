"""The reference tables of the docs, as reStructuredText, made from the package itself."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from inspect import getdoc, getsource
from textwrap import indent

import click
import troubles
from flask import Flask
from settings_tables import GROUPS, fill, settings_list

from flask_connector_auth import ConnectorAuth, ConnectorAuthError, Reason
from flask_connector_auth.cli import COMMANDS, connector_auth
from flask_connector_auth.cli.explanation import Explanation
from flask_connector_auth.core import errors, signals, token_requirement
from flask_connector_auth.integrations import figures
from flask_connector_auth.testing import Issuer, tampering
from flask_connector_auth.verification import CHECKS, Check
from flask_connector_auth.web import current_runtime


def rows_table() -> str:
    """Return all error rows: status, error code, title, details, exception."""
    classes = ConnectorAuthError.__subclasses__()
    exceptions = {error.row: error.__name__ for error in classes if hasattr(error, "row")}
    return _table(
        ("Status", "errorCode", "title", "details", "Exception"),
        (
            (row.status, code, row.title, row.details, f"``{exceptions[row]}``")
            for code, row in errors.ERROR_ROWS.items()
        ),
    )


def checks_table() -> str:
    """Return all checks, in their order, each with its rule and the reasons that it fails with."""
    return _table(
        ("Check", "Reason"),
        ((_rule(check), ", ".join(map(_literal, check.reasons))) for check in CHECKS),
    )


def reasons_table() -> str:
    """Return all reasons: the word in the log, and its comment in the source."""
    meanings = _meanings()
    return _table(
        ("Reason", "Meaning"), ((_literal(reason), meanings[reason]) for reason in Reason)
    )


def row_reasons_table() -> str:
    """Return all error rows, each with its reasons."""
    return _table(
        ("errorCode", "title", "Reasons"),
        (
            (code, row.title, ", ".join(_literal(each) for each in Reason if code in _rows(each)))
            for code, row in errors.ERROR_ROWS.items()
        ),
    )


def troubles_list() -> str:
    """Return a section for each reason: meaning, answer, causes, check in ``inspect``, remedy."""
    meanings, checks = _meanings(), _checks()
    return "\n".join(
        _TROUBLE.format(
            reason=reason,
            underline="~" * (len(reason) + 4),
            parts="\n".join(
                fill(f"- **{part}**: {text}", subsequent_indent="  ")
                for part, text in {
                    "Meaning": meanings[reason],
                    "errorCode": " or ".join(map(str, trouble.rows)) or "that of the view",
                    "Usual causes": trouble.cause,
                    "Failing check": trouble.inspect or " or ".join(checks[reason]),
                    "What to do": trouble.remedy,
                }.items()
            ),
        )
        for reason, trouble in troubles.TROUBLES.items()
    )


def signals_list() -> str:
    """Return a description of each signal: its comment in the source."""
    found = re.findall(r"((?:^#: .*\n)+)^(\w+): NamedSignal", getsource(signals), re.MULTILINE)
    return "\n".join(
        f".. _signal-{name}:\n\n``{name}``\n{'~' * (len(name) + 4)}\n\n"
        + comment.replace("#: ", "")
        for comment, name in found
    )


def figures_table() -> str:
    """Return all figures: the names in Prometheus and OpenTelemetry, labels, meaning."""
    return _table(
        ("Prometheus", "OpenTelemetry", "Labels", "Meaning"),
        (
            (
                f"``{figure.prometheus_name}{'' if figure.kind == 'gauge' else '_total'}``",
                f"``connector_auth.{figure.name}``",
                ", ".join(f"``{label}``" for label in ("app", *figure.labels)),
                figure.description,
            )
            for figure in figures.FIGURES.values()
        ),
    )


def ways_table() -> str:
    """Return all ways to break a token: name, reason, type of token, fault."""
    return _table(
        ("Name", "Reason", "Token", "Fault"),
        (
            (
                f"``{name}``",
                f"``{fault.reason}``",
                "AppJWT" if fault.app_jwt_only else "both",
                fault.apply.__doc__ or "",
            )
            for name, fault in tampering.TOKEN_FAULTS.items()
        ),
    )


def command_help(name: str) -> str:
    """Return the help of a command, formatted for a terminal of 80 columns."""
    group = click.Context(connector_auth, info_name="flask connector-auth", terminal_width=80)
    command = group.command.get_command(group, name)
    context = click.Context(command, parent=group, info_name=name)
    return ".. code-block:: text\n\n" + indent(command.get_help(context), "   ") + "\n"


#: By the names that the pages have in comments: the functions that make the tables.
TABLES = {
    **{f"settings-{group}": partial(settings_list, group) for group in GROUPS},
    "checks": checks_table,
    "rows": rows_table,
    "reasons": reasons_table,
    "ways": ways_table,
    "row-reasons": row_reasons_table,
    "troubles": troubles_list,
    "signals": signals_list,
    "figures": figures_table,
    **{f"{name}-help": partial(command_help, name) for name in COMMANDS},
}

_TROUBLE = """
.. _reason-{reason}:

``{reason}``
{underline}

{parts}"""


def _rule(check: Check) -> str:
    """Return the docstring of the function of *check*, as a statement about the token."""
    rule = (getdoc(check.run) or "").partition("\n\n:")[0]  # without parameters and errors
    rule = " ".join(rule.split()).removeprefix("Check that ")
    return f"{check.only.name}: {rule}" if check.only else rule[0].upper() + rule[1:]


def _meanings() -> dict[Reason, str]:
    comments = dict(re.findall(r"^ +(\w+) = .*#: (.+)$", getsource(Reason), re.MULTILINE))
    # The first letter is left as it is in a name, such as ``exp``.
    texts = {reason: comments[reason.name] for reason in Reason}
    return {reason: f"{text[0].upper()}{text[1:]}." for reason, text in texts.items()}


def _literal(text: object) -> str:
    return f"``{text}``"


def _rows(reason: Reason) -> tuple[int, ...]:
    return troubles.TROUBLES[reason].rows


def _checks() -> dict[Reason, list[str]]:
    """Return for each reason the checks of an AppJWT in ``inspect``, with default settings.

    One setting has a value, because no token can fail the check of an absent limit.
    """
    app = Flask("app")
    app.config["CONNECTOR_AUTH_MAX_LIFETIME"] = 3600
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = Issuer().key_set()
    ConnectorAuth(app)
    state = current_runtime(app)
    found: dict[Reason, list[str]] = defaultdict(list)
    required = token_requirement("msg.consumer")
    explanation = Explanation(state, state.app_jwt, "le81823118", required)
    for check, verifier in explanation.checks():
        # Only with a store can they be unknown.
        values = {**explanation.values(verifier), "revocations": "those in the store"}
        sentence = check.sentence.format_map(values)
        for reason in check.reasons:
            found[reason].append(f"“{sentence}”")
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [".. list-table::", "   :class: linked", "   :header-rows: 1", ""]
    for row in (head, *rows):
        mark = "   * - "
        for cell in row:
            lines.append(fill(f"{mark}{cell}", subsequent_indent=" " * 7).rstrip())
            mark = "     - "
    return "\n".join(lines) + "\n"
