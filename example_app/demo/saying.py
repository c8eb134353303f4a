"""Printing in colours, if the output is a terminal."""

import os
import sys

COLOURS = {"title": "1", "sent": "36", "ok": "32", "DIFFERS": "1;31", "command": "33"}


def say(text: str, colour: str = "") -> None:
    """Print *text*, in one of :data:`COLOURS` if the output is a terminal.

    ``NO_COLOR`` in the environment, with any value, keeps it plain (no-color.org).
    """
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    code = COLOURS.get(colour)
    print(text if plain or not code else f"\033[{code}m{text}\033[0m", flush=True)
