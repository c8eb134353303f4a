"""The pages as a whole: each can be reached, none is too long, and no link leads nowhere."""

import re
from pathlib import Path

import pytest
from write_tables import PLACE

from tests.support.project import PAGES, README, ROOT

LONGEST = 400
DOCS = {name.removeprefix("docs/").removesuffix(".rst"): name for name in PAGES if "/" in name}


def listed(page: str) -> list[str]:
    """Return the names of the pages that are in the tables of contents of *page*."""
    found = []
    for block in re.findall(r"^\.\. toctree::\n(?:   :.*\n)*\n((?:   .+\n)+)", PAGES[page], re.M):
        for entry in block.split():
            folder = Path(page).parent
            matches = sorted((ROOT / folder).glob(f"{entry}.rst"))
            found += [str(each.relative_to(ROOT)) for each in matches]
    return found


def test_every_page_can_be_reached_from_the_first_one() -> None:
    """Once in a table of contents, which has a caption."""
    found = listed("docs/index.rst")
    for page in found:
        found += listed(page)
    assert sorted([*found, "docs/index.rst"]) == sorted(DOCS.values())
    captions = re.findall(r"^   :caption: (.+)$", PAGES["docs/index.rst"], re.MULTILINE)
    assert captions == ["Start", "How to", "Concepts", "Reference", "Project"]
    assert len(captions) == PAGES["docs/index.rst"].count(".. toctree::")


def test_each_decision_is_told_in_short() -> None:
    """The page of questions and answers leads to every decision."""
    linked = set(re.findall(r":doc:`(decisions/\d[\w-]+)`", PAGES["docs/why.rst"]))
    assert linked == {name for name in DOCS if name.startswith("decisions/0")}


def test_the_index_by_task_leads_to_every_page_that_shows_how() -> None:
    """By the page itself, or by a label on it."""
    index = PAGES["docs/recipes.rst"]
    linked = set(re.findall(r":doc:`([\w/-]+)`", index))
    for label in re.findall(r":ref:`(?:[^`<]*<)?([\w-]+)>?`", index):
        linked |= {name for name, page in DOCS.items() if f".. _{label}:\n" in PAGES[page]}
    [how_to] = re.findall(r":caption: How to\n[^\n]*\n\n((?:   .+\n)+)", PAGES["docs/index.rst"])
    assert {*how_to.split(), "quickstart", "project", "example", "settings", "cli"} <= linked


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_too_long_to_be_read(page: str) -> None:
    """Longer ones are to be split. Labels, and tables that are made from the code, do not count."""
    written = re.sub(r"\n{3,}", "\n\n", PLACE.sub("", PAGES[page]))
    shown = re.sub(r"^\.\. _[\w-]+:\n\n", "", written, flags=re.MULTILINE)
    assert len(shown.splitlines()) <= LONGEST


@pytest.mark.parametrize("page", PAGES)
def test_no_link_to_another_page_leads_nowhere(page: str) -> None:
    """``:doc:`` names a page that there is, from wherever it is said."""
    folder = Path("/", *Path(page).parts[1:-1])
    for target in re.findall(r":doc:`(?:[^`<]*<)?([\w/-]+)>?`", PAGES[page]):
        assert str((folder / target).relative_to("/")) in DOCS, target


def test_a_term_of_the_glossary_is_explained_in_one_sentence() -> None:
    """Each term once, in the order of the alphabet."""
    entries = re.findall(r"^   (\w.*)\n((?:      .+\n)+)", PAGES["docs/glossary.rst"], re.MULTILINE)
    terms = [term for term, _ in entries]
    assert {"AppJWT", "ConsumerJWS", "kid", "revocation cache"} <= set(terms)
    assert len(terms) == len(set(terms))
    for term, text in entries:
        assert re.fullmatch(r"[^.]*(?:\.\w[^.]*)*\.\n", text), term


def needs_other_files(text: str) -> list[str]:
    """Return what *text* links to or shows by a relative address, and the roles of Sphinx in it."""
    targets = re.findall(
        r"`[^`<]*<([^>`]+)>`_|^\.\. (?:\|\w+\| )?(?:image|figure|include):: (.+)$", text, re.M
    )
    addresses = [link or picture for link, picture in targets]
    return [
        *(each for each in addresses if not each.startswith("https://")),
        *re.findall(r":[\w:]+:`[^`]+`", text),
    ]


def test_the_readme_can_be_read_alone() -> None:
    """A package index shows it without the files beside it; those that it names are there."""
    assert needs_other_files(README) == []
    named = re.findall(r"``((?:docs/[\w/]+|[A-Z]+)\.(?:rst|md))``", README)
    assert {"docs/settings.rst", "CONTRIBUTING.rst"} <= set(named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(
    "text",
    [
        "See `the settings <docs/settings.rst>`_.",
        "See `the settings <docs/settings.rst>`__.",
        ".. image:: docs/_static/peers.svg\n   :alt: Bars.",
        "See :doc:`settings`.",
        "See :py:func:`public`.",
    ],
)
def test_what_cannot_be_read_alone_is_found(text: str) -> None:
    """Each kind of it, beside what can be."""
    assert len(needs_other_files(f"`A site <https://site.example/>`_, ``code``. \n\n{text}\n")) == 1


def test_no_link_within_the_pages_leads_nowhere() -> None:
    """Pictures, files that are included, and labels."""
    everything = "\n".join(PAGES.values())
    labels = re.findall(r"^\.\. _([\w-]+):$", everything, re.MULTILINE)
    assert len(labels) == len(set(labels))
    named = re.findall(r":ref:`(?:[^`<]*<)?([\w-]+)>?`", everything)
    assert set(named) <= set(labels)
    for name, page in DOCS.items():
        for target in re.findall(r"^ *\.\. (?:image|include):: (.+)$", PAGES[page], re.MULTILINE):
            assert ((ROOT / page).parent / target).is_file(), (name, target)
