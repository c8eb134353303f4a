"""The Send API: conversations opened, added to and closed (protocol pages Conversation, Send)."""

import json
import re

import pytest
from sqlalchemy import delete, select

from example_app.database import db
from example_app.keys import current_issuer
from example_app.models import Consumer, Conversation, Message
from tests.support.example_api import (
    ACCOUNT,
    OTHER_ACCOUNT,
    api_of,
    asking,
    claims,
    closing_of,
    message,
    opening,
)
from tests.support.http_helpers import assert_row, headers

#: From the protocol page Overview, with a number as id.
RATING = {
    "field": "CSATRate",
    "csatRate": 5,
    "csatResolutionConfirmation": True,
    "status": "FILLED",
}


def ok(req_id="1,", **body):
    """Return the answer to a request that was done."""
    return {"code": "OK", "body": body, "reqId": req_id}


def refused(msg, req_id="1,"):
    """Return the answer to a request that was not."""
    return {"code": "BAD_REQUEST", "body": {"msg": msg}, "reqId": req_id}


PROFILE_SET = ok(msg="OK User Profile set successfully")
RESOLVED = ok(msg="OK Conversation resolved successfully")


def test_create(api):
    """The answers stand in the order of the requests, each with its reqId as a text."""
    answer = api.create(api.someone())
    assert answer.status_code == 200
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    conversation = answer.json[1]["body"]["conversationId"]
    opened = ok("2", conversationId=conversation, dialogId=conversation)
    assert answer.json == [PROFILE_SET, opened]


def test_the_profile_is_kept(api, example):
    """SetUserProfile: the profile is stored with the consumer, unusual characters too."""
    tokens = api.someone()
    profile, conversation = opening(ACCOUNT)
    profile["body"] = {"firstName": "Zoë \0\ud800"}
    assert api.create(tokens, [profile, conversation]).status_code == 200
    with example.app_context():
        consumer = db.session.get(Consumer, claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"])
        assert json.loads(consumer.profile) == profile["body"]


def test_send(api):
    """Each message gets the next sequence of its own conversation, from 0."""
    for _ in range(2):
        tokens = api.someone()
        conversation = api.opened(tokens)
        answers = [api.send(tokens, message(conversation)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.json for answer in answers] == [ok(sequence=n) for n in range(3)]


@pytest.mark.parametrize(
    ("req_id", "text"), [("1,", "1,"), (3, "3"), (0, "0"), (-1.5, "-1.5"), ("", ""), ("é", "é")]
)
def test_req_id_is_a_text(api, req_id, text):
    """Send API Examples: an id may be a number; it comes back as a text."""
    tokens = api.someone()
    answer = api.send(tokens, {**message(api.opened(tokens)), "id": req_id})
    assert answer.json == ok(text, sequence=0)


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ({"message": {"any": "object"}}, {"sequence": 0}),
        ({"type": "RichContentEvent", "content": {"type": "vertical"}}, {"sequence": 0}),
        *(
            ({"type": "AcceptStatusEvent", "status": status, "sequenceList": [0]}, {"sequence": 0})
            for status in ("ACCEPT", "READ", "ACCESS", "NACK", "ACTION")
        ),
        *(
            ({"type": "ChatStateEvent", "chatState": state}, {})
            for state in ("ACTIVE", "INACTIVE", "GONE", "COMPOSING", "PAUSE")
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values()))[:30],
)
def test_other_events(api, event, body):
    """Send: every event is numbered but a chat state."""
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens), **event)).json == ok(**body)


