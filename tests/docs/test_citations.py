"""What docstrings and comments cite is there: RFC sections, decisions, pages, tests."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.support.project import ROOT

FOLDERS = ("flask_connector_auth", "tests", "benchmarks", "example_app", "docs")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}
DECISIONS = {path.name[:4] for path in (ROOT / "docs" / "decisions").glob("0*.rst")}
FILES = {path.name for path in ROOT.iterdir()} | {
    path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")
}
_SECTION = r"(?:\d+|[A-Z](?=[.,;: )]))(?:\.\d+)*"
_SECTIONS = rf" (?:section|appendix) {_SECTION}| (?:sections|appendices) {_SECTION}(?:,| and| to) "
#: ``RFC 7519 section 4.1.4``, ``RFC 9110 sections 5.3 and 11.4``; or an RFC as a whole.
RFC = rf"RFC \d{{4}}(?:{_SECTIONS}|(?! (?:section|append|{_SECTION})))"
#: The name of a page.
PAGE = r"[\w-]+\.(?:md|rst)\b"


def prose(source: str) -> Iterator[str]:
    """Yield the docstrings and the blocks of comments of *source*, each on one line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield " ".join((ast.get_docstring(node) or "").split())
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield " ".join(block)
                block = []
            block.append(token.string.lstrip("#: "))
            last = token.start[0]
    yield " ".join(block)


PROSE = {name: "\n".join(prose(source)) for name, source in SOURCES.items()}


def unresolved(text: str) -> list[str]:
    """Return the citations in *text* that lead nowhere."""
    rfcs = re.findall(r"RFC ?\d.{0,40}", text)
    pages = re.findall(rf"(?<![\w/.-]){PAGE}", text)
    paths = re.findall(r"(?<![\w/.])(?:docs|tests|benchmarks)/[\w./-]*\w", text)
    decisions = re.findall(r"[Dd]ecisions? (\d+)", text)
    return [
        *(each for each in rfcs if not re.match(RFC, each)),
        *(each for each in pages if each not in FILES),
        *(each for each in paths if not (ROOT / each).exists()),
        *(f"decision {each}" for each in decisions if each not in DECISIONS),
        *re.findall(r"\b(?!(?:RFC|SEC) )[A-Z]{3,}(?: \d+)? sections? \d", text),
        *re.findall(r"\b[Ii]ssues? \d[\d.]*", text),
    ]


@pytest.mark.parametrize("name", PROSE)
def test_each_citation_leads_somewhere(name: str) -> None:
    """A section of an RFC, a decision, a page or a file of this repository; nothing else."""
    assert unresolved(PROSE[name]) == []


@pytest.mark.parametrize(
    "text",
    [
        "RFC 7519 section four",
        "RFC 7520 4.5",
        "RFC7519",
        "decision 12",
        "Decision 9999",
        "docs/nowhere.rst",
        "nowhere.md section 3",
        "PLAN section 2",
        f"issue {6.4}",
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text: str) -> None:
    """Each kind of it."""
    assert len(unresolved(f"The rule, {text}: it holds.")) == 1


def test_a_citation_that_leads_somewhere_is_not() -> None:
    """Positive control: each kind, with one section and with several, and a whole RFC."""
    text = (
        "RFC 7519 section 4.1.4, RFC 9110 sections 5.3 and 11.4, RFC 8037 appendix A.4, RFC 7638; "
        "decision 0011; docs/security.rst; docs/decisions/0001-identity-on-the-request.rst; "
        "README.rst."
    )
    assert unresolved(text) == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("tests/")])
def test_no_test_module_imports_another(name: str) -> None:
    """What several of them use is in ``tests/support``, or is a fixture."""
    modules = [
        imported
        for node in ast.walk(ast.parse(SOURCES[name]))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for imported in (
            [getattr(node, "module", None) or ""] + [alias.name for alias in node.names]
        )
    ]
    assert [each for each in modules if re.search(r"(^|\.)(test_\w+|conftest)$", each)] == []
