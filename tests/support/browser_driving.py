"""A browser in; the console used in it as a person does, and what went wrong there, out."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from example_app.console import Console as AppConsole
from example_app.domain import SERVICES
from example_app.serving import Served

CHROMIUM = shutil.which("chromium")
#: Milliseconds for whatever the page has to do: the machine may run other tests too.
PATIENCE = 20_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",  # so that pictures of text are small
    # No name is asked for elsewhere, and one is made to lead to this machine.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND"
    ", EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
#: How the browser tells in its log that a request was answered with an error.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the browser, which is ended afterwards."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def violations(page: Page) -> list[tuple[str, str, list[str]]]:
    """Return what axe-core finds, with where: by all of its rules."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["help"], [node["html"] for node in each["nodes"]]) for each in found]


def go_to_page(page: Page, address: str) -> None:
    """Go to the console, and wait until it has loaded all that it needs."""
    answer = page.goto(address)
    assert answer
    assert answer.status == 200
    expect(page.locator("body[data-ready]")).to_be_attached()


def key_path(served: Served) -> str:
    """Return path and query of the console, with its key, as printed at the start."""
    console: AppConsole = served.app.extensions["console"]
    return console.access_key.path


class Console:
    """The console of *served* at *origin*, in *page*."""

    def __init__(self, page: Page, served: Served, origin: str) -> None:
        self.page, self.origin = page, origin
        self.address = f"{origin}{key_path(served)}"
        self.status = page.get_by_role("status")
        self.urls: list[str] = []  #: of all requests
        self.refused: list[int] = []  #: the statuses of answers that were errors
        self.errors: list[str] = []  #: anything else that the browser complains of
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("console", self._noted)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, fragment: str = "") -> "Console":
        """Open the page, and wait until it knows what it needs."""
        go_to_page(self.page, f"{self.address}{fragment}")
        # The app outlives a test: what it got before is none of its business.
        self.page.evaluate("document.getElementById('feed-clear').click()")
        return self

    def panel(self, name: str) -> Locator:
        """Show a panel."""
        self.page.get_by_role("tab", name=name).click()
        panel = self.page.get_by_role("tabpanel", name=name)
        expect(panel).to_be_visible()
        return panel

    def click(self, name: str, told: str) -> None:
        """Click a button; when all is done, the status line tells *told*, a pattern."""
        self.page.get_by_role("button", name=name, exact=True).click()
        self.done(told)

    def flip(self, kind: str, fault: str, told: str) -> None:
        """Flip the switch of a fault; when all is done, the status line tells *told*."""
        self.page.locator(f"#faults-{kind} [data-name={fault}]").click()
        self.done(told)

    def done(self, told: str) -> None:
        """Wait until nothing is under way, and find *told* in the status line."""
        expect(self.page.locator("body:not(.busy)")).to_be_attached()
        expect(self.status).to_have_text(re.compile(told))

    def is_accessible(self) -> None:
        """Find no violation of axe-core's rules in the state of the page."""
        assert violations(self.page) == []

    def was_refused(self, *statuses: int) -> None:
        """Take the answers that were errors: those, and no other."""
        while len(self.refused) < len(statuses):
            self.page.wait_for_event("console")
        assert self.refused == [*statuses]
        self.refused.clear()

    def was_refused_each_time(self, status: int) -> None:
        """Take the answers that were errors: one or more, as often as the desk was read too."""
        while not self.refused:
            self.page.wait_for_event("console")
        assert {*self.refused} == {status}
        self.refused.clear()

    def requests(self) -> list[str]:
        """Return what is listed of the requests, the newest first."""
        lines = self.page.locator("#requests summary").all_inner_texts()
        return [" ".join(line.split()) for line in lines]

    def entry(self, name: str = "") -> Locator:
        """Return the newest entry of the feed whose text has *name*."""
        return self.page.locator("#requests > li", has_text=name).first

    def shown(self, name: str = "") -> dict[str, str]:
        """Open the newest entry with *name*; return its request, answer and command."""
        # By its number, for newer ones may come meanwhile.
        number = self.entry(name).get_attribute("data-number")
        entry = self.page.locator(f"#requests > li[data-number='{number}']")
        entry.locator("details").evaluate("details => { details.open = true; }")
        expect(entry.locator("pre").first).to_be_attached()
        titles, texts = (entry.locator(name).all_inner_texts() for name in ("h3", "pre"))
        return dict(zip(titles, texts, strict=True))

    def _noted(self, message: ConsoleMessage) -> None:
        if found := REFUSED.match(message.text):
            self.refused.append(int(found[1]))
        elif message.type in ("error", "warning"):
            self.errors.append(message.text)


def start(console: Console) -> None:
    """Use the first panel as it suggests: one button sends a message, another one answers it."""
    console.panel("Conversation")
    console.click("Send a message", "Message 0 is sent")
    console.click("Answer as the agent", "Message 1 is the agent's")


def talk(console: Console) -> None:
    """Use the first panel step by step: a consumer asks, and an agent answers."""
    console.panel("Conversation")
    console.click("Look up the services", f"^{len(SERVICES)} services")
    console.click("Get both tokens", "An AppJWT for the app")
    console.click("Open a conversation", "A conversation is open")
    console.click("Send", "Message 0 is sent")
    console.click("Answer", "Message 1 is the agent's")


def connect(console: Console) -> None:
    """Use the second panel: the lines for a client."""
    panel = console.panel("Connect")
    panel.get_by_label("Client", exact=True).select_option("botium-connector-liveperson")


def look_at_tokens(console: Console) -> None:
    """Use the third panel."""
    console.panel("Tokens")
    console.click("Get new tokens", "Both tokens are new")


def break_one(console: Console) -> None:
    """Use the fourth panel: one switch, of which the answer is 401."""
    console.panel("Break it")
    console.flip("app_jwt", "expired", "Answered with 401, 40102 .* log: expired")


def operate(console: Console) -> None:
    """Use the fifth panel."""
    console.panel("Operations")
    console.click("Send 10 with new tokens", "10 of 10 requests were good")
    console.click("Add a key", "is published")
    console.click("Send 10 with the same tokens", "10 of 10 requests were good")


#: By the name of each panel, what is done in it.
STEPS: dict[str, Any] = {
    "Conversation": start,
    "Connect": connect,
    "Tokens": look_at_tokens,
    "Break it": break_one,
    "Operations": operate,
}
