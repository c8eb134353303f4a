"""The requests of each public client, sent to both listeners, and how it reads the answers.

Each client starts with the look-up, under the name of the real service, and uses its answer.
"""

import json
import re
import socket
import ssl
from contextlib import closing
from http.client import HTTPConnection
from uuid import uuid4

import pytest
from authlib.oauth1 import ClientAuth

from example_app import knobs
from example_app.sentinel import app_install
from tests.support.concurrent_calls import at_once
from tests.support.example_api import ACCOUNT, api_of, claims
from tests.support.example_desk import Desk, credentials
from tests.support.example_hook import endpoint
from tests.support.http_helpers import ROWS
from tests.support.public_clients import CLIENTS, JSON, ONE

BY_NAME = {client.name: client for client in CLIENTS}
#: The two that the library of the strictest client takes for JSON, compared as whole texts.
JSON_TYPES = ("application/json", "application/json;charset=utf-8")
SERVICES = {"sentinel": "sentinel", "idp": "idp", "asyncMessagingEnt": "msg"}


class Session:
    """One client, and what it has learnt."""

    def __init__(self, both, client):
        self.both = both
        self.client = client
        self.context = ssl.create_default_context(cafile=str(both.certificate.ca))
        with both.app.app_context():
            install = app_install()
        self.values = {
            "account": ACCOUNT,
            "client_id": install.client_id,
            "client_secret": install.client_secret,
        }
        self.hosts = {}
        self.tokens = {}
        self.conversation = ""

    def ask(self, method, host, path, headers, body="", secure=True):
        """Return status and JSON value, read as the client's library does."""
        port = self.both.tls_port if secure else self.both.port
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
            if secure:
                # Under its own name, as where only the address was redirected.
                name = host.partition(":")[0]
                connection.sock = self.context.wrap_socket(connection.sock, server_hostname=name)
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent = body.encode()
            for name, value in {"Host": host, **headers, "Content-Length": len(sent)}.items():
                connection.putheader(name, str(value).format(**self.values))
            connection.endheaders(sent)
            answer = connection.getresponse()
            kind = answer.headers["Content-Type"].replace(" ", "")
            assert kind in JSON_TYPES
            return answer.status, json.loads(answer.read()), answer.headers

    def look_up(self):
        """Learn the hosts."""
        client = self.client
        for service in SERVICES:
            own = f"127.0.0.1:{self.both.tls_port}"
            self.hosts[service] = client.host.format(service=SERVICES[service]) or own
        if not client.lookup:
            return
        for service in SERVICES if client.lookup == ONE else [""]:
            path = client.lookup.format(service=service, **self.values)
            status, value, _ = self.ask(
                "GET", client.lookup_host, path, client.more, secure=client.secure
            )
            assert status == 200
            entries = [value] if service else value["baseURIs"]
            names = [entry["service"] for entry in entries]
            assert len(set(names)) == len(names)
            assert {entry["account"] for entry in entries} == {ACCOUNT}
            self.hosts |= {entry["service"]: entry["baseURI"] for entry in entries}

    def get_app_jwt(self):
        """Ask Sentinel."""
        path, kind, body = (part.format(**self.values) for part in self.client.token)
        headers = {**self.client.more, **({"Content-Type": kind} if kind else {})}
        status, value, _ = self.ask("POST", self.hosts["sentinel"], path, headers, body)
        assert status == 200
        assert value["token_type"] == "Bearer"
        said = claims(value["access_token"])
        assert value["expires_in"] == said["exp"] - said["iat"] == 3600
        self.tokens[self.client.app_header] = value["access_token"]

    def get_consumer_jws(self):
        """Ask IDP, with the bare AppJWT."""
        client = self.client
        headers = {
            **client.more,
            client.idp_header: self.tokens[client.app_header],
            "Content-Type": JSON,
        }
        body = json.dumps({"ext_consumer_id": str(uuid4())})
        path = client.idp.format(**self.values)
        status, value, _ = self.ask("POST", self.hosts["idp"], path, headers, body)
        assert status == 201
        said = claims(value["token"])
        assert re.fullmatch("[0-9a-f]{64}", said["lp_consumer_id"])
        assert "exp" not in said
        self.tokens[client.consumer_header] = value["token"]

    def call(self, path, value):
        """Call the Send API."""
        headers = {**self.client.more, "Content-Type": JSON, **self.tokens}
        headers |= {name: v.replace("{", "{{").replace("}", "}}") for name, v in self.sending()}
        path = f"/api/account/{ACCOUNT}/messaging/consumer/conversation{path}?v=3"
        body = json.dumps(value, ensure_ascii=False)
        return self.ask("POST", self.hosts["asyncMessagingEnt"], path, headers, body)

    def sending(self):
        """Return the further headers of the Send API."""
        return self.client.sending.items()

    def open(self):
        """Create a conversation, and read its id in each way that a client does."""
        client, (first, second) = self.client, self.client.ids()
        opening = {"brandId": ACCOUNT, **client.opening}
        status, answers, _ = self.call(
            "",
            [
                request(first, "userprofile.SetUserProfile", client.profile),
                {**request(second, "cm.ConsumerRequestConversation", opening), **client.beside},
            ],
        )
        assert status == 200
        assert [set(answer) for answer in answers] == [{"code", "body", "reqId"}] * 2
        assert [answer["reqId"] for answer in answers] == [str(first), str(second)]
        assert [answer["code"] for answer in answers] == ["OK", "OK"]
        assert answers[0]["body"] == {"msg": "OK User Profile set successfully"}
        [by_id] = [answer for answer in answers if answer["reqId"] == str(second)]
        assert answers[1] == by_id
        self.conversation = by_id["body"]["conversationId"]
        assert re.fullmatch("[A-Za-z0-9._:-]{1,256}", self.conversation)
        assert by_id["body"]["dialogId"] == self.conversation

    def publish(self, event=None):
        """Publish an event; return status and body of the answer."""
        body = {"dialogId": self.conversation, "event": event or dict(self.client.event)}
        if self.client.names_conversation:
            body["conversationId"] = self.conversation
        asked = self.client.ids()[0]
        status, answer, _ = self.call("/send", request(asked, "ms.PublishEvent", body))
        if status == 200:
            assert (answer["code"], answer["reqId"]) == ("OK", str(asked))
        return status, answer["body"]

    def close(self):
        """Close the conversation."""
        field = json.loads(json.dumps(self.client.closing).replace("{dialog}", self.conversation))
        body = {"conversationId": self.conversation, "conversationField": field}
        return self.call("/send", request("5", "cm.UpdateConversationField", body))

    def begin(self):
        """Do all up to a conversation."""
        self.look_up()
        self.get_app_jwt()
        self.get_consumer_jws()
        self.open()


