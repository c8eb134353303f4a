"""A command's context in; the app that it is about, and its state, out."""

import click
from flask import Flask
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag

from ..settings import ConfigurationError
from ..state import EXTENSION, State


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


def state_of(app: Flask) -> State:
    """Return what *app* verifies with.

    :raises CannotRun: if it has no extension.
    """
    state: State | None = app.extensions.get(EXTENSION)
    if state is None:
        raise CannotRun("The app has no ConnectorAuth: call ConnectorAuth(app), or init_app(app).")
    return state


def load_state(ctx: click.Context) -> State:
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
