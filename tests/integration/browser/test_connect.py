"""The panel Connect: how to point a client of one's own at this app."""

import subprocess

from playwright.sync_api import expect

from example_app.console.clients import CLIENTS
from tests.support.browser_driving import connect


def test_every_client(console, running):
    """For each client that is known, what to do, and lines with the addresses, the CA and the
    credentials of this app, which a button copies."""
    panel = console.panel("Connect")
    select = panel.get_by_label("Client", exact=True)
    assert select.locator("option").all_inner_texts() == [*CLIENTS]
    seen = set()
    for name in CLIENTS:
        select.select_option(name)
        text = panel.locator("#client-text").inner_text()
        assert str(running.certificate.ca) in text
        assert len(panel.locator("#client-how").inner_text()) > 20
        seen.add(text)
    assert len(seen) >= len(CLIENTS) - 2


def test_copying(visit):
    """The lines, and each value by itself; the button says that it has copied, in place of the
    status, which stays."""
    console = visit(permissions=["clipboard-read", "clipboard-write"])
    connect(console)
    for name, place in (
        ("Copy these lines", "#client-text"),
        ("Copy: Client secret", "dt:has-text('Client secret') + dd code"),
        ("Copy: Agent's password", 'dt:has-text("Agent\'s password") + dd code'),
    ):
        button = console.page.get_by_role("button", name=name)
        button.click()
        expect(console.page.locator("#connect button", has_text="Copied")).to_be_visible()
        expect(console.status).to_have_text("Ready.")
        copied = console.page.evaluate("navigator.clipboard.readText()")
        assert copied == console.page.locator(place).inner_text()
        expect(console.page.locator("#connect button", has_text="Copied")).to_have_count(0)


def test_a_client_that_is_connected(console, tmp_path):
    """What was pasted into a shell works, and is heard of at once."""
    panel = console.panel("Connect")
    panel.get_by_label("Client", exact=True).select_option("curl")
    command = panel.locator("#client-text").inner_text()
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=tmp_path, timeout=60)  # noqa: S603, S607
    assert b"baseURIs" in done.stdout
    expect(panel.locator("#heard")).to_contain_text('Last heard: curl, "Look up the services", 200')
