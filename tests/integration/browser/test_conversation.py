"""The panel Conversation: where to begin, both sides of one, and what each of them sees."""

import re
from base64 import b64decode

import pytest
from playwright.sync_api import expect

from tests.support.browser_driving import talk
from tests.support.example_api import api_of, asking, message
from tests.support.example_desk import Desk


def messages(console, side):
    """Return what is shown as said on a side."""
    return console.page.locator(f"#{side}-said li")


def test_a_conversation(console):
    """The consumer asks, the agent answers, and both see both."""
    talk(console)
    for side in ("consumer", "agent"):
        expect(messages(console, side)).to_have_text(
            ["0 ConsumerIs anybody there?", "1 AgentHow can I help?"]
        )


def test_what_is_said_is_no_markup(console):
    """It is shown as it was sent, to both sides and in the feed."""
    message = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    console.page.get_by_label("Message", exact=True).fill(message)
    console.page.get_by_label("Name", exact=True).fill("<b>Ada</b>")
    console.click("Send", "Message 0 is sent")
    for side in ("consumer", "agent"):
        expect(messages(console, side)).to_have_text([f"0 Consumer{message}"])
    expect(console.page.locator("#open-ones option", has_text="<b>Ada</b>")).to_be_attached()
    expect(console.page.locator("#requests q", has_text=message)).to_be_attached()
    assert console.page.locator(":is(main, aside) :is(img, script)").count() == 0
    console.click("Close it", "The consumer closed")


@pytest.mark.parametrize(
    ("button", "told"),
    [("Close it", "The consumer closed"), ("Close the conversation", "The agent closed")],
)
def test_closing(console, button, told):
    """Either side closes it; then the consumer can open another one, which begins at 0."""
    talk(console)
    console.click(button, told)
    console.click("Open a conversation", "A conversation is open")
    expect(messages(console, "consumer")).to_have_text([re.compile("^What the consumer says")])
    console.page.get_by_label("Message", exact=True).fill("Again")
    console.click("Send", "Message 0 is sent")
    expect(messages(console, "consumer")).to_have_text(["0 ConsumerAgain"])


def test_where_to_begin(console):
    """One primary button at a time, the next step of four; what is not possible yet is grey, and
    says why. They lead from nothing to a conversation and a refusal that is explained."""
    page, primary = console.page, console.page.locator("#conversation .primary")
    answer = page.get_by_role("button", name="Answer as the agent")
    expect(primary).to_have_text(["Send a message"])
    expect(answer).to_have_attribute("aria-disabled", "true")
    expect(answer).to_have_accessible_description(re.compile("once a message is sent"))
    answer.click(force=True)
    expect(console.status).to_have_text("No conversation is open yet: send a message first.")
    for side in ("consumer", "agent"):
        expect(messages(console, side)).to_have_class("empty")
    console.is_accessible()
    console.click("Send a message", "Message 0 is sent")
    expect(primary).to_have_text(["Answer as the agent"])
    console.click("Answer as the agent", "Message 1 is the agent's")
    for side in ("consumer", "agent"):
        expect(messages(console, side)).to_have_text(
            ["0 ConsumerIs anybody there?", "1 AgentHow can I help?"]
        )
    expect(primary).to_have_text(["Break a token"])
    console.click("Break a token", "401, 40102 Invalid AppJWT. Reason in the log: expired")
    console.was_refused(401)
    expect(page.get_by_role("tabpanel", name="Break it")).to_be_visible()
    expect(page.locator("#reason-text")).to_contain_text("Get a new AppJWT")
    console.panel("Conversation")
    console.page.get_by_role("button", name="Connect your client").click()
    expect(page.get_by_role("tabpanel", name="Connect")).to_be_visible()
    console.panel("Conversation")
    expect(primary).to_have_text(["Send"])
    console.open()
    expect(page.locator("#start")).not_to_have_attribute("open", "")


def test_the_agent_follows(console):
    """The agent has the consumer's conversation, unless the agent has chosen another one; and sees
    what is said there without a click."""
    page = console.page
    talk(console)
    page.get_by_label("Name", exact=True).fill("someone else")
    page.get_by_label("Message", exact=True).fill("Me too")
    console.click("Send", "Message 0 is sent")
    expect(messages(console, "agent")).to_have_text(["0 ConsumerMe too"])
    page.get_by_role("combobox", name="Conversation").select_option(label="someone else")
    page.get_by_label("Name", exact=True).fill("a third one")
    page.get_by_label("Message", exact=True).fill("And me")
    console.click("Send", "Message 0 is sent")
    expect(messages(console, "consumer")).to_have_text(["0 ConsumerAnd me"])
    expect(page.locator("#open-ones option", has_text="a third one")).to_be_attached()
    expect(messages(console, "agent")).to_have_text(["0 ConsumerMe too"])
    console.click("Close the conversation", "The agent closed")
    expect(messages(console, "agent")).to_have_text(["0 ConsumerAnd me"])


