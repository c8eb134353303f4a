"""The service msgHist: which conversations a consumer has (Messaging Interactions API)."""

import json
import time
from urllib.parse import urlsplit

import pytest
from authlib.oauth1 import ClientAuth

from tests.support.example_api import (
    ACCOUNT,
    BASE_URL,
    OTHER_ACCOUNT,
    api_of,
    claims,
    closing_of,
    message,
)
from tests.support.example_desk import Desk
from tests.support.http_helpers import assert_row

PATH = f"/messaging_history/api/account/{ACCOUNT}/conversations/consumer/search"
WRONG = {"code": "UNAUTHORIZED", "body": {"msg": "The signature of the request is wrong."}}


@pytest.fixture
def consumer(api):
    """The tokens of a consumer with a closed and an open conversation, and the ids of the three."""
    tokens = api.someone()
    closed = api.opened(tokens)
    assert api.send(tokens, closing_of(closed)).status_code == 200
    conversation = api.opened(tokens)
    assert api.send(tokens, message(conversation)).status_code == 200
    return claims(tokens["X-LP-ON-BEHALF"])["lp_consumer_id"], closed, conversation


def signed(api, **changes):
    """Return the header of OAuth 1.0 (RFC 5849); *changes* are to its four credentials."""
    name, secret = api.credentials["client_id"], api.credentials["client_secret"]
    given = {
        "client_id": name,
        "client_secret": secret,
        "token": name,
        "token_secret": secret,
        **changes,
    }
    _, headers, _ = ClientAuth(**given).sign("POST", f"{BASE_URL}{PATH}", {}, "")
    return {"Authorization": headers["Authorization"]}


def ids(answer):
    """Return the ids of the conversations in *answer*."""
    assert answer.status_code == 200
    records = answer.json["conversationHistoryRecords"]
    assert answer.json["_metadata"]["count"] == len(records)
    return [record["info"]["conversationId"] for record in records]


@pytest.mark.parametrize(
    ("status", "which"), [(["OPEN"], [2]), (["CLOSE"], [1]), (["OPEN", "CLOSE"], [1, 2])]
)
def test_the_conversations(api, example, consumer, status, which):
    """By state, the oldest first; for an app by its AppJWT, an agent, and who signs as the app."""
    for headers in (
        {"Authorization": api.app_jwt},
        {"Authorization": f"Bearer {api.app_jwt}"},
        Desk(example).bearer,
        signed(api),
    ):
        answer = api.post(PATH, {"consumer": consumer[0], "status": status}, headers)
        assert ids(answer) == [consumer[number] for number in which]


def test_what_is_known_of_one(api, consumer):
    """How it stands, when it began and ended, and what was said."""
    headers = {"Authorization": api.app_jwt}
    answer = api.post(PATH, {"consumer": consumer[0]}, headers)
    closed, conversation = answer.json["conversationHistoryRecords"]
    assert (closed["info"]["status"], closed["info"]["closeReason"]) == ("CLOSE", "CONSUMER")
    assert closed["info"]["endTimeL"] >= closed["info"]["startTimeL"]
    assert "endTimeL" not in conversation["info"]
    assert [each["event"]["message"] for each in conversation["messageRecords"]] == ["Hello"]


def test_nobody_elses(api, example, consumer):
    """An unknown consumer has none, nor has one of another account; 40102 for a foreign token."""
    headers = {"Authorization": api.app_jwt}
    assert ids(api.post(PATH, {"consumer": "x"}, headers)) == []
    other = api_of(example, OTHER_ACCOUNT)
    path = PATH.replace(ACCOUNT, OTHER_ACCOUNT)
    headers = {"Authorization": other.app_jwt}
    assert ids(other.post(path, {"consumer": consumer[0]}, headers)) == []
    assert_row(api.post(PATH, {"consumer": consumer[0]}, headers), 40102)
    assert_row(api.post(PATH, {"consumer": consumer[0]}, {}), 40105)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": "wrong"},
        {"token_secret": "wrong"},
        {"client_id": "wrong"},
        {"token": "wrong"},
        {"token": None, "token_secret": None},
        {"signature_method": "PLAINTEXT"},
    ],
    ids=str,
)
def test_a_wrong_signature(api, consumer, changes):
    """401: RFC 5849 section 3.2, with other credentials than the app's, or another method."""
    body = {"consumer": consumer[0]}
    answer = api.post(PATH, body, signed(api, **changes))
    assert (answer.status_code, answer.json) == (401, WRONG)
    assert ids(api.post(PATH, body, signed(api))) == list(consumer[1:])


@pytest.mark.parametrize("header", ["OAuth ", "OAuth x", 'OAuth oauth_timestamp="x"', "OAuth ="])
def test_a_signature_that_is_none(api, consumer, header):
    """401, and no error of the server."""
    answer = api.post(PATH, {"consumer": consumer[0]}, {"Authorization": header})
    assert (answer.status_code, answer.json) == (401, WRONG)


def test_an_old_signature(api, consumer, monkeypatch):
    """RFC 5849 section 3.3: one of ten minutes ago is refused."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 600)
    old = signed(api)
    monkeypatch.undo()
    assert api.post(PATH, {"consumer": consumer[0]}, old).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"consumer": 7},
        {"consumer": "\0"},
        {"consumer": "x", "status": "OPEN"},
        {"consumer": "x", "status": ["LOCKED"]},
        {"consumer": "x", "status": [{}]},
        b"{",
    ],
    ids=lambda body: str(body)[:30],
)
def test_a_malformed_search(api, body):
    """400 in the protocol's shape."""
    answer = api.post(PATH, body, {"Authorization": api.app_jwt})
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")


def test_the_look_up_has_it(api):
    """The client finds the service by its name."""
    path = f"/api/account/{ACCOUNT}/service/msgHist/baseURI.json"
    assert api.get(path).json["baseURI"] == urlsplit(BASE_URL).netloc
    assert json.dumps(api.get(f"/api/account/{ACCOUNT}/service/baseURI").json).count("msgHist") == 1
