"""What the package opens for an app, and closes with it."""

from abc import ABC, abstractmethod
from weakref import WeakSet


class Closable(ABC):
    """An object of the package that holds threads, sockets or connections for one app.

    A store or a key source that an application made is none: its maker closes it.
    """

    @abstractmethod
    def close(self) -> None:
        """End the threads, and close the sockets and connections, at once.

        Whatever uses the object after that opens new ones. Closing twice is no error.
        """


def close(thing: object) -> None:
    """Close *thing*, if the package opened it."""
    if isinstance(thing, Closable):
        thing.close()


def register(one: Closable) -> None:
    """Let :func:`close_all` close *one*, for as long as it lives."""
    _all.add(one)


def close_all() -> None:
    """Close what is registered, for every app of this process."""
    for one in list(_all):
        one.close()


_all: WeakSet[Closable] = WeakSet()
