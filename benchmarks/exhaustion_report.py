"""The tables of the benchmark ``exhaustion``, made from its results as in their JSON."""

from collections.abc import Mapping
from typing import Any

from . import report
from .report import Results, Table


def tables(results: Results) -> list[Table]:
    """Return the tables of all measurements."""
    return [_tokens(results["tokens"]), _floods(results), _key_sets(results), _keys(results)]


def text(results: Results) -> str:
    """Return the tables as plain text."""
    return "\n\n".join(["\n".join(report.facts(results)), *map(report.aligned, tables(results))])


def rst(results: Results) -> str:
    """Return the tables as reStructuredText."""
    facts = "\n".join(f"- {fact}" for fact in report.facts(results))
    return "\n\n".join([facts, *map(report.list_table, tables(results))]) + "\n"


def _tokens(tokens: Mapping[str, Mapping[str, Any]]) -> Table:
    app, consumer = tokens["app_jwt"], tokens["consumer_jws"]
    rows = [
        [
            name,
            found["maker"],
            *(f"{each[name]['cost'][1]:.2f}" for each in (app, consumer)),
            *(f"{each[name]['peak']:,.0f}" for each in (app, consumer)),
        ]
        for name, found in app.items()
    ]
    head = ["", "made by", "AppJWT", "ConsumerJWS", "AppJWT, KB", "ConsumerJWS, KB"]
    return Table("One request over one good request, and the memory at its peak", head, rows)


def _floods(results: Results) -> Table:
    count, unknown = f"{results['requests']:,}", results["unknown_keys"]
    rows = []
    for kind, found in results["floods"].items():
        grown = f"{found['whole']:.1f} MB, second half {found['second_half']:.1f} MB"
        rows += [
            [f"memory, {count} {kind} tokens", grown],
            [f"a request after them over before, {kind}", f"{found['after_over_before']:.2f}"],
        ]
    kids = f"{results['kids']:,} unknown keys"
    rows += [
        [f"{kids}: fetches", f"{unknown['fetches']}, in {unknown['seconds']:.0f} s"],
        [f"{kids}: a request over a good one", f"{unknown['median']:.2f}"],
    ]
    rows += [
        [f"an entry of the cache, {name}", f"{size:,.0f} KB"]
        for name, size in results["entries"].items()
    ]
    return Table("Floods", ["", ""], rows)


def _key_sets(results: Results) -> Table:
    rows = [
        [
            f"{int(size):,}",
            f"{found['bytes'] / 1024:,.0f}",
            f"{found['seconds']:.2f}",
            f"{found['megabytes']:.1f}",
            f"{found['request']:.2f}",
        ]
        for size, found in results["key_sets"].items()
    ]
    refused = f"{results['refused_key_set']:.2f}"
    rows.append([f"{int(rows[-1][0].replace(',', '')):,}, fetched", rows[-1][1], refused, "", ""])
    head = ["keys", "KB of text", "seconds to load or refuse", "MB", "a good request over one key"]
    return Table("Key sets", head, rows)


def _keys(results: Results) -> Table:
    rows = [
        [name, f"{found['cost']:.2f}", "yes" if found["accepted"] else "no"]
        for name, found in results["keys"].items()
    ]
    return Table("Finding a signature wrong, over RSA of 2,048 bits", ["", "", "accepted"], rows)