def test_a_chat_state_in_a_closed_conversation(api):
    """It is refused, as a text is."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    typing = message(conversation, type="ChatStateEvent", chatState="ACTIVE")
    assert api.send(tokens, typing).json == ok()
    assert api.send(tokens, closing_of(conversation)).json == RESOLVED
    for request in (typing, message(conversation)):
        answer = api.send(tokens, request)
        assert (answer.status_code, answer.json) == (400, refused("the conversation is closed"))


@pytest.mark.parametrize(
    ("body", "beside", "kept"),
    [
        ({}, {}, ""),
        ({"skillId": "1234567890"}, {}, "1234567890"),
        ({"skillId": -1}, {}, "-1"),
        ({"skillId": 277}, {}, "277"),
        ({"skillId": None, "ttrDefName": None}, {}, ""),
        ({}, {"skillId": "12"}, "12"),
        ({"ttrDefName": "CUSTOM", "channelType": "MESSAGING"}, {}, ""),
        ({"campaignInfo": {"campaignId": 1}, "conversationContext": {"lang": "en"}}, {}, ""),
    ],
    ids=str,
)
def test_what_a_conversation_is_asked_for_with(api, example, body, beside, kept):
    """Conversation: skill, time to respond, campaign and context; one client has the skill beside
    the body."""
    tokens = api.someone()
    profile, conversation = opening(ACCOUNT)
    conversation["body"] |= body
    answer = api.create(tokens, [profile, {**conversation, **beside}])
    assert answer.status_code == 200
    with example.app_context():
        row = db.session.get(Conversation, answer.json[1]["body"]["conversationId"])
        assert json.loads(row.details) == {**conversation["body"], "skillId": kept}


@pytest.mark.parametrize("properties", ['{"type":".ClientProperties"}', "[object Object]", "{"])
def test_client_properties(api, properties):
    """Send API Examples: properties of the client; a header that does not parse is ignored."""
    tokens = {**api.someone(), "Client-Properties": properties}
    assert api.send(tokens, message(api.opened(tokens))).json == ok(sequence=0)


def test_the_conversation_may_be_named_beside_the_dialog(api):
    """Some clients send conversationId too; it must be the dialog's."""
    tokens, others = api.someone(), api.someone()
    request = message(api.opened(tokens))
    request["body"]["conversationId"] = api.opened(others)
    assert api.send(tokens, request).json == refused("conversationId is not that of the dialog")
    request["body"]["conversationId"] = request["body"]["dialogId"]
    assert api.send(tokens, request).json == ok(sequence=0)


@pytest.mark.parametrize("in_array", [False, True], ids=["one", "array"])
@pytest.mark.parametrize(
    "field",
    [
        {"field": "ConversationStateField", "conversationState": "CLOSE"},
        {
            "field": "DialogChange",
            "type": "UPDATE",
            "dialog": {"dialogId": "{dialog}", "state": "CLOSE"},
        },
    ],
    ids=["conversation", "dialog"],
)
def test_close(api, rows, field, in_array):
    """A closed conversation takes no message, spends no sequence on it, and cannot be closed."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    closing = closing_of(conversation)
    field = json.loads(json.dumps(field).replace("{dialog}", conversation))
    closing["body"]["conversationField"] = [field] if in_array else field
    assert api.send(tokens, message(conversation)).json == ok(sequence=0)
    answer = api.send(tokens, closing)
    assert (answer.status_code, answer.json) == (200, RESOLVED)
    before = rows()
    for request in (message(conversation), closing):
        answer = api.send(tokens, request)
        assert (answer.status_code, answer.json) == (400, refused("the conversation is closed"))
    assert rows() == before
    assert api.opened(tokens) != conversation


def test_a_dialog_that_is_not_there(api, rows):
    """A DialogChange names a dialog: another one, and that of another conversation, is refused."""
    tokens, others = api.someone(), api.someone()
    conversation, other = api.opened(tokens), api.opened(others)
    before = rows()
    for dialog in ("e4475441-46ec-4d7f-baa8-4503b6dcf4b4", other, conversation.upper()):
        closing = closing_of(conversation)
        closing["body"]["conversationField"] = {
            "field": "DialogChange",
            "type": "UPDATE",
            "dialog": {"dialogId": dialog, "state": "CLOSE"},
        }
        answer = api.send(tokens, closing)
        assert (answer.status_code, answer.json) == (400, refused("there is no such dialog"))
    assert rows() == before
    assert api.send(tokens, message(conversation)).json == ok(sequence=0)


@pytest.mark.parametrize("in_array", [False, True], ids=["one", "array"])
@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (RATING, {"csat": {name: RATING[name] for name in RATING if name != "field"}}),
        (
            {"field": "TTRField", "ttrType": "URGENT", "value": 300},
            {"ttr": {"ttrType": "URGENT", "value": 300}},
        ),
        (
            {"field": "TTRField", "ttrType": "PRIORITIZED"},
            {"ttr": {"ttrType": "PRIORITIZED", "value": 600}},
        ),
        ({"field": "Skill", "type": "UPDATE", "skill": "3848332110"}, {"skillId": "3848332110"}),
        ({"field": "Skill", "type": "REMOVE"}, {"skillId": "-1"}),
    ],
    ids=["rating", "urgent", "prioritized", "skill", "no skill"],
)
def test_a_change(api, example, change, kept, in_array):
    """Overview, and Messaging Window API: a rating, the time to respond or the skill; the field is
    an object or an array, and the conversation stays open."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    field = [change] if in_array else change
    body = {"conversationId": conversation, "conversationField": field}
    answer = api.send(tokens, asking("cm.UpdateConversationField", body, id=5))
    assert answer.status_code == 200
    assert answer.json == ok("5", msg="OK Conversation updated successfully")
    with example.app_context():
        fields = json.loads(db.session.get(Conversation, conversation).fields)
    start = {"skillId": "-1", "ttr": {"ttrType": "NORMAL", "value": 3600}}
    assert fields == {**start, **kept}
    assert api.send(tokens, message(conversation)).json == ok(sequence=0)


