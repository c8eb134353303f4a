"""Malformed requests: 400 in the protocol's shape, and the database does not change."""

import gzip
import json
from urllib.parse import urlencode

import pytest

from tests.support.example_api import (
    ACCOUNT,
    OTHER_ACCOUNT,
    asking,
    closing_of,
    message,
    opening,
)
from tests.support.http_helpers import assert_row

MISSING = object()
PROFILE, CONVERSATION = opening(ACCOUNT)


def put(request, path, value):
    """Return a copy of *request* with *value* at *path*, or without what is there."""
    copy = json.loads(json.dumps(request))
    *way, last = path.split(".")
    holder = copy
    for name in way:
        holder = holder[name]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return copy


NOT_REQUESTS = [
    b"",
    b"{",
    b"\xff\xfe\xff",
    b"[" * 20000,
    b'{"a":' * 10000,
    b'{"kind":"req","id":' + b"9" * 5000 + b',"type":"ms.PublishEvent","body":{}}',
    b"null",
    True,
    7,
    "text",
    [],
    {},
    [[]],
    [None, None],
]
OF_ANY_REQUEST = [
    ("kind", MISSING),
    ("kind", "resp"),
    ("kind", ["req"]),
    ("id", MISSING),
    ("id", None),
    ("id", True),
    ("id", ["1"]),
    ("type", MISSING),
    ("type", 7),
    ("type", ["ms.PublishEvent"]),
    ("type", "ms.AcceptStatusEvent"),
    ("body", MISSING),
    ("body", None),
    ("body", []),
    ("body", "text"),
    ("more", "x" * 5000),
    ("metadata", "text"),
    ("metadata", {}),
]
OF_A_MESSAGE = [
    ("type", "cm.ConsumerRequestConversation"),
    ("body.dialogId", MISSING),
    ("body.dialogId", ""),
    ("body.dialogId", 7),
    ("body.dialogId", ["x"]),
    ("body.dialogId", "e4475441-46ec-4d7f-baa8-4503b6dcf4b4"),
    ("body.dialogId", "\0"),
    ("body.dialogId", "\ud800"),
    ("body.conversationId", "another"),
    ("body.conversationId", None),
    ("body.event", MISSING),
    ("body.event", "text"),
    ("body.event", []),
    ("body.event", {}),
    ("body.event.type", MISSING),
    ("body.event.type", ["ContentEvent"]),
    ("body.event.type", "contentevent"),
    ("body.event.type", "ChatStateEvent"),
    ("body.event.contentType", MISSING),
    ("body.event.contentType", 7),
    ("body.event.message", MISSING),
    ("body.event.message", ""),
    ("body.event.message", {}),
    ("body.event.message", 7),
    ("body.event.message", ["text"]),
    ("body.event.contentType", "hosted/file"),
    ("body.event", {"type": "ContentEvent", "contentType": "hosted/file", "message": {}}),
    ("body.event", {"type": "ChatStateEvent", "chatState": "composing"}),
    ("body.event", {"type": "ChatStateEvent", "chatState": ["GONE"]}),
    ("body.event", {"type": "AcceptStatusEvent", "status": "SEEN", "sequenceList": [0]}),
    ("body.event", {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": []}),
    ("body.event", {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": ["0"]}),
    ("body.event", {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [True]}),
    ("body.event", {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [-1]}),
    ("body.event", {"type": "RichContentEvent", "content": "text"}),
]
DIALOG = {"field": "DialogChange", "type": "UPDATE"}
RATING = {
    "field": "CSATRate",
    "csatRate": 5,
    "csatResolutionConfirmation": True,
    "status": "FILLED",
}
OF_A_CLOSING = [
    ("body.conversationId", MISSING),
    ("body.conversationId", "e4475441-46ec-4d7f-baa8-4503b6dcf4b4"),
    ("body.conversationId", {}),
    ("body.conversationField", MISSING),
    ("body.conversationField", "CLOSE"),
    ("body.conversationField", {}),
    ("body.conversationField.conversationState", MISSING),
    ("body.conversationField.conversationState", "OPEN"),
    ("body.conversationField.conversationState", ["CLOSE"]),
    *(
        ("body.conversationField", change)
        for change in (
            [],
            ["CLOSE"],
            [{"field": "ConversationStateField", "conversationState": "CLOSE"}, {}],
            {"field": "Topic", "topic": "x"},
            {"field": ["CSATRate"]},
            {**DIALOG, "dialog": {"state": "CLOSE"}},
            {**DIALOG, "dialog": {"dialogId": 7, "state": "CLOSE"}},
            {**DIALOG, "dialog": {"dialogId": "x", "state": "OPEN"}},
            {**DIALOG, "dialog": {"dialogId": "x", "state": "CLOSE", "closedCause": 7}},
            {**DIALOG, "type": "REMOVE", "dialog": {"dialogId": "x", "state": "CLOSE"}},
            {**RATING, "csatRate": 0},
            {**RATING, "csatRate": 6},
            {**RATING, "csatRate": True},
            {**RATING, "csatRate": "5"},
            {**RATING, "csatResolutionConfirmation": 1},
            {**RATING, "csatResolutionConfirmation": None},
            {**RATING, "status": "EMPTY"},
            {"field": "TTRField", "ttrType": "CUSTOM"},
            {"field": "TTRField", "ttrType": "URGENT", "value": 0},
            {"field": "TTRField", "ttrType": "URGENT", "value": "300"},
            {"field": "TTRField", "ttrType": None, "value": 300},
            {"field": "Skill", "type": "UPDATE", "skill": "any"},
            {"field": "Skill", "type": "UPDATE"},
            {"field": "Skill", "type": "ADD", "skill": "1"},
            {"field": "ParticipantsChange", "type": "ADD", "userId": "x", "role": "CONSUMER"},
            {"field": "ParticipantsChange", "type": "ADD", "role": "READER"},
        )
    ),
]
OF_AN_OPENING = [
    ("body.skillId", "12345678901"),
    ("body.skillId", -2),
    ("body.skillId", 1.5),
    ("body.skillId", True),
    ("body.skillId", "any"),
    ("body.skillId", ["1"]),
    ("skillId", "any"),
    ("body.ttrDefName", "normal"),
    ("body.ttrDefName", ["NORMAL"]),
    ("body.channelType", "CHAT"),
    ("body.channelType", None),
    ("body.campaignInfo", "campaign"),
    ("body.conversationContext", ["SharkContext"]),
]
FIRST = put(message("x"), "body.dialogId", MISSING)
BAD_OPENINGS = [
    [PROFILE],
    [CONVERSATION],
    [CONVERSATION, PROFILE],
    [PROFILE, CONVERSATION, PROFILE],
    *([PROFILE, CONVERSATION, put(FIRST, *change)] for change in OF_ANY_REQUEST),
    [PROFILE, CONVERSATION, FIRST, put(FIRST, "body.event", {})],
    [PROFILE, CONVERSATION, put(FIRST, "body.dialogId", "e4475441-46ec-4d7f-baa8-4503b6dcf4b4")],
    {"0": PROFILE, "1": CONVERSATION},
    PROFILE,
    *([put(PROFILE, *change), CONVERSATION] for change in OF_ANY_REQUEST),
    *([PROFILE, put(CONVERSATION, *change)] for change in OF_ANY_REQUEST),
    [PROFILE, put(CONVERSATION, "body.brandId", MISSING)],
    [PROFILE, put(CONVERSATION, "body.brandId", OTHER_ACCOUNT)],
    [PROFILE, put(CONVERSATION, "body.brandId", 81823118)],
    [PROFILE, put(CONVERSATION, "body.brandId", [ACCOUNT])],
    *([PROFILE, put(CONVERSATION, *change)] for change in OF_AN_OPENING),
]


@pytest.fixture
def check(api, rows):
    """Return a function that checks that a body is refused, and refused without a trace."""

    def check(call, tokens, body):
        before = rows()
        answer = call(tokens, body)
        assert answer.status_code == 400
        assert answer.headers.getlist("Content-Type") == ["application/json"]
        # The answer to CONVERSATION is an array, whichever request is wrong.
        assert isinstance(answer.json, list) == (call == api.create)
        [refusal] = answer.json if call == api.create else [answer.json]
        assert refusal["code"] == "BAD_REQUEST"
        assert refusal["body"]["msg"]
        assert rows() == before

    return check


def named(change):
    """Return the test id of a change, or of a body."""
    return repr("missing" if change is MISSING else change)[:40]


@pytest.mark.parametrize(("path", "value"), [*OF_ANY_REQUEST, *OF_A_MESSAGE], ids=named)
def test_a_malformed_message(api, check, path, value):
    """Send: no member may be missing or of a wrong type; a sequence is not spent on it."""
    tokens = api.someone()
    request = message(api.opened(tokens))
    check(api.send, tokens, put(request, path, value))
    assert api.send(tokens, request).json["body"] == {"sequence": 0}


@pytest.mark.parametrize(("path", "value"), [*OF_ANY_REQUEST, *OF_A_CLOSING], ids=named)
def test_a_malformed_closing(api, check, path, value):
    """Send: without CLOSE, no conversation is closed."""
    tokens = api.someone()
    request = closing_of(api.opened(tokens))
    check(api.send, tokens, put(request, path, value))
    assert api.send(tokens, request).status_code == 200


@pytest.mark.parametrize("body", NOT_REQUESTS, ids=named)
def test_no_request_at_all(api, check, body):
    """Create and send: a body that is not JSON, or not the required object or array."""
    tokens = api.someone()
    check(api.create, tokens, body)
    check(api.send, tokens, body)
    assert api.create(tokens).status_code == 200


@pytest.mark.parametrize("body", BAD_OPENINGS, ids=range(len(BAD_OPENINGS)))
def test_a_malformed_opening(api, check, body):
    """Conversation: both requests are mandatory and their order matters; neither is done alone."""
    tokens = api.someone()
    check(api.create, tokens, body)
    assert api.create(tokens).status_code == 200


def test_the_longest_request(api, check):
    """How-to guide: a request object of 5000 characters is taken, one of 5001 is not."""
    tokens = api.someone()
    request = message(api.opened(tokens), message="")
    room = 5000 - len(json.dumps(request, separators=(",", ":")))
    longest = put(request, "body.event.message", "ü" * room)
    check(api.send, tokens, put(longest, "body.event.message", "ü" * (room + 1)))
    assert api.send(tokens, longest).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4400])
def test_a_number_that_is_none(api, check, number):
    """RFC 8259 section 6: what JSON has no number for, or Python none, is not kept."""
    tokens = api.someone()
    text = json.dumps(message(api.opened(tokens), message={"a": "?"}))
    check(api.send, tokens, text.replace('"?"', number).encode())
    assert api.send(tokens, text.replace('"?"', "1e99").encode()).status_code == 200


def test_deep_nesting(api, check):
    """RFC 8259 section 9: a hundred levels are taken, and no more, however many there are."""
    tokens = api.someone()
    text = json.dumps(message(api.opened(tokens), message={"a": "?"}))
    # Request, body, event and message are the first four.
    for depth in (97, 98, *range(700, 1000, 50), 2200):
        check(api.send, tokens, text.replace('"?"', "[" * depth + "]" * depth).encode())
        check(api.send, tokens, text.replace('"?"', '{"a":' * depth + "1" + "}" * depth).encode())
    for depth in (1, 96):
        nested = text.replace('"?"', "[" * depth + "]" * depth)
        assert api.send(tokens, nested.encode()).status_code == 200


def test_the_preview_of_a_file(api, check):
    """Send API Examples: it may have nearly 30 KB, and does not count as the request does."""
    tokens = api.someone()
    wanted = asking("ms.GenerateURLForUploadFile", {"fileSize": "1", "fileType": "PNG"})
    path = api.send(tokens, wanted).json["body"]["relativePath"]
    file = {"caption": "", "relativePath": path, "fileType": "PNG", "preview": "x" * 29000}
    request = message(api.opened(tokens), contentType="hosted/file", message=file)
    check(api.send, tokens, put(request, "body.event.message.preview", "x" * 30000))
    check(api.send, tokens, put(request, "body.event.message.caption", "x" * 5000))
    check(api.send, tokens, put(request, "body.event.message.relativePath", path[:-1]))
    check(api.send, api.someone(), put(request, "body.event.message.relativePath", path))
    assert api.send(tokens, request).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_a_wrong_content_type(api, rows, kind):
    """RFC 9110 section 15.5.16: 415 in the protocol's shape; JSON is taken with any parameter."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    before = rows()
    for call, body in (
        (api.send, message(conversation)),
        (api.create, opening(ACCOUNT)),
        (lambda tokens, body: api.post(f"/api/account/{ACCOUNT}/consumer", body, tokens), {}),
    ):
        answer = call({**tokens, "Content-Type": kind}, body)
        assert answer.status_code == 415
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert rows() == before
    for kind in ("application/json;charset=utf-8", "Application/JSON", ""):
        sent = {**tokens, "Content-Type": kind}
        assert api.send(sent, message(conversation)).status_code == 200


def test_a_compressed_body(api, rows):
    """RFC 9110 sections 12.5.3 and 15.5.16: 415, with what is accepted, as soon as a body is read:
    the tokens are judged first."""
    tokens, form = api.someone(), {"grant_type": "client_credentials", **api.credentials}
    conversation, encoded = api.opened(tokens), {"Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(message(conversation)).encode())
    before = rows()
    token = f"/sentinel/api/account/{ACCOUNT}/app/token"
    for answer in (
        api.send({**tokens, **encoded}, body),
        api.create({**tokens, **encoded}, gzip.compress(b"[]")),
        api.post(f"/api/account/{ACCOUNT}/consumer", body, {**tokens, **encoded}),
        api.post(f"/api/account/{ACCOUNT}/login", body, encoded),
        api.transport("POST", f"{token}?{urlencode(form)}", encoded, gzip.compress(b"v=1.0")),
    ):
        assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
        assert answer.json == {
            "code": "UNSUPPORTED_MEDIA_TYPE",
            "body": {"msg": "The body must not be compressed"},
        }
    assert_row(api.send(encoded, body), 40105)
    assert rows() == before
    assert api.send({**tokens, "Content-Encoding": "identity"}, message(conversation)).json


def test_a_huge_body(api, rows):
    """RFC 9110 section 15.5.14: 413 before the body is read, in the protocol's shape."""
    tokens = api.someone()
    before = rows()
    answer = api.send(tokens, b" " * 65537)
    assert (answer.status_code, answer.json["code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")
    assert rows() == before
