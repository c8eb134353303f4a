"""The directive ``generated``, which puts a part made from the package itself on a page."""

import request_picture
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from tables import SOURCES, TABLES


class Generated(SphinxDirective):
    """Inserts one of the generated tables."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Return the nodes of the table; Sphinx makes them again when a source changes."""
        for module in SOURCES:
            self.env.note_dependency(module.__file__)
        return self.parse_text_to_nodes(TABLES[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx, and make the picture that a page includes."""
    app.add_directive("generated", Generated)
    request_picture.FILE.write_text(request_picture.picture())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
