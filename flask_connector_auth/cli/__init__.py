"""``flask connector-auth`` in; what an operator or developer wants to know of an app out.

Flask finds it by the entry point ``flask.commands``; nothing else imports it.
"""

from importlib import import_module

import click

#: The module of each command, which is imported only where it is needed: Flask imports this one
#: before every command of its own.
COMMANDS = {
    "check": "check",
    "routes": "routes",
    "inspect": "inspect",
    "mint": "mint",
    "keygen": "keygen",
    "revoke": "revoke",
    "restore": "revoke",
    "health": "health",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".{COMMANDS[cmd_name]}", __name__)
        command: click.Command = getattr(module, cmd_name)
        return command


@click.command("connector-auth", cls=_Commands)
def connector_auth() -> None:
    """Check, audit and debug the authentication of an app.

    Every command takes --json, which is for programs, and ends with status 0 if all is well, 1 if
    the answer is no, and 2 if there is no answer: a wrong option, no app, something out of reach.
    """
