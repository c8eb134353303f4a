"""Lookups of keys that may wait for fetches, several of them in one thread."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from math import inf
from typing import NamedTuple, TypeVar

from ..core import Reason, Unavailable, forget_origin, steady_time
from .source import KeySource, VerificationKey

T = TypeVar("T")


class FetchEnd:
    """The end of one fetch, for which any number of threads may wait."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waiting: set[threading.Event] = set()

    def is_set(self) -> bool:
        """Whether the fetch has ended."""
        return self._event.is_set()

    def set(self) -> None:
        """Record the end, and wake the threads that wait for it."""
        self._event.set()
        for event in self._waiting.copy():
            event.set()

    def wake(self, event: threading.Event) -> None:
        """Set *event* at the end, or now if the fetch has ended."""
        # In this order, and in set() in the other one, so that no thread is missed.
        self._waiting.add(event)
        if self.is_set():
            event.set()


class Wait(NamedTuple):
    """What a lookup waits for: the first of *ends*, for *seconds* at most."""

    ends: Sequence[FetchEnd]
    seconds: float


Keys = Sequence[VerificationKey]
LookupResults = Mapping[T, Keys | Unavailable]
#: Yields what it waits for, and returns the keys, or raises ``Unavailable``. It may be continued
#: too early: then it waits again.
Lookup = Generator[Wait, None, Keys]


class FetchingSource(KeySource):
    """A key source whose lookups may wait for fetches, several of them in one thread."""

    @abstractmethod
    def look_up(self, kid: str | None, algorithm: str) -> Lookup:
        """Do what :meth:`candidates` does."""

    @abstractmethod
    def look_up_after_failure(self, kid: str | None, algorithm: str, tried: Keys) -> Lookup:
        """Do what :meth:`candidates_after_failure` does."""

    @abstractmethod
    def at_hand(self, kid: str, algorithm: str) -> Keys:
        """Return the keys for a token if it need not wait for a fetch; otherwise none."""

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: Keys) -> Keys:
        """See :class:`KeySource`."""
        return finish(self.look_up_after_failure(kid, algorithm, tried))


def finish(lookup: Generator[Wait, None, T]) -> T:
    """Return the result of *lookup*. This thread waits for it."""
    woken = threading.Event()
    while True:
        try:
            wait = next(lookup)
        except StopIteration as stop:
            result: T = stop.value
            return result
        for end in wait.ends:
            end.wake(woken)
        woken.wait(wait.seconds)
        woken.clear()


def look_up(source: KeySource, kid: str | None, algorithm: str) -> Lookup:
    """Look keys up in any *source*. One of the application blocks the thread while it waits."""
    if isinstance(source, FetchingSource):
        return (yield from source.look_up(kid, algorithm))
    return source.candidates(kid, algorithm)


def look_up_all(
    lookups: Mapping[T, Lookup],
    is_enough: Callable[[LookupResults[T]], object],
    seconds: float = inf,
) -> Generator[Wait, None, dict[T, Keys | Unavailable]]:
    """Run *lookups* beside each other; return the result of each that has one.

    :param is_enough: whether no further results are needed, given those so far.
    :param seconds: after which those without a result are unavailable.
    """
    until = steady_time() + seconds
    results: dict[T, Keys | Unavailable] = {}
    waits: dict[T, Wait] = {}
    pending = dict(lookups)
    while True:
        for name, lookup in [*pending.items()]:
            try:
                if steady_time() > until:
                    raise Unavailable(Reason.KEYS_UNAVAILABLE)
                waits[name] = next(lookup)
                continue
            except StopIteration as stop:
                results[name] = stop.value
            except Unavailable as unavailable:
                forget_origin(unavailable)
                results[name] = unavailable
            del pending[name]
            if is_enough(results):
                pending.clear()
                break
        if not pending:
            # In the order of the lookups, whichever was the first.
            return {name: results[name] for name in lookups if name in results}
        waiting = [waits[name] for name in pending]
        ends = [end for wait in waiting for end in wait.ends]
        left = max(0.0, until - steady_time())
        yield Wait(ends, min(left, *(wait.seconds for wait in waiting)))


def load(source: KeySource) -> Lookup:
    """Fetch the keys of *source*, again and again, until they may be used."""
    while isinstance(source, FetchingSource):
        try:
            return (yield from source.look_up(None, ""))
        except Unavailable as unavailable:
            forget_origin(unavailable)
            # The next fetch starts no earlier.
            pause = unavailable.retry_after
        yield Wait([], pause)
    return ()
