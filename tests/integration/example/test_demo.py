"""The demo: a round trip and a rotation over HTTP, compared with the protocol; then a server."""

import os
import pty
import re
import signal
import socket
from contextlib import suppress

import pytest

from example_app import create_issuer, knobs, webhooks
from example_app.database import db, let_go
from example_app.demo import documented, receiver
from example_app.demo.__main__ import main
from example_app.demo.asking import Answer, Documented, differences
from example_app.demo.round_trip import altered
from example_app.demo.shapes import matches
from example_app.keys import KeyFile
from example_app.models import AppInstall, Fault
from tests.support.example_processes import python
from tests.support.http_helpers import ROWS

JSON = "application/json"
STEPS = 55
AFTER_WITHDRAWAL = [40102, 40103]
# Shorter than the demo's own times.
SETTINGS = {
    "CONNECTOR_AUTH_JWKS_MAX_AGE": 1,
    "CONNECTOR_AUTH_JWKS_COOLDOWN": 0.5,
    "CONNECTOR_AUTH_JWKS_TIMEOUT": 0.9,
}


def marks(output: str) -> list[str]:
    """Return the marks of the answers in *output*, in their order."""
    return re.findall(r"^(\w+) +< ", output, re.MULTILINE)


def test_once(project):
    """A fresh copy of the app: every answer is ok, nothing else is printed, and exit status 0."""
    with python("-m", "example_app.demo", "--once", folder=project) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert marks(output) == ["ok"] * STEPS
    assert "All answers are as documented." in output
    refused = [int(code) for code in re.findall('^ok .*"errorCode":(.*?)}', output, re.MULTILINE)]
    assert refused == [40103, 40105, 40102, 40104, 40103, 42901, 50302, *AFTER_WITHDRAWAL]
    for code in {*refused} & {*ROWS}:
        assert f"ok      < 401 {ROWS[code].decode()}\n" in output


def run(folder, capsys, **config):
    """Run the demo once with *config*; return its exit status, its marks, and what it printed."""
    status = main(["--once"], {**SETTINGS, **config}, str(folder))
    output = capsys.readouterr().out
    return status, marks(output), output


def test_what_is_printed(tmp_path, capsys):
    """Of a token or key 12 characters are shown, and the commands are what was done: the new key
    signs, the old one is gone."""
    before = KeyFile(tmp_path).read()
    status, _, output = run(tmp_path, capsys)
    assert status == 0
    assert len(re.findall(r"Authorization: (?:Bearer )?eyJ[\w-]{9}…\n", output)) > 30
    assert not re.search(r"eyJ[\w-]{10}", output)
    assert "> Content-Type: application/json\n" in output
    assert "> Content-Type: application/x-www-form-urlencoded\n" in output
    assert len(re.findall(r'"n":"[\w-]{12}…"', output)) == 3
    after = KeyFile(tmp_path).read()
    assert list(after.keys) == [after.signing] != [before.signing]
    assert "\033" not in output
    commands = r"\n\$ flask --app example_app keys (.+)\n(.*)\n"
    assert re.findall(commands, output) == [
        ("add", after.signing),
        (f"use {after.signing}", before.signing),
        (f"withdraw {before.signing}", ""),
    ]


@pytest.mark.parametrize(
    ("codes", "steps"), [((40102, 40104), (30, 31, 51)), ((40103, 40105), (28, 29, 32, 52))]
)
def test_a_difference(tmp_path, capsys, codes, steps):
    """Errors with another text: their answers are marked and explained, and exit status 1."""
    override = {code: {"details": "something else"} for code in codes}
    status, found, output = run(tmp_path, capsys, CONNECTOR_AUTH_ERROR_CATALOGUE=override)
    assert (status, len(found)) == (1, STEPS)
    marked = [step for step, mark in enumerate(found, 1) if mark == "DIFFERS"]
    assert tuple(marked) == steps
    for code in codes:
        assert f"! the body is documented as {ROWS[code].decode()}\n" in output
    assert "Some answer DIFFERS." in output


