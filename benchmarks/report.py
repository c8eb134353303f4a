"""Tables of the results, as plain text or reStructuredText."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Results = Mapping[str, Any]


class Table(NamedTuple):
    """A table: all cells are text, and the first column has the names of the rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> list[Table]:
    """Return the tables of all measurements; the columns have the short names of the subjects."""
    names = [*results["titles"]]
    head = ["", *names]
    found = [
        Table("Times the bare view", head, _rows(results["loads"], names)),
        Table(
            "Four threads: two tokens, repeated. Key sets: one token, every one new",
            head,
            list(_other_rows(results, names)),
        ),
        _curve_table(results["curve"]),
    ]
    if "memory" in results:
        found.append(Table("This package alone", ["", ""], list(_ours_alone(results))))
    return found


def facts(results: Results) -> list[str]:
    """Return the facts that the numbers depend on, as sentences."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return [
        setting(results),
        f"{versions}.",
        f"Medians of {results['rounds']} rounds, {results['batch']} requests each.",
    ]


def setting(results: Results) -> str:
    """Return the date and the machine of the measurement, as a sentence."""
    return f"{results['date']}, {results['machine']}, {results['python']}."


def write(results: Results, heading: str, found: Table, path: Path) -> None:
    """Write *results* as JSON to *path*, and beside it *heading* and the table *found*."""
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".txt").write_text(f"{heading}\n\n{list_table(found)}\n")


def text(results: Results) -> str:
    """Return facts and tables as plain text."""
    return "\n\n".join(["\n".join(facts(results)), *map(aligned, tables(results))])


def rst(results: Results) -> str:
    """Return facts and tables as reStructuredText."""
    lines = [f"- {fact}" for fact in facts(results)]
    titles = {"": "", **results["titles"]}
    named = [
        table._replace(head=[titles[name] for name in table.head]) for table in tables(results)
    ]
    return "\n\n".join(["\n".join(lines), *map(list_table, named)]) + "\n"


def _rows(by_load: Mapping[str, Any], names: Iterable[str]) -> list[list[str]]:
    return [
        [load, *(_cell(spreads.get(name)) for name in names)] for load, spreads in by_load.items()
    ]


def _other_rows(results: Results, names: Iterable[str]) -> Iterable[list[str]]:
    threads, keys = results["four_threads"], results["key_sets"]
    yield [
        "four threads: share of the bare view's requests a second",
        *(f"{1 / threads[name][1]:.2f}" for name in names),
    ]
    yield [
        "key set of 50 over key set of 1",
        *(_cell(keys.get(name)) for name in names),
    ]


def _curve_table(curve: Mapping[str, Any]) -> Table:
    rows = [
        [f"{int(tokens):,}", *(_cell(spreads[tokens]) for spreads in curve.values())]
        for tokens in curve["bare"]
    ]
    return Table("One token, by how many different ones are about", ["", *curve], rows)


def _ours_alone(results: Results) -> Iterable[list[str]]:
    count = f"{results['requests']:,}"
    before, after = results["flood"]["before"][1], results["flood"]["after"][1]
    yield [f"hot set, after {count} garbage tokens over before", f"{after / before:.2f}"]
    for kind, grown in results["memory"].items():
        whole, second = grown["whole"], grown["second_half"]
        yield [f"memory, {count} {kind} tokens", f"{whole:.1f} MB, second half {second:.1f} MB"]
    base, package = results["imports"].values()
    yield ["import over that of flask", f"{package / base:.2f} ({1000 * base:.0f} ms for flask)"]


def _cell(spread: Sequence[float] | None) -> str:
    return "" if spread is None else f"{spread[1]:.2f}"


def aligned(table: Table) -> str:
    """Return *table* as plain text, in aligned columns."""
    rows = [table.head, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join([table.title, "=" * len(table.title), *lines])


def list_table(table: Table) -> str:
    """Return *table* as reStructuredText."""
    head = [table.head] if any(table.head) else []
    lines = [f".. list-table:: {table.title}", f"   :header-rows: {len(head)}"]
    lines += ["   :stub-columns: 1", ""]
    for first, *rest in (*head, *table.rows):
        lines += [f"   * - {first}".rstrip(), *(f"     - {cell}".rstrip() for cell in rest)]
    return "\n".join(lines)
