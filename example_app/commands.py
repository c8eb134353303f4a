"""Commands for the keys, the knobs, the certificate, and the console's address.

``flask --app example_app keys --help`` and ``… knobs --help`` tell of the commands;
``docs/rotation.rst``, in which order to use those of the keys. Workers that are running notice each
change: no restart is needed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from . import knobs
from .certificates import certificate_in
from .console.access_key import AccessKey
from .database import db
from .keys import current_keys
from .models import Fault

keys = AppGroup("keys", help="The keys that sign tokens: one signs, all are published.")
turning = AppGroup("knobs", help="Shorter tokens and forced failures, to test clients with.")
P = ParamSpec("P")


@keys.command("list")
def list_keys() -> None:
    """Print each key, the oldest first, and which one signs."""
    ring = current_keys().read()
    for kid in ring.keys:
        click.echo(f"{kid}  {'signs' if kid == ring.signing else 'published'}")


@keys.command()
def add() -> None:
    """Make and publish a key that signs nothing yet; print it."""
    click.echo(current_keys().add())


@keys.command()
@click.argument("kid")
def use(kid: str) -> None:
    """Let the key KID sign; print the one that it replaces, which stays published."""
    with _refusal_told():
        click.echo(current_keys().use(kid))


@keys.command()
@click.argument("kid")
def withdraw(kid: str) -> None:
    """Publish the key KID no longer, and forget it."""
    with _refusal_told():
        current_keys().withdraw(kid)


@contextmanager
def _refusal_told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def closing(command: Callable[P, None]) -> Callable[P, None]:
    """Close what *command* has opened of the database, before the process ends."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        finally:
            db.session.remove()
            db.engine.dispose()

    return run


@turning.command()
@closing
def show() -> None:
    """Print the life of a token, and what is told to fail."""
    click.echo(f"token-life {knobs.token_life()}")
    for service in knobs.SERVICES:
        if fault := db.session.get(Fault, service):
            times = "" if fault.remaining is None else f" --times {fault.remaining}"
            click.echo(f"fail {service} {fault.status} --retry-after {fault.retry_after}{times}")


@turning.command("token-life")
@click.argument("seconds", type=click.IntRange(1, 2**31 - 1))
@closing
def token_life(seconds: int) -> None:
    """Let new AppJWTs live for SECONDS."""
    knobs.set_token_life(seconds)


@turning.command()
@click.argument("service", type=click.Choice(knobs.SERVICES))
@click.argument("status", type=click.Choice([str(status) for status in knobs.FAILURES]))
@click.option("--retry-after", type=click.IntRange(0, 86400), default=1, help="Seconds; 1.")
@click.option("--times", type=click.IntRange(1, 2**31 - 1), help="So many requests only.")
@closing
def fail(service: str, status: str, retry_after: int, times: int | None) -> None:
    """Let SERVICE answer with STATUS, until the reset or so many times."""
    knobs.fail(service, int(status), retry_after, times)


@turning.command()
@closing
def reset() -> None:
    """Turn all knobs back."""
    knobs.recover()
    knobs.set_token_life(None)


@click.command()
@with_appcontext
def certificate() -> None:
    """Print where the CA's certificate is, and the server's with its key; make them if need be."""
    kept = certificate_in(Path(current_app.instance_path))
    click.echo(f"{kept.ca}\n{kept.chain}")


@click.command()
@with_appcontext
def console() -> None:
    """Print the console's path with its key, to put after the app's address.

    The key is made if there is none.
    """
    click.echo(AccessKey(Path(current_app.instance_path)).path)


def init_app(app: Flask) -> None:
    """Give *app* the commands."""
    for command in (keys, turning, certificate, console):
        app.cli.add_command(command)
