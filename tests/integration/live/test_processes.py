"""Real workers, of gunicorn and uWSGI, with a real key set server: rotation, outage, fork, and a
clean end."""

import json
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.live_workers import UWSGI, WORKERS, Served, running, served


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
    # Stale keys serve for a while, then it is unknown: never is a good token told 401.
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