def request(number, action, body):
    """Return a request object."""
    return {"kind": "req", "id": number, "body": body, "type": action}


@pytest.fixture
def session(both):
    """Return a function that returns the session of a client, by its name, with a conversation."""

    def session(name):
        begun = Session(both, BY_NAME[name])
        begun.begin()
        return begun

    return session


@pytest.mark.parametrize("name", BY_NAME)
def test_the_whole_way(session, name):
    """Look-up, both tokens, a conversation, messages numbered from 0, and its end."""
    client = session(name)
    for sequence in range(3):
        status, body = client.publish()
        assert (status, body) == (200, {"sequence": sequence})
    status, answer, _ = client.close()
    assert (status, answer["body"]) == (200, {"msg": "OK Conversation resolved successfully"})
    assert client.publish() == (400, {"msg": "the conversation is closed"})


@pytest.mark.parametrize("name", BY_NAME)
def test_the_tokens_as_bearers(session, name):
    """``token_type`` says Bearer: with the scheme, in any case, the AppJWT is as good as bare."""
    client = session(name)
    bare = client.tokens[client.client.app_header]
    for scheme in ("Bearer", "bearer", "BEARER"):
        client.tokens[client.client.app_header] = f"{scheme} {bare}"
        assert client.publish()[0] == 200


