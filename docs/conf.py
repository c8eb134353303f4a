"""How Sphinx builds these pages; no network."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "flask-connector-auth"
copyright = "The flask-connector-auth maintainers"
release = metadata.version(project)
extensions = ["sphinx.ext.autodoc", "names"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_title = f"{project} {release}"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Other projects' names cannot be resolved without their inventories, which are on the network.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(apispec|authlib|collections\.abc|flask|joserfc|opentelemetry|prometheus_client|ssl|werkzeug)\..*",
    )
]
# Type variables, and what only settings are made into, have no page.
nitpick_ignore = [
    ("py:class", "flask_connector_auth.core.tokens.ClaimNames"),
    ("py:class", "flask_connector_auth.revocation.revocation_set.Piece"),
    ("py:class", "P"),
    ("py:class", "flask_connector_auth.decorators.R"),
    ("py:class", "flask_connector_auth.decorators.V"),
    ("py:class", "flask_connector_auth.extension.CheckT"),
    ("py:class", "flask_connector_auth.extension.LoaderT"),
    ("py:class", "flask_connector_auth.web.context.AppT"),
    ("py:class", "flask_connector_auth.web.context.ConsumerT"),
]
