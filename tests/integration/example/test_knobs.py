"""Knobs for developers of clients: the lifetime of tokens, and forced failures."""

import time

import pytest

from example_app import create_issuer, knobs
from example_app.database import let_go
from example_app.keys import current_issuer
from tests.support.concurrent_calls import WORKERS, at_once
from tests.support.example_api import api_of, claims, message
from tests.support.example_desk import Desk

GRANT = {"grant_type": "client_credentials"}
TEXTS = {
    429: ("Too many requests", "The rate limit is exceeded", 42901),
    503: ("Service unavailable", "The service cannot answer at the moment", 50302),
}


@pytest.fixture
def app(start, tmp_path):
    """An app with knobs of its own."""
    return start(tmp_path)


@pytest.fixture
def turn(app):
    """Return a function that runs ``flask --app example_app knobs`` with what it is given."""

    def turn(command):
        return app.test_cli_runner().invoke(args=["knobs", *command.split()])

    return turn


def calls(api):
    """Return a call to each service that can fail, by its name, and the status if it does not."""
    tokens = api.someone()
    said = message(api.opened(tokens))
    form = {**GRANT, **api.credentials}
    return {
        "sentinel": (lambda: api.token({}, form), 200),
        "idp": (lambda: api.consumer({"ext_consumer_id": "x"}, api.app_jwt), 201),
        "asyncMessagingEnt": (lambda: api.send(tokens, said), 200),
    }


def assert_forced(answer, status, retry_after):
    """Assert that *answer* is the failure, in the envelope of errors."""
    title, details, error_code = TEXTS[status]
    assert answer.status_code == status
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert answer.headers.getlist("Retry-After") == [retry_after]
    body = {"title": title, "details": details, "errorCode": error_code}
    assert answer.json == {
        "kind": "resp",
        "code": status,
        "body": body,
        "type": ".ReqBody$ErrorResp",
    }


@pytest.mark.parametrize("status", TEXTS)
@pytest.mark.parametrize("service", knobs.SERVICES)
def test_a_service_that_fails(app, turn, service, status):
    """It fails with Retry-After until the reset, whatever tokens are sent; the others do not."""
    api = api_of(app)
    services = calls(api)
    assert turn(f"fail {service} {status} --retry-after 7").exit_code == 0
    for _ in range(2):
        for name, (call, good) in services.items():
            if name == service:
                assert_forced(call(), status, "7")
            else:
                assert call().status_code == good
    assert turn("reset").exit_code == 0
    assert [call().status_code == good for call, good in services.values()] == [True] * 3


def test_what_cannot_fail(app, turn):
    """The keys, which the services need themselves, the look-up, and the agent's side."""
    api, desk = api_of(app), Desk(app)
    conversation = api.opened(api.someone())
    for service in knobs.SERVICES:
        turn(f"fail {service} 503")
    assert api.get("/sentinel/well-known/jwks").status_code == 200
    assert api.get(f"/api/account/{api.account}/service/baseURI").status_code == 200
    assert desk.say(conversation, {"message": "x"}).status_code == 200


def test_a_failure_without_tokens(app, turn):
    """A failure comes before any token is verified, as from a rate limit in front of it."""
    api = api_of(app)
    assert api.send({}, {}).status_code == 401
    turn("fail asyncMessagingEnt 429")
    assert_forced(api.send({}, {}), 429, "1")


def test_so_many_times(app, turn):
    """The next requests fail, and the others do not, also if they come at the same moment."""
    call, _ = calls(api_of(app))["asyncMessagingEnt"]
    turn("fail asyncMessagingEnt 429 --times 3")
    assert [call().status_code for _ in range(2)] == [429, 429]
    assert turn("show").output.endswith("fail asyncMessagingEnt 429 --retry-after 1 --times 1\n")
    assert [call().status_code for _ in range(2)] == [429, 200]
    turn("fail asyncMessagingEnt 503 --times 5")
    statuses = sorted(answer.status_code for answer in at_once(call))
    assert statuses == [200] * (WORKERS - 5) + [503] * 5


def test_a_refused_message_spends_no_sequence(app, turn):
    """A request with a forced failure changes nothing."""
    call, _ = calls(api_of(app))["asyncMessagingEnt"]
    assert call().json["body"] == {"sequence": 0}
    turn("fail asyncMessagingEnt 503 --times 1")
    assert call().status_code == 503
    assert call().json["body"] == {"sequence": 1}


def test_the_life_of_a_token(app, turn):
    """In seconds, of the tokens that are issued from now on, until the reset."""
    api = api_of(app)

    def life():
        answer = api.token({}, {**GRANT, **api.credentials}).json
        said = claims(answer["access_token"])
        assert answer["expires_in"] == said["exp"] - said["iat"]
        return answer["expires_in"]

    assert life() == 3600
    for seconds in (60, 61):
        assert turn(f"token-life {seconds}").exit_code == 0
        assert life() == seconds
    assert turn("show").output == "token-life 61\n"
    assert turn("reset").exit_code == 0
    assert life() == 3600
    assert turn("show").output == "token-life 3600\n"


def test_the_leeway_is_added(app, turn):
    """An expired token is good for the leeway longer, as turning the knob says; the variable is
    named as it is set."""
    api = api_of(app)
    tokens = api.someone()
    said = message(api.opened(tokens))
    assert turn("token-life 1").output.startswith("New AppJWTs expire after 1 second. ")
    output = turn("token-life 60").output
    assert "The leeway is 30 seconds, unless" in output
    assert " FLASK_CONNECTOR_AUTH_LEEWAY." in output
    with app.app_context():
        issuer = current_issuer()
    now = int(time.time())
    for expired_for, status in ((20, 200), (40, 401)):
        app_jwt = issuer.app_jwt(
            aud=api.account, scope="msg.consumer", iat=now - 90, exp=now - expired_for
        )
        assert api.send({**tokens, "Authorization": app_jwt}, said).status_code == status


def test_knobs_outlive_a_restart(start, app, turn, tmp_path):
    """They are kept in the database, for all workers."""
    turn("token-life 60")
    turn("fail idp 503 --retry-after 9")
    after = start(tmp_path)
    shown = after.test_cli_runner().invoke(args=["knobs", "show"]).output
    assert shown == "token-life 60\nfail idp 503 --retry-after 9\n"
    api = api_of(after)
    assert_forced(api.consumer({"ext_consumer_id": "x"}, api.app_jwt), 503, "9")


@pytest.mark.parametrize(
    "command",
    [
        "token-life 0",
        "token-life 2147483648",
        "fail swift 503",
        "fail idp 500",
        "fail idp 503 --times 0",
        "fail idp 503 --retry-after -1",
    ],
)
def test_a_knob_that_cannot_be_turned_so(turn, command):
    """Exit status 2, and nothing changes."""
    before = turn("show").output
    assert turn(command).exit_code == 2
    assert turn("show").output == before


def test_the_issuer_alone_fails_in_the_same_way(tmp_path):
    """``create_issuer()`` has no extension; a forced failure is the same bytes."""
    app = create_issuer({}, instance_path=str(tmp_path))
    api = api_of(app)
    form = {**GRANT, **api.credentials}
    assert api.token({}, form).status_code == 200
    with app.app_context():
        knobs.fail("sentinel", 503, 4)
    assert_forced(api.token({}, form), 503, "4")
    let_go(app)
