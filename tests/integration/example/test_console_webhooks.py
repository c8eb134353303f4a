"""The webhooks in the feed of the console: each attempt, posting again, and the signature."""

import base64
import hmac
from queue import Queue

import pytest

from example_app import webhooks
from example_app.posting import attempted
from tests.support.example_api import api_of, message
from tests.support.example_console import Console
from tests.support.example_hook import endpoint


def test_webhooks(start, tmp_path):
    """Each attempt is an entry with the answer; it can be posted again, but nothing else can."""
    told: Queue = Queue()

    def receive(_posting, attempt):
        told.put(attempt)

    with endpoint(500, 200, 200) as hook:
        app = start(
            tmp_path,
            CONNECTOR_WEBHOOK_URL=hook.url,
            CONNECTOR_WEBHOOK_RETRIES=1,
            CONNECTOR_WEBHOOK_PAUSE=0,
        )
        attempted.connect(receive, app.extensions["webhooks"])
        console, api = Console(app), api_of(app)

        def posted(times):
            """Return the entries of webhooks, after so many further attempts."""
            for _ in range(times):
                told.get(timeout=30)
            webhooks.close(app)
            return [entry for entry in console.get("feed")["entries"] if entry["kind"] == "webhook"]

        conversation = api.opened(api.someone())
        entries = posted(2)
        assert [(entry["name"], entry["status"]) for entry in entries] == [
            ("Webhook: conversation OPEN", 500),
            ("Webhook: conversation OPEN (attempt 2)", 200),
        ]
        assert {entry["conversation"] for entry in entries} == {conversation}
        assert console.post(f"webhooks/{entries[1]['number']}/resend").json == {}
        assert posted(1)[2]["request"] == entries[1]["request"]
        assert console.post("webhooks/1/resend").status_code == 404


def test_an_endpoint_that_does_not_answer(start, tmp_path):
    """The name of the error is in the place of an answer; the event has its name."""
    app = start(tmp_path, CONNECTOR_WEBHOOK_URL="http://127.0.0.1:1/")
    told: Queue = Queue()

    def receive(_posting, attempt):
        told.put(attempt)

    attempted.connect(receive, app.extensions["webhooks"])
    api = api_of(app)
    tokens = api.someone()
    api.send(tokens, message(api.opened(tokens)))
    for _ in range(2):
        told.get(timeout=30)
    webhooks.close(app)
    entries = [each for each in Console(app).get("feed")["entries"] if each["kind"] == "webhook"]
    assert {entry["name"] for entry in entries} == {
        "Webhook: conversation OPEN",
        "Webhook: send message",
    }
    assert {entry["status"] for entry in entries} == {0}
    assert {entry["answer"]["body"] for entry in entries} == {"ConnectionRefusedError"}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("sha1=right", (True, "Base64 of the HMAC-SHA1")),
        ("sha256=right", (True, "Base64 of the HMAC-SHA256")),
        ("right", (True, "HMAC-SHA1")),
        ("sha1=hex", (False, "in hex")),
        ("sha1=sha256", (False, "its name differs")),
        ("sha1=rewritten", (False, "read and written again")),
        ("sha1=other", (False, "byte for byte")),
    ],
)
def test_a_signature(example, method, expected):
    """Is right, or what is wrong with it is told; the right one is beside it."""
    secret = Console(example).get("session")["client_secret"].encode()
    body = b'{"a": 1,"b":"\\u00fc"}'
    name, _, what = method.rpartition("=")

    def sign(text=body, digest=name or "sha1"):
        return base64.b64encode(hmac.digest(secret, text, digest)).decode()

    value = {
        "right": sign(),
        "hex": hmac.digest(secret, body, "sha1").hex(),
        "sha256": sign(digest="sha256"),
        "rewritten": sign(b'{"a":1,"b":"\\u00fc"}'),
        "other": "AAAA",
    }[what]
    signature = f"{name}={value}" if name else value
    told = Console(example).post("signature", {"body": body.decode(), "signature": signature}).json
    assert told["matches"] is expected[0]
    assert expected[1] in told["explanation"]
    assert told["expected"] == f"{name or 'sha1'}={sign()}"


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"body": 1, "signature": ""}'])
def test_what_is_no_signature(example, body):
    """400 in the protocol's shape."""
    assert Console(example).post("signature", body).status_code == 400
    told = Console(example).post("signature", '{"body": "no JSON", "signature": "x"}').json
    assert told["matches"] is False
