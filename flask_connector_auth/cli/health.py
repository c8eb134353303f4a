"""Whether a process that starts now can verify: the probes of keys and store, and ``health``."""

import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any

import click

from ..core import Unavailable
from ..keys import KeySource
from ..revocation import Revocations
from ..web import Runtime, is_ready
from .common import json_option, literal, load_state, show

_PAUSE = 0.02
#: What is wrong with what does not answer.
TOO_LATE = "no answer in time"

#: For commands that look further than this machine: ``timeout``.
timeout_option: Callable[[Any], Any] = click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600, min_open=True),
    help="Seconds to wait for key sets and the revocation store, in all.",
)


def find_problems(state: Runtime, seconds: float) -> dict[str, str]:
    """Try the key sources and the revocation store of an app, all at once.

    :param seconds: to wait for all of them together; what has not answered then is left alone.
    :returns: what is wrong, by ``app_jwt``, ``consumer_jws`` and ``revocation``.
    """
    until = monotonic() + seconds
    probes = {
        name: _KeySourceProbe(verifier.keys, verifier.rules.algorithms[0])
        for name, verifier in state.verifiers.items()
    }
    if probes["app_jwt"].source is probes["consumer_jws"].source:
        probes["consumer_jws"] = probes["app_jwt"]
    for probe in set(probes.values()):
        probe.start()
    # This starts the follower, which reads the store while the keys are waited for.
    state.revocations.health()
    problems: dict[str, str] = {}
    for name, probe in probes.items():
        probe.join(max(0.0, until - monotonic()))
        if probe.problem is not None:
            problems[name] = probe.problem
    problem = wait_for_revocations(state.revocations, until - monotonic())
    return problems if problem is None else {**problems, "revocation": problem}


def wait_for_revocations(revocations: Revocations, seconds: float) -> str | None:
    """Wait until this process has read what is revoked; return what is wrong, or ``None``.

    ``health()`` starts the follower, if it does not run yet.

    :param seconds: to wait, at most.
    """
    until, pause = monotonic() + seconds, threading.Event()
    while not (status := revocations.health())["ready"]:
        if status["last_error"] or monotonic() >= until:
            return status["last_error"] or TOO_LATE
        pause.wait(_PAUSE)
    return None


class _KeySourceProbe(threading.Thread):
    """Looks for a key in a key source, in a thread of its own, since a custom source may hang."""

    def __init__(self, source: KeySource, algorithm: str) -> None:
        super().__init__(daemon=True)
        self.source = source
        self._algorithm = algorithm
        self.problem: str | None = TOO_LATE  #: until the source has answered

    def run(self) -> None:
        """Look for any key, and keep what is wrong."""
        try:
            self.source.candidates(None, self._algorithm)
        except Unavailable as unavailable:
            self.problem = self.source.health().get("last_error") or unavailable.reason.value
        except Exception as error:
            # Its class only: the text of another package's error may quote a secret.
            self.problem = type(error).__name__
        else:
            self.problem = None


@click.command()
@timeout_option
@json_option
@click.pass_context
def health(ctx: click.Context, timeout: float, as_json: bool) -> None:
    """Show whether a process that starts now can verify tokens.

    Fetches remote key sets, reads the revocation store, and shows what health() returns then. For
    the processes that already run, use health_blueprint().

    Status 1: it is not ready.

    \b
    Example:
      flask --app shop connector-auth health --timeout 3 && gunicorn shop:app
    """
    state = load_state(ctx)
    problems = find_problems(state, timeout)
    status = state.health()
    ready = is_ready(status) and not problems
    show({"ready": ready, "problems": problems, **status}, as_json, _lines)
    ctx.exit(0 if ready else 1)


def _lines(status: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in status.items():
        if isinstance(value, Mapping) and value:
            yield from _lines(value, f"{path}{name}.")
        else:
            yield f"{path}{name}: {literal(value)}"
