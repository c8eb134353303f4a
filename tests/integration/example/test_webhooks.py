"""Webhooks: signed notifications are posted to the configured URL (protocol page, Webhooks)."""

import base64
import hmac
import json
import logging
from contextlib import closing, contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from logging.handlers import QueueHandler
from queue import Queue
from threading import Event, Thread

import pytest

from example_app.certificates import certificate_in
from example_app.webhooks import WAITING, Webhooks
from tests.support.example_api import ACCOUNT, api_of, claims, closing_of, message, opening
from tests.support.example_desk import Desk

CHANGED = "cqm.ExConversationChangeNotification"
PUBLISHED = "ms.MessagingEventNotification"


class Endpoint:
    """A client's own endpoint, which answers with *statuses*, one after the other, and 200 then."""

    def __init__(self, *statuses: int) -> None:
        self.received: Queue = Queue()
        self.may_answer = Event()
        self.may_answer.set()
        answers, received, may_answer = iter(statuses), self.received, self.may_answer

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.put((self.path, dict(self.headers.items()), body))
                may_answer.wait(30)
                self.send_response(next(answers, 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """A client that does not trust it ends the connection."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"

    def next(self):
        """Return path, headers and JSON value of what was posted next."""
        path, headers, body = self.received.get(timeout=30)
        return path, headers, json.loads(body)


@contextmanager
def endpoint(*statuses):
    """Listen until the end of the ``with`` block."""
    listening = Endpoint(*statuses)
    thread = Thread(target=listening.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield listening
    finally:
        listening.may_answer.set()
        listening.server.shutdown()
        thread.join()
        listening.server.server_close()


@pytest.fixture
def hook():
    """An endpoint."""
    with endpoint() as listening:
        yield listening


@pytest.fixture
def app(start, tmp_path, hook):
    """An app that posts there."""
    return start(tmp_path, CONNECTOR_WEBHOOK_URL=hook.url)


def changes(hook, kinds):
    """Return the one change in each of the next notifications, which are of *kinds*."""
    found = [hook.next()[2] for _ in kinds]
    assert [(each["kind"], each["type"]) for each in found] == [("notification", k) for k in kinds]
    assert all(set(each["body"]) == {"sentTs", "changes"} for each in found)
    [*changes] = [change for each in found for change in each["body"]["changes"]]
    assert len(changes) == len(kinds)
    return changes


def test_what_is_posted_for_an_answer(app, hook):
    """An agent takes the conversation, and sends a message: two notifications, in this order."""
    api, desk = api_of(app), Desk(app)
    tokens = api.someone()
    profile, asked = opening(ACCOUNT)
    asked["body"] |= {"skillId": 12, "ttrDefName": "URGENT"}
    conversation = api.create(tokens, [profile, asked]).json[1]["body"]["conversationId"]
    [opened] = changes(hook, [CHANGED])
    assert desk.say(conversation, {"message": "Grüße"}).json == {"sequence": 0}
    taken, said = changes(hook, [CHANGED, PUBLISHED])
    consumer = {"id": claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"], "role": "CONSUMER"}
    agent = said["originatorMetadata"]
    details = {
        "skillId": "12",
        "participants": [consumer],
        "dialogs": [{"dialogId": conversation, "dialogType": "MAIN", "state": "OPEN"}],
        "brandId": ACCOUNT,
        "state": "OPEN",
        "stage": "OPEN",
        "startTs": opened["result"]["conversationDetails"]["startTs"],
        "ttr": {"ttrType": "URGENT"},
    }
    result = {"convId": conversation, "effectiveTTR": -1, "conversationDetails": details}
    assert opened == {"type": "UPSERT", "result": result}
    details["participants"].append({"id": agent["id"], "role": "ASSIGNED_AGENT"})
    assert taken == {"type": "UPSERT", "result": result}
    assert said == {
        "sequence": 0,
        "originatorId": agent["id"],
        "originatorMetadata": {"id": agent["id"], "role": "ASSIGNED_AGENT"},
        "serverTimestamp": said["serverTimestamp"],
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "Grüße"},
        "conversationId": conversation,
        "dialogId": conversation,
    }


def test_what_is_posted_for_a_consumer(app, hook):
    """Their events too; a chat state has no sequence; and in the end, that it is closed."""
    api = api_of(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    typing = message(conversation, type="ChatStateEvent", chatState="COMPOSING")
    for request in (typing, message(conversation), closing_of(conversation)):
        assert api.send(tokens, request).status_code == 200
    _, typed, said, closed = changes(hook, [CHANGED, PUBLISHED, PUBLISHED, CHANGED])
    consumer = claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"]
    assert said["originatorMetadata"] == {"id": consumer, "role": "CONSUMER"}
    assert (said["sequence"], said["event"]["message"]) == (0, "Hello")
    assert "sequence" not in typed
    assert typed["event"]["chatState"] == "COMPOSING"
    assert closed["result"]["conversationDetails"]["state"] == "CLOSE"
    assert closed["result"]["conversationDetails"]["dialogs"][0]["state"] == "CLOSE"


def test_nothing_is_posted_for_what_is_refused(app, hook):
    """No notification of a malformed message, nor of one in a closed conversation."""
    api, desk = api_of(app), Desk(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert api.send(tokens, message(conversation, message="")).status_code == 400
    assert api.create(tokens).status_code == 400
    assert desk.close(conversation).status_code == 200
    assert desk.say(conversation, {"message": "x"}).status_code == 400
    assert desk.close(conversation).status_code == 400
    assert api.send(tokens, message(conversation)).status_code == 400
    assert api.opened(tokens)
    changes(hook, [CHANGED] * 3)
    assert hook.received.empty()


def test_the_signature(app, hook):
    """Base64 of HMAC-SHA1 over the raw body, which is ASCII: a known client verifies it so."""
    api = api_of(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert api.send(tokens, message(conversation, message="Grüße \0\ud800")).status_code == 200
    for _ in range(2):
        path, headers, body = hook.received.get(timeout=30)
        assert path == "/hook?a=b"
        assert body.isascii()
        secret = api.credentials["client_secret"].encode()
        digest = base64.b64encode(hmac.new(secret, body, sha1).digest()).decode()
        assert headers["Content-Type"] == "application/json"
        assert {n: v for n, v in headers.items() if n.startswith("x-liveperson")} == {
            "x-liveperson-account-id": ACCOUNT,
            "x-liveperson-client-id": api.credentials["client_id"],
            "x-liveperson-signature": f"sha1={digest}",
        }
    assert json.loads(body)["body"]["changes"][0]["event"]["message"] == "Grüße \0\ud800"


def test_what_was_not_taken_is_posted_again():
    """Any answer but 200 and 201; at most as often as is set; and the order stays."""
    answers = endpoint(500, 302, 201, 404, 404, 404)
    with answers as hook, closing(Webhooks(hook.url, 2, 0)) as webhooks:
        for body in (b"1", b"2", b"3"):
            webhooks.put((body, {}))
        assert [hook.next()[2] for _ in range(7)] == [1, 1, 1, 2, 2, 2, 3]


def test_no_thread_waits_for_what_may_come():
    """It ends when everything is posted, so an app that is dropped leaves none; then a new one
    goes on."""
    with endpoint() as hook:
        webhooks = Webhooks(hook.url, 0, 0)
        for number in range(2):
            hook.may_answer.clear()
            webhooks.put((b"%d" % number, {}))
            assert hook.next()[2] == number
            thread = webhooks._thread
            assert thread.is_alive()
            hook.may_answer.set()
            thread.join(30)
            assert not thread.is_alive()


def test_what_is_closed_posts_nothing_again():
    """Nothing waits for a post that would be repeated in an hour; the next one begins anew."""
    with endpoint(500) as hook:
        webhooks = Webhooks(hook.url, 9, 3600)
        webhooks.put((b"1", {}))
        webhooks.put((b"dropped", {}))
        assert hook.next()[2] == 1
        thread = webhooks._thread
        for _ in range(2):
            webhooks.close()
            assert not thread.is_alive()
        webhooks.put((b"2", {}))
        assert hook.next()[2] == 2
        webhooks.close()
        assert hook.received.empty()


@pytest.fixture
def logged():
    """What the webhooks log, as texts, as soon as they do."""
    records, logger = Queue(), logging.getLogger("example_app.webhooks")
    handler = QueueHandler(records)
    logger.addHandler(handler)
    yield lambda: records.get(timeout=30).getMessage()
    logger.removeHandler(handler)


def test_an_endpoint_that_is_not_there(logged):
    """It is logged, and posted again; nothing of the notification is in the log."""
    with endpoint() as gone:
        pass
    with closing(Webhooks(gone.url, 1, 0)) as webhooks:
        webhooks.put((b"secret", {}))
        for _ in range(2):
            assert logged() == "A notification could not be posted (ConnectionRefusedError)."


def test_a_server_that_ends(hook):
    """Nothing waits for a post that would be repeated in an hour; the next one begins anew."""
    with endpoint(500) as hook, closing(Webhooks(hook.url, 9, 3600)) as webhooks:
        webhooks.put((b"1", {}))
        assert hook.next()[2] == 1
        webhooks.close()
        webhooks.put((b"2", {}))
        assert hook.next()[2] == 2


def test_an_endpoint_with_tls(tmp_path, monkeypatch, logged):
    """Its certificate is verified, with what the system trusts, or SSL_CERT_FILE instead."""
    certificate = certificate_in(tmp_path)
    with endpoint() as hook:
        hook.server.socket = certificate.context().wrap_socket(
            hook.server.socket, server_side=True, do_handshake_on_connect=False
        )
        url = hook.url.replace("http:", "https:")
        with closing(Webhooks(url, 0, 0)) as webhooks:
            webhooks.put((b"1", {}))
            assert logged() == "A notification could not be posted (SSLCertVerificationError)."
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
        with closing(Webhooks(url, 0, 0)) as webhooks:
            webhooks.put((b"2", {}))
            assert hook.next()[2] == 2


def test_too_many_that_wait(caplog):
    """Notifications beyond the limit of the queue are dropped and logged."""
    with endpoint() as hook, closing(Webhooks(hook.url, 0, 0)) as webhooks:
        hook.may_answer.clear()
        webhooks.put((b"0", {}))
        assert hook.next()[2] == 0
        with caplog.at_level(logging.ERROR, "example_app.webhooks"):
            for number in range(1, WAITING + 3):
                webhooks.put((b"%d" % number, {}))
        assert [record.getMessage() for record in caplog.records] == [
            f"A notification is dropped: {WAITING} are waiting."
        ] * 2
        hook.may_answer.set()
        assert [hook.next()[2] for _ in range(WAITING)] == list(range(1, WAITING + 1))


def test_no_url(api, example):
    """Nothing is posted, and nothing is different."""
    assert example.extensions["webhooks"] is None
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens))).status_code == 200


@pytest.mark.parametrize("url", ["hook", "ftp://127.0.0.1/", "https:///hook"])
def test_a_url_that_is_none(start, tmp_path, url):
    """The start fails with a message."""
    with pytest.raises(ValueError, match="CONNECTOR_WEBHOOK_URL"):
        start(tmp_path, CONNECTOR_WEBHOOK_URL=url)
    assert start(tmp_path, CONNECTOR_WEBHOOK_URL="https://127.0.0.1:1/")
