"""The calls of the console: credentials, reasons, costs, keys, and revocations."""

from uuid import uuid4

import pytest

from example_app.console import costs, reasons
from tests.support.example_api import ACCOUNT, BASE_URL, api_of, claims, header, message
from tests.support.example_console import Console, cookie
from tests.support.example_desk import Desk, credentials
from tests.support.http_helpers import assert_row


@pytest.fixture
def app(start, tmp_path):
    """An app with keys and revocations of its own."""
    return start(tmp_path)


@pytest.fixture
def console(app):
    """Its console."""
    return Console(app)


@pytest.fixture
def send(app):
    """Return a function that sends a message with the given tokens, or with good ones."""
    api = api_of(app)
    own = api.someone()
    said = message(api.opened(own))

    def send(tokens=own, **more):
        return api.send({**tokens, **more}, said)

    send.tokens = own
    return send


def test_the_page(app):
    """One page, which names no other host, and has neither script nor style in its markup."""
    headers = {"Cookie": cookie(app)}
    answer = app.test_client(use_cookies=False).get("/", BASE_URL, headers=headers, buffered=True)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "://" not in answer.text
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


def test_who_may_call(both):
    """The app install, the agent and the CA's file: what is printed at the start."""
    told = Console(both.app).get("session")
    api = api_of(both.app)
    assert {name: told[name] for name in api.credentials} == api.credentials
    assert told["account"] == ACCOUNT
    assert told["agent"] == credentials(both.app)
    assert told["ca"] == str(both.certificate.ca)


def test_no_ca(console):
    """Where there is no TLS listener, there is no file to name."""
    assert console.get("session")["ca"] is None


def test_a_reason(console, send):
    """Of a request that had a name, for as long as there are not too many others."""
    names = [str(uuid4()) for _ in range(reasons.KEPT + 1)]
    for name in names[:2]:
        assert_row(send({}, **{"Request-ID": name}), 40105)
    assert [console.get(f"reasons/{name}")["reason"] for name in names[:3]] == [
        "missing",
        "missing",
        None,
    ]
    for name in names[2:]:
        send({}, **{"Request-ID": name})
    assert [console.get(f"reasons/{name}")["reason"] for name in names[:2]] == [None, "missing"]


@pytest.mark.parametrize("name", [{}, {"Request-ID": ""}, {"Request-ID": "x" * 65}], ids=str)
def test_a_request_without_a_name(console, send, name):
    """A request without a name is refused as usual, and its reason is not kept."""
    assert_row(send({}, **name), 40105)
    assert console.get(f"reasons/{'x' * 65}") == {"reason": None}


def test_the_reason_of_a_good_request(console, send):
    """There is none."""
    assert send(**{"Request-ID": "good"}).status_code == 200
    assert console.get("reasons/good") == {"reason": None}


def test_what_authentication_cost(console, send):
    """The first time a token is verified, then it comes from the cache; a refused one costs too,
    but is not measured."""
    assert console.get("operations")["costs"][-1]["cached"] is False  # opened the conversation
    first = len(console.get("operations")["costs"])
    tokens = console.post("faults", {"ext_consumer_id": "x"}).json
    for sent in (send.tokens, tokens, tokens, {}, send.tokens):
        send(sent)
    measured = console.get("operations")["costs"][first:]
    assert [cost["cached"] for cost in measured] == [True, False, True, True]
    assert all(0 < cost["microseconds"] < 10**7 for cost in measured)
    assert [cost["number"] - first for cost in measured] == [1, 2, 3, 4]


def test_only_the_last_costs(console, send):
    """Those of so many requests, of which the last is the newest."""
    for _ in range(costs.KEPT + 1):
        send()
    numbers = [cost["number"] for cost in console.get("operations")["costs"]]
    assert numbers == [*range(numbers[0], numbers[0] + costs.KEPT)]
    assert numbers[0] > 1


def test_what_is_not_measured(console, app):
    """What is not watched: the look-up has no tokens, and the desk those of agents."""
    Desk(app).open_conversations()
    assert console.get("operations")["costs"] == []


