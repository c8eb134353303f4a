"""The pytest fixtures, used as in a user's tests."""

from collections.abc import Callable
from importlib.metadata import distribution
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    require_app_jwt,
)
from flask_connector_auth.testing import ConnectorClient, Issuer, KeySetServer
from tests.support.http_helpers import assert_row
from tests.support.pytest_runs import run_pytest
from tests.support.user_app import create_app

Travel = Callable[[float], None]


@pytest.fixture
def app(issuer: Issuer) -> Flask:
    """The app under test."""
    return create_app(issuer.key_set())


def test_the_client_sends_both_headers(connector_client: ConnectorClient) -> None:
    """Protocol page, Authorization: good tokens of the issuer, beside whatever else is sent."""
    answer = connector_client.post("/who", json={"a": 1}, headers={"X-Custom": "yes"})
    assert answer.json == {
        "install": "75588e18-0000-4000-8000-000000000000",
        "consumer": "consumer-1",
        "json": {"a": 1},
        "header": "yes",
    }
    assert connector_client.get("/who").status_code == 200


def test_the_client_sends_what_it_is_given(
    connector_client: ConnectorClient, issuer: Issuer
) -> None:
    """A token in place of the client's own, or none; a header of that name stays as it is."""
    tokens = {
        "app_jwt": issuer.app_jwt(azp="install-2"),
        "consumer_jws": issuer.consumer_jws(ext_consumer_id="anna"),
    }
    answer = connector_client.get("/who", **tokens).json
    assert (answer["install"], answer["consumer"]) == ("install-2", "anna")
    assert_row(connector_client.get("/who", app_jwt=None), 40105)
    assert_row(connector_client.get("/who", consumer_jws=None), 40104)
    assert_row(connector_client.get("/who", app_jwt="junk"), 40102)
    assert_row(connector_client.get("/who", headers={"authorization": "junk"}), 40102)
    assert_row(connector_client.get("/who", headers=[("X-LP-ON-BEHALF", "junk")]), 40103)


def test_the_client_uses_the_apps_header(issuer: Issuer) -> None:
    """Protocol page, Messaging REST API: the header of the ConsumerJWS has a setting."""
    app = create_app(issuer.key_set(), CONSUMER_HEADER="LP-On-Behalf")
    assert ConnectorClient(app, issuer).get("/who").json["consumer"] == "consumer-1"


def test_the_client_is_of_the_account_of_its_issuer() -> None:
    """Both tokens are for the account of the issuer."""
    own_issuer = Issuer(account_id="le1")
    for account, status in (("le1", 200), ("le2", 401)):
        app = create_app(own_issuer.key_set(), AUDIENCE=account)
        assert ConnectorClient(app, own_issuer).get("/who").status_code == status


def test_a_token_expires_while_the_test_goes_on(
    connector_client: ConnectorClient, issuer: Issuer, time_travel: Travel, refusals: list[Reason]
) -> None:
    """RFC 7519 section 4.1.4: an hour and the leeway later, by the clock of app and issuer."""
    token = issuer.app_jwt()
    time_travel(3600)
    assert connector_client.get("/who", app_jwt=token).status_code == 200
    time_travel(31)
    assert_row(connector_client.get("/who", app_jwt=token), 40102)
    assert connector_client.get("/who").status_code == 200
    time_travel(-7200)
    assert_row(connector_client.get("/who", app_jwt=token), 40102)
    assert refusals == [Reason.EXPIRED, Reason.NOT_YET_VALID]


def test_a_revocation_uses_the_time_of_the_test(
    app: Flask, connector_client: ConnectorClient, issuer: Issuer, time_travel: Travel
) -> None:
    """It applies to tokens issued before the time to which the test has moved."""
    time_travel(86400)
    token = issuer.app_jwt()
    with app.app_context():
        ConnectorAuth().revocations.revoke(install_id="75588e18-0000-4000-8000-000000000000")
    assert_row(connector_client.get("/who", app_jwt=token), 40102)
    time_travel(60)
    assert connector_client.get("/who").status_code == 200


