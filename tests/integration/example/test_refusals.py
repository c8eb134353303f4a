"""The signal of refused requests, and the line that ``python -m example_app`` prints for each."""

import re
import time
from pathlib import Path
from uuid import uuid4

import pytest

from example_app import DEFAULTS, knobs
from example_app.__main__ import INSPECT, hint, print_line
from example_app.keys import current_issuer
from example_app.refusals import request_refused
from tests.support.example_api import ACCOUNT, OTHER_ACCOUNT, api_of, claims, message
from tests.support.example_desk import login
from tests.support.example_processes import copy_of_the_app, program
from tests.support.http_helpers import assert_row, headers

SEND = f"/api/account/{ACCOUNT}/messaging/consumer/conversation/send"
IDP = f"/api/account/{ACCOUNT}/consumer"
SECRET = "never-print-this"


@pytest.fixture
def lines(example):
    """The refusals of the app, as lines, in their order."""
    lines = []

    def receive(_app, refusal):
        lines.append(str(refusal))

    request_refused.connect(receive, example)
    yield lines
    request_refused.disconnect(receive, example)


def test_the_reason_of_a_token(api, example, lines):
    """Each of the rows, with the word that only the log has, and what the word is about; the app
    install and the account of an AppJWT whose signature is good."""
    tokens = api.someone()
    with example.app_context():
        issuer = current_issuer()
        expired = issuer.app_jwt(aud=ACCOUNT, scope="msg.consumer", iat=1, exp=2)
        other = issuer.app_jwt(aud=OTHER_ACCOUNT, scope="msg.consumer")
    good = tokens["Authorization"]
    sender = f"install_id='{claims(good)['azp']}' account_id='{ACCOUNT}'"
    tampered = f"{expired[:-9]}AAAA{expired[-5:]}"
    for sent in (
        headers(None, tokens["X-LP-ON-BEHALF"]),
        headers(tampered, tokens["X-LP-ON-BEHALF"]),
        headers(expired, tokens["X-LP-ON-BEHALF"]),
        headers(other, tokens["X-LP-ON-BEHALF"]),
        headers(good),
        headers(good, good),
    ):
        api.send(sent, {})
    azp = f"install_id='{claims(expired)['azp']}'"
    assert [re.sub(r"\d+ s ago", "… s ago", line) for line in lines] == [
        f"401 40105 POST {SEND}  missing",
        f"401 40102 POST {SEND}  bad_signature",
        f"401 40102 POST {SEND}  expired … s ago {azp} account_id='{ACCOUNT}'",
        f"401 40102 POST {SEND}  wrong_account expected_account='{ACCOUNT}' {azp} "
        f"account_id='{OTHER_ACCOUNT}'",
        f"401 40104 POST {SEND}  missing {sender}",
        f"401 40103 POST {SEND}  same_token {sender}",
    ]


def test_how_long_ago_a_token_expired(api, example, lines):
    """In seconds, after exp."""
    with example.app_context():
        exp = int(time.time()) - 100
        expired = current_issuer().app_jwt(aud=ACCOUNT, scope="msg.consumer", exp=exp)
    api.send(headers(expired), {})
    [line] = lines
    assert 100 <= int(re.search(r"  expired (\d+) s ago install_id='", line)[1]) < 160


def test_the_reason_of_a_view(api, example, lines):
    """A view refuses with a row of the tokens too: one answer, a reason of its own in each case."""
    owner, stranger = api.someone(), api.someone()
    conversation = api.opened(owner)
    with example.app_context():
        deleted = current_issuer().consumer_jws(
            account_id=ACCOUNT, ext_consumer_id="x", lp_consumer_id="0" * 64
        )
    api.send(stranger, message(conversation))
    api.send({**owner, "X-LP-ON-BEHALF": deleted}, message(conversation))
    with example.app_context():
        knobs.fail("asyncMessagingEnt", 429, times=1)
    api.send(owner, message(conversation))
    assert [line.partition(" install_id='")[0] for line in lines] == [
        f"401 40103 POST {SEND}  the conversation is of another consumer",
        f"401 40103 POST {SEND}  there is no such consumer",
        f"429 42901 POST {SEND}  forced by a knob",
    ]


