"""What a fetch has open, and its cancellation by a collection or by close()."""

import gc
import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth, require_app_jwt
from flask_connector_auth.core import keys_refresh_failed, steady_time
from flask_connector_auth.keys import (
    Cancellation,
    Cancelled,
    CombinedKeys,
    FetchFailed,
    FetchResponse,
    HttpFetch,
    KeyRules,
    KeySetLoader,
    KeySource,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    Watchdog,
)
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.web import current_runtime
from tests.support.http_helpers import headers
from tests.support.redis_servers import until
from tests.support.types import MakeApp

APPS = 20
#: Seconds, longer than any test: what ends in time ends for another reason.
LONG = 600.0
RULES = RemoteRules(timeout=LONG, wait=LONG, max_age=LONG)


def opened() -> tuple[int, int]:
    """Return how many threads and descriptors there are."""
    return threading.active_count(), len(os.listdir("/dev/fd"))


class Due:
    """A source of the keys at *urls*, whose set has been fetched and is due for a refresh."""

    def __init__(self, *urls: str, fetch: Any = None) -> None:
        self.late = 0.0
        loader = KeySetLoader(urls, fetch or HttpFetch(), KeyRules(["RS256"]), RULES)
        late = weakref.ref(self)
        self.source = RemoteKeys(
            RefreshPolicy(RULES), loader, lambda: steady_time() + getattr(late(), "late", 0.0)
        )
        assert self.ask()
        # The thread sends signals after the lookup has its keys.
        assert self.source._thread
        self.source._thread.join()
        self.late = 0.85 * LONG

    def ask(self) -> Any:
        """Return the keys for a token."""
        return self.source.candidates("dev-1", "RS256")


@pytest.fixture
def hanging(key_set_server: KeySetServer) -> Callable[[int], None]:
    """Return a function that waits until so many requests hang at the server."""

    def wait(number: int) -> None:
        until(lambda: len(key_set_server.requests) == number)

    return wait


def make_apps(make_app: MakeApp, server: KeySetServer, issuer: Issuer) -> list[Flask]:
    """Return apps that have served a request, and are fetching their keys anew."""
    apps = []
    for _ in range(APPS):
        app = make_app(APP_JWT_KEYS=server.url, JWKS_TIMEOUT=60)
        app.add_url_rule("/", "view", require_app_jwt(lambda: {}))
        apps.append(app)
    for late in (0, 250):
        if late:
            server.fail("hang")
        for app in apps:
            source: Any = current_runtime(app).verifiers[0].keys
            source._clock = lambda late=late: steady_time() + late
            answer = app.test_client().get("/", headers=headers(issuer.app_jwt()))
            assert answer.status_code == 200
    until(lambda: len(server.requests) == 2 * APPS)
    return apps


def test_apps_that_are_dropped_leave_no_fetch(
    make_app: MakeApp, key_set_server: KeySetServer, issuer: Issuer
) -> None:
    """The next collection shuts the connections down, long before the timeout."""
    gc.collect()
    before = opened()
    apps = make_apps(make_app, key_set_server, issuer)
    during = opened()
    # The fetch, its watchdog, and the server's thread.
    assert during[0] == before[0] + 3 * APPS
    assert during[1] > before[1] + 2 * APPS
    sources = [weakref.ref(current_runtime(app).verifiers[0].keys) for app in apps]
    gc.disable()
    try:
        del apps
        gc.collect()
        until(lambda: opened() == before)
    finally:
        gc.enable()
    assert [source() for source in sources] == [None] * APPS


def test_an_app_that_is_closed_leaves_no_fetch(
    make_app: MakeApp, key_set_server: KeySetServer, issuer: Issuer
) -> None:
    """Our threads end at once; those of the server when it notices."""
    gc.collect()
    before, names = opened(), {thread.ident for thread in threading.enumerate()}
    apps = make_apps(make_app, key_set_server, issuer)
    ours: list[Any] = [current_runtime(app).verifiers[0].keys._thread for app in apps]  # type: ignore[attr-defined]
    assert all(thread.is_alive() and thread.ident not in names for thread in ours)
    gc.disable()
    try:
        for app in apps:
            for _ in range(2):
                ConnectorAuth().close(app)
        assert not any(thread.is_alive() for thread in ours)
        until(lambda: opened() == before)
    finally:
        gc.enable()


