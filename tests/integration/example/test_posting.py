"""Posting notifications: their order, repetitions, states and limits (protocol page, Webhooks Retry
Policy)."""

import logging
from contextlib import closing
from queue import Queue

import pytest

from example_app import delivery, posting
from example_app.certificates import certificate_in
from example_app.delivery import Endpoint
from example_app.posting import THREADS, WAITING, Posting, State, attempted
from tests.support.example_hook import endpoint
from tests.support.recorded_logs import awaiting

TYPE = "ms.MessagingEventNotification.ContentEvent"
OTHER = "cqm.ExConversationChangeNotification"


def to(hook, retries=None, pause=0, retention=None):
    """Return what posts to *hook*."""
    return Posting({TYPE: Endpoint(hook.url, retries)}, pause, retention)


def put(to, *bodies, conversation="1", kind=TYPE):
    """Put *bodies* in the queue of a conversation."""
    for body in bodies:
        to.put(conversation, kind, (b"%d" % body, {}))


def refused_by(hook, why, then):
    """Return the line about a notification that *hook* did not take."""
    url = f"{hook.url.partition(':')[0]}://127.0.0.1:{hook.server.server_port}/hook"
    return f"The webhook {url} did not accept a notification ({TYPE}): {why}. It is {then}."


def bodies(hook, number):
    """Return the next *number* bodies that *hook* gets."""
    return [hook.next()[2] for _ in range(number)]


@pytest.fixture
def hook():
    """An endpoint."""
    with endpoint() as listening:
        yield listening


@pytest.fixture
def attempts():
    """The attempts, as soon as they are over."""
    attempts = Queue()

    def receive(_posting, attempt):
        attempts.put(attempt)

    with attempted.connected_to(receive):
        yield attempts


@pytest.fixture
def logged():
    """What is logged, as texts, as soon as it is."""
    with awaiting("example_app.posting") as next_text:
        yield next_text


def test_the_order_of_a_conversation(hook):
    """One after the other, though there are several threads."""
    with closing(to(hook)) as posting:
        put(posting, *range(50))
        assert bodies(hook, 50) == list(range(50))


def test_what_was_not_taken_is_posted_again():
    """Any answer but 200 and 201, as often as is set; by default it is dropped."""
    with endpoint(500, 302, 201, 404, 404, 404) as hook, closing(to(hook, 2)) as posting:
        put(posting, 1)
        assert bodies(hook, 3) == [1, 1, 1]
        put(posting, 2)
        assert bodies(hook, 3) == [2, 2, 2]
        put(posting, 3)
        assert bodies(hook, 1) == [3]
    with endpoint(500) as hook, closing(to(hook)) as posting:
        put(posting, 1, 2)
        assert bodies(hook, 2) == [1, 2]


def test_a_signature_that_is_refused(logged):
    """The line about a 401 names what to check; that about a 403 does not."""
    with endpoint(401, 403) as hook, closing(to(hook)) as posting:
        put(posting, 1, 2)
        advice = "status 401 (check the client secret of the receiver)"
        assert logged() == refused_by(hook, advice, "dropped")
        assert logged() == refused_by(hook, "status 403", "dropped")


def test_a_refused_one_holds_up_no_other():
    """With an hour between repetitions, what follows in the conversation, and all of others, is
    posted at once."""
    with endpoint(500) as hook, closing(to(hook, 5, pause=3600)) as posting:
        put(posting, 1, 2)
        put(posting, 3, conversation="2")
        assert sorted(bodies(hook, 3)) == [1, 2, 3]


def test_one_that_is_not_answered_holds_up_no_other(hook):
    """Each conversation has a queue of its own: only that of the first waits."""
    hook.may_answer.clear()
    with closing(to(hook)) as posting:
        put(posting, 1, 2)
        assert bodies(hook, 1) == [1]
        for number in range(3, 3 + THREADS - 1):
            put(posting, number, conversation=str(number))
        assert sorted(bodies(hook, THREADS - 1)) == list(range(3, 3 + THREADS - 1))
        hook.may_answer.set()
        assert bodies(hook, 1) == [2]


