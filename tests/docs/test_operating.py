"""The pages on keys and on operations: their commands and their log, run as they stand there."""

import json
import logging
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from flask import Flask

from flask_connector_auth import require_app_jwt
from flask_connector_auth.keys.key_set import LookupOutcome
from flask_connector_auth.testing import Issuer
from tests.support.ports import free_port
from tests.support.project import PAGES, blocks, files_of, write_files

OPERATIONS, KEYS = "docs/operations.rst", "docs/keys.rst"
PATIENCE = 60


def lines_of(block: str) -> list[str]:
    """Return the commands of a block, each in one line."""
    return block.replace("\\\n", " ").strip().splitlines()


def by_this_interpreter(command: str) -> str:
    """Return a command of a page as this interpreter runs it."""
    module = command.removeprefix("python -m ")
    return f"{shlex.quote(sys.executable)} -m {module}"


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of a page in *folder*."""
    return subprocess.run(  # noqa: S602
        by_this_interpreter(command) if command.startswith("flask") else command,
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def serving(command: str, folder: Path) -> Iterator[None]:
    """Run a server of a page in *folder*, from its first line of output on."""
    with subprocess.Popen(  # noqa: S603
        shlex.split(by_this_interpreter(command)),
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert b"Serving" in process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture
def operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """The names of the page on operations, with its second set-up of the log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTH_PASSWORD", "of-this-test")
    loggers = [logging.getLogger(name) for name in (None, "flask_connector_auth")]
    before = [(logger, logger.level, logger.handlers.copy()) for logger in loggers]
    write_files(files_of(OPERATIONS), tmp_path)
    names = runpy.run_path("page.py")
    names["set_up_logs"]()
    yield names
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@contextmanager
def captured() -> Iterator[StringIO]:
    """Collect what the page's handler writes."""
    # pytest has handlers of its own there.
    [handler] = [each for each in logging.getLogger().handlers if each.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    stream = StringIO()
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


@pytest.mark.parametrize(
    ("sent", "ending"),
    [
        ({"X-Request-ID": "8a1f"}, "client='127.0.0.1' id='8a1f'"),
        ({"X-Request-ID": "1\x1b[2J\xe9"}, r"client='127.0.0.1' id='1\x1b[2J\xe9'"),
        ({}, "client='127.0.0.1' id='-'"),
    ],
    ids=["with an id", "with an id of a client", "without an id"],
)
def test_a_refusal_names_its_request(
    sent: dict[str, str], ending: str, operations: dict[str, object], issuer: Issuer
) -> None:
    """Find the client of a refused request: each line ends with its address and its id, escaped."""
    app = operations["app"]
    assert isinstance(app, Flask)
    app.add_url_rule("/", "send", require_app_jwt(lambda: {}))
    with captured() as stream:
        forged = {"Authorization": issuer.app_jwt(), **sent}
        assert app.test_client().get("/", headers=forged).status_code == 401
    [line] = stream.getvalue().splitlines()
    assert "refused: bad_signature " in line
    assert line.endswith(f" {ending}")


@pytest.mark.usefixtures("operations")
def test_a_line_outside_of_a_request_is_logged_too() -> None:
    """The filter is on the handler, so it serves each logger, in a thread of its own as well."""
    with captured() as stream:
        logging.getLogger("flask_connector_auth.keys.remote").info("changed")
    assert stream.getvalue().endswith("changed client=- id=-\n")


def test_each_count_of_a_key_set_is_explained() -> None:
    """What counts means: a row for each that the health of a key set may have, and no other."""
    table = PAGES[OPERATIONS].partition(".. _health-counts:")[2].partition("\n\nA key that")[0]
    named = re.findall(r"^   \* - ``(\w+)``$", table, re.MULTILINE)
    outcomes = {outcome.value for outcome in LookupOutcome if outcome is not LookupOutcome.ANSWERED}
    assert sorted(named) == sorted({"fetched", "fetch_failed"} | outcomes)


def test_the_health_endpoint_passes_a_build_that_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    """Allow the endpoint in a build: the page's command, with the app of the project's page."""
    write_files(files_of("docs/project.rst"), tmp_path)
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_APP_JWT_KEYS", json.dumps(issuer.key_set()))
    [command] = lines_of(blocks(OPERATIONS, "shell")[0])
    assert run(command, tmp_path).returncode == 0
    without, allowed, _ = command.partition("--allow '/internal/*'")
    assert allowed
    refused = run(without, tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "public: GET,HEAD /internal/health\n"


def test_a_key_set_on_ones_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve a key set on your own machine: the commands of the page, to the list of its keys. The
    private key is not published."""
    write_files({"service.py": files_of("docs/quickstart.rst")["service.py"]}, tmp_path)
    port = str(free_port())
    making, asking = (block.replace("8081", port) for block in blocks(KEYS, "shell"))
    *commands, serve = lines_of(making)
    for command in commands:
        assert run(command, tmp_path).returncode == 0
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["dev.jwk.pub"]
    setting, check = lines_of(asking)
    name, _, url = setting.removeprefix("export ").partition("=")
    monkeypatch.setenv(name, url)
    assert run(check, tmp_path).returncode == 1
    with serving(serve, tmp_path):
        checked = run(check, tmp_path)
    listed = re.findall(r'"dev-1"  [\w-]{12}  RS256', checked.stdout)
    assert (checked.returncode, len(listed)) == (0, 2)
    assert url in checked.stdout
