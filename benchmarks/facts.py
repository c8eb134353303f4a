"""The answers that are right for a request while keys and revocations change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import perf_counter

#: The identity that a view sees: app and consumer, or ``None`` without a token.
Who = tuple[str | None, str | None]
#: An answer: the identity that the view saw, or the error code of the refusal.
Answer = Who | int
NOBODY: Who = (None, None)


class Fact:
    """A fact that is true or false and changes over time; changes do not overlap.

    A change takes effect at one moment between its begin and its end. During a change, both the old
    and the new value are right.
    """

    def __init__(self, holds: bool = True) -> None:
        self._changes = [_Change(holds, -inf, -inf)]

    @property
    def holds(self) -> bool:
        """Whether the fact is true once the last change is over."""
        return self._changes[-1].holds

    def begin(self) -> None:
        """Begin a change to the opposite value."""
        self._changes.append(_Change(not self.holds, perf_counter(), inf))

    def end(self) -> None:
        """End the change: from now on only the new value is right."""
        self._changes[-1].end = perf_counter()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Change to the opposite value during the block."""
        self.begin()
        yield
        self.end()

    def during(self, start: float, finish: float) -> set[bool]:
        """Return the values that were possible at some moment between two times.

        :param start: a time of :func:`time.perf_counter`.
        :param finish: a later one, not in the future.
        """
        found = set()
        for change in reversed(self._changes):
            if change.begin <= finish:
                found.add(change.holds)
            if change.end < start:
                break
        return found


@dataclass(slots=True)
class _Change:
    holds: bool
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the facts that must hold for it to be good."""

    text: str
    who: str  #: the app or the consumer
    account: str
    facts: tuple[Fact, ...]

    def verdicts(self, account: str, start: float, finish: float) -> set[bool]:
        """Return whether the token may have been good or bad for *account* between two times."""
        met = [{self.account == account}, *(fact.during(start, finish) for fact in self.facts)]
        good = {True} if all(True in values for values in met) else set()
        return good | ({False} if any(False in values for values in met) else set())


@dataclass(frozen=True, slots=True)
class Sent:
    """A request."""

    view: str
    account: str  #: in the URL
    app_jwt: Token | None
    consumer_jws: Token | None

    def permitted(self, start: float, finish: float) -> set[Answer]:
        """Return all answers that are right for this request, if it ran between two times."""
        app, consumer = self.app_jwt, self.consumer_jws
        if self.view == "open":
            return {NOBODY}
        if app is None:
            return {40105}
        verdicts = app.verdicts(self.account, start, finish)
        answers: set[Answer] = {40102} if False in verdicts else set()
        if True not in verdicts:
            return answers
        if consumer is None:
            return answers | {40104}
        verdicts = consumer.verdicts(self.account, start, finish)
        right: dict[bool, Answer] = {True: (app.who, consumer.who), False: 40103}
        return answers | {right[verdict] for verdict in verdicts}
