"""The two plots of the docs as SVG, made from the results as in their JSON."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log10
from typing import Any

from . import svg

Results = Mapping[str, Any]
Curve = Mapping[str, Sequence[float]]

#: The loads that the bars show.
LOADS = (
    *("one token, repeated", "two tokens, repeated"),
    *("one token, every one new", "two tokens, every one new"),
    *("missing", "bad signature, every one new"),
)
_WIDTH, _PANEL, _BAR = 960, 470, 20
_LABELS, _HEAD = 180, 70
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 70, 720, 420


def peers(results: Results) -> str:
    """Return bars, all subjects side by side: one panel for each of :data:`LOADS`."""
    names = [name for name in results["titles"] if name != "bare"]
    height = (len(names) + 2) * _BAR + 10
    longest = max(spread[2] for load in LOADS for spread in results["loads"][load].values())
    title = "What a request costs, as a multiple of the same view without authentication"
    shapes = [svg.text(20, 28, title, "head"), svg.text(20, 48, _facts(results), "small")]
    for place, load in enumerate(LOADS):
        left, top = 10 + place % 2 * _PANEL, _HEAD + place // 2 * height
        shapes += _panel(results, load, names, left, top, (_PANEL - _LABELS - 60) / longest)
    size = (_WIDTH, _HEAD + height * ceil(len(LOADS) / 2))
    return svg.drawing("peers", size, title, _described(results), shapes)


def tokens(results: Results) -> str:
    """Return a line for each subject: its cost by the number of different tokens."""
    curves = {name: curve for name, curve in results["curve"].items() if name != "bare"}
    top = ceil(max(spread[1] for curve in curves.values() for spread in curve.values()))
    title = "Cost of one token, by how many different ones are about"
    shapes = [svg.text(20, 28, title, "head"), svg.text(20, 48, _facts(results), "small")]
    shapes += _axes(top, [int(count) for count in next(iter(curves.values()))])
    ends = {}
    for name, curve in curves.items():
        points = [(_x(int(count)), _y(spread[1], top)) for count, spread in curve.items()]
        shapes.append(svg.curve(points, _kind(name)))
        ends[name] = points[-1][1]
    for name, y in apart(ends).items():
        shapes.append(svg.text(_RIGHT + 12, y + 4, results["titles"][name], _weight(name)))
    desc = "; ".join(f"{results['titles'][name]}: {_read(curve)}" for name, curve in curves.items())
    return svg.drawing("tokens", (_WIDTH, _BOTTOM + 60), title, f"{desc}.", shapes)


def _panel(
    results: Results, load: str, names: list[str], left: float, top: float, scale: float
) -> Iterator[str]:
    zero = left + _LABELS
    yield svg.text(zero, top + 14, load, "strong")
    spreads = results["loads"][load]
    for place, name in enumerate(name for name in names if name in spreads):
        low, median, high = (value * scale for value in spreads[name])
        y = top + 22 + place * _BAR
        yield svg.text(zero - 8, y + 13, results["titles"][name], _weight(name), "end")
        yield svg.bar(zero, y + 2, median, _BAR - 5, _kind(name))
        yield svg.line(zero + low, y + 9.5, zero + high, y + 9.5, "range")
        yield svg.text(zero + high + 5, y + 13, f"{spreads[name][1]:.2f}", _weight(name))
    bottom = top + 22 + len([name for name in names if name in spreads]) * _BAR
    yield svg.line(zero + scale, top + 20, zero + scale, bottom, "base")


def _axes(top: int, counts: Sequence[int]) -> Iterator[str]:
    for value in range(top + 1):
        y = _y(value, top)
        yield svg.line(_LEFT, y, _RIGHT, y, "base" if value == 1 else "grid")
        yield svg.text(_LEFT - 8, y + 4, str(value), "small", "end")
    for count in counts:
        yield svg.text(_x(count), _BOTTOM + 18, f"{count:,}", "small", "middle")
    middle = (_LEFT + _RIGHT) / 2
    words = "different tokens, each as likely to come next as any other"
    yield svg.text(middle, _BOTTOM + 40, words, "small", "middle")
    yield svg.text(_RIGHT + 12, _y(1, top) + 4, "bare view", "small")


def _x(count: int) -> float:
    return _LEFT + 10 + log10(count) / 6 * (_RIGHT - _LEFT - 20)


def _y(value: float, top: float) -> float:
    return _BOTTOM - value / top * (_BOTTOM - _TOP)


def apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Move labels up where they would overlap; the lowest stays."""
    found: dict[str, float] = {}
    limit = float(_BOTTOM)
    for name in sorted(ends, key=lambda name: -ends[name]):
        found[name] = min(ends[name], limit)
        limit = found[name] - 16
    return found


def _kind(name: str) -> str:
    return {"ours": "ours", "ours-uncached": "off", "raw": "floor"}.get(name, "peer")


def _weight(name: str) -> str:
    return "strong" if name == "ours" else ""


def _facts(results: Results) -> str:
    return (
        f"Times the bare view (dashed: 1); less is better. Medians of {results['rounds']} rounds; "
        f"{results['date']}, {results['machine']}, {results['python']}."
    )


def _described(results: Results) -> str:
    parts = []
    for load in LOADS:
        values = (
            f"{results['titles'][name]} {spread[1]:.2f}"
            for name, spread in results["loads"][load].items()
        )
        parts.append(f"{load}: {', '.join(values)}.")
    return " ".join(parts)


def _read(curve: Curve) -> str:
    return ", ".join(f"{spread[1]:.2f} with {int(count):,}" for count, spread in curve.items())
