"""The growth of a process while it serves a load (Linux, glibc)."""

import ctypes
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import cast

from . import driver, loads
from .mint import Mint
from .subjects import SUBJECTS

KINDS = ("new", "garbage")


def growth(kind: str, requests: int) -> dict[str, float]:
    """Return how much a new process grows, in megabytes, over *requests* with one token each.

    :param kind: one of :data:`KINDS`: good tokens or bad ones, all of them new.
    :returns: ``whole`` and ``second_half``.
    """
    command = [sys.executable, "-m", "benchmarks.memory", kind, str(requests)]
    found = subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return cast(dict[str, float], json.loads(found.stdout))


def _serve(kind: str, requests: int) -> dict[str, float]:
    mint = Mint()
    app = SUBJECTS["ours"].build(mint.key_set())
    # Made one at a time and not kept, so that all growth is the app's.
    cases: Iterator[loads.Case] = (
        loads.new(mint, count()) if kind == "new" else loads.garbage(mint.app_jwt(0))
    )
    driver.serve(app, islice(cases, 300))
    marks = [resident()]
    for _half in range(2):
        driver.serve(app, islice(cases, requests // 2))
        marks.append(resident())
    start, middle, end = marks
    return {"whole": end - start, "second_half": end - middle}


def resident() -> float:
    """Return the resident memory of this process, in megabytes."""
    gc.collect()
    # Return freed memory to the system first: what the allocator keeps is not in use.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    print(json.dumps(_serve(sys.argv[1], int(sys.argv[2]))))
