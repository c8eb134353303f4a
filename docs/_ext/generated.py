"""``.. generated:: NAME`` in; what the package's own definitions say of it out."""

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from tables import SOURCES, TABLES


class Generated(SphinxDirective):
    """Puts one of the generated parts on the page."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Return its nodes, made anew whenever its sources change."""
        for module in SOURCES:
            self.env.note_dependency(module.__file__)
        return self.parse_text_to_nodes(TABLES[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
