"""Writes the tables that are made from the package into the pages.

``python docs/_ext/write_tables.py`` writes each table between the two comments that name it, and
the picture of a request. Run it after a change to what a table is made from;
``tests/docs/test_tables.py`` fails until then. So the source of a page shows all of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import request_picture
from tables import TABLES

DOCS = Path(__file__).parents[1]
COMMAND = "python docs/_ext/write_tables.py"
#: The comments around a table, and what is between them.
PLACE = re.compile(
    r"^(\.\. begin table: ([\w-]+) \(written by (?:.+)\)\n\n)(.*?)^(\.\. end of table: \2)$",
    re.MULTILINE | re.DOTALL,
)


def pages() -> Iterator[Path]:
    """Yield the pages that have generated tables."""
    for path in sorted(DOCS.rglob("*.rst")):
        if PLACE.search(path.read_text()):
            yield path


def updated(text: str) -> str:
    """Return the *text* of a page with the tables of today."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]().strip()}\n\n{place[4]}", text)


def main() -> None:
    """Write all of it."""
    for path in pages():
        path.write_text(updated(path.read_text()))
    request_picture.FILE.write_text(request_picture.picture())


if __name__ == "__main__":
    main()
