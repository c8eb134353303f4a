"""A conversation as a shell script, which repeats it without the secrets in its text."""

import json
import re
import shlex
import subprocess

import pytest

from tests.support.example_api import BASE_URL, api_of, asking, closing_of
from tests.support.example_console import cookie
from tests.support.example_desk import Desk, credentials


def script_of(app, conversation, base_url=BASE_URL):
    """Return the script of a conversation."""
    headers = {"Cookie": cookie(app, base_url.startswith("https:"))}
    client = app.test_client(use_cookies=False)
    answer = client.get(f"/console/conversations/{conversation}.sh", base_url, headers=headers)
    assert answer.status_code == 200
    assert answer.mimetype == "text/x-shellscript"
    return answer.text


def bodies(script, word):
    """Return the JSON values that the lines of a script that start with *word* send."""
    lines = [line for line in script.splitlines() if line.startswith(f"{word} ")]
    return [json.loads(shlex.split(line)[-1]) for line in lines]


@pytest.fixture
def talked(both):
    """A conversation in which both sides did more than talk, and its API."""
    app = both.app
    api, desk = api_of(app), Desk(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "it's $HOME `id` ü"}
    body = {"dialogId": conversation, "event": event}
    metadata = [{"type": "ExternalId", "id": "7"}]
    assert api.send(tokens, asking("ms.PublishEvent", body, metadata=metadata)).status_code == 200
    rich = {"type": "RichContentEvent", "content": {"type": "text", "text": "Hi"}}
    assert desk.say(conversation, {"event": rich, "role": "MANAGER"}).status_code == 200
    place = desk.new_file(conversation, {"fileType": "PNG", "fileSize": 1}).json["relativePath"]
    file = {"relativePath": place, "fileType": "PNG"}
    sent = {"type": "ContentEvent", "contentType": "hosted/file", "message": file}
    assert desk.say(conversation, {"event": sent}).status_code == 200
    assert api.send(tokens, closing_of(conversation)).status_code == 200
    return conversation


def test_what_is_repeated(both, talked):
    """Each event of both sides as it was, and the end; a file is left out, and that is told."""
    text = script_of(both.app, talked)
    said, closing = bodies(text, "said")
    assert said["body"]["event"]["message"] == "it's $HOME `id` ü"
    assert said["metadata"] == [{"type": "ExternalId", "id": "7"}]
    assert (said["body"]["dialogId"], closing["body"]["conversationId"]) == ("$CONVERSATION",) * 2
    [answered] = bodies(text, "answered")
    assert (answered["role"], answered["messageAudience"]) == ("MANAGER", "ALL")
    assert answered["event"]["content"] == {"type": "text", "text": "Hi"}
    assert "# 2 is left out" in text


def test_it_runs(both, talked, tmp_path):
    """By both listeners; the one with TLS is trusted by the CA. Nothing else is set."""
    agent, api = credentials(both.app), api_of(both.app)
    for base_url in (f"http://127.0.0.1:{both.port}", f"https://127.0.0.1:{both.tls_port}"):
        text = script_of(both.app, talked, base_url)
        done = subprocess.run(
            ["sh", "-s"],  # noqa: S607
            input=text,
            text=True,
            capture_output=True,
            cwd=tmp_path,
            timeout=60,
            env={
                "PATH": "/usr/bin:/bin",
                "CLIENT_SECRET": api.credentials["client_secret"],
                "AGENT_PASSWORD": agent["password"],
            },
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert re.findall(r'"sequence": ?(\d)', done.stdout) == ["0", "1"]
        assert ("--cacert" in text) is base_url.startswith("https:")


def test_no_secret_is_in_it(both, talked):
    """They are variables, so it can be passed on; without an agent, no password is asked for."""
    api = api_of(both.app)
    text = script_of(both.app, talked)
    assert api.credentials["client_secret"] not in text
    assert credentials(both.app)["password"] not in text
    assert "# Set CLIENT_SECRET and AGENT_PASSWORD before" in text
    alone = script_of(both.app, api.opened(api.someone()))
    assert "# Set CLIENT_SECRET before" in alone
    assert "AGENT_PASSWORD" not in alone
