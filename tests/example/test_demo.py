"""The demo: a round trip and a rotation over HTTP, compared with what is documented; a server."""

import re
import signal
import socket

import pytest

from example_app.demo import documented
from example_app.demo.__main__ import main
from example_app.demo.asking import Answer, differences
from example_app.demo.round_trip import altered
from example_app.keys import KeyFile
from tests.http_helpers import ROWS

from .processes import python

JSON = "application/json"
STEPS = 17
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
    assert refused == [40105, 40102, 40104, 40103, *AFTER_WITHDRAWAL]
    for code in refused:
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
    assert len(re.findall(r"Authorization: eyJ[\w-]{9}…\n", output)) == 12
    assert not re.search(r"eyJ[\w-]{10}", output)
    assert len(re.findall(r'"n":"[\w-]{12}…"', output)) == 2
    after = KeyFile(tmp_path).read()
    assert list(after.keys) == [after.signing] != [before.signing]
    commands = r"\n\$ flask --app example_app keys (.+)\n(.*)\n"
    assert re.findall(commands, output) == [
        ("add", after.signing),
        (f"use {after.signing}", before.signing),
        (f"withdraw {before.signing}", ""),
    ]


@pytest.mark.parametrize(
    ("codes", "steps"), [((40102, 40104), (7, 8, 15)), ((40103, 40105), (6, 9, 16))]
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
    """Without a ConsumerJWS the round trip cannot go on: it ends there, and exit status 1."""
    status, found, output = run(tmp_path, capsys, CONNECTOR_AUTH_AUDIENCE="another")
    assert (status, found) == (1, ["ok", "ok", "DIFFERS"])
    assert "! the status is documented as 201\n" in output


def test_keys_that_are_not_loaded_again(tmp_path, capsys):
    """Configured keys know nothing of the new one: the rotation ends there, and exit status 1."""
    keys = KeyFile(tmp_path).read().key_set()
    status, found, output = run(tmp_path, capsys, CONNECTOR_AUTH_APP_JWT_KEYS=keys)
    assert (status, found) == (1, [*["ok"] * 11, "DIFFERS"])
    assert "! the status is documented as 201\n" in output


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, JSON, b"body"), ["status"]),
        (Answer(401, f"{JSON};charset=utf-8", b"body"), ["Content-Type"]),
        (Answer(401, None, b"body"), ["Content-Type"]),
        (Answer(401, JSON, b"body\n"), ["body"]),
        (Answer(401, JSON, b""), ["body"]),
        (Answer(503, "text/html", b"Body"), ["status", "Content-Type", "body"]),
        (Answer(401, JSON, b"body"), []),
    ],
    ids=str,
)
def test_what_differs(answer, words):
    """Status, type and bytes are compared, each for itself."""
    found = differences(answer, 401, b"body")
    assert len(found) == len(words)
    assert all(word in difference for word, difference in zip(words, found, strict=True))


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
        with python("-m", "example_app.demo", "--port", port, folder=project) as process:
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
    assert output.startswith(f"Port {port} cannot be had, so a free one is used.\n")
    base = re.search(r"^BASE=(http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)[1]
    assert base != f"http://127.0.0.1:{port}"
    assert f"Serving at {base} until you press Ctrl-C." in output
    assert re.search(r"^CLIENT_ID=[0-9a-f-]{36}$", output, re.MULTILINE)
    assert re.search(r"^CLIENT_SECRET=[0-9a-f]{64}$", output, re.MULTILINE)
    assert output.count("curl -s") == 4
