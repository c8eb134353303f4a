"""The pytest fixtures, used as in a user's tests."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask, redirect
from freezegun import freeze_time

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    require_app_jwt,
)
from flask_connector_auth.testing import (
    Clock,
    ConnectorClient,
    Issuer,
    KeySetServer,
    assert_connector_error,
)
from tests.support.http_helpers import assert_row
from tests.support.pytest_runs import run_pytest
from tests.support.user_app import create_app

Travel = Callable[[float], None]


@pytest.fixture
def app(issuer: Issuer, connector_clock: Clock, request: pytest.FixtureRequest) -> Flask:
    """The app under test; a parameter names its clock."""
    clocks = {"kit": connector_clock, "own": time.monotonic}
    return create_app(issuer.key_set(), clocks.get(getattr(request, "param", "none")))


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


def test_a_response_says_why_it_was_refused(
    connector_client: ConnectorClient, issuer: Issuer
) -> None:
    """``token_rejected``: the error is in the ``repr`` of the response, which a failed ``assert``
    shows, and in the text of the assertion; a response that was not refused has neither."""
    for fault, code, reason in (
        ("expired", 40102, "<InvalidAppJWT 40102: expired"),
        ("forged", 40102, "<InvalidAppJWT 40102: bad_signature>"),
        ("missing_claim", 40102, "<InvalidAppJWT 40102: missing_claim claim='azp'>"),
    ):
        answer = connector_client.get("/who", app_jwt=issuer.broken(fault))
        assert f" [401 UNAUTHORIZED], refused: {reason}" in repr(answer)
        assert_connector_error(answer, code)
        with pytest.raises(AssertionError, match=f"\n  refused: {reason}"):
            assert_connector_error(answer, 40105)
    answer = connector_client.get("/who")
    assert "refused" not in repr(answer)
    with pytest.raises(AssertionError) as caught:
        assert_connector_error(answer, 40105)
    assert "refused" not in str(caught.value)


def test_a_redirected_response_can_be_shown(
    app: Flask, connector_client: ConnectorClient, issuer: Issuer
) -> None:
    """The responses before the last one have a ``repr`` too, and rows to be compared with."""
    app.add_url_rule("/old", "old", lambda: redirect("/who"))
    answer = connector_client.get("/old", app_jwt=issuer.broken("expired"), follow_redirects=True)
    [first] = answer.history
    assert "[302 FOUND]>" in repr(first)
    assert "refused: <InvalidAppJWT 40102: expired" in repr(answer)
    with pytest.raises(AssertionError, match="status: 302, not 401"):
        assert_connector_error(first, 40102)


def test_rows_of_the_app_are_expected_of_the_client(issuer: Issuer) -> None:
    """``CONNECTOR_AUTH_ERROR_CATALOGUE``: those of the client's app, without a context."""
    app = create_app(issuer.key_set(), ERROR_CATALOGUE={40105: {"errorCode": 40177}})
    answer = ConnectorClient(app, issuer).get("/who", app_jwt=None)
    for code in (40177, 40105):
        assert_connector_error(answer, code)
    other = ConnectorClient(create_app(issuer.key_set()), issuer).get("/who", app_jwt=None)
    assert_connector_error(other, 40105)
    with pytest.raises(ValueError, match="no row has the code 40177"):
        assert_connector_error(other, 40177)


def test_a_response_has_the_refusals_of_its_own_request(
    app: Flask, connector_client: ConnectorClient
) -> None:
    """Not those of a request that a view sends, which the view may expect."""
    inner = connector_client.__class__(app, Issuer())

    @app.get("/outer")
    def outer() -> dict[str, str]:
        return {"inner": repr(inner.get("/who"))}

    answer = connector_client.get("/outer")
    assert "refused: <InvalidAppJWT 40102: bad_signature" in answer.json["inner"]
    assert "refused" not in repr(answer)


REPORTS = """
import pytest
from flask_connector_auth.testing import assert_connector_error
from tests.support.user_app import create_app

pytest_plugins = ["flask_connector_auth.testing.plugin"]


@pytest.fixture
def app(issuer):
    return create_app(issuer.key_set())


def test_status(app, issuer):
    headers = {"Authorization": issuer.broken("expired")}
    assert app.test_client().get("/who?page=2", headers=headers).status_code == 200


@pytest.fixture
def logged_in(app):
    assert app.test_client().get("/who").status_code == 200


def test_fixture(logged_in):
    pass


def test_assertion(connector_client):
    assert_connector_error(connector_client.get("/who"), 40102)


def test_code(connector_client):
    assert_connector_error(connector_client.get("/who", app_jwt="junk"), 40101)


def test_passes(connector_client):
    assert connector_client.get("/who", app_jwt=None).status_code == 401


def test_details(app, issuer):
    headers = {"Authorization": issuer.broken("missing_claim")}
    assert app.test_client().get("/who", headers=headers).status_code == 200
"""


