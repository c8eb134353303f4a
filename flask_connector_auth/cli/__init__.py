"""The command line: ``flask connector-auth``.

Commands check the settings and keys of an app, list its routes, explain why a token is refused, and
revoke tokens; others make keys and tokens for development. Flask finds this package by the entry
point ``flask.commands``; no other package imports it.
"""

from importlib import import_module

import click

from ..core import has_token_form
from .token_input import NEVER_AN_ARGUMENT

#: The module of each command. It is imported only when the command runs or is listed, since Flask
#: imports this package before each of its own commands.
COMMANDS = {
    "check": "check",
    "routes": "routes",
    "inspect": "inspect",
    "mint": "mint",
    "keygen": "keygen",
    "revoke": "revoke",
    "revoke-many": "revoke_many",
    "restore": "revoke",
    "revocations": "revoke",
    "health": "health",
}


class _LazyCommands(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a token among the arguments of any command, before a message could quote it."""
        for arg in args:
            if has_token_form(arg.partition("=")[2] if arg.startswith("-") else arg):
                raise click.UsageError(NEVER_AN_ARGUMENT)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which they are usually needed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[cmd_name]}", __name__)
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.command("connector-auth", cls=_LazyCommands)
def connector_auth() -> None:
    """Check, audit and debug the authentication of an app.

    Every command has --json, for programs. The exit status is 0 if all is well, and 1 if the answer
    is no. It is 2 if there is no answer, such as for a wrong option or without an app.
    """
