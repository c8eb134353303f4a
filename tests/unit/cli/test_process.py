"""The commands as a user has them: by the entry point, in processes of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from textwrap import dedent

import pytest
from tables import TABLES

from flask_connector_auth.cli import COMMANDS
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.project import PAGES, blocks
from tests.support.types import RunCommand

ROOT = Path(__file__).parents[3]
PATIENCE = 60


def shell(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Return all that *command* prints; ``flask`` is that of this interpreter."""
    command = re.sub(r"^flask ", f"{sys.executable} -W error -m flask ", command)
    done = subprocess.run(  # noqa: S602
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        text=True,
        check=False,
    )
    return done.stdout


def test_flask_lists_the_group(tmp_path: Path) -> None:
    """The entry point ``flask.commands``: nothing has to be registered."""
    assert "\n  connector-auth  " in shell("flask --help", tmp_path, {})


def test_the_ids_of_a_csv_file(tmp_path: Path) -> None:
    """docs/cli.rst: what ``revoke-many`` is sent has one id a line, without heading and quotes."""
    (tmp_path / "installs.csv").write_bytes(b'install_id,name\r\n"a",x\r\n"b c","x, y"\r\n')
    [pipe] = [block for block in blocks("docs/cli.rst", "shell") if "csv" in block]
    command = pipe.partition("| flask connector-auth revoke-many")[0]
    assert shell(command.replace("python", sys.executable), tmp_path, {}) == "a\nb c\n"


def commands_in(console: Iterable[str]) -> list[tuple[str, str]]:
    """Return the commands in blocks of a page, each with what is shown of its output."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(console), re.MULTILINE)


def run_session(
    commands: Iterable[tuple[str, str]], folder: Path, environment: dict[str, str]
) -> None:
    """Run *commands* with the app of docs/cli.rst; ``...`` stands for any output."""
    (folder / "shop.py").write_text("".join(blocks("docs/cli.rst", "python")))
    for command, expected in commands:
        if assigned := re.fullmatch(r"export (\w+)=(\S+)", command):
            environment[assigned[1]] = assigned[2]
            continue
        printed = shell(command, folder, environment)
        options = ELLIPSIS | NORMALIZE_WHITESPACE
        assert OutputChecker().check_output(expected, printed, options), (command, printed)


def test_the_session_of_the_page_runs(tmp_path: Path) -> None:
    """docs/cli.rst: all its commands, after those that make the key and the token."""
    session = blocks("docs/cli.rst", "console")
    commands = commands_in(sorted(session, key=lambda block: not re.search("keygen|mint", block)))
    assert len(commands) == 8
    run_session(commands, tmp_path, {})


def test_a_refused_token_is_explained_as_the_page_shows(tmp_path: Path) -> None:
    """docs/troubleshooting.rst: a token without the scope that the endpoint requires."""
    issuer = Issuer()
    (tmp_path / "keys.json").write_text(json.dumps(issuer.key_set()))
    (tmp_path / "token.txt").write_text(issuer.app_jwt(scope="msg.agent"))
    environment = {"FLASK_APP": "shop", "FLASK_CONNECTOR_AUTH_APP_JWT_KEYS": "keys.json"}
    commands = commands_in(blocks("docs/troubleshooting.rst", "console"))
    assert len(commands) == 1
    run_session(commands, tmp_path, environment)


BACKUP_APP = """
import os, threading
from flask import Flask
from flask_connector_auth import ConnectorAuth

pause, sync = threading.Event(), os.fsync
os.fsync = lambda file: (pause.wait({slow}), sync(file))
app = Flask(__name__)
app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = {url!r}
app.config["CONNECTOR_AUTH_JWKS_BACKUP"] = {backup!r}
ConnectorAuth(app)
"""


@pytest.mark.parametrize("command", ["check", "health --json", "inspect token.txt"])
def test_a_command_that_ends_leaves_a_whole_backup(command: str, tmp_path: Path) -> None:
    """JWKS_BACKUP: it waits for the thread that writes it, on a slow disk too; no other file."""
    issuer, folder = Issuer(), tmp_path / "backup"
    folder.mkdir(0o700)
    with KeySetServer(issuer) as server:
        text = BACKUP_APP.format(slow=0.3, url=server.url, backup=str(folder / "keys.json"))
        (tmp_path / "app.py").write_text(text)
        (tmp_path / "token.txt").write_text(issuer.app_jwt())
        printed = [shell(f"flask connector-auth {command}", tmp_path, {}) for _ in range(2)]
    names = [each.name for each in folder.iterdir()]
    assert [bool(re.fullmatch(r"keys\.json\.\w{16}", name)) for name in names] == [True], printed


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_the_help_of_every_command(run: RunCommand, name: str) -> None:
    """Made from the command itself."""
    shown = dedent(TABLES[f"{name}-help"]().removeprefix(".. code-block:: text\n\n"))
    usage = f"Usage: flask connector-auth {name} "
    assert shown.startswith(usage)
    printed = run(name, "--help", terminal_width=80).stdout
    assert shown.split("\n\n", 1)[1].split() == printed.split("\n\n", 1)[1].split()


def test_the_page_names_every_warning() -> None:
    """Each word that check may say, of warnings and of shared keys."""
    folder = ROOT / "flask_connector_auth" / "cli"
    source = "".join((folder / name).read_text() for name in ("check.py", "health.py"))
    found = re.findall(r'yield \(?\s*"(\w+)"|\("(not_\w+)"', source)
    words = {one or other for one, other in found}
    assert len(words) == 13
    assert words <= set(re.findall(r"``(\w+)``", PAGES["docs/cli.rst"]))


@pytest.mark.parametrize(
    ("imported", "not_imported"),
    [
        ("flask_connector_auth", "flask_connector_auth.cli"),
        ("flask_connector_auth", "apispec"),
        ("flask_connector_auth.cli", "flask_connector_auth.testing"),
        ("flask_connector_auth.cli", "flask_connector_auth.cli.check"),
    ],
)
def test_nothing_is_imported_before_it_is_needed(imported: str, not_imported: str) -> None:
    """A service has no use for commands, nor has ``flask run`` for what they import."""
    program = f"import sys, {imported}; sys.exit({not_imported!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)  # noqa: S603
    assert done.returncode == 0
