"""The development server with its reloader: an edit is seen, and nothing is left at the end."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.example_processes import python
from tests.support.ports import free_port

APP = """
import os
from flask import Flask
from flask_connector_auth import ConnectorAuth, require_app_jwt

app = Flask(__name__)
app.config.from_prefixed_env()
ConnectorAuth(app)

@app.get("/")
@require_app_jwt
def index():
    return {"edition": 1, "pid": os.getpid()}
"""


class Server:
    """``flask run --debug``, which is two processes: one serves, one starts it again."""

    def __init__(self, folder: Path, port: int, process: "subprocess.Popen[str]") -> None:
        self.folder = folder
        self.port = port
        self.process = process

    def get(self, token: str) -> tuple[int, bytes]:
        """Return status and body of one request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/", headers={"Authorization": token})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def until(self, token: str, edition: int) -> int:
        """Ask until that edition of the app answers; return its process."""
        give_up = monotonic() + 20
        while True:
            assert monotonic() < give_up
            assert self.process.poll() is None
            try:
                status, body = self.get(token)
            except (OSError, HTTPException):
                Event().wait(0.05)  # between one process and the next, or cut off as one ends
                continue
            assert status == 200
            answer = json.loads(body)
            if answer["edition"] == edition:
                return int(answer["pid"])
            Event().wait(0.05)

    def edit(self) -> None:
        """Make the second edition of the app."""
        # Of another size: bytecode of the same second and size would be taken for it.
        (self.folder / "app.py").write_text(APP.replace('"edition": 1', '"edition": 1 + 1'))

    def end(self, send: Callable[["subprocess.Popen[str]"], None]) -> None:
        """Assert that no process is left once *send* told the first one to end."""
        send(self.process)
        # Both write there, so it ends with the last of the two.
        printed = self.process.communicate(timeout=20)[0]
        assert "Traceback" not in printed
        with pytest.raises(ConnectionRefusedError):
            self.get("")


@contextmanager
def development_server(folder: Path, url: str) -> Iterator[Server]:
    """Run the app in *folder*, in a process group of its own, as a terminal does."""
    (folder / "app.py").write_text(APP)
    port = free_port()
    # At Ctrl-C the reloader gives the other process a moment, then kills it and does not look back.
    command = ["-W", "ignore:subprocess:ResourceWarning"]
    command += ["-m", "flask", "--app", "app", "run", "--debug", "--port", str(port)]
    settings = {"CONNECTOR_AUTH_APP_JWT_KEYS": url}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
    # What a job in the background was started by may ignore Ctrl-C, and hand that on.
    output["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with python(*command, folder=folder, settings=settings, **output) as process:
        try:
            yield Server(folder, port, process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def cut_off(app: Server, token: str) -> None:
    """Assert that a request gets no answer."""
    with pytest.raises((OSError, HTTPException)):
        app.get(token)


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Send what Ctrl-C in a terminal does: to all processes of the group."""
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: "subprocess.Popen[str]") -> None:
    """Send what a supervisor does: to the process that it started."""
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [interrupt, terminate])
def test_an_edit_is_seen_and_nothing_is_left(
    end: Callable[..., None], issuer: Issuer, tmp_path: Path
) -> None:
    """A new process with keys of its own after an edit, and a clean end."""
    with KeySetServer(issuer) as server, development_server(tmp_path, server.url) as app:
        first = app.until(issuer.app_jwt(), 1)
        assert len(server.requests) == 1
        app.edit()
        assert app.until(issuer.app_jwt(), 2) != first
        assert len(server.requests) == 2
        app.end(end)


@pytest.mark.parametrize("end", [interrupt, terminate])
def test_a_fetch_under_way_keeps_nothing_from_ending(
    end: Callable[..., None], issuer: Issuer, tmp_path: Path
) -> None:
    """The thread of a fetch that hangs is no reason to stay, nor is who waits for it."""
    with KeySetServer(issuer) as server, development_server(tmp_path, server.url) as app:
        app.until(issuer.app_jwt(), 1)
        server.delay = 60
        stranger = issuer.sign({}, {"kid": "another"})
        waiting = Thread(target=cut_off, args=(app, stranger))
        waiting.start()
        give_up = monotonic() + 10
        while len(server.requests) < 2:
            assert monotonic() < give_up
            Event().wait(0.01)
        app.end(end)
        waiting.join(10)
        server.delay = 0
