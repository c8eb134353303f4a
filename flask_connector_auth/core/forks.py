"""What has locks and threads in; the same without them out, in each child process."""

import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Forkable(Protocol):
    """Whatever a lock may stay locked in, since the thread that held it is not in the child."""

    def reset_after_fork(self) -> None:
        """Go on in a child process."""
        ...


def register_at_fork(**hooks: Callable[[], object]) -> None:
    """Have *hooks* called at each fork; see :func:`os.register_at_fork`.

    On Windows, where no process forks, this does nothing.
    """
    register = getattr(os, "register_at_fork", None)
    if register is not None:
        register(**hooks)


def register_fork_reset(one: Forkable) -> None:
    """Have *one* told in each child process, for as long as it lives."""
    _all.add(one)


def _renew() -> None:
    for one in list(_all):
        one.reset_after_fork()


_all: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
register_at_fork(after_in_child=_renew)