def test_health(console, send):
    """The health of the extension, unchanged."""
    send()
    told = console.get("operations")["health"]
    assert told["keys"]["app_jwt"]["ready"] is True
    assert told["cache"]["consumer_jws"]["hits"] > 0
    assert told["revocation"]["entries"] == 0


def test_rotating_keys(console, app, send):
    """A key is added, signs, and the old one is withdrawn; a new token passes at once."""
    [old] = console.get("operations")["keys"]
    answer = console.post("keys")
    new = answer.json["kid"]
    assert answer.status_code == 201
    assert console.get("operations")["keys"] == [old, {"kid": new, "signs": False}]
    assert console.post(f"keys/{new}/use").json == {"replaced": old["kid"]}
    tokens = api_of(app).someone()
    assert {header(token)["kid"] for token in tokens.values()} == {new}
    assert api_of(app).create(tokens).status_code == 200
    assert send().status_code == 200
    assert console.post(f"keys/{old['kid']}/withdraw").json == {}
    assert console.get("operations")["keys"] == [{"kid": new, "signs": True}]


@pytest.mark.parametrize(
    ("action", "kid"), [("use", "another"), ("withdraw", "another"), ("withdraw", None)]
)
def test_a_key_that_cannot_be_changed(console, action, kid):
    """400 in the protocol's shape for one that is not there, and for withdrawing the one that
    signs; nothing changes."""
    before = console.get("operations")["keys"]
    answer = console.post(f"keys/{kid or before[0]['kid']}/{action}")
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert console.get("operations")["keys"] == before


def subjects(tokens):
    """Return what can be revoked, by what it is called, with row and kind."""
    app_jwt, consumer_jws = tokens.values()
    app, consumer = claims(app_jwt), claims(consumer_jws)
    return {
        "AppJWT": ({"token": app_jwt}, 40102, "token"),
        "ConsumerJWS": ({"token": consumer_jws}, 40103, "token"),
        "install": ({"install_id": app["azp"]}, 40102, "install"),
        "account": ({"account_id": app["aud"]}, 40102, "account"),
        "consumer": ({"lp_consumer_id": consumer["lp_consumer_id"]}, 40103, "lp_consumer"),
        "ext_consumer": ({"ext_consumer_id": consumer["ext_consumer_id"]}, 40103, "ext_consumer"),
    }


@pytest.mark.parametrize(
    "name", ["AppJWT", "ConsumerJWS", "install", "account", "consumer", "ext_consumer"]
)
def test_revoking(console, send, name):
    """The tokens are refused at once, and pass again once that is restored."""
    subject, row, kind = subjects(send.tokens)[name]
    assert send().status_code == 200
    assert console.post("revoke", subject).json == subject
    assert_row(send(**{"Request-ID": name}), row)
    told = console.get(f"reasons/{name}")
    assert (told["reason"], told["details"]) == ("revoked", f"kind='{kind}'")
    assert [entry["kind"] for entry in console.get("operations")["revoked"]] == [kind]
    assert console.get("operations")["health"]["revocation"]["entries"] == 1
    assert console.post("restore", subject).json == subject
    assert send().status_code == 200


@pytest.mark.parametrize("name", ["AppJWT", "account"])
def test_restoring_what_is_listed(console, send, name):
    """What is revoked is listed so that it can be restored by that alone: a token by its digest."""
    subject, row, _ = subjects(send.tokens)[name]
    console.post("revoke", subject)
    assert_row(send(), row)
    [entry] = console.get("operations")["revoked"]
    del entry["kind"]
    assert console.post("restore", entry).json == entry
    assert console.get("operations")["revoked"] == []
    assert send().status_code == 200


