"""Each way in which the console breaks a token: the row that is sent, the reason that is logged."""

from uuid import uuid4

import pytest

from example_app.console.faults import FAULTS
from tests.support.example_api import api_of, message
from tests.support.example_console import REASONS, Console
from tests.support.http_helpers import INVALID, MISSING, assert_row


class Page:
    """What the page does: opens a conversation for a consumer, and sends with broken tokens."""

    def __init__(self, app):
        self.console, self.api, self.consumer = Console(app), api_of(app), str(uuid4())
        self.message = message(self.api.opened(self.headers({})))

    def headers(self, faults):
        """Return the headers with both tokens, broken by *faults*."""
        answer = self.console.post("faults", {"ext_consumer_id": self.consumer, **faults})
        assert answer.status_code == 200
        return answer.json

    def send(self, **faults):
        """Return the answer to a message with the faults, and the reason that was logged."""
        name = str(uuid4())
        answer = self.api.send({**self.headers(faults), "Request-ID": name}, self.message)
        return answer, self.console.get(f"reasons/{name}")["reason"]


@pytest.fixture
def page(example):
    """The page, with a new consumer."""
    return Page(example)


@pytest.mark.parametrize(
    ("kind", "fault"), [(kind, fault) for kind, named in REASONS.items() for fault in named]
)
def test_a_fault(page, kind, fault):
    """The row of the table of errors, byte for byte; good tokens pass before and after."""
    assert page.send()[0].status_code == 200
    answer, reason = page.send(**{kind: fault})
    assert_row(answer, (MISSING if fault == "missing" else INVALID)[kind])
    assert reason == REASONS[kind][fault]
    answer, reason = page.send()
    assert (answer.status_code, reason) == (200, None)


def test_the_faults_that_are_offered(example):
    """The faults of the table above, each with a different description."""
    offered = Console(example).get("faults")
    assert {kind: set(named) for kind, named in offered.items()} == {
        kind: set(named) for kind, named in REASONS.items()
    }
    for named in offered.values():
        assert all(named.values())
        assert len(set(named.values())) == len(named)


def test_faults_in_both(page):
    """The AppJWT is refused first, whatever is wrong with the other; so with swapped tokens."""
    for other in FAULTS["consumer_jws"]:
        assert_row(page.send(app_jwt="expired", consumer_jws=other)[0], 40102)
    answer, reason = page.send(app_jwt="swapped", consumer_jws="swapped")
    assert_row(answer, 40102)
    assert reason == "wrong_type"


def test_what_is_minted_is_new(page):
    """No two tokens are alike, so that each is verified anew."""
    one, other = page.headers({}), page.headers({})
    assert not set(one.values()) & set(other.values())
    assert set(one) == {"Authorization", "X-LP-ON-BEHALF"}


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        {"ext_consumer_id": ""},
        {"ext_consumer_id": "x", "app_jwt": "other_app"},
        {"ext_consumer_id": "x", "consumer_jws": ["missing"]},
        {"ext_consumer_id": "x", "consumer_jws": True},
    ],
    ids=str,
)
def test_what_cannot_be_minted(example, body):
    """400 in the protocol's shape: no consumer, or no such fault."""
    answer = Console(example).post("faults", body)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
