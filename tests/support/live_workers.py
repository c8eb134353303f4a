"""Real workers, of gunicorn and uWSGI, and a client that asks them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic

from tests.support.http_helpers import ROWS

#: Short ages, so that life passes while a test waits; none is asserted to the second.
AGES = {
    **{"MAX_AGE": 2, "MIN_AGE": 0.5, "COOLDOWN": 0.2, "TIMEOUT": 1.9, "WAIT": 4},
    **{"RETRY": 0.1, "RETRY_MAX": 0.2, "MAX_STALE": 3},
}
WORKERS = {
    "sync": ["--worker-class", "sync"],
    "gthread": ["--worker-class", "gthread", "--threads", "4"],
    "gevent": ["--worker-class", "gevent"],
}
# As uWSGI is run where it is used: it ends when it is told to, and an app that fails is no app.
UWSGI = [
    *(
        "uwsgi",
        "--http-socket=127.0.0.1:{port}",
        "--module=tests.support.live_served:app",
        "--need-app",
    ),
    *("--master", "--processes=2", "--die-on-term"),
]


class Served:
    """An app behind a server, and a client for it."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.process = process

    def get(self, token: str = "", path: str = "/") -> tuple[int, bytes]:
        """Return status and body of one request, on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Authorization": token})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def statuses(self, token: str, times: int = 20) -> set[int]:
        """Return the statuses of some requests, asserting the documented body of a 401."""
        answers = [self.get(token) for _ in range(times)]
        assert all(body == ROWS[40102] for status, body in answers if status == 401)
        return {status for status, _ in answers}

    def meet(self, workers: int, token: str) -> None:
        """Ask until so many workers have answered; fail after fifteen seconds."""
        met: set[int] = set()
        give_up = monotonic() + 15
        while len(met) < workers:
            met.add(json.loads(self.get(token)[1])["pid"])
            assert monotonic() < give_up

    def until(self, token: str, wanted: set[int]) -> None:
        """Ask until all answers are as wanted, on every worker; fail after fifteen seconds."""
        give_up = monotonic() + 15
        while self.statuses(token) != wanted:
            assert monotonic() < give_up


@contextmanager
def served(
    url: str, tmp_path: Path, arguments: list[str], module: str = "live_served", **more: object
) -> Iterator[Served]:
    """Serve the app by gunicorn with two workers; see :func:`running`.

    :param module: of :mod:`tests.support`, with the app.
    """
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"]
    command += [*arguments, f"tests.support.{module}:app"]
    with running(url, tmp_path, command, **more) as app:
        yield app


@contextmanager
def running(
    url: str, tmp_path: Path, command: list[str], *, ended: int = 0, **more: object
) -> Iterator[Served]:
    """Serve the app by *command*; at the end its workers must have stopped by themselves.

    :param url: of its key set.
    :param ended: the status of *command* after ``SIGTERM``.
    :param more: settings.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"APP_JWT_KEYS": url, **{f"JWKS_{name}": age for name, age in AGES.items()}, **more}
    environ = {f"FLASK_CONNECTOR_AUTH_{name}": str(value) for name, value in settings.items()}
    # What is installed with the interpreter is found first.
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [part.format(port=port) for part in command],
            env={**os.environ, **environ},
            stdout=output,
            stderr=output,
        )
    app = Served(port, process)
    try:
        give_up = monotonic() + 20
        while True:
            try:
                app.get(path="/health")
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert monotonic() < give_up, log.read_text()
                threading.Event().wait(0.05)
        yield app
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
    assert status == ended
    assert "Traceback" not in log.read_text()
