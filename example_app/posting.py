"""Queues of posts, one for each conversation, and the threads that work them off.

Protocol page: Webhooks Retry Policy. Retries are by number or, with a retention time, by time.
"""

import heapq
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from itertools import count
from threading import Condition, Thread, current_thread

from blinker import Namespace

from .delivery import Attempt, Delivery, Endpoint, Post, post_once

logger = logging.getLogger(__name__)
#: Sent by a :class:`Posting` after each attempt, in one of its threads; ``attempt`` is an
#: :class:`Attempt`.
attempted = Namespace().signal("attempted")

#: Most notifications in all queues; further ones are dropped.
WAITING = 1000
#: Most threads: an endpoint that does not answer holds up as many conversations.
THREADS = 8
#: Longest time between two attempts of a post that is kept for some time, in seconds.
LONGEST_PAUSE = 300


class State(StrEnum):
    """The states of an app install, whose posts are kept for some time."""

    UP = "up"  #: all endpoints take what they get
    FAILED = "failed"  #: an endpoint did not take the last post, and posts are stored
    IN_TRANSITION = "in transition"  #: posts are taken again, and the stored ones are posted
    RECOVERED = "recovered"  #: all stored posts are taken


MEANINGS = {
    State.UP: "new notifications are posted at once",
    State.FAILED: "notifications are stored, and posted again",
    State.IN_TRANSITION: "the endpoint accepts posts again, and gets the stored ones",
    State.RECOVERED: "all stored notifications are accepted",
}


class Posting:
    """Posts to *endpoints*, in threads that live while there is something to post.

    :param endpoints: by event type.
    :param pause: seconds before each repetition that is counted.
    :param retention: seconds for which a failed post and those after it in its conversation are
        repeated; ``None`` for the number of repetitions of each endpoint.
    """

    def __init__(
        self, endpoints: Mapping[str, Endpoint], pause: float, retention: float | None = None
    ) -> None:
        self.endpoints = endpoints
        self._pause = pause
        self._retention = retention
        self._changed = Condition()
        self._numbers = count()
        self._threads: set[Thread] = set()
        self._begin()

    def _begin(self) -> None:
        self.state = State.UP
        self._queues: dict[object, deque[Delivery]] = {}
        #: When the first of a queue is due, a number that keeps the order, and the name of the
        #: queue. A queue whose first is being posted is not among them.
        self._due: list[tuple[float, int, object]] = []
        self._generation = object()

    def put(self, conversation_id: str, event_type: str, post: Post) -> None:
        """Put *post* in the queue of its conversation, if *event_type* has an endpoint."""
        if endpoint := self.endpoints.get(event_type):
            self.resend(Delivery(conversation_id, event_type, endpoint, post))

    def resend(self, delivery: Delivery) -> None:
        """Post *delivery* as if it were new."""
        fresh = replace(delivery, since=time.monotonic(), failures=0)
        with self._changed:
            if sum(map(len, self._queues.values())) >= WAITING:
                logger.error("A notification is dropped: %d are waiting.", WAITING)
                return
            self._enqueue(fresh.conversation_id, fresh)
            # Started no earlier than here: a thread does not survive the fork of a worker.
            self._threads = {thread for thread in self._threads if thread.is_alive()}
            if len(self._threads) < THREADS:
                thread = Thread(target=self._run, args=(self._generation,), daemon=True)
                self._threads.add(thread)
                thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the threads after their current posts; the queues are dropped."""
        with self._changed:
            threads, self._threads = self._threads, set()
            self._begin()
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def _enqueue(self, name: object, delivery: Delivery, due: float = 0) -> None:
        if name in self._queues:
            self._queues[name].append(delivery)
        else:
            self._queues[name] = deque([delivery])
            heapq.heappush(self._due, (due, next(self._numbers), name))

    def _run(self, generation: object) -> None:
        while found := self._next(generation):
            name, delivery = found
            attempt = post_once(delivery)
            with self._changed:
                if self._generation is generation:
                    self._settle(name, attempt)
                    self._changed.notify_all()
            attempted.send(self, attempt=attempt)

    def _next(self, generation: object) -> tuple[object, Delivery] | None:
        """Return the next post and its queue, or ``None``, after which the thread ends."""
        with self._changed:
            while self._generation is generation and self._due:
                due, _, name = self._due[0]
                wait = due - time.monotonic()
                if wait <= 0:
                    heapq.heappop(self._due)
                    return name, self._queues[name][0]
                self._changed.wait(wait)
            self._threads.discard(current_thread())
            return None

    def _settle(self, name: object, attempt: Attempt) -> None:
        """Take the post out of its queue or leave it there, and let the queue go on."""
        queue, delivery = self._queues[name], attempt.delivery
        again = None if attempt.is_taken else self._pause_after(delivery)
        if not attempt.is_taken:
            _log_failure(attempt, again)
        if again is None or self._retention is None:
            queue.popleft()
        if again is not None and self._retention is None:
            # A queue of its own: later posts of the conversation may overtake it.
            self._enqueue(object(), delivery, time.monotonic() + again)
            again = None
        if queue:
            due = 0 if again is None else time.monotonic() + again
            heapq.heappush(self._due, (due, next(self._numbers), name))
        else:
            del self._queues[name]
        if self._retention is not None:
            self._move_on(attempt, is_kept=again is not None)

    def _pause_after(self, delivery: Delivery) -> float | None:
        """Return the seconds until *delivery* is posted again, or ``None`` if it is dropped."""
        delivery.failures += 1
        retries = delivery.endpoint.max_retries
        if self._retention is None:
            return self._pause if delivery.failures <= (retries or 0) else None
        pause = min(2**delivery.failures, LONGEST_PAUSE)
        is_over = time.monotonic() + pause > delivery.since + self._retention
        return None if is_over or retries == 0 else pause

    def _move_on(self, attempt: Attempt, is_kept: bool) -> None:
        """Change the state after *attempt*.

        Once an endpoint takes a post, the stored ones for it are due at once.
        """
        if is_kept:
            self._become(State.FAILED)
        if not attempt.is_taken or self.state is State.UP:
            return
        first = {name: queue[0] for name, queue in self._queues.items()}
        stored = {name: each for name, each in first.items() if each.failures}
        url = attempt.delivery.endpoint.url
        ready = {name for name, each in stored.items() if each.endpoint.url == url}
        self._due = [(0 if entry[2] in ready else entry[0], *entry[1:]) for entry in self._due]
        heapq.heapify(self._due)
        if not stored:
            self._become(State.RECOVERED)
            self._become(State.UP)
        elif len(ready) == len(stored):
            self._become(State.IN_TRANSITION)

    def _become(self, state: State) -> None:
        if state is not self.state:
            logger.warning("The webhooks are %s: %s.", state, MEANINGS[state])
            self.state = state


def _log_failure(attempt: Attempt, again: float | None) -> None:
    """Log that an endpoint did not take a post; *again* is as of :meth:`Posting._pause_after`."""
    delivery = attempt.delivery
    # What a receiver answers to a signature that it finds wrong.
    advice = " (check the client secret of the receiver)" if attempt.status == 401 else ""
    logger.warning(
        "The webhook %s did not accept a notification (%s): %s. It is %s.",
        delivery.endpoint,
        delivery.event_type,
        attempt.error or f"status {attempt.status}{advice}",
        "dropped" if again is None else f"posted again in {again:g} seconds",
    )
