"""The picture of the packages and what they may import, made from the layers in pyproject.toml.

``python docs/_ext/rooms.py`` writes it to ``docs/_static/rooms.svg``.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "_static" / "rooms.svg"
PACKAGE = "flask_connector_auth"
_LEFT, _WIDTH, _TOP, _HEIGHT, _STEP, _GAP = 16, 520, 32, 44, 64, 12


def contracts() -> dict[str, dict[str, Any]]:
    """Return the contracts of import-linter, by type."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {each["type"]: each for each in settings["tool"]["importlinter"]["contracts"]}


def layers() -> list[list[str]]:
    """Return the rooms of each layer, from the top down."""
    return [re.split(r" [|:] ", layer) for layer in contracts()["layers"]["layers"]]


def without_flask() -> set[str]:
    """Return the rooms that may not import Flask."""
    sources = contracts()["forbidden"]["source_modules"]
    return {name.removeprefix(f"{PACKAGE}.") for name in sources}


def drawing() -> str:
    """Return the picture as SVG."""
    rows, free = layers(), without_flask()
    height = _TOP + _STEP * len(rows)
    parts = []
    for number, rooms in enumerate(rows):
        y = _TOP + _STEP * number
        width = (_WIDTH - _GAP * (len(rooms) - 1)) / len(rooms)
        for place, room in enumerate(rooms):
            x = _LEFT + place * (width + _GAP)
            kind = "box" if room in free else "web"
            parts += [
                f'<g id="room-{room}">',
                f'<rect class="{kind}" x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_HEIGHT}"'
                ' rx="6"/>',
                f'<text class="name" x="{x + width / 2:.0f}" y="{y + 27}" text-anchor="middle">'
                f"{room}</text>",
                "</g>",
            ]
        if number:
            middle = _LEFT + _WIDTH // 2
            parts.append(
                f'<path class="way" d="M{middle} {y - _STEP + _HEIGHT}V{y - 1}"'
                ' marker-end="url(#rooms-tip)"/>'
            )
    first = next(number for number, rooms in enumerate(rows) if free.issuperset(rooms))
    for text, number in (("may import Flask", 0), ("without Flask", first)):
        y = _TOP + _STEP * number + 27
        parts.append(f'<text class="small" x="{_LEFT + _WIDTH + 20}" y="{y}">{text}</text>')
    described = "; ".join(", ".join(rooms) for rooms in rows)
    return _SVG.format(width=680, height=height, described=described, parts="\n".join(parts))


_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-labelledby="rooms-title rooms-desc">
<title id="rooms-title">The rooms of the package</title>
<desc id="rooms-desc">Layers, from the top down: {described}. A room imports only from those \
below it.</desc>
<style>
 .back{{fill:#fff}} text{{fill:#1f2328;font:13px system-ui,'DejaVu Sans',sans-serif}}
 .name{{font:13px ui-monospace,'DejaVu Sans Mono',monospace}} .small{{fill:#59636e}}
 .box{{fill:#f6f8fa;stroke:#8c959f}} .web{{fill:#ddf4ff;stroke:#0969da}}
 .way{{fill:none;stroke:#59636e;stroke-width:1.3}} .tip{{fill:#59636e}}
 @media (prefers-color-scheme:dark){{
  .back{{fill:#0d1117}} text{{fill:#e6edf3}} .small{{fill:#9198a1}}
  .box{{fill:#161b22;stroke:#6e7681}} .web{{fill:#121d2f;stroke:#4493f8}}
  .way{{stroke:#9198a1}} .tip{{fill:#9198a1}}
 }}
</style>
<defs><marker id="rooms-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" \
markerHeight="8" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="back" width="{width}" height="{height}"/>
<text class="small" x="16" y="20">A room imports only from those below it.</text>
{parts}
</svg>
"""

if __name__ == "__main__":
    PICTURE.write_text(drawing())
