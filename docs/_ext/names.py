"""Line breaks inside long names in tables."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

_BETWEEN = re.compile(r"(?<=[_/:.=|({])(?=\w)")


class BreakableNames(SphinxPostTransform):
    """Allows line breaks between the words of names of tests and settings, in narrow columns."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Put ``<wbr>`` between the words; text copied from the page stays the same."""
        for entry in self.document.findall(nodes.entry):
            for literal in entry.findall(nodes.literal):
                words = _BETWEEN.split(literal.astext())
                literal[:] = [nodes.Text(words[0])]
                for word in words[1:]:
                    literal += [nodes.raw("", "<wbr>", format="html"), nodes.Text(word)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform with Sphinx."""
    app.add_post_transform(BreakableNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
