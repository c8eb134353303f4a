"""Calls from several threads that start at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

WORKERS = 8


def at_once(call: Callable[[], Any], times: int = 1) -> list[Any]:
    """Return what *call* returns in each of several threads that start together."""
    barrier = Barrier(WORKERS)

    def run(_: int) -> list[Any]:
        barrier.wait()
        return [call() for _ in range(times)]

    with ThreadPoolExecutor(WORKERS) as pool:
        return [result for results in pool.map(run, range(WORKERS)) for result in results]