def test_kept_for_some_time_in_order(monkeypatch, attempts):
    """With a retention time, what follows in the conversation waits for what failed, after 2, 4, 8
    seconds and so on, and at most 300; another conversation does not wait."""
    pauses = []

    class Later(posting.Posting):
        def _pause_after(self, delivery):
            pauses.append(super()._pause_after(delivery))
            return pauses[-1] and 0

    with endpoint(*[500] * 10) as hook:
        kept = Later({TYPE: Endpoint(hook.url)}, 0, 259200)
        with closing(kept):
            put(kept, 1, 2)
            assert bodies(hook, 12) == [1] * 11 + [2]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_new_conversation_is_posted_at_once(logged):
    """While others are kept for some time; and its success lets them go on at once, however long
    their pause."""

    class Later(Posting):
        def _pause_after(self, delivery):
            return super()._pause_after(delivery) and 3600

    with (
        endpoint(500) as hook,
        closing(Later({TYPE: Endpoint(hook.url)}, 0, 259200)) as posting,
    ):
        put(posting, 1, 2)
        assert bodies(hook, 1) == [1]
        assert logged() == refused_by(hook, "status 500", "posted again in 3600 seconds")
        assert logged().startswith("The webhooks are failed: ")
        put(posting, 3, conversation="2")
        assert bodies(hook, 3) == [3, 1, 2]
        assert [logged().partition(":")[0] for _ in range(3)] == [
            f"The webhooks are {state}" for state in ("in transition", "recovered", "up")
        ]
        assert posting.state is State.UP


def test_an_endpoint_that_fails_on(attempts):
    """The success of another endpoint does not end the state, nor repeats what its own has not."""
    with endpoint(500) as hook, endpoint() as other:
        urls = {TYPE: Endpoint(hook.url), OTHER: Endpoint(other.url)}
        with closing(Posting(urls, 0, 3600)) as posting:
            put(posting, 1)
            assert attempts.get(timeout=30).status == 500
            put(posting, 2, conversation="2", kind=OTHER)
            assert attempts.get(timeout=30).is_taken
            assert posting.state is State.FAILED
        assert hook.received.qsize() == 1


def test_how_long_one_is_kept(logged, attempts):
    """It is dropped when the retention time would be over before the next repetition."""
    with endpoint(500, 500, 500) as hook, closing(to(hook, retention=3)) as posting:
        put(posting, 1, 2)
        assert bodies(hook, 3) == [1, 1, 2]


def test_one_that_must_not_be_kept(attempts):
    """``max_retries`` of 0 beside a retention time: it is dropped, and the state stays."""
    with endpoint(500) as hook, closing(to(hook, 0, retention=3600)) as posting:
        put(posting, 1, 2)
        assert bodies(hook, 2) == [1, 2]
        assert attempts.get(timeout=30).status == 500
        assert posting.state is State.UP


def test_what_is_told_of_an_attempt(hook, attempts):
    """The answer, or the error; and the delivery, which can be posted again."""
    with closing(to(hook)) as posting:
        put(posting, 1)
        attempt = attempts.get(timeout=30)
        assert (attempt.status, attempt.is_taken, attempt.error) == (200, True, "")
        assert (attempt.delivery.conversation_id, attempt.delivery.event_type) == ("1", TYPE)
        assert attempt.delivery.post == (b"1", {})
        posting.resend(attempt.delivery)
        assert bodies(hook, 2) == [1, 1]


def test_no_endpoint_for_an_event_type(hook):
    """Nothing is posted of what the app has not registered for."""
    with closing(to(hook)) as posting:
        put(posting, 1, kind=OTHER)
        put(posting, 2)
        assert bodies(hook, 1) == [2]


