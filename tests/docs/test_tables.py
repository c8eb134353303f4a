"""The tables that are made from the package stand in the pages, as they would be made today."""

import re

import pytest
from tables import TABLES
from write_tables import COMMAND, DOCS, PLACE, pages, updated

from tests.support.project import PAGES

#: The comments of all tables, whether or not a table is found between them.
BEGINNINGS = re.compile(r"^\.\. begin table: ([\w-]+)", re.MULTILINE)


@pytest.mark.parametrize("page", [str(path.relative_to(DOCS)) for path in pages()])
def test_the_tables_of_a_page_are_those_of_today(page: str) -> None:
    """What the code says now; if it does not stand there, the command writes it."""
    text = PAGES[f"docs/{page}"]
    assert updated(text) == text, f"docs/{page} is not up to date. Run: {COMMAND}"


def test_every_table_stands_in_one_page() -> None:
    """Between two comments that name it, and the command that writes it."""
    found = [name for text in PAGES.values() for name in BEGINNINGS.findall(text)]
    assert sorted(found) == sorted(TABLES)
    written = [place[2] for text in PAGES.values() for place in PLACE.finditer(text)]
    assert written == found
    assert sum(text.count(f"(written by {COMMAND})") for text in PAGES.values()) == len(found)


def test_a_table_that_was_changed_by_hand_is_written_again() -> None:
    """Only what is between the comments changes."""
    page = PAGES["docs/errors.rst"]
    changed = page.replace("The header is absent or blank.", "Something else.")
    assert changed != page
    assert updated(changed) == page
    outside = page.replace("refused", "accepted", 1)
    assert updated(outside) == outside


@pytest.mark.parametrize("name", TABLES)
def test_a_table_can_be_read_without_a_build(name: str) -> None:
    """Links are literals, or roles and references that the page itself or docutils resolves: a code
    host shows the source of other roles."""
    roles = set(re.findall(r":(\w+):`", TABLES[name]()))
    assert roles <= {"rfc", "sup", "doc"}
    directives = set(re.findall(r"^\.\. ([\w-]+)::", TABLES[name](), re.MULTILINE))
    assert directives <= {"list-table", "code-block"}
