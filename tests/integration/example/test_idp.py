"""IDP: a ConsumerJWS for a consumer of the app (protocol page, Get ConsumerJWS)."""

import re

import pytest

from tests.support.example_api import ACCOUNT, OTHER_ACCOUNT, api_of, claims, header
from tests.support.http_helpers import assert_row


def test_what_the_token_says(api):
    """201; the token names the account and the consumer, and does not expire."""
    answer = api.consumer({"ext_consumer_id": "Zoë 7"}, api.app_jwt)
    assert answer.status_code == 201
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert set(answer.json) == {"token"}
    said = claims(answer.json["token"])
    assert set(said) == {"account_id", "ext_consumer_id", "lp_consumer_id"}
    assert (said["account_id"], said["ext_consumer_id"]) == (ACCOUNT, "Zoë 7")
    assert re.fullmatch("[0-9a-f]{64}", said["lp_consumer_id"])
    assert header(answer.json["token"]) == header(api.app_jwt)


def test_a_consumer_stays_who_they_are(api, example):
    """One account and one name are one consumer; another of either is another consumer."""

    def consumer_id(name, by=api):
        answer = by.consumer({"ext_consumer_id": name}, by.app_jwt)
        return claims(answer.json["token"])["lp_consumer_id"]

    first = consumer_id("same")
    assert consumer_id("same") == first
    assert consumer_id("Same") != first
    assert consumer_id("same", api_of(example, OTHER_ACCOUNT)) != first


def test_v_is_optional(api):
    """One client sends no v."""
    body = {"ext_consumer_id": "x"}
    path = f"/api/account/{ACCOUNT}/consumer"
    assert api.post(path, body, {"Authorization": api.app_jwt}).status_code == 201


def test_who_may_not_ask(api, example):
    """Rows 40105 and 40102: no AppJWT, no good one, one of another account."""
    body = {"ext_consumer_id": "x"}
    assert_row(api.consumer(body), 40105)
    assert_row(api.consumer(body, "nonsense"), 40102)
    assert_row(api.consumer(body, api_of(example, OTHER_ACCOUNT).app_jwt), 40102)
    assert api.consumer(body, api.app_jwt).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 20000,
        [],
        "x",
        None,
        {},
        {"ext_consumer_id": None},
        {"ext_consumer_id": ""},
        {"ext_consumer_id": 7},
        {"ext_consumer_id": ["x"]},
        {"ext_consumer_id": "x" * 257},
        {"ext_consumer_id": "x\0"},
        {"ext_consumer_id": "\ud800"},
        {"extConsumerId": "x"},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_malformed_body(api, rows, body):
    """400 in the protocol's shape, and no consumer is made of it."""
    before = rows()
    answer = api.consumer(body, api.app_jwt)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert answer.json["body"]["msg"]
    assert rows() == before
    assert api.consumer({"ext_consumer_id": "x" * 256}, api.app_jwt).status_code == 201
