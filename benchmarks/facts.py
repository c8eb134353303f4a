"""What changes while a request is under way in; every answer that is right for it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import perf_counter

#: Whom a view sees, of apps and of consumers; ``None``: nobody.
Who = tuple[str | None, str | None]
#: What an answer says: whom the view saw, or the row of the refusal.
Answer = Who | int
NOBODY: Who = (None, None)


class Fact:
    """Something true or false that changes now and then, never twice at a time.

    A change takes effect at one moment between its begin and its end. So whoever looks while it
    lasts may find it as it was before or as it will be.
    """

    def __init__(self, holds: bool = True) -> None:
        self._changes = [_Change(holds, -inf, -inf)]

    @property
    def holds(self) -> bool:
        """Whether it is true once the last change is over."""
        return self._changes[-1].holds

    def begin(self) -> None:
        """From now on it may be the opposite."""
        self._changes.append(_Change(not self.holds, perf_counter(), inf))

    def end(self) -> None:
        """From now on it is, for everyone."""
        self._changes[-1].end = perf_counter()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let what happens in the block make it the opposite."""
        self.begin()
        yield
        self.end()

    def during(self, start: float, finish: float) -> set[bool]:
        """Return what it may have been for whoever looked between two times.

        :param start: of :func:`time.perf_counter`.
        :param finish: likewise; not in the future.
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
    """A token, and what must hold for it to be good."""

    text: str
    who: str  #: the app or the consumer
    account: str
    facts: tuple[Fact, ...]

    def verdicts(self, account: str, start: float, finish: float) -> set[bool]:
        """Return whether it may have been good, for *account*, between two times."""
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
        """Return every answer that is right, if it was under way between two times."""
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