@pytest.mark.parametrize("name", BY_NAME)
def test_the_spelling_of_headers(session, name):
    """RFC 9110 section 5.1: header names have no case."""
    client = session(name)
    for change in (str.lower, str.upper, str.title):
        client.tokens = {change(header): token for header, token in client.tokens.items()}
        assert client.publish()[0] == 200


@pytest.mark.parametrize("name", BY_NAME)
def test_the_order_of_parameters(both, name):
    """A token is got with the parameters of query and body in any order."""
    client = Session(both, BY_NAME[name])
    client.look_up()
    path, kind, body = client.client.token
    path, _, query = path.partition("?")
    query, body = ("&".join(reversed(part.split("&"))) for part in (query, body))
    client.client = type(client.client)(name, token=(f"{path}?{query}", kind, body))
    client.get_app_jwt()


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_client_does_on_a_401(session, name):
    """With an expired token, the status makes the client renew it; new tokens pass at once."""
    client = session(name)
    header = client.client.app_header
    client.tokens[header] = client.tokens[header][:-9]
    status, answer, headers = client.call("/send", {})
    assert status == 401
    assert answer == json.loads(ROWS[40102])
    assert headers["Content-Type"] == "application/json"
    client.get_app_jwt()
    assert client.publish()[0] == 200


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_client_does_on_a_429(session, both, name):
    """Retry-After is in seconds, and at most what the strictest client waits."""
    client = session(name)
    with both.app.app_context():
        knobs.fail("asyncMessagingEnt", 429, 1, 1)
    status, _, headers = client.call("/send", {})
    assert (status, headers["Retry-After"]) == (429, "1")
    assert client.publish() == (200, {"sequence": 0})


def test_ccc_sends_two_at_once(session):
    """It sends a chat state together with each message and does not wait: a refusal ends it."""
    client = session("ccc")
    typing = {"type": "ChatStateEvent", "chatState": "ACTIVE"}

    def both_at_once():
        return client.publish(typing), client.publish()

    answers = at_once(both_at_once, 2)
    assert [state for state, _ in answers] == [(200, {})] * len(answers)
    numbers = sorted(body["sequence"] for _, (_, body) in answers)
    assert numbers == list(range(len(answers)))


def test_demo_shows_the_agents_side(session, both):
    """Login, and then the apps, at the hosts that the answer to the login has."""
    client = session("demo")
    path = f"/api/account/{ACCOUNT}/login?v=1.3"
    body = json.dumps(credentials(both.app))
    status, value, _ = client.ask(
        "POST", client.hosts["agentVep"], path, {"content-type": JSON}, body
    )
    assert status == 200
    assert value["config"]["isAdmin"] is True
    hosts = {
        entry["service"]: entry["baseURI"] for entry in value["csdsCollectionResponse"]["baseURIs"]
    }
    assert hosts == {service: client.hosts[service] for service in hosts}
    path = f"/api/account/{ACCOUNT}/configuration/app-install/installations?v=1.0"
    bearer = {"Authorization": f"Bearer {value['bearer']}"}
    status, apps, _ = client.ask("GET", hosts["accountConfigReadWrite"], path, bearer)
    assert (status, apps[0]["client_secret"]) == (200, client.values["client_secret"])


def test_pgn_gets_no_redirect(session):
    """This client follows no redirect: a path is served as it was sent, or answered with 404."""
    client = session("pgn")
    good = f"/api/account/{ACCOUNT}/service/baseURI"
    assert client.ask("GET", client.hosts["idp"], good, {})[0] == 200
    for path in (
        good.replace("/api", "/api/"),
        f"{good}/",
        good.replace("service", "/service"),
    ):
        assert client.ask("GET", client.hosts["idp"], path, {})[0] == 404


