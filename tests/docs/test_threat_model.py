"""The threat model: each threat names tests that there are, and each rule is named."""

import ast
import re
from xml.etree import ElementTree

import pytest

from tests.support.project import PAGES, ROOT

PAGE = PAGES["docs/threat_model.rst"]
SVG = ElementTree.parse(ROOT / "docs" / "_static" / "trust_boundaries.svg").getroot()  # noqa: S314
NAMESPACE = "{http://www.w3.org/2000/svg}"
NAMED = re.findall(r"``(tests/[\w/]+\.py)(?:::(\w+))?``", PAGE)
ROWS = re.findall(r"^   \* - (?!Threat)((?:.+\n)+?)(?=   \* -|\n)", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    """``tests/….py::test_name`` is a function of that file; a file alone has tests."""
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in functions if name else any(each.startswith("test_") for each in functions)


def test_each_threat_has_a_test() -> None:
    """No row of the tables is without one, and no name on the page is mistyped past the check."""
    assert len(ROWS) > 20
    assert all("``tests/" in row for row in ROWS)
    assert PAGE.count("``tests/") == len(NAMED)


def test_each_rule_is_named() -> None:
    """RFC 8725 sections 3.1 to 3.12, and ASVS 5.0 chapter V9, each on a row with a test."""
    text = "\n".join(ROWS)
    asvs = {"9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.2.2", "9.2.3", "9.2.4"}
    assert set(re.findall(r"\b9\.\d\.\d\b", text)) == asvs
    sections = set(re.findall(r"(?<!\.)\b3\.\d+\b", text))
    assert sections == {f"3.{number}" for number in range(1, 13)}


def test_the_picture_has_the_boundaries_of_the_page() -> None:
    """Each numbered line of the picture is a section, and the other way round."""
    numbers = {each.text for each in SVG.iter(f"{NAMESPACE}text") if each.get("class") == "number"}
    assert numbers == set(re.findall(r"^(\d)\. .+\n-+$", PAGE, re.MULTILINE))
    assert len([each for each in SVG.iter() if each.get("class") == "line"]) == len(numbers)


def test_the_picture_can_be_heard() -> None:
    """WCAG 2.2, 1.1.1: title and description, by which a screen reader tells what one sees."""
    told = [SVG.find(f"{NAMESPACE}{name}") for name in ("title", "desc")]
    assert SVG.get("role") == "img"
    assert all(each is not None and each.text for each in told)
    assert SVG.get("aria-labelledby") == " ".join(
        each.get("id", "") for each in told if each is not None
    )
