"""For everyone: by axe-core's rules, by keyboard alone, in light and dark, on a small screen."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.support.browser_driving import STEPS, violations

NAME = """element => {
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent;
  return (label ?? element.textContent).trim();
}"""
OUTLINED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
}"""
#: The answers that are errors, by panel.
REFUSED = {"Break it": [401]}
SURROUNDINGS = {"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}


def name_of_focus(page):
    """Return the name of what has the focus."""
    return page.evaluate(f"() => ({NAME})(document.activeElement)")


def walk_to(page, name, key="Tab"):
    """Press *key* until what has the focus is called *name*; return what had it on the way."""
    passed = []
    while len(passed) < 150:
        page.keyboard.press(key)
        passed.append(name_of_focus(page))
        if passed[-1] == name:
            return passed
    raise AssertionError(f"{name} is not among {passed}")


@pytest.mark.parametrize("options", SURROUNDINGS, ids=json.dumps)
@pytest.mark.parametrize("name", STEPS)
def test_axe(visit, options, name):
    """No violation, in a panel as it is found and as it is after its use, entries of the list
    opened."""
    console = visit(**options)
    console.panel(name)
    assert violations(console.page) == []
    STEPS[name](console)
    if console.requests():
        console.shown()
    assert violations(console.page) == []
    console.was_refused(*REFUSED.get(name, []))


def test_axe_finds_something(console):
    """What is wrong on purpose is found: the check is at work."""
    console.page.locator("#consumer").evaluate("each => each.labels[0].remove()")
    assert [rule for rule, *_ in violations(console.page)] == ["label"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(visit, scheme):
    """As the system says; and a change is followed at once."""
    page = visit(color_scheme=scheme).page

    def brightness():
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)))

    before = brightness()
    assert (before > 600) is (scheme == "light")
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    assert (brightness() > 600) is (scheme == "dark")


@pytest.mark.parametrize("name", STEPS)
def test_a_small_screen(visit, name):
    """At 320 pixels there is nothing to scroll sideways (WCAG 2.2, 1.4.10)."""
    console = visit(viewport={"width": 320, "height": 640})
    STEPS[name](console)
    if console.requests():
        console.shown()
    width = console.page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 320
    console.was_refused(*REFUSED.get(name, []))


def test_the_tabs_by_keyboard(console):
    """One stop for all; arrows, Home and End change the panel (WAI-ARIA Authoring
    Practices, Tabs)."""
    page = console.page
    walk_to(page, "Conversation")
    for key, name in (
        ("ArrowRight", "Connect"),
        ("ArrowRight", "Tokens"),
        ("ArrowRight", "Break it"),
        ("End", "Operations"),
        ("ArrowRight", "Conversation"),
        ("ArrowLeft", "Operations"),
        ("Home", "Conversation"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name, selected=True)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
        expect(page.get_by_role("tabpanel")).to_have_count(1)
    walked = walk_to(page, "Look up the services")
    assert not {"Connect", "Tokens", "Break it", "Operations"} & {*walked}


def test_the_first_stop(console):
    """It leads past the head of the page."""
    console.page.keyboard.press("Tab")
    expect(console.page.get_by_role("link", name="Skip to the panels")).to_be_focused()
    expect(console.page.get_by_role("link", name="Skip to the panels")).to_be_in_viewport()
    console.page.keyboard.press("Enter")
    expect(console.page.get_by_role("main")).to_be_focused()
    expect(console.page.get_by_role("tabpanel", name="Conversation")).to_be_visible()


def test_everything_can_be_reached(console):
    """Each control of each panel, and of the feed, has its turn, and shows that it has."""
    for name, step in STEPS.items():
        step(console)
        if console.requests():
            console.shown()
        controls = console.page.locator(
            ":is(button, input, select, summary, pre, a[href], ol[tabindex])"
            ":not([role=tab]):visible"
        )
        expected = {each.evaluate(NAME) for each in controls.all()}
        console.page.get_by_role("tab", name=name).focus()
        reached = set()
        for _ in range(2 * controls.count()):
            console.page.keyboard.press("Tab")
            if console.page.evaluate(OUTLINED):
                reached.add(name_of_focus(console.page))
            if expected <= reached:
                break
        assert expected <= reached
        console.page.evaluate("document.getElementById('feed-clear').click()")
    console.was_refused(*REFUSED["Break it"])


def test_a_conversation_by_keyboard(console):
    """Both sides of it, by Tab, Enter, Space and letters."""
    page = console.page
    walk_to(page, "Open a conversation")
    page.keyboard.press("Enter")
    console.done("A conversation is open")
    walk_to(page, "Message")
    page.keyboard.press("Control+A")
    page.keyboard.type("Hello?")
    page.keyboard.press("Enter")
    console.done("Message 0 is sent")
    walk_to(page, "Answer")
    page.keyboard.type("!")
    page.keyboard.press("Enter")
    console.done("Message 1 is the agent's")
    assert page.locator("#agent-said li").count() == 2


def test_a_switch_by_keyboard(console):
    """Space turns it, and the focus stays on it; what came of it is in the status line, which
    screen readers read out."""
    page = console.page
    walk_to(page, "Conversation")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    walk_to(page, "expired")
    page.keyboard.press("Space")
    console.done("Answered with 401, 40102 Invalid AppJWT. Reason in the log: expired.")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Space")
    console.done("Answered with 200")
    expect(focused).to_have_attribute("aria-checked", "false")
    console.was_refused(401)


def test_the_address_of_a_panel(visit):
    """A link may lead to any of them."""
    console = visit(fragment="#break")
    expect(console.page.get_by_role("tabpanel", name="Break it")).to_be_visible()
    console.panel("Tokens")
    assert console.page.url.endswith("#tokens")


def test_the_selected_tab_in_forced_colours(visit):
    """Where the system takes the page's colours away, the selected tab still differs."""
    console = visit(forced_colors="active")
    tabs = console.page.get_by_role("tab").all()
    colours = [tab.evaluate("tab => getComputedStyle(tab).backgroundColor") for tab in tabs]
    assert colours[0] not in colours[1:]
    assert len({*colours[1:]}) == 1


def test_heads_of_tables_are_not_broken(visit):
    """On a small screen each head is one line, in whatever panel."""
    console = visit(viewport={"width": 320, "height": 640})
    for name in ("Tokens", "Operations"):
        STEPS[name](console)
        heads = console.page.get_by_role("tabpanel", name=name).locator("thead th")
        expect(heads.first).to_be_visible()
        heights = heads.evaluate_all(
            "heads => heads.map(head => head.getBoundingClientRect().height)"
        )
        assert max(heights) < 30
