"""Whether an app can verify tokens, and the wait until it can."""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..core import steady_time
from ..keys import KeySource, finish, leaf_sources, load, look_up_all
from .runtime import Runtime

logger: logging.Logger = logging.getLogger(__name__)

_PAUSE = 0.02


def is_ready(health: Mapping[str, Any]) -> bool:
    """Whether *health*, and every mapping in it that has a ``ready``, is ready.

    Of several issuers, one that is ready is enough: it serves its own tokens.
    """
    parts = {name: part for name, part in health.items() if isinstance(part, Mapping)}
    issuers = parts.pop("issuers", None)
    serves_one = issuers is None or any(map(is_ready, issuers.values()))
    return serves_one and bool(health.get("ready", True)) and all(map(is_ready, parts.values()))


def warm_up(runtimes: Iterable[Runtime], timeout: float) -> bool:
    """Have all that *runtimes* need loaded, for *timeout* seconds at most; see ``warm``."""
    if not timeout >= 0:
        raise ValueError("timeout must be a number of seconds, at least 0")
    runtimes, until = [*runtimes], steady_time() + timeout
    sources = {id(source): source for runtime in runtimes for source in _sources(runtime)}
    loads = {number: load(source) for number, source in sources.items()}
    for fetch in loads.values():
        # It starts now, even if there is no time to wait for it.
        next(fetch, None)
    for runtime in runtimes:
        runtime.revocations.wait_until_ready(0)  # starts the thread that reads the store
    finish(look_up_all(loads, lambda _: False, until - steady_time()))
    tick = threading.Event()
    while (missing := [*_missing(runtimes, sources.values())]) and steady_time() < until:
        tick.wait(_PAUSE)
    if missing:
        logger.warning("not ready after %g s: %s", timeout, "; ".join(missing))
    return not missing


def _sources(runtime: Runtime) -> Iterator[KeySource]:
    for verifier in runtime.verifiers:
        yield from leaf_sources(verifier.keys)


def _missing(runtimes: Iterable[Runtime], sources: Iterable[KeySource]) -> Iterator[str]:
    """Yield what is not ready, in words."""
    for source in sources:
        health = source.health()
        if not health.get("ready"):
            yield f"keys of {health.get('source', type(source).__name__)}"
    for runtime in runtimes:
        # Not by its health, which counts all entries.
        if not runtime.revocations.wait_until_ready(0):
            yield f"revocations of {runtime.revocations.health()['store']}"
