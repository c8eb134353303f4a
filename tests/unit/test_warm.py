"""``ConnectorAuth.warm``: all that an app needs, before its first request, by real servers."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth, KeySource, require_app_jwt
from flask_connector_auth.keys import Health, VerificationKey
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.http_helpers import headers
from tests.support.redis_servers import Server
from tests.support.simulation import wait_for

MakeServer = Callable[..., KeySetServer]


@pytest.fixture
def make_server(issuer: Issuer) -> Iterator[MakeServer]:
    """Return a function that starts a key server, of the one issuer unless it is told."""
    with ExitStack() as stack:
        yield lambda *issuers: stack.enter_context(KeySetServer(*(issuers or [issuer])))


@pytest.fixture
def auth() -> Iterator[ConnectorAuth]:
    """An extension, whose apps are closed at the end."""
    made = ConnectorAuth()
    apps: list[Flask] = []
    set_up = made.init_app
    made.init_app = lambda app: (apps.append(app), set_up(app))[1]  # type: ignore[method-assign]
    yield made
    for app in apps:
        made.close(app)


def app_of(auth: ConnectorAuth, **settings: Any) -> Flask:
    """Return an app of *auth* with a view that requires an AppJWT."""
    app = Flask("an_app")
    app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
    auth.init_app(app)

    @app.get("/")
    @require_app_jwt
    def index() -> str:
        return "hello"

    return app


def test_no_request_fetches_what_was_loaded_before(
    auth: ConnectorAuth, make_server: MakeServer, issuer: Issuer
) -> None:
    """All key sets of all apps, those of ConsumerJWSs and of each issuer too."""
    servers = [make_server() for _ in range(3)]
    one, two = make_server(Issuer(kid="1")), make_server(Issuer(kid="2"))
    app = app_of(
        auth, APP_JWT_KEYS=[servers[0].url, servers[1].url], CONSUMER_JWS_KEYS=servers[2].url
    )
    several = {"1": {"APP_JWT_KEYS": one.url}, "2": {"APP_JWT_KEYS": two.url}}
    other = app_of(auth, ISSUERS=several)
    assert auth.warm(20) is True
    assert all(len(server.requests) == 1 for server in servers)
    for server in servers:
        server.stop()
    assert app.test_client().get("/", headers=headers(issuer.app_jwt())).status_code == 200
    assert all(part["keys"]["app_jwt"]["ready"] for part in auth.health(other)["issuers"].values())


def test_an_app_is_loaded_by_itself(auth: ConnectorAuth, make_server: MakeServer) -> None:
    """With *app*, of the apps of an instance only that one."""
    one, two = make_server(), make_server()
    app = app_of(auth, APP_JWT_KEYS=one.url)
    other = app_of(auth, APP_JWT_KEYS=two.url)
    assert auth.warm(20, app) is True
    assert (len(two.requests), auth.health(other)["keys"]["app_jwt"]["ready"]) == (0, False)
    assert ConnectorAuth().warm(20, other) is True


def test_the_copy_of_the_revocations_is_loaded(
    auth: ConnectorAuth, own_server: Server, issuer: Issuer
) -> None:
    """And not ready while the store is paused."""
    app = app_of(auth, APP_JWT_KEYS=issuer.key_set(), REVOCATION_URL=own_server.url)
    own_server.pause()
    assert auth.warm(0.1) is False
    own_server.resume()
    assert auth.warm(20) is True
    assert auth.health(app)["revocation"]["ready"] is True


def test_what_is_missing_after_that_time_is_told(
    auth: ConnectorAuth, make_server: MakeServer, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """One key server hangs: ``False``, one warning, and what is ready serves."""
    hangs, good = make_server(Issuer(kid="x")), make_server()
    hangs.fail("hang")
    app = app_of(auth, APP_JWT_KEYS=[hangs.url, f"{good.url}?secret=s3cret"])
    with caplog.at_level(logging.WARNING):
        assert auth.warm(0.5) is False
    assert [record.getMessage() for record in caplog.records] == [
        f"not ready after 0.5 s: keys of {hangs.url}"
    ]
    assert app.test_client().get("/", headers=headers(issuer.app_jwt())).status_code == 200


def test_without_time_all_is_started(auth: ConnectorAuth, make_server: MakeServer) -> None:
    """``warm(0)`` waits for nothing."""
    server = make_server()
    server.fail("hang")
    app_of(auth, APP_JWT_KEYS=server.url)
    assert auth.warm(0) is False
    wait_for(lambda: len(server.requests) == 1)


def test_a_failed_fetch_is_made_again(auth: ConnectorAuth, make_server: MakeServer) -> None:
    """An issuer that comes back in time makes it ready, at its backoff."""
    server = make_server()
    server.fail("status")
    app_of(auth, APP_JWT_KEYS=server.url, JWKS_RETRY=0.1)
    answers: list[bool] = []
    warming = threading.Thread(target=lambda: answers.append(auth.warm(20)))
    warming.start()
    wait_for(lambda: len(server.requests) == 1)
    server.recover()
    warming.join(20)
    assert answers == [True]
    assert len(server.requests) == 2


class Own(KeySource):
    """A source of an application, which is not ready."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Have none."""
        raise AssertionError("it is not asked for keys of no token")

    def health(self) -> Health:
        """Not be ready."""
        return {"ready": False}


def test_a_source_of_the_application_says_itself_whether_it_is_ready(
    auth: ConnectorAuth, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing that could be fetched in its place."""
    app_of(auth, APP_JWT_KEYS=Own())
    assert auth.warm(0.1) is False
    assert "keys of Own" in caplog.text


def test_configured_keys_are_ready(auth: ConnectorAuth, issuer: Issuer) -> None:
    """Nothing to wait for, even without time."""
    app_of(auth, APP_JWT_KEYS=issuer.key_set())
    assert auth.warm(0) is True


def test_without_an_app_it_is_an_error() -> None:
    """A hook that would do nothing, as where it comes too early, is told what to call."""
    with pytest.raises(RuntimeError, match=r"no app was set up; call ConnectorAuth\(app\)"):
        ConnectorAuth().warm(1)
    with pytest.raises(RuntimeError, match=r"The app has no ConnectorAuth"):
        ConnectorAuth().warm(1, Flask("another"))


@pytest.mark.parametrize("timeout", [-1, float("nan")], ids=["negative", "no number"])
def test_a_timeout_is_a_time(timeout: float, auth: ConnectorAuth, issuer: Issuer) -> None:
    """Any other would wait for good, or not at all."""
    app_of(auth, APP_JWT_KEYS=issuer.key_set())
    with pytest.raises(ValueError, match="timeout"):
        auth.warm(timeout)