def test_participants(api, example):
    """Messaging Agent API: an agent joins and leaves; the changes of a transfer are an array."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    who = {"field": "ParticipantsChange", "userId": "qa1.38", "role": "ASSIGNED_AGENT"}
    joined = {**who, "type": "ADD"}
    transfer = [{**who, "type": "REMOVE"}, {"field": "Skill", "type": "UPDATE", "skill": "38"}]
    agents = []
    for field in (joined, joined, transfer):
        body = {"conversationId": conversation, "conversationField": field}
        answer = api.send(tokens, asking("cm.UpdateConversationField", body))
        assert answer.status_code == 200
        with example.app_context():
            row = db.session.get(Conversation, conversation)
            agents.append((json.loads(row.agents), json.loads(row.fields)["skillId"]))
    agent = [{"id": "qa1.38", "role": "ASSIGNED_AGENT"}]
    assert agents == [(agent, "-1"), (agent, "-1"), ([], "38")]


def test_a_rating_of_a_closed_conversation(api, rows):
    """Messaging Window API: the survey follows the end. Nothing else changes any more."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert api.send(tokens, closing_of(conversation)).json == RESOLVED
    body = {"conversationId": conversation, "conversationField": [RATING]}
    assert api.send(tokens, asking("cm.UpdateConversationField", body)).status_code == 200
    before = rows()
    body["conversationField"].append({"field": "TTRField", "ttrType": "NORMAL"})
    answer = api.send(tokens, asking("cm.UpdateConversationField", body))
    assert (answer.status_code, answer.json) == (400, refused("the conversation is closed"))
    assert rows() == before


