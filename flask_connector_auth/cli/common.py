"""What the commands share: the app and its settings without secrets, input and output."""

import json
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag
from marshmallow import missing

from ..config import ConfigurationError, SettingsSchema
from ..keys import clean_text, is_url
from ..web import EXTENSION, Runtime


class CannotRun(click.ClickException):
    """A command has no answer: it ends with status 2, as for a wrong option."""

    exit_code = 2


def load_app(ctx: click.Context) -> Flask:
    """Return the app that ``flask --app`` names; its context is pushed until the command ends.

    Its threads end with the command too: one of them may be writing a backup of a key set.

    :raises ConfigurationError: if its settings cannot be used.
    :raises CannotRun: if it raises any other error.
    """
    try:
        app = ctx.ensure_object(ScriptInfo).load_app()
    except (ConfigurationError, click.ClickException):
        raise
    except Exception:
        raise CannotRun(f"The app cannot be loaded.\n\n{traceback.format_exc()}") from None
    ctx.with_resource(app.app_context())
    if runtime := app.extensions.get(EXTENSION):
        ctx.call_on_close(runtime.close)
    return app


def runtime_of(app: Flask) -> Runtime:
    """Return what *app* verifies with; an app without the extension raises ``CannotRun``."""
    runtime: Runtime | None = app.extensions.get(EXTENSION)
    if runtime is None:
        raise CannotRun("The app has no ConnectorAuth: call ConnectorAuth(app), or init_app(app).")
    return runtime


def load_runtime(ctx: click.Context) -> Runtime:
    """Return what the app verifies with; likewise, if its settings cannot be used."""
    try:
        return runtime_of(load_app(ctx))
    except ConfigurationError as error:
        raise CannotRun(str(error)) from None


_FOR_DEVELOPMENT = "Only for development: the app {}. Use flask --debug, or --force."


def only_in_development(ctx: click.Context, *, force: bool) -> None:
    """Check that the app is in debug or testing, unless *force* is set.

    :raises CannotRun: if it is in neither.
    """
    # The flag first: it needs no app, and an app that has no keys yet cannot be loaded.
    if force or get_debug_flag():
        return
    try:
        app = load_app(ctx)
    except (ConfigurationError, click.ClickException) as error:
        step = _FOR_DEVELOPMENT.format("cannot be loaded, so its mode is unknown")
        raise CannotRun(f"{step}\n\n{error}") from None
    if not (app.debug or app.testing):
        raise CannotRun(_FOR_DEVELOPMENT.format("is neither in debug mode nor in testing mode"))


_KEY_SETTINGS = ("APP_JWT_KEYS", "CONSUMER_JWS_KEYS")


def list_settings(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each setting, in the order of the reference: ``name``, ``value``, ``source``."""
    for name, field in SettingsSchema().fields.items():
        key = str(field.data_key)
        default = field.load_default() if callable(field.load_default) else field.load_default
        # A mandatory setting has no default, and beside ISSUERS that of ISSUER has no effect.
        if default is missing or (name == "issuer" and config.get("CONNECTOR_AUTH_ISSUERS")):
            default = None
        yield {
            "name": key,
            "value": _setting(name.upper(), config.get(key, default)),
            "source": "config" if key in config else "default",
        }


def _setting(name: str, value: Any) -> Any:
    """Return the *value* of a setting as JSON can hold it, without secrets."""
    if name in _KEY_SETTINGS:
        return _material(value)
    if name == "ISSUERS" and value is not None:
        own = value.items()
        return {iss: {key: _setting(key, each) for key, each in of.items()} for iss, of in own}
    return _shown(value)


def mask_url(url: str) -> str:
    """Return *url* without user, password and query, each of which may hold a secret."""
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", url, count=1, flags=re.S), flags=re.S)


def _shown(value: Any) -> Any:
    """Return *value* as JSON can hold it, without secrets."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask_url(value) if "://" in value else value
    if isinstance(value, Mapping):
        return {str(name): _shown(member) for name, member in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_shown(member) for member in value]
    # By its class: its repr may quote a secret.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _material(value: Any) -> Any:
    """Return what kind of key *value* is and where it is stored, never the key itself."""
    if isinstance(value, list | tuple):
        return [_material(member) for member in value]
    if isinstance(value, Mapping):
        if "secret" in value:
            return "a secret"
        return f"a JWK Set of {len(value['keys'])}" if "keys" in value else "a JWK"
    if isinstance(value, PathLike):
        return fspath(value)
    if not isinstance(value, str):
        return _shown(value)
    if is_url(value):
        return mask_url(clean_text(value))
    with suppress(OSError, ValueError):
        if Path(clean_text(value)).is_file():
            return clean_text(value)
    return "PEM text" if "-----BEGIN" in value else "JSON text" if "{" in value else "base64 text"


#: For every command: ``as_json``.
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for programs."
)


def show(
    report: Mapping[str, Any], as_json: bool, lines: Callable[[Mapping[str, Any]], Iterable[str]]
) -> None:
    """Print *report*, as JSON or as the lines of text that *lines* returns."""
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


#: Returns a value as JSON in ASCII, which has no control sequence for a terminal.
literal: Callable[[Any], str] = json.dumps


def create_files(contents: Mapping[Path, str]) -> None:
    """Create all files of *contents*, readable by their owner only, or none of them.

    :raises CannotRun: if one cannot be created; no file is ever overwritten.
    """
    created: list[Path] = []
    for path, content in contents.items():
        try:
            with open(path, "x", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
                created.append(path)
                file.write(content)
        except OSError as error:
            for each in created:
                with suppress(OSError):
                    each.unlink()
            raise CannotRun(f"{path}: {error.strerror}; nothing was written.") from None


def moment(value: str) -> float:
    """Return *value*, seconds or a date of ISO 8601, by default in UTC, as seconds since the epoch.

    :raises BadParameter: if it is neither, or not in the years 1 to 9999 of the calendar.
    """
    seconds = None
    with suppress(ValueError):
        date = datetime.fromisoformat(value)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    with suppress(ValueError):
        seconds = float(value)
    if seconds is not None and date_of(seconds) is not None:
        return seconds
    raise click.BadParameter("neither seconds nor a date such as 2030-01-31T12:00:00Z.")


def distance(seconds: float) -> str:
    """Return how far away a time is, such as ``in 0:10:00``; *seconds* is negative in the past."""
    away = timedelta(seconds=round(abs(seconds)))
    return f"{away} ago" if seconds < 0 else f"in {away}"


def date_of(seconds: Any) -> str | None:
    """Return the date in UTC, or ``None`` if *seconds* is not a time of the calendar."""
    if type(seconds) not in (int, float):
        return None
    with suppress(ValueError, OverflowError):
        # Not fromtimestamp(), which refuses times before 1970 on Windows.
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        return date.isoformat(timespec="seconds")[:-6] + "Z"
    return None
