"""What is done with names in ``literals``: links to their descriptions, and line breaks.

A page can name a setting, a class, a signal or a reason as a plain literal, which reads well where
the source is shown without a build. Here it becomes a link.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

#: Letters between two breaks, at least: shorter pieces cannot be read as one name.
LEAST = 14
_PIECE = re.compile(
    rf".{{{LEAST},}}?(?:(?<=[_/:.=|({{])(?=\w)|(?<=[a-z])(?=[A-Z])|$)|.+$", re.DOTALL
)
_SETTING = re.compile(r"CONNECTOR_AUTH_[A-Z_]+")
_CLASS = re.compile(r"[A-Z]\w*[a-z]\w*")
_PACKAGE = "flask_connector_auth"
_NARROW = (nodes.entry, nodes.title)
_CODE_IN_HTML = re.compile(r'(?<=<span class="pre">)[^<]+')


def pieces(name: str) -> list[str]:
    """Return the parts of *name* between which a line may end; the last one may be short."""
    return _PIECE.findall(name)


class LinkedNames(SphinxPostTransform):
    """Links settings, classes and signals, and reasons in tables of the class ``linked``."""

    default_priority = 890

    def run(self, **kwargs: object) -> None:
        """Put each name that has a description into a reference to it."""
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference | nodes.term | nodes.title):
                continue
            if (place := self._place_of(literal)) is not None:
                docname, node_id = place
                uri = self.app.builder.get_relative_uri(self.env.docname, docname)
                reference = nodes.reference(refuri=f"{uri}#{node_id}", internal=True)
                literal.replace_self(reference)
                reference += literal

    def _place_of(self, literal: nodes.literal) -> tuple[str, str] | None:
        """Return the page and the anchor of what *literal* names."""
        text, domains = literal.astext(), self.env.domains
        labels = domains.standard_domain.anonlabels
        if _SETTING.fullmatch(text):
            return labels.get(text.lower())
        if _CLASS.fullmatch(text):
            found = domains.python_domain.objects.get(f"{_PACKAGE}.{text}")
            return None if found is None else (found.docname, found.node_id)
        if f"signal-{text}" in labels:
            return labels[f"signal-{text}"]
        is_linked = any("linked" in table["classes"] for table in _tables_around(literal))
        return labels.get(f"reason-{text}") if is_linked else None


def _tables_around(node: nodes.Node) -> list[nodes.table]:
    found = []
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.table):
            found.append(node)
    return found


class BreakableNames(SphinxPostTransform):
    """Allows line breaks between the words of long names, in tables and headings."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Put ``<wbr>`` between the words; text copied from the page stays the same."""
        for narrow in self.document.findall(lambda node: isinstance(node, _NARROW)):
            for literal in narrow.findall(nodes.literal):
                first, *others = pieces(literal.astext()) or [""]
                literal[:] = [nodes.Text(first)]
                for piece in others:
                    literal += [nodes.raw("", "<wbr>", format="html"), nodes.Text(piece)]


def break_names_in_contents(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _document: object
) -> None:
    """Allow the same breaks in the contents of a page, which are made before its headings."""
    if contents := context.get("toc"):
        context["toc"] = _CODE_IN_HTML.sub(lambda code: "<wbr>".join(pieces(code[0])), contents)


def note_signals(app: Sphinx, document: nodes.document) -> None:
    """Make each label ``signal-…`` the target of the role ``data``."""
    for name, node_id in document.nameids.items():
        if name.startswith("signal-") and node_id is not None:
            signal = name.removeprefix("signal-")
            app.env.domains.python_domain.note_object(f"{_PACKAGE}.{signal}", "data", node_id)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transforms with Sphinx."""
    app.add_post_transform(LinkedNames)
    app.add_post_transform(BreakableNames)
    app.connect("doctree-read", note_signals)
    app.connect("html-page-context", break_names_in_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
