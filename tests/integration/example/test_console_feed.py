"""The feed of the console: every request to the app, named, with the reason of a refusal."""

import json
from contextlib import closing
from socket import create_connection
from urllib.parse import urlencode

import pytest

from example_app.console import feed as feeds, reasons
from example_app.console.feed import Feed
from example_app.console.naming import Name
from flask_connector_auth import Reason
from tests.support.example_api import ACCOUNT, FORM, asking, message
from tests.support.example_console import Console, cookie
from tests.support.example_desk import Desk

EVENT = "ms.PublishEvent"


@pytest.fixture
def feed(example):
    """Return a function that returns the entries that came since the start of the test."""
    console = Console(example)
    before = console.get("feed")["version"]

    def entries():
        told = console.get(f"feed?after={before}")["entries"]
        return [entry for entry in told if entry["name"] != "Read the public keys"]

    return entries


def names(entries):
    """Return the names of entries."""
    return [entry["name"] for entry in entries]


def test_a_conversation(example, api, feed):
    """Each call has a name, and what was said; the conversation's id where there is one."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    api.send(tokens, message(conversation))
    desk = Desk(example)
    desk.say(conversation, {"message": "How can I help?"})
    desk.close(conversation)
    entries = feed()
    assert names(entries) == [
        "Get AppJWT",
        "Get ConsumerJWS",
        "Open conversation",
        "Send message",
        "Agent: log in",
        "Agent: answer",
        "Agent: close conversation",
    ]
    assert [entry["conversation"] for entry in entries] == [
        None,
        None,
        conversation,
        conversation,
        None,
        conversation,
        conversation,
    ]
    said = {entry["name"]: entry["detail"] for entry in entries}
    assert (said["Send message"], said["Agent: answer"]) == ("Hello", "How can I help?")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"event": {"type": "ContentEvent", "message": "x"}}, "Send message"),
        ({"event": {"type": "ContentEvent", "contentType": "hosted/file"}}, "Send file"),
        ({"event": {"type": "RichContentEvent"}}, "Send rich content"),
        ({"event": {"type": "ChatStateEvent", "chatState": "GONE"}}, "Chat state GONE"),
        ({"event": {"type": "AcceptStatusEvent", "status": "READ"}}, "Message status READ"),
        ({"event": {"type": ["x"]}}, "Send event"),
        ({"event": 7}, "Send API request"),
        ({}, "Send API request"),
    ],
    ids=str,
)
def test_an_event(api, feed, body, name):
    """By its type, whether it is accepted or not."""
    api.send({}, asking(EVENT, body))
    assert names(feed()) == [name]


@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        ("userprofile.SetUserProfile", {}, "Set profile"),
        ("ms.GenerateURLForUploadFile", {}, "Get upload URL"),
        ("ms.GenerateURLForDownloadFile", {}, "Get download URL"),
        ("cm.UpdateConversationField", {"field": "ConversationStateField"}, "Close conversation"),
        ("cm.UpdateConversationField", {"field": "DialogChange"}, "Close dialog"),
        ("cm.UpdateConversationField", [{"field": "CSATRate"}], "Rate the conversation"),
        ("cm.UpdateConversationField", [{"field": "TTRField"}], "Change the time to respond"),
        ("cm.UpdateConversationField", [], "Update conversation"),
        (["x"], {}, "Send API request"),
    ],
    ids=str,
)
def test_another_request(api, feed, kind, body, name):
    """By its type, and a change of a conversation by its field, which may be in an array."""
    api.send({}, asking(kind, {"conversationId": "c", "conversationField": body}))
    [entry] = feed()
    assert (entry["name"], entry["conversation"]) == (name, "c")


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"7", b"[" * 2000, b'{"body":[]}'], ids=str)
def test_what_is_no_request(api, feed, body):
    """Has a name nevertheless."""
    api.send({}, body)
    assert names(feed()) == ["Send API request"]


def test_an_unknown_path(api, feed):
    """Is its own name."""
    api.get("/api/account/x/nothing?secret=1")
    [entry] = feed()
    assert (entry["name"], entry["status"]) == ("GET /api/account/x/nothing", 404)
    assert entry["path"].endswith("?secret=1")


def test_request_and_answer(api, feed):
    """All of both but the cookie; names of headers as the protocol writes them."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    sent = message(conversation)
    api.send({**tokens, "Cookie": "a=b"}, sent)
    entry = feed()[-1]
    headers = dict(entry["request"]["headers"])
    assert headers["X-LP-ON-BEHALF"] == tokens["X-LP-ON-BEHALF"]
    assert "Cookie" not in headers
    assert json.loads(entry["request"]["body"]) == sent
    assert json.loads(entry["answer"]["body"])["body"] == {"sequence": 0}
    assert dict(entry["answer"]["headers"])["Content-Type"] == "application/json"
    assert entry["milliseconds"] > 0
    assert entry["reason"] is None


