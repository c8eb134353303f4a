"""A command line in; the signing keys listed, or one of them added, put to use or withdrawn, out.

``flask --app example_app keys --help`` tells of the commands; ``docs/rotation.rst``, in which order
to use them. Workers that are running notice each change: no restart is needed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from .keys import current_keys

commands = AppGroup("keys", help="The keys that sign tokens: one signs, all are published.")


@commands.command("list")
def list_keys() -> None:
    """Print each key, the oldest first, and which one signs."""
    ring = current_keys().read()
    for kid in ring.keys:
        click.echo(f"{kid}  {'signs' if kid == ring.signing else 'published'}")


@commands.command()
def add() -> None:
    """Make and publish a key that signs nothing yet; print it."""
    click.echo(current_keys().add())


@commands.command()
@click.argument("kid")
def use(kid: str) -> None:
    """Let the key KID sign; print the one that it replaces, which stays published."""
    with _refusal_told():
        click.echo(current_keys().use(kid))


@commands.command()
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
