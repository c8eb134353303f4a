"""The project's own files: its pages with their code blocks, its generated tables, its metadata."""

import re
import tomllib
from pathlib import Path
from textwrap import dedent

from tables import TABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.rst").read_text()
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of *language* on *page*."""
    directive = f".. code-block:: {language}\n"
    found = re.findall(rf"^{re.escape(directive)}\n((?: +.*\n|\n)+)", PAGES[page], re.MULTILINE)
    assert len(found) == PAGES[page].count(directive)
    return [dedent(block) for block in found]


def pages_with(language: str) -> list[str]:
    """Return the names of the pages that have code blocks of *language*."""
    return [page for page in PAGES if blocks(page, language)]


def generated(name: str) -> list[list[str]]:
    """Return the cells of a generated table, row by row, without its head."""
    _directive, *rows = re.split(r"^   \* - ", TABLES[name](), flags=re.MULTILINE)
    cells = (re.split(r"\n     - ?", row.strip("\n")) for row in rows[1:])
    return [[" ".join(cell.split()) for cell in row] for row in cells]


def files_of(page: str) -> dict[str, str]:
    """Return the Python blocks of *page* by the file that their first line names, if it does.

    The name may be a path, within the folder of a project.
    """
    files: dict[str, str] = {}
    for block in blocks(page, "python"):
        named = re.match(r"# ([\w/.]+\.py)\n", block)
        name = named[1] if named else "page.py"
        files[name] = files.get(name, "") + block
    return files


def write_files(files: dict[str, str], folder: Path) -> None:
    """Write what :func:`files_of` returns into *folder*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
