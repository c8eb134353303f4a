"""The panel Conversation: both sides of one, and each request with its answer and a command."""

import json
import re
import subprocess

import pytest
from playwright.sync_api import expect

from tests.support.browser_driving import talk


def said(console, side):
    """Return what is shown as said on a side."""
    return console.page.locator(f"#{side}-said li").all_inner_texts()


def run(command, folder):
    """Return what a command prints."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=folder, timeout=60)  # noqa: S603, S607
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def test_a_conversation(console):
    """The consumer asks, the agent answers, and both see both."""
    talk(console)
    expected = ["0 Consumer\nIs anybody there?", "1 Agent\nHow can I help?"]
    assert said(console, "consumer") == said(console, "agent") == expected


def test_each_request_is_shown(console):
    """Every click is one request of the protocol or more, the newest first, with its status."""
    talk(console)
    conversations = "…/messaging/consumer/conversation"
    shown = [re.sub(r"[\da-f-]{36}| \d+ ms$", "", line) for line in console.requests()]
    assert shown[::-1] == [
        "200 GET …/service/baseURI.json",
        "200 POST /sentinel…/app/token",
        "201 POST …/consumer",
        f"200 POST {conversations}",
        f"200 POST {conversations}/send",
        "200 POST …/login",
        "200 GET /agent…/conversations",
        "200 POST /agent…/conversations/",
        "200 GET /agent…/conversations",
    ]


def test_a_request_and_its_answer(console):
    """All of both: the line, the headers with the tokens, the body; status, headers, body."""
    talk(console)
    console.click("Send", "Message 2 is sent")
    shown = console.shown(1)  # the first is how the agent reads it
    assert shown["Request"].startswith("POST /api/account/81823118/messaging/")
    for name in ("Authorization: eyJ", "X-LP-ON-BEHALF: eyJ", "Content-Type: application/json"):
        assert f"\n{name}" in shown["Request"]
    assert '"message": "Is anybody there?"' in shown["Request"]
    assert shown["Answer"].startswith("200 OK\n")
    assert "\ncontent-type: application/json\n" in shown["Answer"]
    assert '"sequence": 2' in shown["Answer"]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_command(visit, secure, tmp_path):
    """What is copied is what is shown, and does the same from a shell, with whatever was said in
    it; by TLS, it trusts the CA of the app."""
    console = visit(secure, permissions=["clipboard-read", "clipboard-write"])
    message = 'it\'s "quoted", $HOME `id` \\ ü <b>'
    console.page.get_by_label("Message").fill(message)
    console.click("Send", "Message 0 is sent")
    console.click("Read the open conversations", "Open conversations: ")
    sending = next(at for at, line in enumerate(console.requests()) if "/send" in line)
    console.page.get_by_role("button", name="Copy curl").nth(sending).click()
    expect(console.status).to_have_text("Copied.")
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert copied == console.shown(sending)["Command"]
    assert ("--cacert" in copied) is secure
    assert run(copied, tmp_path)["body"] == {"sequence": 1}
    console.click("Read the open conversations", "Open conversations: ")
    assert said(console, "agent") == [f"0 Consumer\n{message}", f"1 Consumer\n{message}"]
    # A command without a body.
    looking_up = console.shown(0)["Command"]
    assert console.page.get_by_label("Consumer", exact=True).input_value() in str(
        run(looking_up, tmp_path)
    )


def test_what_is_said_is_no_markup(console):
    """It is shown as it was sent, to both sides and in the list."""
    message = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    console.page.get_by_label("Message").fill(message)
    console.page.get_by_label("Consumer", exact=True).fill("<b>Ada</b>")
    console.click("Send", "Message 0 is sent")
    console.click("Read the open conversations", "Open conversations: ")
    assert said(console, "consumer") == said(console, "agent") == [f"0 Consumer\n{message}"]
    assert console.page.locator("#open-ones option:checked").inner_text() == "<b>Ada</b>"
    assert console.page.locator("main img, main script, main b").count() == 0
    console.click("Close it", "Open conversations: ")


@pytest.mark.parametrize(
    ("button", "told"),
    [("Close it", "Open conversations: "), ("Close the conversation", "The agent closed")],
)
def test_closing(console, button, told):
    """Either side closes it; then the consumer can open another one, which begins at 0."""
    talk(console)
    console.click(button, told)
    console.click("Open a conversation", "A conversation is open")
    assert said(console, "consumer") == []
    console.click("Send", "Open conversations|Message 0 is sent")
    expect(console.page.locator("#consumer-said li")).to_have_count(1)


def test_another_consumer(console):
    """Another name is another consumer, with tokens and a conversation of their own."""
    talk(console)
    console.page.get_by_label("Consumer", exact=True).fill("someone else")
    console.click("Send", "Message 0 is sent")
    console.page.get_by_label("Open conversations").select_option(label="someone else")
    assert said(console, "consumer") == said(console, "agent")
    assert len(said(console, "agent")) == 1
    console.click("Close the conversation", "The agent closed")


def test_what_is_refused_is_told(console):
    """A second conversation is refused by the service, in its words; and there is none to close."""
    console.click("Close it", "There is no open conversation")
    console.click("Close the conversation", "Choose one of the open conversations")
    console.click("Open a conversation", "A conversation is open")
    console.click("Open a conversation", "400, User \\w+ already has an open conversation")
    assert console.requests()[0].startswith("400 POST")
    console.was_refused(400)
