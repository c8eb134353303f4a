"""Standard input or a prompt in; the token out. Never an argument: that is kept by a shell."""

import sys

import click

# More than any token has, and less than hurts.
_SLACK = 1024


def read_input(limit: int) -> str:
    """Return what stands on standard input, without the white space around it.

    At a terminal it is asked for, and not shown; there a line has 4095 characters at most.

    :param limit: the longest token, in bytes; of what is longer, the end is not read.
    """
    if sys.stdin.isatty():
        text: str = click.prompt("Token", hide_input=True, err=True)
    else:
        # Not as text: bytes that are no UTF-8 are a bad token, and no reason to give up.
        text = sys.stdin.buffer.read(limit + _SLACK).decode(errors="replace")
    return text.strip()
