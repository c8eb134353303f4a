"""Real workers, of gunicorn and uWSGI, with a real key set server: rotation, outage, fork, and a
clean end."""

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
from typing import Any

import pytest

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.http_helpers import ROWS

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
    *("uwsgi", "--http-socket=127.0.0.1:{port}", "--module=tests.live.served:app", "--need-app"),
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
def served(url: str, tmp_path: Path, arguments: list[str]) -> Iterator[Served]:
    """Serve the app by gunicorn with two workers; see :func:`running`."""
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"]
    with running(url, tmp_path, [*command, *arguments, "tests.live.served:app"]) as app:
        yield app


@contextmanager
def running(url: str, tmp_path: Path, command: list[str]) -> Iterator[Served]:
    """Serve the app by *command*; at the end its workers must have stopped by themselves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"APP_JWT_KEYS": url, **{f"JWKS_{name}": age for name, age in AGES.items()}}
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
                assert process.poll() is None and monotonic() < give_up, log.read_text()
                threading.Event().wait(0.05)
        yield app
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
    assert status == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def issuers() -> list[Issuer]:
    """Three keys of one issuer."""
    return [Issuer(kid=f"key-{number}") for number in range(3)]


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("worker", WORKERS)
def test_a_rotation_and_an_outage_with_two_workers(
    worker: str, preload: bool, issuers: list[Issuer], tmp_path: Path
) -> None:
    """Every worker takes a new key on its first token, drops a withdrawn one within its life, says
    503 and not 401 in an outage, and works again when the issuer does."""
    arguments = [*WORKERS[worker], *(["--preload"] if preload else [])]
    with (
        KeySetServer(issuers[0], headers={"Cache-Control": "max-age=60"}) as server,
        served(server.url, tmp_path, arguments) as app,
    ):
        check_a_rotation_and_an_outage(server, app, issuers)


@pytest.mark.parametrize("options", ["", "enable-threads", "lazy-apps", "lazy-apps threads=4"])
def test_a_rotation_and_an_outage_with_uwsgi(
    options: str, issuers: list[Issuer], tmp_path: Path
) -> None:
    """The same with uWSGI, whose workers are forked behind Python's back, and whose threads stand
    still between requests where it was not told that there are any."""
    command = [*UWSGI, *(f"--{option}" for option in options.split())]
    with (
        KeySetServer(issuers[0], headers={"Cache-Control": "max-age=60"}) as server,
        running(server.url, tmp_path, command) as app,
    ):
        check_a_rotation_and_an_outage(server, app, issuers)


def check_a_rotation_and_an_outage(
    server: KeySetServer, app: Served, issuers: list[Issuer]
) -> None:
    """Assert what each of two workers does through the life of a key set."""
    old, new, never = issuers
    assert server.requests == []  # the app starts without its issuer
    assert app.statuses(old.app_jwt()) == {200}
    app.meet(2, old.app_jwt())
    server.publish(old, new)
    assert app.statuses(new.app_jwt(), 40) == {200}
    assert app.statuses(old.app_jwt()) == {200}
    server.publish(new)
    app.until(old.app_jwt(), {401})
    assert app.statuses(new.app_jwt()) == {200}
    assert app.statuses(never.app_jwt()) == {401}
    server.fail("refuse")
    # Stale keys serve for a while, then nobody can know: never is a good token told 401.
    seen: set[int] = set()
    give_up = monotonic() + 15
    while 503 not in seen:
        seen |= app.statuses(new.app_jwt(), 5)
        assert monotonic() < give_up
    app.until(new.app_jwt(), {503})
    assert seen == {200, 503}
    server.recover()
    app.until(new.app_jwt(), {200})


def test_the_first_tokens_of_many_clients_at_once(issuers: list[Issuer], tmp_path: Path) -> None:
    """Cold start under load: one fetch a worker, however many wait for it, and all pass."""
    old = issuers[0]
    with (
        KeySetServer(old) as server,
        served(server.url, tmp_path, WORKERS["gthread"]) as app,
    ):
        server.delay = 0.3
        token = old.app_jwt()
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(app.get(token)[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 8
        assert len(server.requests) <= 2


def test_junk_never_reaches_the_issuer(issuers: list[Issuer], tmp_path: Path) -> None:
    """Malformed tokens and a wrong alg are 401 before any key is looked up."""
    old = issuers[0]
    junk = ["a.b.c", "Basic eA==", old.sign({}, {"alg": "none"}), old.sign({}, {"alg": "HS256"})]
    with KeySetServer(old) as server, served(server.url, tmp_path, WORKERS["sync"]) as app:
        for token in junk:
            assert app.statuses(token) == {401}
        assert server.requests == []
        health: dict[str, Any] = json.loads(app.get(path="/health")[1])
        assert health["keys"]["app_jwt"]["state"] == "empty"
        assert app.statuses(old.app_jwt()) == {200}