def test_another_client(console, running):
    """What somebody's own client says is at the desk by itself."""
    console.click("Send a message", "Message 0 is sent")
    api = api_of(running.app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    select = console.page.get_by_role("combobox", name="Conversation")
    expect(select.locator(f"option[value='{conversation}']")).to_be_attached()
    select.select_option(conversation)
    api.send(tokens, message(conversation))
    expect(messages(console, "agent")).to_have_text([re.compile("^0 Consumer")])
    event = {"type": "ChatStateEvent", "chatState": "COMPOSING"}
    api.send(tokens, asking("ms.PublishEvent", {"dialogId": conversation, "event": event}))
    expect(console.page.locator("#agent-why")).to_have_text("The consumer is typing …")


def test_messages_scroll_in_their_own_pane(console):
    """However many there are, the newest is in sight, and so are the field and the status."""
    console.page.set_viewport_size({"width": 1300, "height": 900})
    console.click("Send a message", "Message 0 is sent")
    for number in range(1, 9):
        console.page.get_by_label("Message", exact=True).fill(f"Number {number}\n" + "long " * 60)
        console.click("Send", f"Message {number} is sent")
    for place in (
        messages(console, "consumer").last,
        messages(console, "agent").last,
        console.page.get_by_label("Message", exact=True),
        console.status,
    ):
        expect(place).to_be_in_viewport()
    assert console.page.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize("size", [(1300, 900), (390, 844)], ids=str)
def test_the_status_stays_in_sight(visit, size):
    """At the end of the longest panel too."""
    width, height = size
    console = visit(viewport={"width": width, "height": height})
    panel = console.panel("Operations")
    panel.get_by_role("heading", name="Health").scroll_into_view_if_needed()
    for place in (console.status, console.page.get_by_role("tab", name="Operations")):
        expect(place).to_be_in_viewport(ratio=1)


def test_a_double_click_sends_once(console):
    """And what was sent is no longer in the field."""
    console.click("Get both tokens", "An AppJWT")
    console.click("Open a conversation", "A conversation is open")
    console.page.get_by_role("button", name="Send", exact=True).dblclick()
    console.done("Message 0 is sent")
    expect(console.page.get_by_label("Message", exact=True)).to_have_value("")
    expect(messages(console, "consumer")).to_have_count(1)
    assert sum("Send message" in line for line in console.requests()) == 1


def test_a_reload(console):
    """The tab still has its consumer, tokens and conversation, and so the messages."""
    console.click("Send a message", "Message 0 is sent")
    name = console.page.get_by_label("Name", exact=True).input_value()
    console.page.reload()
    expect(console.page.locator("body[data-ready]")).to_be_attached()
    expect(console.page.get_by_label("Name", exact=True)).to_have_value(name)
    console.page.get_by_label("Message", exact=True).fill("Still here")
    console.click("Send", "Message 1 is sent")
    expect(messages(console, "agent")).to_have_text(
        ["0 ConsumerIs anybody there?", "1 ConsumerStill here"]
    )


def test_what_else_an_agent_does(console, tmp_path):
    """Typing and reading are told to the consumer; a card and a picture are shown on both sides,
    the picture when it is asked for."""
    page = console.page
    talk(console)
    console.click("Type as the agent", "The agent types")
    expect(page.locator("#consumer-note")).to_have_text("The agent is typing …")
    console.click("Mark as read by the agent", "The agent has read it")
    expect(page.locator("#consumer-note")).to_have_text("The agent has read 0.")
    console.click("Send card", "A card with two buttons")
    picture = tmp_path / "dot.gif"
    picture.write_bytes(b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"))
    page.get_by_label("Picture", exact=True).set_input_files(picture)
    console.done("Message 4 is the agent's: the picture dot.gif.")
    for side in ("consumer", "agent"):
        said = messages(console, side)
        expect(said.nth(2)).to_have_text("2 AgentREAD 0")
        expect(said.nth(3)).to_contain_text("Was that helpful?")
        said.nth(4).get_by_role("button", name="Show dot.gif").click()
        image = said.nth(4).get_by_role("img", name="dot.gif")
        expect(image).to_be_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    expect(console.entry("Agent: send file")).to_be_attached()
    console.is_accessible()
    console.click("Type as the consumer", "The consumer types")
    expect(page.locator("#agent-why")).to_have_text("The consumer is typing …")
    console.click("Mark as read by the consumer", "The consumer has read it")
    expect(page.locator("#agent-why")).to_have_text("The consumer has read 1,2,3,4.")


def test_what_is_for_agents_only(console, running):
    """The agent sees a message for agents and managers, and that it is one; the consumer does
    not."""
    console.click("Send a message", "Message 0 is sent")
    name = console.page.get_by_label("Name", exact=True).input_value()
    desk = Desk(running.app)
    [opened] = [each for each in desk.open_conversations().values() if each["consumer"] == name]
    private = {"message": "Careful", "messageAudience": "AGENTS_AND_MANAGERS"}
    assert desk.say(opened["conversationId"], private).status_code == 200
    expect(messages(console, "agent").last).to_have_text("1 Agent (agents only)Careful")
    expect(messages(console, "consumer")).to_have_text(["0 ConsumerIs anybody there?"])
