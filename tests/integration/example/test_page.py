"""The pages of the docs on the example app: what they state is what the app does."""

import json
import re
import subprocess
from pathlib import Path
from textwrap import dedent

from sqlalchemy import select

from example_app import DEFAULTS, knobs
from example_app.certificates import NAMES
from example_app.commands import LEEWAY_IS_ADDED
from example_app.database import db
from example_app.delivery import TIMEOUT
from example_app.domain import SERVICES
from example_app.models import MAX_FILE, Conversation, Message
from example_app.posting import LONGEST_PAUSE, State
from example_app.sentinel import app_install
from example_app.serving import PORT, TLS_PORT
from example_app.webhooks import EVENT_TYPES, MAX_RETRIES, RETENTION
from tests.support.example_desk import credentials
from tests.support.example_processes import python

ROOT = Path(__file__).parents[3]
PAGE = "".join(
    (ROOT / "docs" / f"{name}.rst").read_text() for name in ("example", "example_reference")
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
    """The numbers on the page."""
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {str(PORT), str(TLS_PORT)}
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
    with both.app.app_context():
        asked, answered = db.session.scalars(
            select(Message).filter_by(conversation_id=conversation).order_by(Message.sequence)
        )
        assert "Is anybody there?" in asked.body
        assert "How can I help?" in answered.body
        assert (asked.role, answered.role) == ("CONSUMER", "ASSIGNED_AGENT")
        assert answered.originator in db.session.get(Conversation, conversation).agents


def test_the_webhooks_of_the_environment(start, tmp_path, monkeypatch):
    """The setting, exactly as printed, is one: it has each event type."""
    text = re.fullmatch(r"export FLASK_CONNECTOR_WEBHOOKS='(.*)'", block("WEBHOOKS="), re.DOTALL)[1]
    assert json.loads(text).keys() == {*EVENT_TYPES}
    monkeypatch.setenv("FLASK_CONNECTOR_WEBHOOKS", text)
    assert start(tmp_path).extensions["webhooks"] is not None


def test_the_numbers_of_webhooks():
    """Those on the page."""
    assert f"takes more than {TIMEOUT} seconds" in PAGE
    assert f"up to {MAX_RETRIES}," in PAGE
    assert "from {} to {}".format(*RETENTION) in PAGE
    assert f"at most {LONGEST_PAUSE} seconds" in " ".join(PAGE.split())
    assert re.findall(r"\*([a-z ]+)\*", PAGE.partition("each change of the state")[2])[:4] == [
        State.FAILED,
        State.IN_TRANSITION,
        State.RECOVERED,
        State.UP,
    ]


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