def test_a_source_that_was_closed_goes_on(
    key_set_server: KeySetServer, hanging: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The set stays in use, a cancelled fetch is no failure, and the next request fetches again."""
    caplog.set_level(logging.INFO)
    due, failures = Due(key_set_server.url), []
    caplog.clear()
    key_set_server.fail("hang")
    with keys_refresh_failed.connected_to(
        lambda *_args, **_payload: failures.append(1), due.source
    ):
        assert due.ask()
        hanging(2)
        due.source.close()
    assert due.source.health()["failures"] == 0
    assert (failures, caplog.messages) == ([], [])
    assert due.ask()
    hanging(3)
    due.source.close()


def test_a_cancelled_fetch_tries_no_other_url(
    key_set_server: KeySetServer, issuer: Issuer, hanging: Callable[[int], None]
) -> None:
    """JWKS_FAILOVER is for an issuer that fails."""
    with KeySetServer(issuer) as other:
        due = Due(key_set_server.url, other.url)
        key_set_server.fail("hang")
        assert due.ask()
        hanging(2)
        due.source.close()
        assert other.requests == []
        key_set_server.fail("status", status=500)
        assert due.ask()
        until(lambda: len(other.requests) == 1)


def test_a_request_that_waits_for_a_cancelled_fetch_starts_another(
    key_set_server: KeySetServer, hanging: Callable[[int], None]
) -> None:
    """The request still gets an answer, and waits no longer than it may."""
    loader = KeySetLoader([key_set_server.url], HttpFetch(), KeyRules(["RS256"]), RULES)
    source = RemoteKeys(RefreshPolicy(RULES), loader)
    key_set_server.fail("hang")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(source.candidates("dev-1", "RS256")))
    thread.start()
    hanging(1)
    key_set_server.recover()
    source.close()
    thread.join(20)
    assert [key.kid for key in found[0]] == ["dev-1"]


def test_a_fetch_function_of_the_app_is_not_cancelled(
    key_set_server: KeySetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_FETCH takes any callable: close() does not wait for it, and ignores its late result."""
    monkeypatch.setattr("flask_connector_auth.keys.remote._JOIN_TIMEOUT", 0.01)
    go, fetches, http = threading.Event(), [], HttpFetch()

    def fetch(url: str, **options: Any) -> FetchResponse:
        fetches.append(options.keys())
        if len(fetches) == 2:
            assert go.wait(20)
        return http(url, **options)

    due = Due(key_set_server.url, fetch=fetch)
    confirmed = due.source.snapshot
    assert due.ask()
    thread = due.source._thread
    assert thread
    due.source.close()
    assert thread.is_alive()
    go.set()
    thread.join(10)
    assert due.source.snapshot is confirmed
    assert fetches == [{"headers", "timeout", "max_bytes"}] * 2


def test_a_signal_receiver_may_close(key_set_server: KeySetServer) -> None:
    """The receiver runs in the thread of the fetch."""
    due, closed = Due(key_set_server.url), threading.Event()
    key_set_server.fail("status", status=500)

    def close(_source: object, **_payload: object) -> None:
        due.source.close()
        closed.set()

    with keys_refresh_failed.connected_to(close, due.source):
        assert due.ask()
        assert closed.wait(10)


def test_of_several_sources_those_of_the_package_are_closed(
    key_set_server: KeySetServer, hanging: Callable[[int], None]
) -> None:
    """The application closes the sources that it has made."""

    class Custom(KeySource):
        def candidates(self, kid: str | None, algorithm: str) -> Any:
            return []

        def close(self) -> None:
            raise AssertionError

    due = Due(key_set_server.url)
    key_set_server.fail("hang")
    assert due.ask()
    hanging(2)
    thread = due.source._thread
    assert thread
    CombinedKeys([Custom(), due.source]).close()
    assert not thread.is_alive()


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a server that accepts no more connections, and refuses none."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for client in waiting:
            client.close()


def test_a_connection_under_way_is_cancelled_too(
    full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """close() does not wait for an address that does not answer."""
    monkeypatch.setattr("flask_connector_auth.keys.connection._TIMEOUT_PER_ADDRESS", LONG)
    loader = KeySetLoader([f"http://127.0.0.1:{full}/"], HttpFetch(), KeyRules(["RS256"]), RULES)
    cancellation, failures = Cancellation(), []

    def load() -> None:
        with pytest.raises(Cancelled) as caught:
            loader.load(None, cancellation)
        failures.append(caught.type)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    until(lambda: getattr(cancellation._watchdog, "_sockets", None))
    cancellation.cancel()
    thread.join(10)
    assert failures == [Cancelled]


def test_what_is_cancelled_before_it_begins_opens_nothing(key_set_server: KeySetServer) -> None:
    """Before the load, or between the load and the fetch."""
    cancellation = Cancellation()
    cancellation.raise_if_cancelled()
    cancellation.cancel()
    with pytest.raises(FetchFailed):
        HttpFetch()(
            key_set_server.url, headers={}, timeout=9, max_bytes=999, cancellation=cancellation
        )
    loader = KeySetLoader([key_set_server.url], HttpFetch(), KeyRules(["RS256"]), RULES)
    with pytest.raises(Cancelled):
        loader.load(None, cancellation)
    assert key_set_server.requests == []


def test_a_child_process_leaves_the_parents_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shutdown in one process would end the connection in both."""
    cancellation, (ours, peer) = Cancellation(), socket.socketpair()
    with ours, peer, Watchdog(LONG) as watchdog:
        watchdog.watch(ours)
        cancellation.attach(watchdog)
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            cancellation.cancel()
        peer.sendall(b"x")
        assert ours.recv(1) == b"x"
        cancellation.cancel()
        assert ours.recv(1) == b""
