"""Webhooks: what is posted, how it is signed, and where (protocol pages, Webhooks)."""

import base64
import hmac
import json
import re
from hashlib import sha1, sha256

import pytest
from flask import Flask

from example_app import DEFAULTS, webhooks
from example_app.notifications import notified
from tests.support.example_api import (
    ACCOUNT,
    api_of,
    asking,
    claims,
    closing_of,
    message,
    opening,
)
from tests.support.example_desk import Desk
from tests.support.example_hook import endpoint

CHANGED = "cqm.ExConversationChangeNotification"
PUBLISHED = "ms.MessagingEventNotification"


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
    participants = [consumer]
    start = opened["result"]["conversationDetails"]["startTs"]
    dialog = {
        "dialogId": conversation,
        "participantsDetails": participants,
        "dialogType": "MAIN",
        "channelType": "MESSAGING",
        "state": "OPEN",
        "creationTs": start,
        "metaDataLastUpdateTs": start,
    }
    details = {
        "skillId": "12",
        "participants": participants,
        "dialogs": [dialog],
        "brandId": ACCOUNT,
        "state": "OPEN",
        "stage": "OPEN",
        "startTs": start,
        "metaDataLastUpdateTs": start,
        "ttr": {"ttrType": "URGENT", "value": 300},
    }
    result = {"convId": conversation, "effectiveTTR": -1, "conversationDetails": details}
    assert opened == {"type": "UPSERT", "result": result}
    participants.append({"id": agent["id"], "role": "ASSIGNED_AGENT"})
    changed = taken["result"]["conversationDetails"]["metaDataLastUpdateTs"]
    assert changed >= start
    details["metaDataLastUpdateTs"] = dialog["metaDataLastUpdateTs"] = changed
    assert taken == {"type": "UPSERT", "result": result}
    assert said == {
        "sequence": 0,
        "originatorId": agent["id"],
        "originatorMetadata": {"id": agent["id"], "role": "ASSIGNED_AGENT"},
        "serverTimestamp": said["serverTimestamp"],
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "Grüße"},
        "conversationId": conversation,
        "dialogId": conversation,
        "messageAudience": "ALL",
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
    assert not {"sequence", "serverTimestamp"} & set(typed)
    assert typed["event"]["chatState"] == "COMPOSING"
    details = closed["result"]["conversationDetails"]
    [dialog] = details["dialogs"]
    assert (details["state"], details["stage"], dialog["state"]) == ("CLOSE",) * 3
    assert (details["closeReason"], dialog["closedBy"]) == ("CONSUMER",) * 2
    assert dialog["closedCause"] == "Closed by consumer"
    assert details["endTs"] == dialog["endTs"] == details["metaDataLastUpdateTs"]
    assert details["endTs"] >= details["startTs"]


