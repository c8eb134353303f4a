"""A command's context in; the app that it is about, and its state, out."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag

from ..config import ConfigurationError, SettingsSchema
from ..keys import is_url
from ..web import EXTENSION, Runtime


class CannotRun(click.ClickException):
    """There is no answer: ends with status 2, as a wrong option does."""

    exit_code = 2


def load_app(ctx: click.Context) -> Flask:
    """Return the app that ``flask --app`` names; its context lasts as long as the command.

    :raises ConfigurationError: if its settings cannot be used.
    """
    app = ctx.ensure_object(ScriptInfo).load_app()
    ctx.with_resource(app.app_context())
    return app


def state_of(app: Flask) -> Runtime:
    """Return what *app* verifies with.

    :raises CannotRun: if it has no extension.
    """
    state: Runtime | None = app.extensions.get(EXTENSION)
    if state is None:
        raise CannotRun("The app has no ConnectorAuth: call ConnectorAuth(app), or init_app(app).")
    return state


def load_state(ctx: click.Context) -> Runtime:
    """Return what the app verifies with.

    :raises CannotRun: if it has no extension, or its settings cannot be used.
    """
    try:
        return state_of(load_app(ctx))
    except ConfigurationError as error:
        raise CannotRun(str(error)) from None


def only_in_development(ctx: click.Context, *, force: bool) -> None:
    """Go on if the app is in debug or testing, or if it is forced.

    :raises CannotRun: otherwise.
    """
    # The flag first: it needs no app, and an app without keys yet cannot be loaded.
    if force or get_debug_flag():
        return
    try:
        app = load_app(ctx)
    except ConfigurationError as error:
        raise CannotRun(str(error)) from None
    if not (app.debug or app.testing):
        raise CannotRun(
            "Only for development: the app is neither in debug nor in testing. Say flask --debug, "
            "or --force."
        )


_KEYS = ("app_jwt_keys", "consumer_jws_keys")


def configured(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each setting, in the order of the reference: ``name``, ``value``, ``source``."""
    for name, field in SettingsSchema().fields.items():
        key = str(field.data_key)
        default = field.load_default() if callable(field.load_default) else field.load_default
        value = config.get(key, default)
        yield {
            "name": key,
            "value": _material(value) if name in _KEYS else _shown(value),
            "source": "config" if key in config else "default",
        }


def masked(url: str) -> str:
    """Return *url* without user, password and query, each of which may hold a secret."""
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", url, count=1, flags=re.S), flags=re.S)


def _shown(value: Any) -> Any:
    """Return *value* as JSON has it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return masked(value) if "://" in value else value
    if isinstance(value, Mapping):
        return {str(name): _shown(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    # Its repr might quote what it was made with.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _material(value: Any) -> Any:
    """Return what kind of key *value* is, and where it is; never the key, which may be a secret."""
    if isinstance(value, list | tuple):
        return [_material(one) for one in value]
    if isinstance(value, Mapping):
        return f"a JWK Set of {len(value['keys'])}" if "keys" in value else "a JWK"
    if isinstance(value, PathLike):
        return fspath(value)
    if not isinstance(value, str):
        return _shown(value)
    if is_url(value):
        return masked(value)
    with suppress(OSError, ValueError):
        if Path(value).is_file():
            return value
    return "PEM text" if "-----BEGIN" in value else "JSON text" if "{" in value else "base64 text"
