"""A browser in; the pictures of the console in the docs, one of each panel, out.

Run it as ``python -m tests.integration.browser.pictures``, with Chromium on the path.
"""

import sys
import tempfile
from pathlib import Path

from example_app.serving import served
from tests.support.browser_driving import STEPS, Console, chromium

FOLDER = Path(__file__).parents[3] / "docs" / "_static"
SIZE = {"width": 1240, "height": 600}


def path_of(panel: str) -> Path:
    """Return the file that the picture of a panel is in."""
    return FOLDER / f"console-{panel.lower().replace(' ', '-')}.png"


def main() -> None:
    """Use each panel, and take its picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(0, 0, {}, folder) as running,
        chromium() as browser,
    ):
        page = browser.new_context(viewport=SIZE, timezone_id="UTC").new_page()
        console = Console(page, running, f"http://127.0.0.1:{running.port}").open()
        for name, step in STEPS.items():
            step(console)
            # The first with the list of requests, which is the same beside each of them.
            pictured = page.get_by_role("main") if name != "Conversation" else page
            pictured.screenshot(path=path_of(name))
            print(path_of(name).relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    sys.exit(main())
