"""SVG drawings that are readable in light and dark mode, and by a screen reader."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

# The drawing has a background, since the page around it may not follow the choice of light or dark.
_STYLE = """
 .back{fill:#ffffff} text{fill:#1f2328;font:13px system-ui,'DejaVu Sans',sans-serif}
 .head{font-weight:600;font-size:15px} .strong{font-weight:600} .small{fill:#59636e;font-size:11px}
 .grid{stroke:#d1d9e0} .base{stroke:#59636e;stroke-dasharray:4 3} .range{stroke:#1f2328}
 .ours{fill:#0969da;stroke:#0969da} .floor{fill:#b6c0ca;stroke:#b6c0ca}
 .off{fill:#80b3ee;stroke:#80b3ee} .peer{fill:#8c959f;stroke:#8c959f}
 .curve{fill:none;stroke-width:1.5} .curve.ours{stroke-width:3}
 @media (prefers-color-scheme:dark){
  .back{fill:#0d1117} text{fill:#e6edf3} .small{fill:#9198a1} .grid{stroke:#30363d}
  .base{stroke:#9198a1} .range{stroke:#e6edf3} .ours{fill:#4493f8;stroke:#4493f8}
  .floor{fill:#3d444d;stroke:#3d444d} .off{fill:#3568ab;stroke:#3568ab}
  .peer{fill:#6e7681;stroke:#6e7681} .curve{fill:none}
 }
"""


def drawing(name: str, size: tuple[int, int], title: str, desc: str, shapes: Iterable[str]) -> str:
    """Return the SVG document of *shapes*.

    :param name: prefix of its ids, so that they differ from those of other drawings on the page.
    :param size: width and height.
    :param desc: description for screen readers.
    """
    width, height = size
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(desc)}</desc>\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="back" width="{width}" height="{height}"/>\n{body}\n</svg>\n'
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return *words* whose baseline is at *y*."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} class="{kind}">{escape(words)}</text>'


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def curve(points: Iterable[tuple[float, float]], kind: str) -> str:
    """Return a line through *points*."""
    found = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{found}" class="curve {kind}"/>'