def test_what_is_posted_for_changes(app, hook):
    """The complete state each time, with a rating that follows the end; an agent's end is AGENT's,
    and a survey's has its cause."""
    api, desk = api_of(app), Desk(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    survey = {"dialogId": conversation, "state": "CLOSE", "closedCause": "Closed by consumer"}
    rating = {"csatRate": 1, "csatResolutionConfirmation": False, "status": "FILLED"}
    for field in (
        [{"field": "TTRField", "ttrType": "URGENT", "value": 300}],
        {"field": "DialogChange", "type": "UPDATE", "dialog": {**survey, "closedCause": "Tired"}},
        [{"field": "CSATRate", **rating}],
    ):
        body = {"conversationId": conversation, "conversationField": field}
        assert api.send(tokens, asking("cm.UpdateConversationField", body)).status_code == 200
    assert desk.close(api.opened(tokens)).status_code == 200
    found = changes(hook, [CHANGED] * 6)
    details = [change["result"]["conversationDetails"] for change in found]
    assert [each["ttr"]["value"] for each in details] == [3600, 300, 300, 300, 3600, 3600]
    assert [each.get("closeReason") for each in details] == [
        None,
        None,
        "CONSUMER",
        "CONSUMER",
        None,
        "AGENT",
    ]
    assert details[2]["dialogs"][0]["closedCause"] == "Tired"
    assert details[5]["dialogs"][0]["closedCause"] == "Closed by agent"
    assert [each.get("csat") for each in details] == [None, None, None, rating, None, None]


def test_metadata_is_handed_on(app, hook):
    """Send: what a client says beside the body comes back with the event, the first ones too."""
    api, desk = api_of(app), Desk(app)
    tokens, origin = api.someone(), [{"type": "ExternalId", "id": "SMS-1"}]
    first = message("")
    del first["body"]["dialogId"]
    requests = [*opening(ACCOUNT), {**first, "metadata": origin}]
    conversation = api.create(tokens, requests).json[1]["body"]["conversationId"]
    typing = message(conversation, type="ChatStateEvent", chatState="ACTIVE")
    bot = [{"type": "BotResponse", "intents": [{"id": "order"}]}]
    assert api.send(tokens, {**typing, "metadata": origin}).status_code == 200
    assert api.send(tokens, message(conversation)).status_code == 200
    assert desk.say(conversation, {"message": "x", "metadata": bot}).status_code == 200
    kinds = [CHANGED, PUBLISHED, PUBLISHED, PUBLISHED, CHANGED, PUBLISHED]
    found = [change.get("metadata") for change in changes(hook, kinds)]
    assert found == [None, origin, origin, None, None, bot]


def test_what_an_agent_does(app, hook):
    """Webhooks Examples: typing without sequence and time, reading with the list, rich content,
    and what the consumer may not see."""
    api, desk = api_of(app), Desk(app)
    conversation = api.opened(api.someone())
    events = (
        {"type": "ChatStateEvent", "chatState": "COMPOSING"},
        {"type": "ChatStateEvent", "chatState": "ACTIVE"},
        {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]},
        {"type": "RichContentEvent", "content": {"type": "vertical", "elements": []}},
    )
    for event in events:
        assert desk.say(conversation, {"event": event}).status_code == 200
    secret = {"message": "x", "messageAudience": "AGENTS_AND_MANAGERS", "role": "READER"}
    assert desk.say(conversation, secret).status_code == 200
    _, _, *found, whispered = changes(hook, [CHANGED, CHANGED, *[PUBLISHED] * 5])
    assert [change["event"] for change in found] == list(events)
    assert {change["originatorMetadata"]["role"] for change in found} == {"ASSIGNED_AGENT"}
    assert [change.get("sequence") for change in found] == [None, None, 0, 1]
    assert ["serverTimestamp" in change for change in found] == [False, False, True, True]
    assert {change["messageAudience"] for change in found} == {"ALL"}
    assert whispered["messageAudience"] == "AGENTS_AND_MANAGERS"
    assert whispered["originatorMetadata"]["role"] == "READER"


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


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_the_digest_of_the_signature(start, tmp_path, hook, digest):
    """Notification Protocol: sha1; some accounts have sha256."""
    app = start(tmp_path, CONNECTOR_WEBHOOK_URL=hook.url, CONNECTOR_WEBHOOK_DIGEST=digest)
    api = api_of(app)
    assert api.opened(api.someone())
    _, headers, body = hook.received.get(timeout=30)
    hashing = {"sha1": sha1, "sha256": sha256}[digest]
    expected = hmac.new(api.credentials["client_secret"].encode(), body, hashing).digest()
    assert headers["x-liveperson-signature"] == f"{digest}={base64.b64encode(expected).decode()}"


def test_an_endpoint_for_each_event_type(start, tmp_path, hook):
    """Webhooks Configuration: each event type has an endpoint of its own, or none at all; headers
    of its own too, but for those of the protocol."""
    own = {"X-Own": "1", "x-liveperson-account-id": "another"}
    with endpoint() as texts:
        configured = {
            f"{PUBLISHED}.ContentEvent": {"endpoint": texts.url, "headers": own},
            f"{PUBLISHED}.ChatStateEvent": {"endpoint": hook.url, "max_retries": 1},
        }
        api = api_of(start(tmp_path, CONNECTOR_WEBHOOKS=configured))
        tokens = api.someone()
        conversation = api.opened(tokens)
        typing = message(conversation, type="ChatStateEvent", chatState="COMPOSING")
        assert api.send(tokens, typing).status_code == 200
        assert api.send(tokens, message(conversation)).status_code == 200
        _, headers, said = texts.next()
        assert headers.items() >= {"X-Own": "1", "x-liveperson-account-id": ACCOUNT}.items()
        assert said["body"]["changes"][0]["event"]["message"] == "Hello"
        assert changes(hook, [PUBLISHED])[0]["event"]["chatState"] == "COMPOSING"
        assert texts.received.empty()
    assert hook.received.empty()


