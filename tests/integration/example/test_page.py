"""The pages of the docs on the example app: what they state is what the app does."""

import json
import re
import runpy
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path
from queue import Queue
from textwrap import dedent
from threading import Thread
from urllib.error import HTTPError

import pytest
import time_machine
from sqlalchemy import select

from example_app import DEFAULTS, knobs
from example_app.certificates import NAMES
from example_app.commands import LEEWAY_IS_ADDED
from example_app.database import db
from example_app.delivery import TIMEOUT
from example_app.domain import SERVICES
from example_app.keys import current_issuer
from example_app.models import MAX_FILE, Conversation, Message
from example_app.posting import LONGEST_PAUSE, MEANINGS, State
from example_app.sentinel import app_install
from example_app.serving import PORT, TLS_PORT
from example_app.webhooks import EVENT_TYPES, MAX_RETRIES, RETENTION
from tests.support.example_api import ACCOUNT, api_of, claims, message
from tests.support.example_desk import Desk, credentials, login
from tests.support.example_hook import endpoint
from tests.support.example_processes import python
from tests.support.http_helpers import assert_row
from tests.support.project import blocks, files_of, write_files

CLIENT = "docs/example_client.rst"
ROOT = Path(__file__).parents[3]
PAGE = "".join(
    (ROOT / "docs" / f"{name}.rst").read_text()
    for name in ("example", "example_client", "example_reference")
)


def block(words):
    """Return the shell block that has *words* in it."""
    found = re.findall(r"^\.\. code-block:: shell\n\n((?: +.*\n|\n)+)", PAGE, re.MULTILINE)
    [text] = [text for text in found if words in text]
    return dedent(text).strip()


def test_the_table_of_settings():
    """Each setting of the app, with its default; only where the keys are is on another page."""
    rows = re.findall(r"^   \* - ``([A-Z_]+)``\n     - (.*)\n", PAGE, re.MULTILINE)
    shown = {name: "unset" if value is None else f"``{value}``" for name, value in DEFAULTS.items()}
    del shown["CONNECTOR_AUTH_APP_JWT_KEYS"]
    assert dict(rows) == shown


def test_the_table_of_services():
    """Each service that the look-up returns."""
    rows = re.findall(r"^   \* - ``(\w+)``\n     - ``(?:GET|POST|PUT)", PAGE, re.MULTILINE)
    assert rows == list(SERVICES)


def test_the_ports_and_the_largest_file():
    """The numbers on the page; the third port is that of the receiver."""
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {str(PORT), str(TLS_PORT), "9797"}
    assert f"The ports are {PORT} and {TLS_PORT}." in PAGE
    assert f"{MAX_FILE // 1024**2} MB" in PAGE


def test_the_names_that_are_sent_elsewhere():
    """The certificate has each of them."""
    for name in ("api", "va.sentinel", "va.idp", "va.msg"):
        assert name in PAGE
        assert f"{name}.liveperson.net" in NAMES


def test_the_first_conversation(both):
    """The commands, exactly as printed: the consumer's message and the agent's answer are there."""
    with both.app.app_context():
        install = app_install()
    variables = {
        "BASE": f"http://127.0.0.1:{both.port}",
        "CLIENT_ID": install.client_id,
        "CLIENT_SECRET": install.client_secret,
        "PASSWORD": credentials(both.app)["password"],
    }
    given = "".join(f"{name}={value}\n" for name, value in variables.items())
    script = f'{given}{block("CONSUMER_JWS=")}\n{block("BEARER=")}; echo " $CONVERSATION"'
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=60)  # noqa: S603, S607
    assert (done.returncode, done.stderr) == (0, "")
    answer, conversation = done.stdout.split()
    assert answer == '{"sequence":1}'
    assert f"The second call answers ``{answer}``" in PAGE
    with both.app.app_context():
        asked, answered = db.session.scalars(
            select(Message).filter_by(conversation_id=conversation).order_by(Message.sequence)
        )
        assert "Is anybody there?" in asked.body
        assert "How can I help?" in answered.body
        assert (asked.role, answered.role) == ("CONSUMER", "ASSIGNED_AGENT")
        assert answered.originator in db.session.get(Conversation, conversation).agents


