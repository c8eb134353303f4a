"""The page that compares features: each row says what is so here, by a test or a page."""

import ast
import re

import pytest

from tests.support.project import PAGES, ROOT

PAGE = PAGES["docs/comparison.rst"]
ROWS = [
    [" ".join(cell.split()) for cell in re.split(r"\n     - ?", row)]
    for row in re.findall(r"^   \* - (?!Feature)((?:.+\n)+?)(?=   \* -|\n|\Z)", PAGE, re.MULTILINE)
]
#: The footnotes, each with a test, by name.
PROOFS = {
    note: (path, name)
    for note, path, name in re.findall(
        r"^\.\. \[#([\w-]+)\] ``(tests/[\w/]+\.py)::(\w+)``$", PAGE, re.MULTILINE
    )
}


@pytest.mark.parametrize(("path", "name"), PROOFS.values(), ids=PROOFS)
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    """``tests/….py::test_name`` is a function of that file."""
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_has_its_proof(row: list[str]) -> None:
    """What is so here has a test; what is not says so, and names a page where there is more."""
    feature, *others, here = row
    assert feature
    assert len(others) == 4
    assert all(others)
    noted = re.search(r" \[#([\w-]+)\]_$", here)
    assert noted[1] in PROOFS if noted else re.match(r"no(?:: .*:doc:`\w+`.*)?$", here)


def test_no_row_is_overlooked() -> None:
    """Each footnote belongs to one row, and each row is among those that are looked at."""
    assert len(ROWS) == PAGE.count("   * - ") - PAGE.count("   * - Feature")
    assert sorted(re.findall(r"\[#([\w-]+)\]_", PAGE)) == sorted(PROOFS)
    assert PAGE.count("``tests/") == len(PROOFS) == PAGE.count(".. [#")
