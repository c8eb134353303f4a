"""Where a token is read from: a file, standard input or a prompt, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from flask_connector_auth.cli import COMMANDS
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases, issuer_of
from tests.support.terminal import Terminal
from tests.support.types import MakeApp, RunCommand

PATIENCE = 30


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


READ_A_TOKEN = ["inspect", "revoke", "restore"]


@pytest.fixture
def app(make_app: MakeApp, store_url: str) -> Flask:
    """An app whose tokens can be inspected, revoked and restored."""
    return make_app(REVOCATION_URL=store_url)


@pytest.mark.parametrize("name", READ_A_TOKEN)
@cases(
    "content",
    {
        "a line": lambda text: f"{text}\n".encode(),
        "Bearer, CRLF": lambda text: f"Bearer {text}\r\n".encode(),
        "a byte order mark": lambda text: text.encode("utf-8-sig"),
        "UTF-16, of PowerShell": lambda text: f"{text}\r\n".encode("utf-16"),
    },
)
def test_a_token_is_read_from_a_file(
    run: RunCommand,
    app: Flask,
    issuer: Issuer,
    tmp_path: Path,
    name: str,
    content: Callable[[str], bytes],
) -> None:
    """By its path, with what editors and shells write around a text; nothing else is read."""
    path = tmp_path / "token.txt"
    text = issuer.app_jwt()
    path.write_bytes(content(text))
    if name == "restore":
        run("revoke", app=app, input=text)
    assert run(name, path, app=app, input="nothing").exit_code == 0


@pytest.mark.parametrize("name", READ_A_TOKEN)
def test_a_dash_is_standard_input(run: RunCommand, app: Flask, issuer: Issuer, name: str) -> None:
    """A pipe is read, and at a terminal there is the prompt, which shows nothing."""
    text = issuer.app_jwt()
    if name == "restore":
        run("revoke", app=app, input=text)
    assert run(name, "-", app=app, input=text).exit_code == 0
    if name == "restore":
        run("revoke", app=app, input=text)
    result = run(name, "-", app=app, input=Terminal(text.encode() + b"\n"))
    assert (result.exit_code, "Token" in result.stderr) == (0, True)
    assert text not in result.output


@pytest.mark.parametrize("name", READ_A_TOKEN)
@cases(
    "arguments",
    {
        "bare": lambda text: [text],
        "with its scheme": lambda text: [f"Bearer {text}"],
        "in two arguments": lambda text: ["Bearer", text],
        "after a dash": lambda text: ["-", text],
        "short": lambda text: [text[:30]],
        "short, in two arguments": lambda text: ["Bearer", text[:30]],
    },
)
def test_a_token_as_an_argument_is_refused_with_the_reason(
    run: RunCommand,
    app: Flask,
    issuer: Issuer,
    name: str,
    arguments: Callable[[str], list[str]],
) -> None:
    """It would stay in the history of the shell and in the list of processes. It is not printed,
    not even a part of it."""
    text = issuer.app_jwt()
    result = run(name, *arguments(text), app=app, input=text)
    assert (result.exit_code, result.stdout) == (2, "")
    words = " ".join(result.stderr.split())
    assert "the history of the shell and in the list of processes" in words
    assert "write it to a file, or send it to standard input" in words
    assert text[:20] not in result.output


OPTIONS = [
    *((name, "--account-id") for name in READ_A_TOKEN),
    *(("inspect", option) for option in ("--endpoint", "--method", "--scope", "--at")),
    *(("revoke", option) for option in ("--install-id", "--lp-consumer-id", "--digest", "--at")),
    *(("restore", option) for option in ("--install-id", "--ext-consumer-id")),
    *(("mint", option) for option in ("--key", "--kid", "--account-id", "--algorithm")),
    *(("keygen", "--kid"), ("keygen", "--force"), ("check", "--timeout"), ("routes", "--allow")),
]


@cases(
    "form",
    {
        "apart": lambda option, text: [option, text],
        "joined": lambda option, text: [f"{option}={text}"],
        "with its scheme": lambda option, text: [option, f"Bearer {text}"],
        "with the name of its header": lambda option, text: [option, f"Authorization: {text}"],
    },
)
@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_a_token_as_the_value_of_an_option_is_refused(
    run: RunCommand,
    app: Flask,
    issuer: Issuer,
    name: str,
    option: str,
    form: Callable[[str, str], list[str]],
) -> None:
    """It is neither printed nor stored, whatever else is wrong with the option."""
    text = issuer.app_jwt()
    result = run(name, *form(option, text), app=app, input="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "A token itself is not accepted as an argument" in " ".join(result.stderr.split())
    assert text[:20] not in result.output
    assert run("revocations", "--json", app=app).stdout == '{\n  "revocations": []\n}\n'


def test_a_claim_may_be_a_token(run: RunCommand, make_app: MakeApp, tmp_path: Path) -> None:
    """``mint --claim`` signs whatever a test needs."""
    app = make_app()
    app.testing = True
    key = tmp_path / "dev.jwk"
    assert run("keygen", key, app=app).exit_code == 0
    claim = f"act={issuer_of().app_jwt()}"
    assert run("mint", "--key", key, "--claim", claim, app=app).exit_code == 0


def test_a_file_that_cannot_be_read_is_no_answer(
    run: RunCommand, app: Flask, tmp_path: Path
) -> None:
    """Status 2, and what the system says of it."""
    for file, words in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        result = run("inspect", file, app=app, input="")
        assert (result.exit_code, words in result.stderr) == (2, True)


def test_a_file_beside_an_id_is_a_wrong_option(
    run: RunCommand, app: Flask, issuer: Issuer, tmp_path: Path
) -> None:
    """One subject is revoked or restored at a time."""
    path = tmp_path / "token.txt"
    path.write_text(issuer.app_jwt())
    for name in ("revoke", "restore"):
        result = run(name, path, "--account-id", "le1", app=app)
        assert (result.exit_code, "TOKEN-FILE" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in ("keygen", *READ_A_TOKEN)]
)
def test_no_other_command_takes_an_argument(run: RunCommand, name: str) -> None:
    """They are about the app."""
    options = ["--key", __file__] if name == "mint" else []
    result = run(name, *options, "extra")
    assert (result.exit_code, "unexpected extra argument" in result.stderr) == (2, True)
