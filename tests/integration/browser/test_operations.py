"""The panel Operations: health, keys, revocations, and what authentication cost."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.example_api import api_of, message

SIZES = """texts => texts.map(
  text => text.getScreenCTM().a * parseFloat(getComputedStyle(text).fontSize)
)"""


def measured(console):
    """Return how many costs the plot has: of a first verification, and of others."""
    plot = console.page.locator("#plot")
    return [plot.locator(f".{kind}:has(title)").count() for kind in ("first", "cached")]


def test_what_authentication_cost(console):
    """A mark for each request, by whether a token was verified anew; the same in words."""
    console.panel("Operations")
    console.click("Send 10 with the same tokens", "10 of 10 requests were good")
    console.click("Send 10 with new tokens", "10 of 10 requests were good")
    first, cached = measured(console)
    assert first >= 10
    assert cached >= 9
    console.click("Send 10 with the same tokens", "10 of 10 requests were good")
    told = console.page.locator("#plot-caption").inner_text()
    medians = re.fullmatch(
        r"First verification: median (\d+) µs, (\d+) requests; "
        r"from the cache: median (\d+) µs, (\d+) requests\.",
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
        ("Key sets, times in seconds", "state", ["fresh", "fresh"]),
        ("Caches of verified tokens", "size", ["4096", "4096"]),
        ("Revocation, lag in seconds", "store", ["MemoryStore"]),
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
    # The agent's session is a token too, of the key that was withdrawn.
    expect(console.page.locator("#agent-why")).to_have_text("The agent's session is over: log in.")
    console.was_refused(401)


@pytest.mark.parametrize(
    ("what", "row"),
    [
        ("this AppJWT", 40102),
        ("this ConsumerJWS", 40103),
        ("all AppJWTs of the app install", 40102),
        ("all ConsumerJWSs of the consumer", 40103),
        ("all ConsumerJWSs of the ext_consumer_id", 40103),
        ("all tokens of the account", 40102),
    ],
)
def test_revoking_and_restoring(console, what, row):
    """The tokens are refused, which is no success; and pass again, by the button beside what is
    revoked, after a reload too."""
    panel = console.panel("Operations")
    revoked = panel.get_by_role("list", name="Revoked now").get_by_role("button")
    console.click("Send with these tokens", "Answered with 200")
    before = revoked.count()
    console.page.get_by_label("What", exact=True).select_option(label=what)
    console.click("Revoke", f"^Revoked: {what}")
    console.click("Send with these tokens", f"Not done: 401, {row} .* log: revoked")
    console.page.reload()
    expect(console.page.locator("body[data-ready]")).to_be_attached()
    expect(revoked).to_have_count(before + 1)
    revoked.first.click()
    console.done("^Restored: ")
    expect(revoked).to_have_count(before)
    console.click("Send with these tokens", "Answered with 200")
    # After the reload the desk was read too, with the agent's token of the same account.
    console.was_refused_each_time(401)


def test_only_what_succeeded_is_called_so(console):
    """Of ten requests that are refused, none was good."""
    console.panel("Operations")
    console.click("Send 10 with the same tokens", "^10 of 10 requests were good")
    console.click("Revoke", "^Revoked: this AppJWT")
    console.click(
        "Send 10 with the same tokens", "^0 of 10 requests were good: 401, 40102 .* log: revoked"
    )
    console.click("Restore", "^Restored: this AppJWT")
    console.was_refused(*[401] * 10)


@pytest.mark.parametrize("what", ["account", "app install", "consumer", "ext_consumer_id"])
def test_without_a_conversation(console, what):
    """An account, an install and a consumer can be revoked before there is any token, and restored;
    a token cannot, and the button says so."""
    panel = console.panel("Operations")
    revoke = panel.get_by_role("button", name="Revoke", exact=True)
    revoked = panel.get_by_role("list", name="Revoked now").get_by_role("button")
    expect(panel.locator("#revoked li").first).to_be_visible()
    before = revoked.count()
    expect(revoke).to_have_attribute("aria-disabled", "true")
    expect(revoke).to_have_accessible_description("There is no token yet: send a message first.")
    select = console.page.get_by_label("What", exact=True)
    option = select.locator("option", has_text=re.compile(f" the {what}$"))
    select.select_option(option.get_attribute("value"))
    console.click("Revoke", "^Revoked: all")
    expect(revoked).to_have_count(before + 1)
    console.click("Restore", "^Restored: all")
    expect(revoked).to_have_count(before)


def test_the_knobs(console):
    """A failure is forced by a button, for as many requests as chosen; the error has a button to
    undo it. Tokens may be short; all of it is told, with the leeway."""
    panel = console.panel("Operations")
    console.click("Send with these tokens", "Answered with 200")
    state = panel.locator("#knobs-state")
    requests = console.page.get_by_role("combobox", name="Requests")
    requests.select_option(label="the next three")
    console.click("Answer 429", "answers 429 to the next 3 POST requests")
    expect(state).to_have_text(re.compile("^asyncMessagingEnt answers 429 3 more times"))
    console.click("Send with these tokens", "Not done: 429, 42901 Too many requests. A knob")
    console.click("Try again", "Not done: 429")
    console.is_accessible()
    console.click("Reset the knobs", "All knobs are as they were")
    expect(state).to_have_text(re.compile("^No failure is forced"))
    requests.select_option(label="all, until the reset")
    console.click("Answer 503", "answers 503 to all POST requests")
    console.click("Send with these tokens", "Not done: 503")
    console.click("Reset the knobs and try again", "Answered with 200")
    console.click("Tokens of 10 seconds", "live for 10 seconds")
    expect(state).to_contain_text("live for 10 seconds, and are accepted for 30 more")
    console.click("Reset the knobs", "All knobs are as they were")
    console.was_refused(429, 429, 503)


@pytest.mark.parametrize("width", [390, 1300])
def test_the_plot_can_be_read(visit, width):
    """Its text is as large on a small screen as on a wide one, and nothing is cut off."""
    console = visit(viewport={"width": width, "height": 844})
    console.panel("Operations")
    plot = console.page.locator("#plot")
    expect(plot).to_have_attribute("viewBox", re.compile(r"0 0 (?!640)\d+ 240"))
    assert min(plot.locator("text").evaluate_all(SIZES)) > 11
    box = plot.bounding_box()
    for text in plot.locator("text").all():
        inner = text.bounding_box()
        assert inner["x"] >= box["x"]
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
