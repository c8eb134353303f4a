"""Line breaks inside long names in tables."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

#: Letters between two breaks, at least: shorter pieces cannot be read as one name.
LEAST = 14
_PIECE = re.compile(
    rf".{{{LEAST},}}?(?:(?<=[_/:.=|({{])(?=\w)|(?<=[a-z])(?=[A-Z])|$)|.+$", re.DOTALL
)


def pieces(name: str) -> list[str]:
    """Return the parts of *name* between which a line may end; the last one may be short."""
    return _PIECE.findall(name)


class BreakableNames(SphinxPostTransform):
    """Allows line breaks between the words of names of tests and settings, in narrow columns."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Put ``<wbr>`` between the words; text copied from the page stays the same."""
        for entry in self.document.findall(nodes.entry):
            for literal in entry.findall(nodes.literal):
                first, *others = pieces(literal.astext()) or [""]
                literal[:] = [nodes.Text(first)]
                for piece in others:
                    literal += [nodes.raw("", "<wbr>", format="html"), nodes.Text(piece)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform with Sphinx."""
    app.add_post_transform(BreakableNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