def test_a_form(api, feed):
    """Is there as it was sent, though the view has parsed it."""
    form = {"grant_type": "client_credentials", **api.credentials}
    assert api.token({"v": "1.0"}, form).status_code == 200
    [entry] = feed()
    assert entry["request"]["body"] == urlencode(form)


@pytest.mark.parametrize(
    ("headers", "body", "size"),
    [
        ({"Content-Type": FORM.replace("x-www-form-urlencoded", "json")}, b"x" * 65537, 65537),
        ({"Expect": "100-continue"}, b"xx", 2),
        ({}, b"\xff\xfe", 2),
    ],
    ids=["too long", "not asked for", "no text"],
)
def test_a_body_that_is_not_kept(api, feed, headers, body, size):
    """Its size is."""
    api.transport("POST", f"{api.conversations}/send?v=3", headers, body)
    [entry] = feed()
    assert entry["request"]["body"] == ""
    assert (entry["request"]["complete"], entry["request"]["size"]) == (False, size)


@pytest.mark.parametrize(
    ("agent", "source"),
    [
        ("curl/8.5.0", "curl"),
        ("node", "node"),
        ("", "client"),
        ("flask-connector-auth", "app"),
    ],
)
def test_the_client(api, feed, agent, source):
    """Is named by the program that it says it is; the app itself loads its keys."""
    api.transport("POST", "/x", {"User-Agent": agent}, b"")
    assert [entry["source"] for entry in feed()] == [source]


def test_the_console_itself(example, api, feed):
    """By its cookie; the calls to it are left out."""
    console = Console(example)
    console.get("operations")
    api.transport("POST", "/x", {"Cookie": cookie(example)}, b"")
    api.transport("POST", "/x", {"Cookie": cookie(example)[:-1]}, b"")
    assert [entry["source"] for entry in feed()] == ["console", "Werkzeug"]


def test_the_reason(api, feed):
    """The word that is in the log, what it is about, and what a client does about it; for what the
    service itself refuses, its own words."""
    tokens = api.someone()
    said = message(api.opened(tokens))
    api.send({}, said)
    api.send({**tokens, "Authorization": api.app_jwt[:-2]}, said)
    api.send(api.someone(), said)
    api.send(tokens, message("another"))
    told = [entry["reason"] for entry in feed() if entry["status"] >= 400]
    assert [each["reason"] for each in told] == [
        "missing",
        "bad_signature",
        "the conversation is of another consumer",
        "there is no such conversation",
    ]
    assert [bool(each["explanation"]) for each in told] == [True, True, True, False]


def test_what_the_server_refuses(both):
    """A request that the app never got is there too, with the reason."""
    console = Console(both.app)
    before = console.get("feed")["version"]
    with closing(create_connection(("127.0.0.1", both.port), 30)) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    [entry] = console.get(f"feed?after={before}")["entries"]
    assert (entry["name"], entry["method"], entry["path"]) == ("Not readable", "GET", "-")
    assert (entry["status"], bool(entry["reason"]["reason"])) == (400, True)


def test_every_reason_is_explained():
    """In a sentence or two."""
    assert set(reasons.EXPLAINED) == set(Reason)
    assert all(text.endswith(".") for text in reasons.EXPLAINED.values())


def test_polls_are_folded(api, feed):
    """Requests that only read are counted in one entry each, until something else happens."""
    path = f"/api/account/{ACCOUNT}/service/baseURI.json"
    for _ in range(3):
        api.get(path)
        api.get(path.replace("/baseURI", "/idp/baseURI"))
    api.get("/nothing")
    api.get(path)
    assert [(entry["name"], entry["count"]) for entry in feed()] == [
        ("Look up the services", 3),
        ("Look up a service", 3),
        ("GET /nothing", 1),
        ("Look up the services", 1),
    ]


def test_what_is_new(example, api):
    """After a version, only what came or changed since."""
    console = Console(example)
    path = f"/api/account/{ACCOUNT}/service/baseURI.json"
    api.get("/nothing")
    api.get(path)
    told = console.get("feed")
    assert console.get(f"feed?after={told['version']}")["entries"] == []
    api.get(path)
    [changed] = console.get(f"feed?after={told['version']}")["entries"]
    assert (changed["count"], changed["number"]) == (2, told["entries"][-1]["number"])
    assert console.get("feed?after=x")["instance"] == told["instance"]


def test_only_the_last(start, tmp_path, monkeypatch):
    """So many; a poll is not folded into an entry that was dropped."""
    monkeypatch.setattr(feeds, "KEPT", 2)
    app = start(tmp_path)
    feed: Feed = app.extensions["console"].feed
    values = {
        "source": "x",
        "kind": "request",
        "method": "GET",
        "path": "/",
        "reason": None,
        "request": feeds.Message([], "", 0),
        "answer": feeds.Message([], "", 0),
        "milliseconds": 1,
        "status": 200,
    }
    for name in ("one", "two", "three", "one"):
        feed.add(Name(name), poll=True, **values)
    assert [entry["name"] for entry in feed.since(0)["entries"]] == ["three", "one"]
    assert feed.delivery(1) is None