def test_a_clock_of_the_apps_own_is_left_alone(issuer: Issuer, time_travel: Travel) -> None:
    """An app with ConnectorAuth(clock=…) keeps that clock."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    now = issuer.clock()
    ConnectorAuth(app, clock=lambda: now)
    app.add_url_rule("/", "view", require_app_jwt(lambda: {}))
    token = issuer.app_jwt()
    time_travel(86400)
    assert ConnectorClient(app, issuer).get("/", app_jwt=token).status_code == 200
    assert_row(ConnectorClient(app, issuer).get("/"), 40102)


def test_the_key_set_server_rotates_and_fails(
    key_set_server: KeySetServer, issuer: Issuer, refusals: list[Reason]
) -> None:
    """docs/key_sets.rst: over real HTTP, a new key is found; an outage is a 503."""
    client = ConnectorClient(create_app(key_set_server.url), issuer)
    assert client.get("/who").status_code == 200
    new = Issuer(kid="dev-2")
    key_set_server.publish(issuer, new)
    assert ConnectorClient(client.application, new).get("/who").status_code == 200
    key_set_server.fail("status", status=500)
    assert ConnectorClient(create_app(key_set_server.url), issuer).get("/who").status_code == 503
    assert refusals == [Reason.KEYS_UNAVAILABLE]


SUITE = """
import pytest
from flask_connector_auth.testing import Issuer, assert_connector_error
from tests.support.user_app import create_app

pytest_plugins = ["flask_connector_auth.testing.plugin"]


@pytest.fixture(scope="session")
def issuer(connector_clock):
    return Issuer(name="Other", account_id="le1", clock=connector_clock)


@pytest.fixture(scope="session")
def app(issuer):
    return create_app(issuer.key_set(), ISSUER="Other", AUDIENCE="le1")


@pytest.mark.parametrize("number", range(2))
def test_time(connector_client, issuer, time_travel, number):
    token = issuer.app_jwt()
    assert connector_client.get("/who", app_jwt=token).status_code == 200
    time_travel(3631)
    assert_connector_error(connector_client.get("/who", app_jwt=token), 40102)


def test_now(connector_client, connector_clock):
    assert connector_clock.ahead == 0
    assert connector_client.get("/who").status_code == 200
"""


def test_one_app_serves_a_whole_run_of_tests(tmp_path: Any) -> None:
    """docs/testing.rst: one line enables the fixtures; after each test the clock is right again."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    assert run_pytest(tmp_path) == {"passed": 3}


CLOSING = """
import threading

import pytest
from flask_connector_auth.revocation import Kind, MemoryStore
from tests.support.user_app import create_app

pytest_plugins = ["flask_connector_auth.testing.plugin"]
STORE = MemoryStore(dict.fromkeys(Kind, 3600.0))


@pytest.fixture(scope="session")
def app(issuer):
    return create_app(issuer.key_set(), REVOCATION_STORE=STORE)


@pytest.fixture
def late(connector_client):
    yield
    assert threading.active_count() == 1
    assert connector_client.get("/who").status_code == 200


@pytest.mark.parametrize("number", range(2))
def test_one_app(connector_client, late, number):
    assert threading.active_count() == 1
    assert connector_client.get("/who").status_code == 200
    assert threading.active_count() == 2


def test_another_app(issuer):
    assert threading.active_count() == 1
"""


def test_nothing_that_an_app_opens_outlives_its_test(tmp_path: Any) -> None:
    """The plugin closes after each test, and once more after its fixtures; an app of a whole run
    of tests begins anew."""
    (tmp_path / "test_suite.py").write_text(CLOSING)
    assert run_pytest(tmp_path) == {"passed": 3}


def test_nothing_is_switched_on_by_being_installed(tmp_path: Any) -> None:
    """docs/testing.rst: no entry point, which would import the package into every run of pytest."""
    assert not distribution("flask-connector-auth").entry_points.select(group="pytest11")
    (tmp_path / "test_suite.py").write_text("def test_suite(issuer): ...")
    assert run_pytest(tmp_path) == {"error": 1}
