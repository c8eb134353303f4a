"""``health`` in; whether a process of the app that starts now can verify tokens out."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..health import health_of, is_ready
from .app import load_state
from .probes import reach, timeout_option
from .terminal import json_option, literal, show


@click.command()
@timeout_option
@json_option
@click.pass_context
def health(ctx: click.Context, timeout: float, as_json: bool) -> None:
    """Tell whether a process that starts now can verify.

    Fetches remote key sets, follows the revocation store, and shows what health() returns then. How
    the processes are that run already is for them to tell, by health_blueprint().

    Status 1: it is not ready.

    \b
    Example:
      flask --app shop connector-auth health --timeout 3 && gunicorn shop:app
    """
    state = load_state(ctx)
    problems = reach(state, timeout)
    told = health_of(state)
    ready = is_ready(told) and not problems
    show({"ready": ready, "problems": problems, **told}, as_json, _lines)
    ctx.exit(0 if ready else 1)


def _lines(found: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _lines(value, f"{path}{name}.")
        else:
            yield f"{path}{name}: {literal(value)}"