def test_the_knobs(console, send):
    """They can be turned, are listed while they are in force, and are set back."""
    initial = console.get("operations")["knobs"]
    assert initial == {"token_life": 3600, "leeway": 30, "failures": []}
    failure = {"service": "asyncMessagingEnt", "status": 429, "times": 1}
    assert console.post("knobs", failure).json == {}
    assert console.post("knobs", {"token_life": 60}).json == {}
    listed = {"service": "asyncMessagingEnt", "status": 429, "retry_after": 1, "remaining": 1}
    assert console.get("operations")["knobs"] == {
        "token_life": 60,
        "leeway": 30,
        "failures": [listed],
    }
    assert send().status_code == 429
    assert console.get("operations")["knobs"]["failures"] == []
    console.post("knobs", {**failure, "times": None})
    assert console.post("knobs", {"reset": True}).json == {}
    assert console.get("operations")["knobs"] == initial
    assert send().status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{}",
        '{"token_life": 0}',
        '{"token_life": "60"}',
        '{"reset": false}',
        '{"service": "swift", "status": 429, "times": 1}',
        '{"service": "idp", "status": 404, "times": 1}',
        '{"service": "idp", "status": 429, "times": 0}',
        '{"service": "idp", "status": 429}',
    ],
)
def test_what_is_no_knob(console, body):
    """400 in the protocol's shape, and all is as it was."""
    answer = console.post("knobs", body)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    knobs = console.get("operations")["knobs"]
    assert knobs == {"token_life": 3600, "leeway": 30, "failures": []}


def test_how_to_connect(both):
    """Lines for each known client, with the addresses and credentials of this app filled in."""
    for port, secure in ((both.port, False), (both.tls_port, True)):
        base_url = f"http{'s' if secure else ''}://127.0.0.1:{port}"
        headers = {"Cookie": cookie(both.app, secure)}
        client = both.app.test_client(use_cookies=False)
        told = client.get("/console/session", base_url, headers=headers).json
        assert told["http"] == f"http://127.0.0.1:{both.port}"
        assert told["https"] == f"https://127.0.0.1:{both.tls_port}"
    clients = {each["name"]: each["text"] for each in told["clients"]}
    assert f"HTTPS_PROXY=http://127.0.0.1:{both.port} " in clients["botium-connector-liveperson"]
    assert f'"127.0.0.1:{both.port}"' in clients["lp-demo-app-connector-api"]
    assert clients["contact-center-connect"].startswith(f"127.0.0.1:{both.tls_port}\n")
    assert all(str(both.certificate.ca) in text for text in clients.values())
    secret = told["client_secret"]
    assert [name for name, text in clients.items() if secret not in text] == [
        "curl",
        "lp-demo-app-connector-api",
    ]


def test_without_a_tls_listener(console):
    """None is named, and the lines lead to the address of the console itself."""
    told = console.get("session")
    assert (told["http"], told["https"]) == (BASE_URL, None)
    [curl] = [each["text"] for each in told["clients"] if each["name"] == "curl"]
    assert curl.startswith(f"curl -sS  '{BASE_URL}/api/")


def test_no_script_of_what_is_not_there(app):
    """404 for a conversation that does not exist."""
    headers = {"Cookie": cookie(app)}
    client = app.test_client(use_cookies=False)
    assert client.get("/console/conversations/x.sh", BASE_URL, headers=headers).status_code == 404


@pytest.mark.parametrize("action", ["revoke", "restore"])
@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        '{"token": 7}',
        '{"token": "nonsense"}',
        '{"digest": "x"}',
        '{"account_id": ""}',
        '{"account_id": "\\ud800"}',
        '{"account_id": "x", "lp_consumer_id": "y"}',
        '{"account_id": "x", "at": 1}',
    ],
)
def test_what_cannot_be_revoked(console, send, action, body):
    """400 in the protocol's shape, and nothing is revoked."""
    answer = console.post(action, body)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert console.get("operations")["health"]["revocation"]["entries"] == 0
    assert send().status_code == 200


def test_a_store_that_is_out_of_reach(start, tmp_path):
    """503: the caller must learn that the revocation may not last."""
    app = start(tmp_path, CONNECTOR_AUTH_REVOCATION_URL="redis://127.0.0.1:1/0")
    answer = Console(app).post("revoke", '{"account_id": "x"}')
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert Console(app).get("operations")["revoked"] is None
