"""Concurrent requests: the database decides, and no two requests get the same number or row."""

from example_app.keys import KeyFile
from tests.support.concurrent_calls import WORKERS, at_once
from tests.support.example_api import claims, message


def test_messages_in_one_conversation(api):
    """Each gets a sequence of its own, and no number is left out."""
    tokens = api.someone()
    conversation = api.opened(tokens)
    answers = at_once(lambda: api.send(tokens, message(conversation)), 5)
    sequences = [answer.json["body"]["sequence"] for answer in answers]
    assert sorted(sequences) == list(range(WORKERS * 5))


def test_good_and_refused_messages(api):
    """A refused message spends no number, in whatever order they come."""
    tokens, strangers = api.someone(), api.someone()
    conversation = api.opened(tokens)
    bad = message(conversation, message="")

    def three():
        return [
            api.send(*sent).status_code
            for sent in ((tokens, bad), (tokens, message(conversation)), (strangers, bad))
        ]

    assert at_once(three, 3) == [[400, 200, 400]] * WORKERS * 3
    answer = api.send(tokens, message(conversation))
    assert answer.json["body"] == {"sequence": WORKERS * 3}


def test_conversations_of_one_consumer(api):
    """One is opened; the others are refused, since one is open."""
    tokens = api.someone()
    assert sorted(answer.status_code for answer in at_once(lambda: api.create(tokens))) == [
        200,
        *[400] * (WORKERS - 1),
    ]


def test_tokens_for_one_name(api):
    """A name that is new to the account becomes one consumer."""
    answers = at_once(lambda: api.consumer({"ext_consumer_id": "new"}, api.app_jwt))
    assert [answer.status_code for answer in answers] == [201] * WORKERS
    assert len({claims(answer.json["token"])["lp_consumer_id"] for answer in answers}) == 1


def test_keys_of_one_folder(tmp_path):
    """Concurrent first reads of the keys of a new folder find the same key."""
    found = at_once(lambda: KeyFile(tmp_path).read().key_set())
    assert len(found[0]["keys"]) == 1
    assert found == found[:1] * WORKERS
