"""What an app verifies with in; what of it cannot be had out, within a time."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import click

from ..core import Unavailable
from ..keys import KeySource
from ..revocation import Revocations
from ..web import Runtime

_PAUSE = 0.02
_TOO_LATE = "no answer in time"

#: For commands that look further than this machine: ``timeout``.
timeout_option: Callable[[Any], Any] = click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600, min_open=True),
    help="Seconds to wait for key sets and the revocation store, in all.",
)


def reach(state: Runtime, seconds: float) -> dict[str, str]:
    """Ask the keys and the revocation store of an app, all at once.

    :param seconds: to wait for all of them together; whatever hangs is left behind.
    :returns: what went wrong, by ``app_jwt``, ``consumer_jws`` and ``revocation``.
    """
    until = monotonic() + seconds
    probes = {
        name: _Probe(each.keys, each.rules.algorithms[0]) for name, each in state.verifiers.items()
    }
    if probes["app_jwt"].source is probes["consumer_jws"].source:
        probes["consumer_jws"] = probes["app_jwt"]
    for probe in set(probes.values()):
        probe.start()
    # Asked how it is, it begins to follow its store: meanwhile the keys may take all the time.
    state.revocations.health()
    problems: dict[str, str] = {}
    for name, probe in probes.items():
        probe.join(max(0.0, until - monotonic()))
        if probe.problem is not None:
            problems[name] = probe.problem
    problem = follow(state.revocations, until - monotonic())
    return problems if problem is None else {**problems, "revocation": problem}


def follow(revocations: Revocations, seconds: float) -> str | None:
    """Wait until the copy of what is revoked is there, and return what went wrong, if anything.

    To be asked how it is makes it follow its store.

    :param seconds: to wait, at most.
    """
    until, pause = monotonic() + seconds, threading.Event()
    while not (told := revocations.health())["ready"]:
        if told["last_error"] or monotonic() >= until:
            return told["last_error"] or _TOO_LATE
        pause.wait(_PAUSE)
    return None


class _Probe(threading.Thread):
    """Asks a key source for any key, in a thread of its own: a source of the app's own may hang."""

    def __init__(self, source: KeySource, algorithm: str) -> None:
        super().__init__(daemon=True)
        self.source = source
        self._algorithm = algorithm
        self.problem: str | None = _TOO_LATE  #: until there is one

    def run(self) -> None:
        """Ask, and say what is wrong."""
        try:
            self.source.candidates(None, self._algorithm)
        except Unavailable as unavailable:
            self.problem = self.source.health().get("last_error") or unavailable.reason.value
        except Exception as error:
            # By its class: the text of others may quote anything.
            self.problem = type(error).__name__
        else:
            self.problem = None
