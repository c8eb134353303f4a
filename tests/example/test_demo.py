"""The demo: the round trip over HTTP, compared with what is documented, then a server."""

import re
import signal
import socket

import pytest

from example_app import demo
from example_app.asking import Answer, differences
from tests.http_helpers import ROWS

from .processes import python

JSON = "application/json"


def marks(output: str) -> list[str]:
    """Return the marks of the answers in *output*, in their order."""
    return re.findall(r"^(\w+) +< ", output, re.MULTILINE)


def test_once(project):
    """A fresh copy of the app: every answer is ok, nothing else is printed, and exit status 0."""
    with python("-m", "example_app.demo", "--once", folder=project) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert marks(output) == ["ok"] * 9
    assert "All answers are as documented." in output
    for code in (40105, 40102, 40104, 40103):
        assert f"ok      < 401 {ROWS[code].decode()}\n" in output


def test_tokens_are_shortened(start, tmp_path, capsys):
    """Of a token 12 characters are shown: enough to tell that there is one."""
    assert demo.main(["--once"], start(tmp_path)) == 0
    output = capsys.readouterr().out
    assert len(re.findall(r"Authorization: eyJ[\w-]{9}…\n", output)) == 6
    assert not re.search(r"eyJ[\w-]{10}", output)


@pytest.mark.parametrize("code", ROWS)
def test_a_difference(start, tmp_path, capsys, code):
    """One error with another text: that answer is marked and explained, and exit status 1."""
    override = {code: {"details": "something else"}}
    app = start(tmp_path, CONNECTOR_AUTH_ERROR_CATALOGUE=override)
    assert demo.main(["--once"], app) == 1
    output = capsys.readouterr().out
    assert sorted(marks(output)) == ["DIFFERS", *["ok"] * 8]
    assert f"! the body is documented as {ROWS[code].decode()}\n" in output
    assert "Some answer DIFFERS." in output


def test_an_answer_that_others_are_made_from(start, tmp_path, capsys):
    """Without a ConsumerJWS the round trip cannot go on: it ends there, and exit status 1."""
    app = start(tmp_path, CONNECTOR_AUTH_AUDIENCE="another")
    assert demo.main(["--once"], app) == 1
    output = capsys.readouterr().out
    assert marks(output) == ["ok", "ok", "DIFFERS"]
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
        40102: demo.INVALID_APP_JWT,
        40103: demo.INVALID_CONSUMER_JWS,
        40104: demo.CONSUMER_JWS_MISSING,
        40105: demo.APP_JWT_MISSING,
    }
    assert literals == ROWS


def test_an_altered_token():
    """One character of the signature is another, whatever it was."""
    for token in ("a.b.AAAAAAAAAA", "a.b.BBBBBBBBBB"):
        changed = demo.altered(token)
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