def test_what_the_application_refuses(api, lines):
    """The text that the client gets; errors of Sentinel have the form of RFC 6749 section 5.2."""
    tokens = api.someone()
    api.send(tokens, {})
    api.send(tokens, b"", v="2")
    api.get("/nowhere")
    login(api, {})
    api.token({}, {"grant_type": "client_credentials"})
    sentinel = f"/sentinel/api/account/{ACCOUNT}/app/token"
    assert [line.replace(SEND, "…/send") for line in lines] == [
        "400 -     POST …/send  id must be a text or a number",
        "404 -     POST …/send  the parameter v must be 3",
        "404 -     GET /nowhere  Not Found",
        f"401 -     POST /api/account/{ACCOUNT}/login  The name or the password is wrong.",
        f"400 -     POST {sentinel}  invalid_client: No app of this account has this client_id and "
        "client_secret.",
    ]


def test_nothing_for_a_good_request(api, lines):
    """No signal is sent below 400."""
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens))).status_code == 200
    assert lines == []


def test_no_secret(api, lines):
    """Neither a token nor the query, in which some clients send the secret of their app."""
    api.token({"client_secret": SECRET, "grant_type": "client_credentials"})
    api.post(f"{IDP}?key={SECRET}", {"x": SECRET}, headers(SECRET))
    api.get(f"/?key={SECRET}")
    assert len(lines) == 3
    assert not [line for line in lines if SECRET in line]


def test_one_line_each(example, api, capsys):
    """A path cannot end the line, nor control the terminal."""
    request_refused.connect(print_line, example)
    name = f"{uuid4()}%0A%1B[31m"
    api.get(f"/{name}")
    request_refused.disconnect(print_line, example)
    [line] = capsys.readouterr().out.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d  404 -     GET /[0-9a-f-]{36}%0A%1B%5B31m  Not Found", line)


def test_a_hint_at_the_first_refused_token(example, api, capsys):
    """Once: the command that shows every check of a token."""
    with request_refused.connected_to(print_line, example):
        for sent in (headers(), headers("eyJ"), headers("eyJ")):
            api.send(sent, {})
    printed = capsys.readouterr().out
    missing, bad, *rest = re.split(r"^(?=\d\d:)", printed, flags=re.MULTILINE)[1:]
    assert missing.endswith("  missing\n")
    assert bad.partition("\n")[2] == hint(example)
    assert [line.count("\n") for line in rest] == [1]


def command_of(app):
    """Return the line of the hint that is the command."""
    [line] = [line.strip() for line in hint(app).splitlines() if INSPECT in line]
    return line


def test_the_hint_judges_as_the_app_does(start, tmp_path):
    """The command has the settings of the app that decide about a token and are not the default:
    run as printed, it refuses what the app refuses. With the default leeway, it accepts it."""
    app = start(tmp_path, CONNECTOR_AUTH_LEEWAY=0)
    with app.app_context():
        exp = int(time.time()) - 5
        token = current_issuer().app_jwt(aud=ACCOUNT, scope="msg.consumer", exp=exp, iat=exp - 60)
    assert_row(api_of(app).send(headers(token), {}), 40102)
    command = command_of(app)
    for line, verdict in (
        (command, "refused (expired)"),
        (command.replace("FLASK_CONNECTOR_AUTH_LEEWAY=0 ", ""), "accepted; not checked: "),
    ):
        with program("sh", "-c", line, folder=copy_of_the_app(tmp_path / verdict[:3])) as process:
            output, errors = process.communicate(token, timeout=60)
        assert errors == ""
        assert f": {verdict}" in output.partition("\n")[0]


def test_the_hint_of_an_app_with_defaults(start, tmp_path):
    """It has no variable; nor has it a setting that can hold a secret."""
    keys = "CONNECTOR_AUTH_APP_JWT_KEYS"
    proxy = f"http://x:{SECRET}@127.0.0.1:9"
    settings = {keys: DEFAULTS[keys], "CONNECTOR_AUTH_JWKS_PROXY": proxy}
    app = start(tmp_path, **settings)
    assert command_of(app) == INSPECT
    assert SECRET not in hint(app)
    assert f"in the folder\n          {Path(app.root_path).parent} " in hint(app)