def test_connector_api_opens_twice(session):
    """It matches the text of the refusal, asks msgHist for the open conversation, signed by OAuth
    1.0, and goes on in it: a picture, with the place it asks for, and the end."""
    client = session("connector_api")
    opening = {"brandId": ACCOUNT, **client.client.opening}
    requests = [
        request("a", "userprofile.SetUserProfile", client.client.profile),
        request("b", "cm.ConsumerRequestConversation", opening),
    ]
    status, answers, _ = client.call("", requests)
    assert (status, answers[1]["code"]) == (400, "BAD_REQUEST")
    user = re.search(r"User (\w+) already", answers[1]["body"]["msg"])[1]
    path = f"/messaging_history/api/account/{ACCOUNT}/conversations/consumer/search"
    name, secret = client.values["client_id"], client.values["client_secret"]
    auth = ClientAuth(name, secret, name, secret)
    _, signed, _ = auth.sign("POST", f"https://{client.hosts['msgHist']}{path}", {}, "")
    headers = {
        "accept": JSON,
        "content-type": JSON,
        "Authorization": signed["Authorization"],
    }
    body = json.dumps({"consumer": user, "status": ["OPEN"]})
    status, found, _ = client.ask("POST", client.hosts["msgHist"], path, headers, body)
    assert (status, found["_metadata"]["count"]) == (200, 1)
    assert found["conversationHistoryRecords"][-1]["info"]["conversationId"] == client.conversation
    typing = {"type": "ChatStateEvent", "chatState": "COMPOSING"}
    accepted = {"type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [0]}
    assert client.publish()[1] == {"sequence": 0}
    assert client.publish(typing)[1] == {}
    assert client.publish(accepted)[1] == {"sequence": 1}
    wanted = {"fileSize": 69666, "fileType": "JPG"}
    status, place, _ = client.call("/send", request("c", "ms.GenerateURLForUploadFile", wanted))
    assert status == 200
    picture = {
        "type": "ContentEvent",
        "contentType": "hosted/file",
        "message": {
            "caption": "doge!",
            "relativePath": place["body"]["relativePath"],
            "fileType": "JPG",
            "preview": f"data:image/jpg;base64,{'A' * 20000}",
        },
    }
    assert client.publish(picture)[1] == {"sequence": 2}
    assert client.close()[0] == 200


def test_functions_with_a_bad_secret(both):
    """It renews a token half an hour before its end, and throws on any status of an error."""
    client = Session(both, BY_NAME["functions"])
    client.look_up()
    client.get_app_jwt()
    said = claims(client.tokens["Authorization"])
    assert said["exp"] - said["iat"] > 1800
    client.values["client_secret"] = "wrong"
    path, kind, body = (part.format(**client.values) for part in client.client.token)
    headers = {**client.client.more, "Content-Type": kind}
    status, answer, _ = client.ask("POST", client.hosts["sentinel"], path, headers, body)
    assert (status, answer["error"]) == (400, "invalid_client")


def test_nexmo_live_engage_reads_content(start, tmp_path):
    """It takes each notification to its content endpoint for a message, and throws on any other:
    with an endpoint for each event type it gets nothing else there."""
    kinds = {
        "cqm.ExConversationChangeNotification": "/event/state/notify",
        "ms.MessagingEventNotification.ContentEvent": "/event/content/standard",
        "ms.MessagingEventNotification.RichContentEvent": "/event/content/rich",
        "ms.MessagingEventNotification.AcceptStatusEvent": "/event/status/accept",
        "ms.MessagingEventNotification.ChatStateEvent": "/event/state/chat",
    }
    with endpoint() as hook:
        base = hook.url.removesuffix("/hook?a=b")
        webhooks = {kind: {"endpoint": f"{base}{path}"} for kind, path in kinds.items()}
        app = start(tmp_path, CONNECTOR_WEBHOOKS=webhooks)
        api, desk = api_of(app), Desk(app)
        conversation = api.opened(api.someone())
        for event in (
            {"type": "ChatStateEvent", "chatState": "COMPOSING"},
            {"type": "RichContentEvent", "content": {"type": "vertical"}},
            {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]},
        ):
            assert desk.say(conversation, {"event": event}).status_code == 200
        assert desk.say(conversation, {"message": "Hi"}).status_code == 200
        posted = [hook.next() for _ in range(6)]
    assert [path for path, _, _ in posted].count("/event/state/notify") == 2
    assert {path for path, _, _ in posted} == set(kinds.values())
    [content] = [body for path, _, body in posted if path == "/event/content/standard"]
    change = content["body"]["changes"][0]
    assert (change["event"]["message"], change["dialogId"]) == ("Hi", conversation)
