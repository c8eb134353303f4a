"""Compare this package with others: print tables, write JSON, plots and the tables of the docs."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import plots, report
from .run import QUICK, Results, Runner, Size
from .subjects import SUBJECTS


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write the files."""
    options = _parser().parse_args(arguments)
    size = QUICK if options.quick else Size()
    if options.rounds:
        size = replace(size, rounds=options.rounds)
    # Written as JSON and read again, so that tables and plots work on what a file would contain.
    results = json.loads(json.dumps(Runner(options.only, size).run()))
    print(report.text(results))
    if options.json:
        write(results, options.json)


def write(results: Results, path: Path) -> None:
    """Write *results* to *path*, and the plots and the docs' tables beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_name("peers.svg").write_text(plots.peers(results))
    path.with_name("tokens.svg").write_text(plots.tokens(results))
    path.with_suffix(".txt").write_text(report.rst(results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What authentication costs a request, as a multiple of the same bare view.",
    )
    parser.add_argument("--rounds", type=_rounds, help="rounds, at least 20 to mean something")
    parser.add_argument("--quick", action="store_true", help="a minute or two instead of ten")
    parser.add_argument("--json", type=Path, help="write results here, tables and plots beside it")
    parser.add_argument(
        "--only", type=_names, default=[*SUBJECTS], help=f"some of: {', '.join(SUBJECTS)}"
    )
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if rounds < 2:
        raise argparse.ArgumentTypeError("at least 2 rounds, or there are no quartiles")
    return rounds


def _names(text: str) -> list[str]:
    chosen = set(text.split(","))
    if unknown := chosen - {*SUBJECTS}:
        raise argparse.ArgumentTypeError(f"no subject {', '.join(sorted(unknown))}")
    if chosen == {"bare"}:
        raise argparse.ArgumentTypeError("name another one: the bare view is always there")
    return [name for name in SUBJECTS if name == "bare" or name in chosen]


if __name__ == "__main__":
    main(sys.argv[1:])