def test_a_profile_by_send(api, example):
    """Send: "set user profile (send SDEs)", with the SDEs of the page Conversation."""
    tokens = api.someone()
    api.opened(tokens)
    info = {"type": "ctmrinfo", "info": {"socialId": "1234567890", "ctype": "vip"}}
    name = {"firstname": "John", "lastname": "Doe", "gender": "MALE"}
    sdes = {"authenticatedData": {"lp_sdes": [info, {"type": "personal", "personal": name}]}}
    assert api.send(tokens, asking("userprofile.SetUserProfile", sdes)).json == PROFILE_SET
    with example.app_context():
        consumer = db.session.get(Consumer, claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"])
        assert json.loads(consumer.profile) == sdes


def test_a_first_message(api, rows):
    """Conversation: "at least two" requests; events after them are the first of the conversation,
    whose dialog nobody can name yet."""
    tokens = api.someone()
    hello = message("")
    del hello["body"]["dialogId"]
    bodies = [*opening(ACCOUNT), {**hello, "id": "3,"}, {**hello, "id": 4}]
    named = [*opening(ACCOUNT), {**message("e4475441-46ec-4d7f-baa8-4503b6dcf4b4"), "id": 3}]
    before = rows()
    why = "dialogId is not known before the conversation is open"
    assert api.create(tokens, named).json == [refused(why, "3")]
    assert rows() == before
    answer = api.create(tokens, bodies)
    assert answer.status_code == 200
    assert answer.json[2:] == [ok("3,", sequence=0), ok("4", sequence=1)]
    conversation = answer.json[1]["body"]["conversationId"]
    assert api.send(tokens, message(conversation)).json == ok(sequence=2)


def test_one_open_conversation(api):
    """The profile of a second request is set, and the conversation refused: 400 for the whole. A
    client reads the id of the consumer from the text."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    consumer = claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"]
    for _ in range(2):
        answer = api.create(tokens)
        assert answer.status_code == 400
        why = f"User {consumer} already has an open conversation"
        assert answer.json == [PROFILE_SET, refused(why, "2")]
        assert re.search(r"User (\w+) already", why)[1] == consumer
    assert api.send(tokens, message(conversation)).json == ok(sequence=0)
    assert api.send(tokens, closing_of(conversation)).json == RESOLVED
    assert api.create(tokens).status_code == 200


@pytest.mark.parametrize("v", ["", "2", "3.0", "03"])
def test_another_version(api, v):
    """Release notes: 404 when v is not 3; but the tokens are judged first."""
    tokens = api.someone()
    for call, body in ((api.create, None), (api.send, message(api.opened(api.someone())))):
        answer = call(tokens, body, v)
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
        assert_row(call({}, body, v), 40105)
    assert api.create(tokens, None, "3").status_code == 200


def test_the_four_errors(api):
    """Rows 40102 to 40105 on both calls, byte for byte, before the body is looked at."""
    tokens = api.someone()
    app_jwt, consumer_jws = tokens.values()
    conversation = api.opened(tokens)
    for call in (api.create, api.send):
        for body in (b"{", message(conversation), opening(ACCOUNT)):
            assert_row(call(headers(None, consumer_jws), body), 40105)
            assert_row(call(headers("nonsense", consumer_jws), body), 40102)
            assert_row(call(headers(consumer_jws, consumer_jws), body), 40102)
            assert_row(call(headers(app_jwt), body), 40104)
            assert_row(call(headers(app_jwt, "nonsense"), body), 40103)
            assert_row(call(headers(app_jwt, app_jwt), body), 40103)
    assert api.send(tokens, message(conversation)).json == ok(sequence=0)


def test_an_app_jwt_without_the_scope(api, example):
    """Row 40102: the Send API requires the scope msg.consumer."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    with example.app_context():
        issuer = current_issuer()
    for scope, status in (("other", 401), ("other msg.consumer", 200)):
        app_jwt = issuer.app_jwt(aud=ACCOUNT, scope=scope)
        answer = api.send({**tokens, "Authorization": app_jwt}, message(conversation))
        assert answer.status_code == status
        if status == 401:
            assert_row(answer, 40102)


def test_another_consumers_conversation(api, example, rows):
    """Row 40103, byte for byte: of another consumer, and of another account."""
    owner = api.someone()
    conversation = api.opened(owner)
    other_account = api_of(example, OTHER_ACCOUNT)
    for stranger in (api, other_account):
        tokens = stranger.someone()
        stranger.opened(tokens)
        before = rows()
        for request in (message(conversation), closing_of(conversation)):
            assert_row(stranger.send(tokens, request), 40103)
        assert rows() == before
    mixed = {**owner, "Authorization": other_account.app_jwt}
    assert_row(api.send(mixed, message(conversation)), 40102)
    assert_row(other_account.send(mixed, message(conversation)), 40103)
    assert api.send(owner, message(conversation)).json == ok(sequence=0)


def test_a_consumer_that_the_database_does_not_know(api, example):
    """Row 40103: a token of a deleted consumer, though its signature is good."""
    tokens = api.someone()
    deleted = claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"]
    with example.app_context():
        db.session.execute(delete(Consumer).filter_by(lp_consumer_id=deleted))
        db.session.commit()
    assert_row(api.create(tokens), 40103)
    assert api.create(api.someone()).status_code == 200


def test_what_was_said_is_kept(api, example):
    """Each message is a row of its conversation, as JSON."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    sent = [message(conversation, message=text) for text in ("Grüße", "\0", "\ud800")]
    for request in sent:
        assert api.send(tokens, request).status_code == 200
    with example.app_context():
        query = select(Message.sequence, Message.body).filter_by(conversation_id=conversation)
        kept = {sequence: json.loads(body) for sequence, body in db.session.execute(query)}
    assert kept == {sequence: request["body"] for sequence, request in enumerate(sent)}