@pytest.fixture
def client_environment(both, monkeypatch):
    """The variables that the client and the receiver read."""
    with both.app.app_context():
        install = app_install()
    variables = {
        "BASE": f"http://127.0.0.1:{both.port}",
        "CA_FILE": str(both.certificate.ca),
        "CLIENT_ID": install.client_id,
        "CLIENT_SECRET": install.client_secret,
        "CONSUMER": "a client of the page",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("client_environment")
def test_the_client(both, tmp_path, monkeypatch, capsys):
    """As it stands there: it sends, reads the agent's answer, and gets a new AppJWT when the old
    one has expired."""
    monkeypatch.chdir(tmp_path)
    write_files(files_of(CLIENT), tmp_path)
    client = runpy.run_path("client.py")
    conversation = client["conversation"]
    assert capsys.readouterr().out == (f"sent 0 in {conversation}\nCONSUMER Is anybody there?\n")
    assert Desk(both.app).say(conversation, {"message": "How can I help?"}).status_code == 200
    answered = [("CONSUMER", "Is anybody there?"), ("ASSIGNED_AGENT", "How can I help?")]
    assert client["read_messages"]() == answered
    with both.app.app_context():
        expired = current_issuer().app_jwt(aud=ACCOUNT, scope="msg.consumer", iat=1, exp=2)
    client["tokens"]["Authorization"] = expired
    again = {"dialogId": conversation, "event": client["event"]}
    request = {"kind": "req", "id": "4", "type": "ms.PublishEvent", "body": again}
    assert client["call_api"]("/send", request)["body"] == {"sequence": 2}
    assert client["tokens"]["Authorization"] != expired
    with pytest.raises(HTTPError, match="400") as second:
        runpy.run_path("client.py")
    [body] = second.value.__notes__
    assert "already has an open conversation" in body
    client["tokens"]["X-LP-ON-BEHALF"] = expired
    with pytest.raises(HTTPError, match="401"):
        client["call_api"]("/send", request)


@pytest.mark.usefixtures("client_environment")
def test_the_receiver(start, tmp_path, monkeypatch, capsys):
    """As it stands there: what both sides say, and nothing that the app has not signed."""
    monkeypatch.chdir(tmp_path)
    write_files(files_of(CLIENT), tmp_path)
    app = start(tmp_path / "instance")
    secret = api_of(app).credentials["client_secret"]
    monkeypatch.setenv("CLIENT_SECRET", secret)
    receiver = runpy.run_path("receiver.py")["Receiver"]
    answers = Queue()
    receiver.log_request = lambda self, code, *_: answers.put(int(code))
    with HTTPServer(("127.0.0.1", 0), receiver) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/hook"
            app = start(tmp_path / "instance", CONNECTOR_WEBHOOK_URL=url)
            api = api_of(app)
            tokens = api.someone()
            conversation = api.opened(tokens)
            assert api.send(tokens, message(conversation)).status_code == 200
            assert Desk(app).say(conversation, {"message": "How can I help?"}).status_code == 200
            assert [answers.get(timeout=30) for _ in range(4)] == [200] * 4
            with closing(HTTPConnection("127.0.0.1", server.server_port, timeout=30)) as forger:
                forger.request("POST", "/", b"{}", {"x-liveperson-signature": "sha1=\xe9"})
                assert forger.getresponse().status == 401
        finally:
            server.shutdown()
            thread.join()
    assert capsys.readouterr().out == "CONSUMER Hello\nASSIGNED_AGENT How can I help?\n"


def test_how_to_see_a_token_expire(start, tmp_path):
    """Without leeway, a token of five seconds is refused after five seconds."""
    lines = block("knobs token-life 5").splitlines()
    assert lines[0] == "FLASK_CONNECTOR_AUTH_LEEWAY=0 python -m example_app"
    app = start(tmp_path, CONNECTOR_AUTH_LEEWAY=0)
    app.test_cli_runner().invoke(args=lines[1].split()[3:])
    api = api_of(app)
    tokens = api.someone()
    said = message(api.opened(tokens))
    with time_machine.travel(time.time() + 6, tick=True):
        assert_row(api.send(tokens, said), 40102)
    assert claims(tokens["Authorization"])["exp"] - claims(tokens["Authorization"])["iat"] == 5


def shape(value):
    """Return *value* with the types of its texts and numbers in place of them, except the words of
    the protocol."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    is_word = isinstance(value, str) and re.fullmatch(r"[a-z]+|[A-Z]+|\w+\.\w+|[A-Z]\w+", value)
    return value if is_word else type(value)


def test_the_bodies_of_the_webhooks(start, tmp_path):
    """Those that the app posts: when a conversation is opened, and for the first message."""
    shown = [json.loads(text) for text in blocks(CLIENT, "javascript")]
    with endpoint() as hook:
        app = start(tmp_path, CONNECTOR_WEBHOOK_URL=hook.url)
        api = api_of(app)
        tokens = api.someone()
        assert api.send(tokens, message(api.opened(tokens))).status_code == 200
        posted = [hook.next()[2] for _ in range(2)]
    assert [shape(body) for body in posted] == [shape(body) for body in reversed(shown)]


def test_the_answers_in_the_table_of_calls(both):
    """The look-up of one service, and the login of an agent, have the members of the page."""
    rows = dict(re.findall(r"^     - ``(\{\"(service|bearer)\":.*\})``", PAGE, re.MULTILINE))
    answers = {word: text for text, word in rows.items()}
    api = api_of(both.app)
    found = api.get(f"/api/account/{ACCOUNT}/service/idp/baseURI.json").json
    assert json.loads(answers["service"]) == {**found, "baseURI": "host:port"}
    session = login(api, credentials(both.app)).json
    assert re.findall(r'(?<=[{,])"(\w+)"', answers["bearer"]) == [*session, "baseURIs"]
    assert f'"sessionTTl":"{session["sessionTTl"]}"' in answers["bearer"]


def test_the_webhooks_of_the_environment(start, tmp_path, monkeypatch):
    """The setting, exactly as printed, is one: it has each event type."""
    text = re.fullmatch(r"export FLASK_CONNECTOR_WEBHOOKS='(.*)'", block("WEBHOOKS="), re.DOTALL)[1]
    assert json.loads(text).keys() == {*EVENT_TYPES}
    monkeypatch.setenv("FLASK_CONNECTOR_WEBHOOKS", text)
    assert start(tmp_path).extensions["webhooks"] is not None


def test_the_numbers_of_webhooks():
    """Those on the page."""
    assert f"takes more than {TIMEOUT} seconds" in PAGE
    assert f"up to {MAX_RETRIES} times" in PAGE
    assert "from {} to {}".format(*RETENTION) in PAGE
    assert f"at most {LONGEST_PAUSE} seconds" in " ".join(PAGE.split())
    states = (State.FAILED, State.IN_TRANSITION, State.RECOVERED, State.UP)
    rows = re.findall(r"^   \* - \*([a-z ]+)\*\n     - (.*)\.$", PAGE, re.MULTILINE)
    assert rows == [(state, MEANINGS[state].capitalize()) for state in states]


def test_the_default_account():
    """Of digits: a known client sends accounts that start with letters to a host of its own."""
    assert DEFAULTS["CONNECTOR_ACCOUNT_ID"].isdigit()


def test_how_to_make_it_fail(project):
    """The commands, as they stand there, one after the other."""
    *turned, show, reset = block("knobs fail").splitlines()
    outputs = []
    for command in (*turned, show, reset, show):
        with python("-m", *command.split(), folder=project) as process:
            output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        outputs.append(output)
    shown = (
        "token-life 90\nfail idp 503 --retry-after 1\n"
        "fail asyncMessagingEnt 429 --retry-after 5 --times 3\n"
    )
    turning, *rest = outputs
    assert turning == f"New AppJWTs expire after 90 seconds. {LEEWAY_IS_ADDED}\n"
    assert rest == ["", "", shown, "", "token-life 3600\n"]
    assert all(f"``{service}``" in PAGE for service in knobs.SERVICES)
