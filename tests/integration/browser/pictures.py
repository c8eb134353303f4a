"""A browser in; the pictures of the console in the docs, one of each panel, out.

Run it as ``python -m tests.integration.browser.pictures``, with Chromium on the path.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from example_app.serving import served
from tests.support.browser_driving import STEPS, Console, chromium

FOLDER = Path(__file__).parents[3] / "docs" / "_static"
#: For the first, whose panes take the height of the window, and for the others.
SIZES = {"width": 1240, "height": 700}, {"width": 1240, "height": 900}


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
        page = browser.new_context(viewport=SIZES[0], timezone_id="UTC").new_page()
        console = Console(page, running, f"http://127.0.0.1:{running.port}").open()
        for name, step in STEPS.items():
            step(console)
            page.get_by_role("main").evaluate("main => main.scrollTo(0, 0)")
            # The first with the feed, which is beside each of them.
            if name == "Conversation":
                expect(page.locator("#agent-said li")).to_have_count(2)
                page.screenshot(path=path_of(name))
                page.set_viewport_size(SIZES[1])
            else:
                page.get_by_role("main").screenshot(path=path_of(name))
            print(path_of(name).relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    sys.exit(main())