def test_an_answer_that_others_are_made_from(tmp_path, capsys):
    """Without a ConsumerJWS the tour cannot go on: it ends there, and exit status 1."""
    status, found, output = run(tmp_path, capsys, CONNECTOR_AUTH_AUDIENCE="another")
    assert (status, found) == (1, [*["ok"] * 9, "DIFFERS"])
    assert "! the status is documented as 201\n" in output


def test_keys_that_are_not_loaded_again(tmp_path, capsys):
    """With keys from the configuration the new one is unknown: the tour ends, exit status 1."""
    keys = KeyFile(tmp_path).read().key_set()
    status, found, output = run(tmp_path, capsys, CONNECTOR_AUTH_APP_JWT_KEYS=keys)
    assert (status, found) == (1, [*["ok"] * 47, "DIFFERS"])
    assert "! the status is documented as 201\n" in output


def test_a_notification_that_is_wrong(tmp_path, capsys, monkeypatch):
    """Signed with another secret, its headers are reported as different; the tour goes on."""

    def signed(install, notification, digest):
        other = AppInstall(client_secret="x", account_id="y", client_id=install.client_id)
        return webhooks_signed(other, notification, digest)

    webhooks_signed = webhooks.signed
    monkeypatch.setattr(webhooks, "signed", signed)
    status, found, output = run(tmp_path, capsys)
    assert (status, len(found)) == (1, STEPS)
    assert [step for step, mark in enumerate(found, 1) if mark == "DIFFERS"] == [38, 39]
    for name in ("account-id", "signature"):
        assert output.count(f"! x-liveperson-{name} is documented as ") == 2
    assert "x-liveperson-client-id is documented" not in output


def test_a_notification_that_does_not_come(tmp_path, capsys, monkeypatch):
    """It is waited for, but not for ever."""
    monkeypatch.setattr(receiver, "PATIENCE", 0.01)
    monkeypatch.setattr(webhooks, "are_wanted", lambda: False)
    status, found, output = run(tmp_path, capsys)
    assert (status, found.count("DIFFERS"), len(found)) == (1, 2, STEPS)
    assert output.count("! a notification is documented\n") == 2


def test_knobs_that_were_turned(tmp_path, capsys):
    """The tour turns them back first, and leaves none turned."""
    app = create_issuer({}, instance_path=str(tmp_path))
    with app.app_context():
        knobs.fail("sentinel", 503)
        knobs.set_token_life(5)
    assert run(tmp_path, capsys)[0] == 0
    with app.app_context():
        assert knobs.token_life() == 3600
        assert db.session.query(Fault).count() == 0
    let_go(app)


def answer(status=401, kind=JSON, body=b"body", **headers):
    """Return an answer."""
    return Answer(status, {"content-type": kind, **headers}, body)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answer(status=200), ["status"]),
        (answer(kind=f"{JSON};charset=utf-8"), ["content-type"]),
        (Answer(401, {}, b"body"), ["content-type"]),
        (answer(body=b"body\n"), ["body"]),
        (answer(body=b""), ["body"]),
        (answer(503, "text/html", b"Body"), ["status", "content-type", "body"]),
        (answer(), []),
    ],
    ids=str,
)
def test_what_differs(answer, words):
    """Status, type and bytes are compared, each for itself."""
    found = differences(answer, Documented(401, b"body"))
    assert len(found) == len(words)
    assert all(word in difference for word, difference in zip(words, found, strict=True))


def test_a_header_that_differs():
    """Those that are documented are compared."""
    documented = Documented(401, headers={"retry-after": "7"})
    assert differences(answer(**{"retry-after": "7"}), documented) == []
    assert differences(answer(), documented) == ["retry-after is None, documented as 7"]


