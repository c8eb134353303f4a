"""Metrics for Prometheus: registries, names, and processes whose figures another one exposes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from flask_connector_auth import KeySource, VerificationKey, keys_outage, require_app_jwt
from flask_connector_auth.integrations import prometheus
from flask_connector_auth.integrations.prometheus import instrument_app
from tests.support.types import MakeApp


class CountedHealth(KeySource):
    """A key source that counts how often its health is read."""

    def __init__(self) -> None:
        self.reads = 0

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        return []

    def health(self) -> dict[str, Any]:
        self.reads += 1
        return {"ready": True}


@pytest.fixture
def source() -> CountedHealth:
    """The keys of :func:`app`."""
    return CountedHealth()


@pytest.fixture
def app(make_app: MakeApp, source: CountedHealth) -> Flask:
    """An app with one view."""
    app = make_app(APP_JWT_KEYS=source)
    app.add_url_rule("/", "index", require_app_jwt(lambda: {}))
    return app


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, by which samples are taken."""
    now = [100.0]
    monkeypatch.setattr(prometheus, "steady_time", lambda: now[0])
    return now


def test_the_default_is_the_global_registry(make_app: MakeApp) -> None:
    """As for every metric of prometheus-client; two apps may have it."""
    for name in ("one", "two"):
        app = make_app()
        app.name = name
        instrument_app(app)
        labels = {"app": name, "token": "app_jwt", "issuer": "Sentinel"}
        assert REGISTRY.get_sample_value("connector_auth_keys_ready", labels) == 1


def test_an_app_has_one_registry(app: Flask) -> None:
    """Two would count each request twice where processes share their figures."""
    instrument_app(app, CollectorRegistry())
    with pytest.raises(ValueError, match="the app was instrumented with another registry"):
        instrument_app(app, CollectorRegistry())


def test_a_registry_with_such_a_metric_is_refused(app: Flask, make_app: MakeApp) -> None:
    """By prometheus-client; the app can still be instrumented with another registry."""
    taken = CollectorRegistry()
    Counter("connector_auth_cache_hits", "Of the app itself.", registry=taken)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        instrument_app(app, taken)
    instrument_app(app, CollectorRegistry())


def test_a_registration_reads_no_health(app: Flask, source: CountedHealth) -> None:
    """Health starts the thread of a revocation store, which a server may fork away."""
    registry = CollectorRegistry(auto_describe=True)
    instrument_app(app, registry)
    assert source.reads == 0
    generate_latest(registry)
    assert source.reads == 1


def test_events_that_never_happened_are_zero(app: Flask) -> None:
    """``increase()`` of a series that begins with 1 is 0."""
    registry = CollectorRegistry()
    instrument_app(app, registry)
    exposed = generate_latest(registry).decode()
    for line in (
        'keys_events_total{app="an_app",event="outage",issuer="Sentinel",token="app_jwt"} 0.0',
        'revocation_stale_total{app="an_app"} 0.0',
    ):
        assert f"\nconnector_auth_{line}\n" in exposed


def test_requests_read_no_health(app: Flask, source: CountedHealth) -> None:
    """A process that exposes its own figures reads them when it is scraped."""
    instrument_app(app, CollectorRegistry())
    app.test_client().get("/")
    keys_outage.send(source)
    assert source.reads == 0


def test_where_another_process_exposes_them_figures_are_written_down(
    app: Flask, source: CountedHealth, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a request, once a second at most, and with each event of keys and revocations."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    registry = CollectorRegistry()
    instrument_app(app, registry)
    client = app.test_client()
    reads = []
    for seconds in (0, 0.5, 0.4, 0.2):
        now[0] += seconds
        client.get("/")
        reads.append(source.reads)
    assert reads == [1, 1, 1, 2]
    keys_outage.send(source)
    assert source.reads == 3
    # What others read from files cannot be removed: so a scrape removes nothing.
    assert (
        b'connector_auth_keys_ready{app="an_app",issuer="Sentinel",token="app_jwt"} 1.0'
        in generate_latest(registry)
    )


REQUESTS = """
import os, shutil
from flask import Flask
from flask_connector_auth import ConnectorAuth, require_app_jwt
from flask_connector_auth.integrations.prometheus import instrument_app
from flask_connector_auth.testing import Issuer

issuer = Issuer()
app = Flask("an_app")
app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
ConnectorAuth(app)
app.add_url_rule("/", "index", require_app_jwt(lambda: "good"))
instrument_app(app)
if REMOVED:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
for token in (issuer.app_jwt(), "junk", issuer.app_jwt()):
    print(app.test_client().get("/", headers={"Authorization": token}).status_code)
"""


@pytest.mark.parametrize(
    ("removed", "lost"), [(False, []), (True, ["figures of an_app are lost: FileNotFoundError"])]
)
def test_a_directory_that_is_gone_fails_no_request(
    removed: bool, lost: list[str], tmp_path: Path
) -> None:
    """prometheus-client opens a file of ``PROMETHEUS_MULTIPROC_DIR`` where it first needs it."""
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", f"REMOVED = {removed}\n{REQUESTS}"],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.split() == ["200", "401", "200"]
    assert [line for line in ran.stderr.splitlines() if line.startswith("figures")] == lost


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("prometheus", "prometheus_client", "prometheus"),
        ("opentelemetry", "opentelemetry", "opentelemetry"),
    ],
)
def test_a_package_that_is_missing_is_named(
    module: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import fails with what to install."""
    name = f"flask_connector_auth.integrations.{module}"
    import_module(name)  # with the package it succeeds
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pip install flask-connector-auth\[{extra}\]$"):
        import_module(name)
