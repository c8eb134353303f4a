"""What goes wrong is told with what to do about it, and a button that does it."""

import re

from playwright.sync_api import expect

from tests.support.browser_driving import talk


def messages(console):
    """Return what the consumer sees."""
    return console.page.locator("#consumer-said li")


def spoil(console, name):
    """Let the tab have a token that is expired, or an agent's session that is none."""
    console.page.evaluate(
        """async ([name, fault]) => {
          const { known, learn } = await import("/console/static/protocol.js");
          if (fault === null) return learn({ [name]: "nonsense" });
          const body = JSON.stringify({ ext_consumer_id: known.consumer, app_jwt: fault });
          const headers = { "Content-Type": "application/json" };
          const answer = await fetch("/console/faults", { method: "POST", headers, body });
          learn({ app_jwt: (await answer.json()).Authorization });
        }""",
        [name, "expired" if name == "app_jwt" else None],
    )


def test_a_token_that_has_expired(console):
    """It is renewed by a button, which then sends what was not sent; nothing is called sent before,
    and the text stays."""
    console.click("Send a message", "Message 0 is sent")
    spoil(console, "app_jwt")
    expect(console.page.locator("#tokens-state")).to_have_text("AppJWT: expired")
    console.page.get_by_label("Message", exact=True).fill("Later")
    console.click("Send", "Not done: 401, 40102 Invalid AppJWT. Reason in the log: expired")
    expect(console.page.get_by_label("Message", exact=True)).to_have_value("Later")
    console.is_accessible()
    expect(messages(console)).to_have_count(1)
    console.click("Get new tokens and try again", "Message 1 is sent")
    expect(messages(console)).to_have_text(["0 ConsumerIs anybody there?", "1 ConsumerLater"])
    console.was_refused(401)


def test_the_agents_session(console):
    """When it is over, a button logs in, and does what was not done."""
    talk(console)
    console.page.get_by_label("Answer", exact=True).fill("Still here")
    # In one step: else the desk could be read in between, which finds out too.
    console.page.evaluate(
        """async () => {
          const { learn } = await import("/console/static/protocol.js");
          learn({ bearer: "nonsense" });
          document.getElementById("agent-send").click();
        }"""
    )
    console.done("The agent's session is over")
    expect(console.page.get_by_label("Answer", exact=True)).to_have_value("Still here")
    console.click("Log in and try again", "Message 2 is the agent's")
    console.was_refused_each_time(401)


def test_the_agents_session_without_a_click(console):
    """When the desk cannot be read any more, the agent's pane says so, and what needs a session is
    grey."""
    talk(console)
    spoil(console, "bearer")
    console.page.get_by_label("Message", exact=True).fill("And now?")
    console.click("Send", "Message 2 is sent")
    expect(console.page.locator("#agent-why")).to_have_text("The agent's session is over: log in.")
    answer = console.page.get_by_role("button", name="Answer", exact=True)
    expect(answer).to_have_attribute("aria-disabled", "true")
    console.is_accessible()
    console.click("Log in", "The agent is logged in")
    expect(console.page.locator("#agent-said li").last).to_have_text("2 ConsumerAnd now?")
    console.was_refused(401)


def test_a_conversation_that_is_open_elsewhere(console):
    """Another tab of the same consumer joins it."""
    console.click("Send a message", "Message 0 is sent")
    page = console.page
    name = page.get_by_label("Name", exact=True).input_value()
    page.evaluate("sessionStorage.clear()")
    console.open()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Message", exact=True).fill("From here too")
    console.click("Send", "Not done: 400")
    console.click("Join the open conversation", "Joined")
    console.click("Send", "Message 1 is sent")
    expect(messages(console)).to_have_text(
        ["0 ConsumerIs anybody there?", "1 ConsumerFrom here too"]
    )
    console.was_refused(400)


def test_a_conversation_that_was_closed(console, running):
    """The agent has closed it meanwhile: a new one is opened by a button."""
    talk(console)
    page = console.page
    page.evaluate(
        """async () => {
          const { known, resolve } = await import("/console/static/protocol.js");
          await resolve(known.conversation);
        }"""
    )
    page.get_by_label("Message", exact=True).fill("Hello?")
    console.click("Send", "Not done: 400, .*closed")
    console.click("Open a new conversation", "Message 0 is sent")
    expect(messages(console)).to_have_text(["0 ConsumerHello?"])
    console.was_refused(400)


def test_what_is_revoked(console):
    """The error of a revoked token leads to where it is restored."""
    console.click("Send a message", "Message 0 is sent")
    console.panel("Operations")
    console.page.get_by_label("What", exact=True).select_option("account_id")
    console.click("Revoke", "^Revoked")
    console.panel("Conversation")
    console.page.get_by_label("Message", exact=True).fill("Hello?")
    console.click("Send", "Not done: 401, .* log: revoked")
    console.click("Show what is revoked", "restore")
    console.is_accessible()
    console.page.get_by_role("button", name=re.compile("Restore all tokens of the acc")).click()
    console.done("^Restored")
    console.panel("Conversation")
    console.click("Send", "Message 1 is sent")
    console.was_refused_each_time(401)
