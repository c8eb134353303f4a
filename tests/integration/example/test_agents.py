"""The agent's side: the login and the list of apps that the demo client requests, and the desk."""

from urllib.parse import urlencode

import pytest

from tests.support.example_api import (
    ACCOUNT,
    OTHER_ACCOUNT,
    api_of,
    asking,
    claims,
    closing_of,
    message,
)
from tests.support.example_desk import Desk, credentials, login
from tests.support.http_helpers import assert_row

FILE = {"caption": "A dot", "relativePath": "/v1/x.png", "fileType": "GIF", "preview": ""}
WRONG = {"code": "UNAUTHORIZED", "body": {"msg": "The name or the password is wrong."}}


@pytest.fixture(scope="module")
def desk(example):
    """That of the account."""
    return Desk(example)


def test_a_session(api, example):
    """200, with a bearer and all that the demo client takes hosts and ids from."""
    answer = login(api, credentials(example))
    assert answer.status_code == 200
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    session = answer.json
    assert set(session) == {"bearer", "sessionTTl", "config", "csdsCollectionResponse"}
    assert session["sessionTTl"] == "3600"
    said = claims(session["bearer"])
    user = session["config"]["userId"]
    assert session["config"] == {"loginName": "agent", "userId": user, "isAdmin": True}
    assert (said["aud"], said["azp"], said["scope"]) == (ACCOUNT, user, "agent")
    hosts = api.get(f"/api/account/{ACCOUNT}/service/baseURI").json
    assert session["csdsCollectionResponse"] == hosts


@pytest.mark.parametrize(
    "change",
    [
        {"username": "another"},
        {"password": "wrong"},
        {"password": ""},
        {"password": "\ud800"},
        {"password": None},
        {"password": ["x"]},
        {"username": 7},
    ],
    ids=str,
)
def test_a_wrong_password(api, example, change):
    """401 in the protocol's shape, whichever of the two it is."""
    good = credentials(example)
    answer = login(api, {**good, **change})
    assert (answer.status_code, answer.json) == (401, WRONG)
    assert login(api, good).status_code == 200


@pytest.mark.parametrize("body", [[], "text", None, {}], ids=str)
def test_no_password_at_all(api, body):
    """401; what is not JSON is 400, as everywhere."""
    assert login(api, body).json == WRONG
    assert login(api, b"{").status_code == 400


def test_an_agent_of_another_account(api, example):
    """A password is valid for one account only; an unknown account has no agent."""
    assert api_of(example, OTHER_ACCOUNT).app_jwt
    assert login(api, credentials(example, OTHER_ACCOUNT)).json == WRONG
    answer = api.post("/api/account/qa404/login", credentials(example), {})
    assert (answer.status_code, answer.json) == (401, WRONG)


def test_the_apps_of_the_account(api, desk):
    """All apps, or one by its id, with the secret: for the demo client's event stream."""
    path = f"/api/account/{ACCOUNT}/configuration/app-install/installations"
    [one] = api.transport("GET", f"{path}?v=1.0", desk.bearer, b"").json
    assert one.items() >= api.credentials.items()
    path = f"{path}/{one['client_id']}?v=1.0"
    assert api.transport("GET", path, desk.bearer, b"").json == one
    answer = api.transport("GET", path.replace("?", "x?"), desk.bearer, b"")
    assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")


def test_who_may_not_see_the_apps(api, example):
    """Rows 40105 and 40102: no session, the AppJWT of an app, the session of another account."""
    other = Desk(example, OTHER_ACCOUNT).bearer
    path = f"/api/account/{ACCOUNT}/configuration/app-install/installations"
    for url in (path, f"{path}/{api.credentials['client_id']}"):
        for sent, row in (({}, 40105), ({"Authorization": api.app_jwt}, 40102), (other, 40102)):
            assert_row(api.transport("GET", url, sent, b""), row)


def test_a_session_is_no_app(api, desk):
    """Row 40102: the bearer of an agent gets no ConsumerJWS and sends nothing."""
    bearer = desk.bearer["Authorization"]
    assert_row(api.consumer({"ext_consumer_id": "x"}, bearer), 40102)
    tokens = api.someone()
    request = message(api.opened(tokens))
    assert_row(api.send({**tokens, **desk.bearer}, request), 40102)
    assert api.send(tokens, request).status_code == 200


def test_an_answer(api, desk):
    """Messages of agent and consumer share one sequence, and are read back in that order."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert api.send(tokens, message(conversation)).json["body"] == {"sequence": 0}
    assert desk.say(conversation, {"message": "Grüße"}).json == {"sequence": 1}
    answer = desk.say(conversation, {"message": "Bye", "role": "MANAGER"})
    assert (answer.status_code, answer.json) == (200, {"sequence": 2})
    assert api.send(tokens, message(conversation)).json["body"] == {"sequence": 3}
    shown = desk.open_conversations()[conversation]
    assert shown["consumer"] == claims(tokens["X-LP-ON-BEHALF"])["ext_consumer_id"]
    assert [(each["sequence"], each["role"]) for each in shown["messages"]] == [
        (0, "CONSUMER"),
        (1, "ASSIGNED_AGENT"),
        (2, "MANAGER"),
        (3, "CONSUMER"),
    ]
    assert [each["event"]["message"] for each in shown["messages"]][1:3] == ["Grüße", "Bye"]


def test_the_agent_closes(api, desk):
    """A closed conversation takes no more messages, and the consumer may open another one."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert desk.close(conversation).status_code == 200
    for answer in (
        desk.close(conversation),
        desk.say(conversation, {"message": "x"}),
        api.send(tokens, message(conversation)),
        api.send(tokens, closing_of(conversation)),
    ):
        assert (answer.status_code, answer.json["body"]) == (
            400,
            {"msg": "the conversation is closed"},
        )
    assert conversation not in desk.open_conversations()
    assert api.opened(tokens) in desk.open_conversations()


