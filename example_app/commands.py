"""The commands of the app: signing keys, knobs, the certificate, and the console's address.

``flask --app example_app keys --help`` and ``… knobs --help`` list them; ``docs/rotation.rst``
shows in which order to use those of the keys. Running workers notice each change without a restart.
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
LEEWAY_IS_ADDED = (
    "The app accepts them for the leeway longer. The leeway is 30 seconds, unless the app was "
    "started with another FLASK_CONNECTOR_AUTH_LEEWAY."
)


@keys.command("list")
def list_keys() -> None:
    """Print all keys, the oldest first, and which one signs."""
    ring = current_keys().read()
    for kid in ring.keys:
        click.echo(f"{kid}  {'signs' if kid == ring.signing else 'published'}")


@keys.command()
def add() -> None:
    """Make and publish a key that signs nothing yet; print its kid."""
    click.echo(current_keys().add())


@keys.command()
@click.argument("kid")
def use(kid: str) -> None:
    """Sign with the key KID; print the kid that it replaces, which stays published."""
    with _value_error_as_message():
        click.echo(current_keys().use(kid))


@keys.command()
@click.argument("kid")
def withdraw(kid: str) -> None:
    """Stop publishing the key KID, and delete it."""
    with _value_error_as_message():
        current_keys().withdraw(kid)


@contextmanager
def _value_error_as_message() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def closing(command: Callable[P, None]) -> Callable[P, None]:
    """Close the database connections of *command* before the process ends."""

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
    """Print the lifetime of new AppJWTs, and the services that are set to fail."""
    click.echo(f"token-life {knobs.token_life()}")
    for service in knobs.SERVICES:
        if fault := db.session.get(Fault, service):
            times = "" if fault.remaining is None else f" --times {fault.remaining}"
            click.echo(f"fail {service} {fault.status} --retry-after {fault.retry_after}{times}")


@turning.command("token-life")
@click.argument("seconds", type=click.IntRange(1, 2**31 - 1))
@closing
def token_life(seconds: int) -> None:
    """Let new AppJWTs expire after SECONDS.

    They are accepted for longer than that, by the leeway for the clocks of others.
    """
    knobs.set_token_life(seconds)
    unit = "second" if seconds == 1 else "seconds"
    click.echo(f"New AppJWTs expire after {seconds} {unit}. {LEEWAY_IS_ADDED}")


@turning.command()
@click.argument("service", type=click.Choice(knobs.SERVICES))
@click.argument("status", type=click.Choice([str(status) for status in knobs.FAILURES]))
@click.option("--retry-after", type=click.IntRange(0, 86400), default=1, help="Seconds; 1.")
@click.option("--times", type=click.IntRange(1, 2**31 - 1), help="Requests that fail; all.")
@closing
def fail(service: str, status: str, retry_after: int, times: int | None) -> None:
    """Let SERVICE answer with STATUS, until the reset or the given number of times."""
    knobs.fail(service, int(status), retry_after, times)


@turning.command()
@closing
def reset() -> None:
    """Set all knobs back to their defaults."""
    knobs.recover()
    knobs.set_token_life(None)


@click.command()
@with_appcontext
def certificate() -> None:
    """Print the paths of the CA's certificate, and of the server's with its key.

    Both are made if there are none.
    """
    kept = certificate_in(Path(current_app.instance_path))
    click.echo(f"{kept.ca}\n{kept.chain}")


@click.command()
@with_appcontext
def console() -> None:
    """Print the console's path with its key, to append to the app's address.

    The key is made if there is none.
    """
    click.echo(AccessKey(Path(current_app.instance_path)).path)


def init_app(app: Flask) -> None:
    """Register the commands on *app*."""
    for command in (keys, turning, certificate, console):
        app.cli.add_command(command)
