"""The page on the console shows it by pictures, which everyone can make anew."""

import re
import struct
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "console.rst").read_text()


def test_the_pictures():
    """One picture of each panel, small enough to load, and described in words too."""
    shown = dict(re.findall(r"^\.\. image:: (\S+)\n   :alt: (.+(?:\n      .+)*)\n", PAGE, re.M))
    panels = ("conversation", "connect", "tokens", "break-it", "operations")
    assert list(shown) == [f"_static/console-{panel}.png" for panel in panels]
    for path, words in shown.items():
        content = (DOCS / path).read_bytes()
        assert len(content) < 150_000
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", content[16:24])
        assert width > 600
        assert height > 300
        assert len(words) > 100
