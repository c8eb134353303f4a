"""The time that a new interpreter takes to import a module."""

import subprocess
import sys

_SCRIPT = "import time; start = time.perf_counter(); import {0}; print(time.perf_counter() - start)"


def import_times(modules: list[str], rounds: int) -> dict[str, float]:
    """Return seconds by module: the minimum over *rounds*, in each of which it is imported once.

    An additional round comes first, since files are compiled and read from disk in it.
    """
    times: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(rounds + 1):
        for module in modules:
            times[module].append(_import(module))
    return {module: min(values[1:]) for module, values in times.items()}


def _import(module: str) -> float:
    command = [sys.executable, "-c", _SCRIPT.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
