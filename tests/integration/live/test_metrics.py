"""The metrics page's multiprocess mode, with real workers of gunicorn."""

import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.live_workers import WORKERS, Served, served
from tests.support.project import files_of

SIZE = 4096  #: of the cache, in each worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of the multiprocess mode."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    return folder


@pytest.fixture
def arguments(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of gunicorn, and the environment, as the page has them."""
    files = files_of("docs/metrics.rst")
    for name in ("workers.py", "gunicorn_conf.py"):
        (tmp_path / name).write_text(files[name])
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return ["--config", str(tmp_path / "gunicorn_conf.py")]


def value_of(app: Served, name: str, **labels: str) -> float | None:
    """Return the value of a metric in the answer to one scrape, or ``None`` if it is not there."""
    status, text = app.get(path="/metrics")
    assert status == 200
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name == f"connector_auth_{name}" and labels.items() <= sample.labels.items():
                return sample.value
    return None


def until_value(app: Served, wanted: float, name: str, send: str = "", **labels: str) -> None:
    """Scrape until the metric has this value; fail after fifteen seconds.

    :param send: a token to send before each scrape.
    """
    give_up = monotonic() + 15
    while (value := value_of(app, name, **labels)) != wanted:
        assert monotonic() < give_up, value
        threading.Event().wait(0.05)
        if send:
            app.get(send)


def ask_until_written(app: Served, token: str, folder: Path, ended: int = 0) -> list[int]:
    """Send requests until two workers, and not the *ended* one, have written their figures down.

    A scrape must not come before that: prometheus-client cannot read a file that another process
    has just created.

    :returns: the ids of the processes that answered.
    """
    answered: list[int] = []
    give_up = monotonic() + 15
    while len(written := writers(folder)) != 2 or ended in written:
        answer: dict[str, Any] = json.loads(app.get(token)[1])
        answered.append(answer["pid"])
        assert monotonic() < give_up
    return answered


def writers(folder: Path) -> set[int]:
    """Return the ids of the processes whose gauges are in *folder*."""
    found = set()
    for path in folder.glob("gauge_livesum_*.db"):
        with suppress(FileNotFoundError):  # its process has just ended
            if path.stat().st_size:
                found.add(int(path.stem.rpartition("_")[2]))
    return found


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("kind", WORKERS)
def test_one_scrape_shows_all_workers(
    kind: str, preload: bool, tmp_path: Path, folder: Path, arguments: list[str], issuer: Issuer
) -> None:
    """Requests and fetches of both workers are added up, exactly; a worker that has ended takes its
    cache along, and nothing that it counted."""
    arguments += [*WORKERS[kind], *(["--preload"] if preload else [])]
    token = issuer.app_jwt()
    with (
        KeySetServer(issuer, headers={"Cache-Control": "max-age=60"}) as server,
        served(server.url, tmp_path, arguments, "live_metrics", CACHE_SIZE=SIZE) as app,
    ):
        answered = ask_until_written(app, token, folder)
        for _ in range(3):
            app.get()
        verified = {"outcome": "verified", "token": "app_jwt"}
        until_value(app, len(answered), "requests_total", **verified)
        until_value(app, 3, "requests_total", reason="missing", row="40105")
        until_value(app, 2, "keys_fetches_total", outcome="succeeded")
        until_value(app, 2, "keys_events_total", event="refreshed")
        until_value(app, 1, "keys_ready", token="app_jwt")
        until_value(app, 1, "keys_sources", state="fresh")
        until_value(app, 2 * SIZE, "cache_size", token="app_jwt")
        os.kill(answered[-1], signal.SIGKILL)
        answered += ask_until_written(app, token, folder, ended=answered[-1])
        until_value(app, len(answered), "requests_total", **verified)
        until_value(app, 2 * SIZE, "cache_size", token="app_jwt")


def test_an_outage_is_seen_in_each_scrape(
    tmp_path: Path, folder: Path, arguments: list[str], issuer: Issuer
) -> None:
    """Whichever worker met it: its event is there at once, and its state with its next request."""
    token = issuer.app_jwt()
    with (
        KeySetServer(issuer) as server,
        served(server.url, tmp_path, [*arguments, *WORKERS["sync"]], "live_metrics") as app,
    ):
        ask_until_written(app, token, folder)
        assert value_of(app, "keys_events_total", event="outage") == 0
        server.fail("refuse")
        app.until(token, {503})
        assert value_of(app, "keys_events_total", event="outage")
        until_value(app, 0, "keys_ready", send=token, token="app_jwt")
        assert value_of(app, "requests_total", reason="keys_unavailable", row="50301")
