"""Registries of the objects to reset in a forked process, and of those to close with an app.

Both have weak references: an object that no longer exists needs neither.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An object with locks or threads: a child has no thread to release a held lock."""

    def reset_after_fork(self) -> None:
        """Replace locks and forget threads, in the child process."""
        ...


class Closable(ABC):
    """An object that the package opened for one app, with threads, sockets or connections.

    A store or a key source that the application made is not one of these: the application closes
    it.
    """

    @abstractmethod
    def close(self) -> None:
        """End the threads, and close the sockets and connections, at once.

        The object opens new ones when it is used again. Closing it twice is no error.
        """


_forkables: WeakSet[Forkable] = WeakSet()
_closables: WeakSet[Closable] = WeakSet()


def register_at_fork(**hooks: Callable[[], object]) -> None:
    """Have *hooks* called at each fork; see :func:`os.register_at_fork`.

    On Windows, where no process forks, this does nothing.
    """
    register = getattr(os, "register_at_fork", None)
    if register is not None:
        register(**hooks)


def register_fork_reset(forkable: Forkable) -> None:
    """Have *forkable* reset in each child process."""
    _forkables.add(forkable)


def reset_all_after_fork() -> None:
    """Reset all registered objects, in a child process."""
    for forkable in list(_forkables):
        forkable.reset_after_fork()


register_at_fork(after_in_child=reset_all_after_fork)


def register_closable(closable: Closable) -> None:
    """Let :func:`close_all` close *closable*."""
    _closables.add(closable)


def close_all() -> None:
    """Close all registered objects, for every app of this process."""
    for closable in list(_closables):
        closable.close()


def close_if_closable(candidate: object) -> None:
    """Close *candidate* if the package opened it; leave an object of the application alone."""
    if isinstance(candidate, Closable):
        candidate.close()
