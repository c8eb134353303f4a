"""The cost of this package on several Python interpreters, side by side."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from . import report
from .report import Results, Table, aligned, list_table


def measured(interpreter: str, rounds: int) -> Results:
    """Return the results of the short form on *interpreter*, which has this package installed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "benchmarks.json"
        command = [interpreter, "-m", "benchmarks", "--quick", "--rounds", str(rounds)]
        command += ["--only", "ours", "--json", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        results: Results = json.loads(file.read_text())
        return results


def table(every: Sequence[Results]) -> Table:
    """Return the ratios to the bare view on the same interpreter, a column for each."""
    loads = [
        [load, *(_median(each["loads"][load]["ours"]) for each in every)]
        for load in every[0]["loads"]
    ]
    threads = [f"{1 / each['four_threads']['ours'][1]:.2f}" for each in every]
    head = ["", *(each["python"] for each in every)]
    share = "four threads: share of the bare view's requests a second"
    return Table("This package, times the bare view", head, [*loads, [share, *threads]])


def _median(spread: Sequence[float]) -> str:
    return f"{spread[1]:.2f}"


def main(arguments: Sequence[str]) -> None:
    """Measure on each interpreter in turn, print the table, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interpreters")
    parser.add_argument(
        "interpreter", nargs="+", help="a Python that has this package's benchmarks"
    )
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--rst", type=Path, help="write the docs' table here")
    options = parser.parse_args(arguments)
    every = [measured(each, options.rounds) for each in options.interpreter]
    found = table(every)
    print(aligned(found))
    if options.rst:
        options.rst.write_text(f"{report.setting(every[0])}\n\n{list_table(found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
