"""Where a token is read from: standard input or a prompt, and nowhere else."""

import os
import pty
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from flask_connector_auth.cli import COMMANDS
from flask_connector_auth.testing import Issuer
from tests.support.types import RunCommand

PATIENCE = 30


class Terminal(BytesIO):
    """A terminal at which a user types."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_it_is_asked_for_at_a_terminal(run: RunCommand, issuer: Issuer) -> None:
    """Without an echo; the question is on stderr, so the answer can be sent on."""
    text = issuer.app_jwt()
    result = run("inspect", "--json", input=Terminal(text.encode() + b"\n"))
    assert result.exit_code == 0
    assert (result.stdout[0], "Token" in result.stderr) == ("{", True)
    assert text not in result.output


def test_a_real_terminal_shows_nothing(issuer: Issuer, tmp_path: Path) -> None:
    """A process at a terminal of its own: what is typed does not appear."""
    text = issuer.app_jwt()
    (tmp_path / "shop.py").write_text(
        "from flask import Flask\n"
        "from flask_connector_auth import ConnectorAuth\n"
        "app = Flask(__name__)\n"
        f"app.config['CONNECTOR_AUTH_APP_JWT_KEYS'] = {issuer.key_set()!r}\n"
        "ConnectorAuth(app)\n"
    )
    command = [sys.executable, "-m", "flask", "--app", "shop", "connector-auth", "inspect"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Token: " not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, text.encode() + b"\n")
        stdout, _ = process.communicate(timeout=PATIENCE)
    while more := _rest(ours):
        shown += more
    os.close(ours)
    assert process.returncode == 0
    assert b"accepted" in stdout
    assert text[:40].encode() not in shown + stdout


def _rest(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except OSError:
        # What a terminal says when its last process is gone.
        return b""


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "keygen"])
def test_no_command_takes_an_argument(run: RunCommand, name: str) -> None:
    """A token as an argument would stay in the history of the shell."""
    options = ["--key", __file__] if name == "mint" else []
    result = run(name, *options, "eyJ.eyJ.c2ln")
    assert (result.exit_code, "unexpected extra argument" in result.stderr) == (2, True)