def test_what_else_an_agent_does(api, desk):
    """Typing has no sequence; reading, rich content and a message for agents alone have one. The
    first of them takes the conversation."""
    conversation = api.opened(api.someone())
    read = {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]}
    rich = {"type": "RichContentEvent", "content": {"type": "vertical", "elements": []}}
    secret = {"message": "Who knows?", "messageAudience": "AGENTS_AND_MANAGERS"}
    origin = [{"type": "ExternalId", "id": "1"}]
    typing = {"type": "ChatStateEvent", "chatState": "COMPOSING"}
    assert desk.say(conversation, {"event": typing}).json == {}
    details = desk.open_conversations()[conversation]["details"]
    assert [who["role"] for who in details["participants"]] == ["CONSUMER", "ASSIGNED_AGENT"]
    sent = ({"event": read}, {"event": rich, "metadata": origin}, secret)
    answers = [desk.say(conversation, body).json for body in sent]
    assert answers == [{"sequence": number} for number in range(3)]
    shown = desk.open_conversations()[conversation]["messages"]
    assert [each["event"] for each in shown[:2]] == [read, rich]
    assert [each["metadata"] for each in shown] == [[], origin, []]
    assert [each["messageAudience"] for each in shown] == ["ALL", "ALL", "AGENTS_AND_MANAGERS"]


def test_files_from_both_sides(api, desk):
    """An agent sends a file that the consumer gets, and gets one that the consumer has sent."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    wanted = {"fileType": "GIF", "fileSize": "3"}

    def exchange(answer, send, find):
        """Put a file to the place in *answer*, send it, find it, and return its bytes."""
        place = answer.json.get("body", answer.json)
        url = f"{place['relativePath']}?{urlencode(place['queryParams'])}"
        assert api.transport("PUT", url, {}, b"GIF").status_code == 201
        file = {**FILE, "relativePath": place["relativePath"]}
        event = {"type": "ContentEvent", "contentType": "hosted/file", "message": file}
        assert send(event).status_code == 200
        found = find(place["relativePath"]).json
        found = found.get("body", found)
        return api.get(f"{found['relativePath']}?{urlencode(found['queryParams'])}").data

    def download(path):
        request = asking("ms.GenerateURLForDownloadFile", {"relativePath": path})
        return api.send(tokens, request)

    place = desk.new_file(conversation, wanted)
    assert (
        exchange(place, lambda event: desk.say(conversation, {"event": event}), download) == b"GIF"
    )
    place = api.send(tokens, asking("ms.GenerateURLForUploadFile", wanted))
    send = lambda event: api.send(tokens, message(conversation, **event))  # noqa: E731
    assert exchange(place, send, lambda path: desk.file(conversation, path)) == b"GIF"


def test_a_file_of_another_consumer(api, desk):
    """404 at the desk too: a file belongs to one consumer. Its size is checked as for consumers."""
    conversation, other = (api.opened(api.someone()) for _ in range(2))
    path = desk.new_file(conversation, {"fileType": "PNG", "fileSize": 1}).json["relativePath"]
    assert desk.file(conversation, path).status_code == 200
    for answer in (desk.file(other, path), desk.file(conversation, f"{path}x")):
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
    assert desk.new_file(conversation, {"fileType": "PNG", "fileSize": 0}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        [],
        {},
        {"message": ""},
        {"message": 7},
        {"message": "x" * 5001},
        {"message": "x", "role": "CONSUMER"},
        {"message": "x", "role": ["READER"]},
        {"message": "x", "messageAudience": "CONSUMER"},
        {"message": "x", "metadata": {}},
        {"event": {}},
        {"event": None, "message": "x"},
        {"event": {"type": "ChatStateEvent", "chatState": "SINGING"}},
        {"event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": []}},
        {"event": {"type": "ContentEvent", "contentType": "hosted/file", "message": FILE}},
    ],
    ids=lambda body: str(body)[:20],
)
def test_a_malformed_answer(api, desk, rows, body):
    """400 in the protocol's shape, and no message is added."""
    conversation = api.opened(api.someone())
    before = rows()
    answer = desk.say(conversation, body)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert rows() == before
    assert desk.say(conversation, {"message": "x" * 5000}).json == {"sequence": 0}


def test_a_conversation_that_is_not_the_agents(api, example, desk, rows):
    """404 for one that is not there, and for one of another account; 40102 for an app."""
    other = api_of(example, OTHER_ACCOUNT)
    theirs, ours = other.opened(other.someone()), api.opened(api.someone())
    before = rows()
    for conversation in (theirs, "none", "%00"):
        for answer in (
            desk.say(conversation, {"message": "x"}),
            desk.close(conversation),
            desk.new_file(conversation, {"fileType": "PNG", "fileSize": 1}),
            desk.file(conversation, "/v1/x.png"),
        ):
            assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
    assert theirs not in desk.open_conversations()
    for path in (f"{desk.path}/{ours}{end}" for end in ("", "/files", "/close")):
        assert_row(api.post(path, {"message": "x"}, {"Authorization": api.app_jwt}), 40102)
        assert_row(api.post(path, {"message": "x"}, {}), 40105)
    assert_row(api.get(desk.path), 40105)
    assert rows() == before