@pytest.mark.parametrize(
    ("value", "shape", "same"),
    [
        (1, int, True),
        (True, int, False),
        (1, 1.0, False),
        ("1", int, False),
        ("ab", re.compile("a."), True),
        ("abc", re.compile("a."), False),
        (7, re.compile("7"), False),
        ({"a": [1, "x"]}, {"a": [int, str]}, True),
        ({"a": [1]}, {"a": [int, str]}, False),
        ({"a": ["x", 1]}, {"a": [int, str]}, False),
        ({"a": 1, "b": 1}, {"a": int}, False),
        ({}, {"a": int}, False),
        ([], {}, False),
        (None, None, True),
        (None, str, False),
        ("x", "y", False),
    ],
    ids=str,
)
def test_shapes(value, shape, same):
    """A type stands for any value of it, a pattern for its texts, and all else for itself."""
    assert matches(value, shape) is same


def test_a_body_that_is_not_of_the_shape():
    """The shape is shown, with what may be any in angle brackets; and so is what is no JSON."""
    documented = Documented(401, {"a": [int, re.compile("x+")], "b": None})
    assert differences(answer(body=b'{"a":[1,"x"],"b":null}'), documented) == []
    for body in (b'{"a":[1,"y"],"b":null}', b"{"):
        assert differences(answer(body=body), documented) == [
            'the body is documented as {"a":["<int>","<x+>"],"b":null}'
        ]


def test_the_literals():
    """The four rows: the demo compares with the documented bytes."""
    literals = {
        40102: documented.INVALID_APP_JWT,
        40103: documented.INVALID_CONSUMER_JWS,
        40104: documented.CONSUMER_JWS_MISSING,
        40105: documented.APP_JWT_MISSING,
    }
    assert literals == ROWS


def test_an_altered_token():
    """One character of the signature is another, whatever it was."""
    for token in ("a.b.AAAAAAAAAA", "a.b.BBBBBBBBBB"):
        changed = altered(token)
        assert sum(one != other for one, other in zip(token, changed, strict=True)) == 1


def test_serving_until_ctrl_c(project):
    """A taken port is no obstacle; what to paste is printed; Ctrl-C, even twice, is a clean end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = ("-m", "example_app.demo", "--port", port, "--tls-port", "0")
        with python(*command, folder=project) as process:
            printed = []
            for line in process.stdout:
                printed.append(line)
                if "press Ctrl-C" in line:
                    break
            output = "".join(printed)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "\nStopped.\n", "")
    assert output.startswith(f"Port {port} is not available. Using a free port instead.\n")
    base = re.search(r"^BASE=(http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)[1]
    assert base != f"http://127.0.0.1:{port}"
    assert output.endswith("Serving until you press Ctrl-C.\n")
    assert f"  http address    {base}\n" in output
    assert re.search(r"^CLIENT_ID=[0-9a-f-]{36}$", output, re.MULTILINE)
    assert re.search(r"^CLIENT_SECRET=[0-9a-f]{64}$", output, re.MULTILINE)
    assert output.count("curl -s") == 4


def on_a_terminal(*command, folder, **environment):
    """Run *command* with a terminal for its output; return its exit status and what it printed."""
    ours, its = pty.openpty()
    with python(*command, folder=folder, stdout=its, environment=environment) as process:
        os.close(its)
        printed = b""
        # A read at the end of a terminal raises an error.
        with suppress(OSError):
            while part := os.read(ours, 65536):
                printed += part
        os.close(ours)
        process.communicate(timeout=60)
    return process.returncode, printed.decode()


def test_colours(project):
    """On a terminal there are some, unless NO_COLOR is set; the words are the same."""
    command = ("-m", "example_app.demo", "--once")
    status, coloured = on_a_terminal(*command, folder=project)
    assert (status, coloured.count("\033[32mok ")) == (0, STEPS)
    plain = re.sub(r"\033\[[\d;]*m", "", coloured).replace("\r\n", "\n")
    assert marks(plain) == ["ok"] * STEPS
    status, output = on_a_terminal(*command, folder=project, NO_COLOR="1")
    assert (status, "\033" in output) == (0, False)
