"""The panel Operations: health, keys, revocations, and what authentication cost."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.example_api import api_of, message


def measured(console):
    """Return how many costs the plot has: of a first verification, and of others."""
    plot = console.page.locator("#plot")
    return [plot.locator(f".{kind}:has(title)").count() for kind in ("first", "cached")]


def test_what_authentication_cost(console):
    """A mark for each request, by whether a token was verified anew; the same in words."""
    console.panel("Operations")
    console.click("Send 10 with the same tokens", "Ten messages are sent")
    console.click("Send 10 with new tokens", "Ten messages are sent")
    first, cached = measured(console)
    assert first >= 10
    assert cached >= 9
    console.click("Send 10 with the same tokens", "Ten messages are sent")
    told = console.page.locator("#plot-caption").inner_text()
    medians = re.fullmatch(
        r"First verification: median (\d+) µs of (\d+); from the cache: median (\d+) µs of (\d+)\.",
        told,
    )
    assert [int(medians[2]), int(medians[4])] == measured(console)
    label = console.page.get_by_role("img", name="Microseconds for the last").get_attribute(
        "aria-label"
    )
    assert label.endswith(told)


def test_it_is_live(console, running):
    """What another client sends is drawn without a click."""
    console.panel("Operations")
    api = api_of(running.app)
    tokens = api.someone()
    said = message(api.opened(tokens))
    newest = console.page.locator("#plot :has(title)").last
    for _ in range(2):
        assert api.send(tokens, said).status_code == 200
        costs = running.app.extensions["console"].costs.last()
        expect(newest).to_contain_text(f"Request {costs[-1]['number']}:")


def test_health(console):
    """What the extension tells of both key sets, both caches, and of what is revoked."""
    console.panel("Operations")
    console.click("Send with these tokens", "Answered with 200")
    for title, name, values in (
        ("Key sets", "state", ["fresh", "fresh"]),
        ("Caches of verified tokens", "size", ["4096", "4096"]),
        ("Revocation", "store", ["MemoryStore"]),
    ):
        table = console.page.get_by_role("table", name=title)
        row = table.get_by_role("row", name=re.compile(rf"^{name}\b"))
        assert row.get_by_role("cell").all_inner_texts() == values


def test_rotating_the_keys(console):
    """A key is published, then signs, and the old one is withdrawn; old tokens pass until then, and
    new ones at once."""
    console.panel("Operations")
    console.click("Send with these tokens", "Answered with 200")
    keys = console.page.locator("#keys li")
    signing = keys.filter(has_text="signs").locator("code")
    old = signing.inner_text()
    console.click("Add a key", "is published")
    new = keys.last.locator("code").inner_text()
    assert signing.inner_text() == old != new
    console.click(f"Let it sign: {new}", f"{new} signs from now on")
    assert signing.inner_text() == new
    expect(console.page.get_by_role("button", name="Add a key")).to_be_focused()
    console.click("Send with these tokens", "Answered with 200")
    console.click(f"Withdraw {old}", f"{old} is withdrawn")
    assert old not in keys.locator("code").all_inner_texts()
    console.panel("Tokens")
    console.click("Get new tokens", "Both tokens are new")
    console.panel("Operations")
    console.click("Send with these tokens", "Answered with 200")


@pytest.mark.parametrize(
    ("what", "row"),
    [
        ("this AppJWT", 40102),
        ("this ConsumerJWS", 40103),
        ("all AppJWTs of the app install", 40102),
        ("all ConsumerJWSs of the consumer", 40103),
        ("all tokens of the account", 40102),
    ],
)
def test_revoking_and_restoring(console, what, row):
    """The tokens are refused, and pass again."""
    console.panel("Operations")
    console.click("Send with these tokens", "Answered with 200")
    console.page.get_by_label("What", exact=True).select_option(label=what)
    console.click("Revoke", f"^Revoked: {what}")
    console.click("Send with these tokens", f"Answered with 401, {row}")
    console.click("Restore", f"^Restored: {what}")
    console.click("Send with these tokens", "Answered with 200")
    console.was_refused(401)