def test_no_thread_waits_for_what_may_come(hook):
    """They end when everything is posted, so an app that is dropped leaves none; then a new one
    goes on."""
    posting = to(hook)
    for number in range(2):
        hook.may_answer.clear()
        put(posting, number)
        assert bodies(hook, 1) == [number]
        [thread] = posting._threads
        assert thread.is_alive()
        hook.may_answer.set()
        thread.join(30)
        assert not thread.is_alive()


def test_what_is_closed_posts_nothing_again():
    """Nothing waits for a post that would be repeated in an hour; the next one begins anew."""
    with endpoint(500) as hook:
        hook.may_answer.clear()
        posting = to(hook, 5, 3600)
        put(posting, 1, 8, 9)
        assert bodies(hook, 1) == [1]
        threads = list(posting._threads)
        hook.may_answer.set()
        for _ in range(2):
            posting.close()
            assert not any(thread.is_alive() for thread in threads)
        put(posting, 2)
        while (body := hook.next()[2]) != 2:
            assert body in (8, 9)  # posted before the end
        posting.close()
        assert hook.received.empty()


def test_an_endpoint_that_is_not_there(logged, attempts):
    """It is logged with what happens next; nothing of the notification is in the log, nor what may
    be secret in the URL."""
    with endpoint() as gone:
        pass
    gone.url = gone.url.replace("http://", "http://name:password@")
    with closing(to(gone, 1)) as posting:
        posting.put("1", TYPE, (b"secret", {}))
        for then in ("posted again in 0 seconds", "dropped"):
            assert logged() == refused_by(gone, "ConnectionRefusedError", then)
            attempt = attempts.get(timeout=30)
            assert (attempt.status, attempt.error) == (None, "ConnectionRefusedError")


def test_an_endpoint_that_does_not_answer(hook, monkeypatch, logged):
    """Retry Policy: it counts as failed after some seconds."""
    assert delivery.TIMEOUT == 5
    monkeypatch.setattr(delivery, "TIMEOUT", 0.05)
    hook.may_answer.clear()
    with closing(to(hook)) as posting_:
        put(posting_, 1)
        assert logged() == refused_by(hook, "TimeoutError", "dropped")


def test_an_endpoint_with_tls(tmp_path, monkeypatch, logged, hook):
    """Its certificate is verified, with what the system trusts, or SSL_CERT_FILE instead."""
    certificate = certificate_in(tmp_path)
    hook.server.socket = certificate.context().wrap_socket(
        hook.server.socket, server_side=True, do_handshake_on_connect=False
    )
    hook.url = hook.url.replace("http:", "https:")
    with closing(to(hook)) as posting:
        put(posting, 1)
        assert logged() == refused_by(hook, "SSLCertVerificationError", "dropped")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
    with closing(to(hook)) as posting:
        put(posting, 2)
        assert bodies(hook, 1) == [2]


def test_too_many_that_wait(hook, caplog):
    """Notifications beyond the limit of the queues are dropped and logged."""
    hook.may_answer.clear()
    with closing(to(hook)) as posting:
        put(posting, 0)
        assert bodies(hook, 1) == [0]
        with caplog.at_level(logging.ERROR, "example_app.posting"):
            put(posting, *range(1, WAITING + 2))
        messages = [record.getMessage() for record in caplog.records]
        assert messages == [f"A notification is dropped: {WAITING} are waiting."] * 2
        hook.may_answer.set()
        assert bodies(hook, WAITING - 1) == list(range(1, WAITING))


def test_many_conversations_at_once(hook):
    """Each is in order, however they are mixed, and nothing is lost."""
    with closing(to(hook)) as posting:
        for number in range(20):
            for conversation in range(20):
                put(posting, 100 * conversation + number, conversation=str(conversation))
        found = bodies(hook, 400)
    for conversation in range(20):
        of_it = [body for body in found if body // 100 == conversation]
        assert of_it == [100 * conversation + number for number in range(20)]


def test_a_thread_that_ends_while_another_post_comes(hook):
    """Whichever comes first, the post is not left behind."""
    with closing(to(hook)) as posting:
        for number in range(300):
            put(posting, number)
            assert bodies(hook, 1) == [number]