def test_one_url_and_another_for_one_event_type(start, tmp_path, hook):
    """The URL for all is the default of each event type."""
    with endpoint() as texts:
        configured = {f"{PUBLISHED}.ContentEvent": {"endpoint": texts.url}}
        app = start(tmp_path, CONNECTOR_WEBHOOK_URL=hook.url, CONNECTOR_WEBHOOKS=configured)
        api = api_of(app)
        tokens = api.someone()
        assert api.send(tokens, message(api.opened(tokens))).status_code == 200
        assert texts.next()[2]["type"] == PUBLISHED
        changes(hook, [CHANGED])
    assert hook.received.empty()


def test_webhooks_of_the_environment(start, tmp_path, hook, monkeypatch):
    """They are JSON there, as in the installation of an app."""
    configured = {"cqm.ExConversationChangeNotification": {"endpoint": hook.url}}
    monkeypatch.setenv("FLASK_CONNECTOR_WEBHOOKS", json.dumps(configured))
    api = api_of(start(tmp_path))
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens))).status_code == 200
    changes(hook, [CHANGED])


def test_a_signal_for_those_who_watch(example, api):
    """It is sent for each notification, whether or not there is an endpoint."""
    found = []

    def receive(_app, account_id, conversation_id, notification):
        found.append((account_id, conversation_id, notification["type"]))

    with notified.connected_to(receive, sender=example):
        tokens = api.someone()
        conversation = api.opened(tokens)
        assert api.send(tokens, message(conversation)).status_code == 200
    assert found == [(ACCOUNT, conversation, kind) for kind in (CHANGED, PUBLISHED)]


def test_no_url(api, example):
    """Nothing is posted, and nothing is different."""
    assert example.extensions["webhooks"] is None
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens))).status_code == 200


@pytest.mark.parametrize("url", ["hook", "ftp://127.0.0.1/", "https:///hook"])
def test_a_url_that_is_none(start, tmp_path, url):
    """The start fails with a message."""
    with pytest.raises(ValueError, match="CONNECTOR_WEBHOOK_URL must start with http"):
        start(tmp_path, CONNECTOR_WEBHOOK_URL=url)
    assert start(tmp_path, CONNECTOR_WEBHOOK_URL="https://127.0.0.1:1/")


GOOD = {"endpoint": "https://127.0.0.1:1/"}


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("S", ["x"], "must be an object of webhooks by event type"),
        ("S", {"ms.MessagingEventNotification": GOOD}, "is none of cqm.ExConversationChange"),
        ("S", {CHANGED: "https://127.0.0.1:1/"}, "must be an object"),
        ("S", {CHANGED: {**GOOD, "headers": "x"}}, "must be an object, and so must its headers"),
        ("S", {CHANGED: {**GOOD, "headers": {"X": "a\nb"}}}, "headers must be texts in ASCII"),
        ("S", {CHANGED: {**GOOD, "headers": {"X": 1}}}, "headers must be texts in ASCII"),
        ("S", {CHANGED: {}}, "endpoint must start with http"),
        ("S", {CHANGED: {"endpoint": 7}}, "endpoint must start with http"),
        ("S", {CHANGED: {"endpoint": "http://[::1"}}, "endpoint must start with http"),
        ("S", {CHANGED: {"endpoint": "http://127.0.0.1:x/"}}, "endpoint must start with http"),
        ("S", {CHANGED: {**GOOD, "max_retries": 6}}, "max_retries must be a number from 0 to 5"),
        ("S", {CHANGED: {**GOOD, "max_retries": True}}, "max_retries must be a number"),
        ("S", {"retry": {"retention_time": 1}}, "retention_time must be a number from 2 to 259200"),
        ("S", {"retry": {"retention_time": 259201}}, "retention_time must be a number"),
        ("S", {"retry": {}}, "retention_time must be a number"),
        ("S", {"retry": 60}, "retention_time must be a number"),
        ("_RETRIES", 6, "RETRIES must be a number from 0 to 5"),
        ("_DIGEST", "md5", "DIGEST must be sha1 or sha256"),
    ],
    ids=str,
)
def test_a_setting_that_is_wrong(setting, value, why):
    """The start fails with a message that names the setting and the bounds."""
    url = {} if setting == "S" else {"CONNECTOR_WEBHOOK_URL": GOOD["endpoint"]}
    app = Flask(__name__)
    app.config.from_mapping({**DEFAULTS, **url})
    webhooks.init_app(app)
    app.config[f"CONNECTOR_WEBHOOK{setting}"] = value
    with pytest.raises(ValueError, match=re.escape(why)):
        webhooks.init_app(app)