def test_a_failure_is_reported_with_what_was_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With any client, in the test and in its fixtures: request and error, without the query. The
    frames of the assertion are not shown."""
    (tmp_path / "test_suite.py").write_text(REPORTS)
    assert run_pytest(tmp_path) == {"failed": 4, "passed": 1, "error": 1}
    out = capsys.readouterr().out
    for phase, error in (
        ("call", "InvalidAppJWT 40102: expired"),
        ("setup", "AppJWTMissing 40105: missing"),
        ("call", "InvalidAppJWT 40102: not_compact"),
        ("call", "InvalidAppJWT 40102: missing_claim claim='azp'>"),
    ):
        title = f"- Captured refused requests {phase} -"
        assert re.search(rf"{title}-*\nGET '/who': <{error}", out)
    assert out.count("Captured refused requests") == 4
    assert "testing/client.py" not in out


FROZEN = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("freeze", [freeze_time, time_machine.travel])
def test_other_tools_move_app_and_issuer(freeze: Callable[..., Any], app: Flask) -> None:
    """freezegun and time-machine: in an app that was made before, with tokens of either time, keys
    that are fetched, and revocations."""
    early_issuer = Issuer()
    early = create_app(early_issuer.key_set())
    with KeySetServer(early_issuer) as server:
        fetching = create_app(server.url)
        clients = [ConnectorClient(each, early_issuer) for each in (early, fetching)]
        old = early_issuer.app_jwt()
        for client in clients:
            assert client.get("/who", app_jwt=old).status_code == 200
            with freeze(FROZEN):
                assert_row(client.get("/who", app_jwt=old), 40102)
                new = early_issuer.app_jwt()
                assert client.get("/who", app_jwt=new).status_code == 200
                with client.application.app_context():
                    revocations = ConnectorAuth().revocations
                    revocations.revoke(account_id=early_issuer.account_id)
                    [entry] = revocations.entries()
                    assert entry.since == pytest.approx(FROZEN.timestamp(), abs=60)
                    revocations.restore(**entry.subject)
            assert_row(client.get("/who", app_jwt=new), 40102)
            assert client.get("/who", app_jwt=old).status_code == 200


@pytest.mark.parametrize("freeze", [freeze_time, time_machine.travel])
def test_time_travel_goes_on_from_the_time_of_other_tools(
    freeze: Callable[..., Any],
    connector_client: ConnectorClient,
    issuer: Issuer,
    time_travel: Travel,
) -> None:
    """The clock of the test kit is that of the system, and what it is ahead."""
    with freeze(FROZEN):
        token = issuer.app_jwt()
        assert connector_client.get("/who", app_jwt=token).status_code == 200
        time_travel(86400)
        assert_row(connector_client.get("/who", app_jwt=token), 40102)
        assert connector_client.get("/who").status_code == 200


MODULE_LEVEL = """
from flask import Flask, redirect
from flask_connector_auth import ConnectorAuth, require_app_jwt
from flask_connector_auth.testing import Issuer

pytest_plugins = ["flask_connector_auth.testing.plugin"]
own_issuer = Issuer()
service = Flask("service")
service.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = own_issuer.key_set()
ConnectorAuth(service)
service.add_url_rule("/", "view", require_app_jwt(lambda: {}))


def status(token):
    headers = {"Authorization": token}
    return service.test_client().get("/", headers=headers).status_code


def test_time(time_travel):
    token = own_issuer.app_jwt()
    assert status(token) == 200
    time_travel(3631)
    assert status(token) == 401
    assert status(own_issuer.app_jwt()) == 200


def test_now():
    assert status(own_issuer.app_jwt()) == 200
"""


def test_time_travel_moves_an_app_that_was_made_before(tmp_path: Path) -> None:
    """An app, and an issuer, at the level of a module: before any fixture."""
    (tmp_path / "test_suite.py").write_text(MODULE_LEVEL)
    assert run_pytest(tmp_path) == {"passed": 2}


@pytest.mark.parametrize("app", ["none", "kit"], indirect=True)
def test_time_travel_moves_an_app_without_another_clock(
    connector_client: ConnectorClient, issuer: Issuer, time_travel: Travel
) -> None:
    """With no clock, and with the kit's."""
    token = issuer.app_jwt()
    time_travel(3631)
    assert_row(connector_client.get("/who", app_jwt=token), 40102)


@pytest.mark.parametrize("app", ["own"], indirect=True)
def test_time_travel_fails_where_it_would_move_nothing(app: Flask, time_travel: Travel) -> None:
    """The failure says what to do."""
    with pytest.raises(pytest.fail.Exception, match="Make it without clock=, or with clock=conn"):
        time_travel(60)


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
