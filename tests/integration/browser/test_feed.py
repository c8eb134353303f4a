"""The feed: every request that the app gets, from the console or from somebody's own client, and
the webhooks that it posts; each with its answer, and with what can be done about it."""

import json
import re
import subprocess

import pytest
from playwright.sync_api import expect

from example_app.demo.receiver import receiving
from example_app.serving import served
from tests.support.browser_driving import PATIENCE, Console, talk
from tests.support.example_api import Api, api_of, message, over_http


def run(command, folder, **variables):
    """Return what a command prints."""
    done = subprocess.run(  # noqa: S603
        ["sh", "-c", command],  # noqa: S607
        capture_output=True,
        cwd=folder,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", **variables},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def own_client(running):
    """Return the calls of a client of one's own, over HTTP."""
    api = api_of(running.app)
    return Api(over_http(running.port), api.account, api.credentials)


def test_each_request_has_a_name(console):
    """Status, name, what was said, from where, how long; the newest first, those that only read
    folded."""
    talk(console)
    expect(console.entry("Agent: answer")).to_be_attached()
    # When the agent logs in, reads, and when the app loads its keys, is not up to the clicks.
    beside = re.compile("Agent: (read|log in)|public keys")
    lines = [line for line in console.requests() if not beside.search(line)][::-1]
    name = console.page.get_by_label("Name", exact=True).input_value()
    assert [line.split(" this console")[0] for line in lines] == [
        "200 Look up the services",
        "200 Get AppJWT",
        f"201 Get ConsumerJWS {name}",
        "200 Open conversation",
        "200 Send message Is anybody there?",
        "200 Agent: answer How can I help?",
    ]
    assert all(re.search(r"this console · \d+ ms · [\d:]{8}$", line) for line in lines)


def test_polls_are_folded(console, running):
    """A client that asks ten times is one line, with the count, until something else happens."""
    api = own_client(running)
    path = f"/api/account/{api.account}/service/baseURI.json?version=1.0"
    for _ in range(10):
        assert api.get(path).status_code == 200
    expect(console.entry("Look up the services")).to_contain_text("\u00d710")
    lines = console.page.locator("#requests > li", has_text="Look up the services")
    expect(lines).to_have_count(1)


def test_the_reason_beside_a_refusal(console, running):
    """What the client is not told is there, for a request of somebody's own client too; and the
    list can be narrowed down to these."""
    api = own_client(running)
    tokens = api.someone()
    said = message(api.opened(tokens))
    api.send({**tokens, "Authorization": tokens["X-LP-ON-BEHALF"]}, said)
    refused = console.entry("401 Send message")
    expect(refused.locator(".why")).to_have_text(re.compile("^wrong_type: This is a token of the"))
    expect(refused).to_contain_text("client")
    expect(console.page.locator("#heard")).to_contain_text('"Send message", 401 (wrong_type)')
    console.page.get_by_label("Show", exact=True).select_option("refused")
    expect(console.page.locator("#requests > li:visible")).to_have_count(1)
    console.page.get_by_label("Show", exact=True).select_option("client")
    expect(console.page.locator("#requests > li:visible", has_text="Open conv")).to_have_count(1)
    assert "40102" in console.shown("401")["Answer"]
    console.is_accessible()


def test_a_request_and_its_answer(console):
    """All of both: the line, the headers with the tokens, the body; status, headers, body. The
    cookie, which is the key to the console, is nowhere."""
    talk(console)
    shown = console.shown("Is anybody there?")
    assert shown["Request"].startswith("POST /api/account/81823118/messaging/")
    for name in ("Authorization: eyJ", "X-LP-ON-BEHALF: eyJ", "Content-Type: application/json"):
        assert f"\n{name}" in shown["Request"]
    assert '"message": "Is anybody there?"' in shown["Request"]
    assert shown["Answer"].startswith("200\n")
    assert "\nContent-Type: application/json\n" in shown["Answer"]
    assert '"sequence": 0' in shown["Answer"]
    assert "ookie" not in "".join(shown.values())


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_command(visit, secure, tmp_path):
    """What is copied is what is shown, and does the same from a shell, with whatever was said in
    it; by TLS, it trusts the CA of the app. The button says that it has copied."""
    console = visit(secure, permissions=["clipboard-read", "clipboard-write"])
    said = 'it\'s "quoted", $HOME `id` \\ ü <b>'
    console.page.get_by_label("Message", exact=True).fill(said)
    console.click("Send", "Message 0 is sent")
    shown = console.shown("Send message")
    copy = console.entry("Send message").get_by_role("button", name="Copy curl: Send message")
    copy.click()
    expect(console.entry("Send message").get_by_text("Copied")).to_be_attached()
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert copied == shown["Command"]
    assert ("--cacert" in copied) is secure
    assert json.loads(run(copied, tmp_path))["body"] == {"sequence": 1}
    expect(console.page.locator("#agent-said li")).to_have_text(
        [f"0 Consumer{said}", f"1 Consumer{said}"]
    )
    # Without secrets: variables take their places, and have to be set.
    console.page.get_by_role("button", name="Copy without secrets").first.click()
    bare = console.page.evaluate("navigator.clipboard.readText()")
    assert "eyJ" not in bare
    names = ("Authorization", "X-LP-ON-BEHALF")
    app, consumer = (re.search(f"\n{name}: (\\S+)", shown["Request"])[1] for name in names)
    assert json.loads(run(bare, tmp_path, APP_JWT=app, CONSUMER_JWS=consumer))["body"] == {
        "sequence": 2
    }


def test_the_secret_in_a_command(visit, tmp_path):
    """The client secret is a variable too where a command is to be passed on."""
    console = visit(permissions=["clipboard-read", "clipboard-write"])
    console.click("Get both tokens", "An AppJWT")
    command = console.shown("Get AppJWT")["Command"]
    secret = re.search("client_secret=([0-9a-f]+)", command)[1]
    console.page.get_by_role("button", name="Copy without secrets").first.click()
    bare = console.page.evaluate("navigator.clipboard.readText()")
    assert secret not in bare
    assert "access_token" in run(bare, tmp_path, CLIENT_SECRET=secret)


def test_a_conversation_as_a_script(console, tmp_path):
    """It runs in any shell, with the secrets from variables, and says the same anew."""
    talk(console)
    console.page.get_by_label("Message", exact=True).fill('it\'s "quoted" $HOME')
    console.click("Send", "Message 2 is sent")
    console.click("Close it", "The consumer closed")
    with console.page.expect_download() as downloading:
        console.page.get_by_role("link", name="Export as a shell script").click()
    script = downloading.value.path()
    session = console.page.evaluate("fetch('/console/session').then(answer => answer.json())")
    secrets = {
        "CLIENT_SECRET": session["client_secret"],
        "AGENT_PASSWORD": session["agent"]["password"],
    }
    assert not any(secret in script.read_text() for secret in secrets.values())
    printed = run(f"sh {script}", tmp_path, CONSUMER="replayed", **secrets)
    answers = [json.loads(line) for line in printed.splitlines() if line]
    assert [answer.get("body", answer) for answer in answers] == [
        {"sequence": 0},
        {"sequence": 1},
        {"sequence": 2},
        {"msg": "OK Conversation resolved successfully"},
    ]


def test_webhooks(browser, tmp_path):
    """Each post to the client is listed with its answer. It can be sent again; and a signature is
    checked, the one that was sent or that which the client has worked out, with what is wrong."""
    with (
        receiving() as client,
        served(0, 0, {"CONNECTOR_WEBHOOK_URL": client.url}, str(tmp_path)) as running,
    ):
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        console = Console(context.new_page(), running, f"http://127.0.0.1:{running.port}").open()
        nobody = "No client but this console has sent anything yet."
        expect(console.page.locator("#heard")).to_have_text(nobody)
        console.click("Send a message", "Message 0 is sent")
        entry = console.entry("200 Webhook: send message")
        expect(entry).to_contain_text("to your client")
        shown = console.shown("200 Webhook: send message")
        assert shown["Request"].startswith(f"POST {client.url}\n")
        assert "x-liveperson-signature: sha1=" in shown["Request"]
        assert shown["Answer"].startswith("200")
        posted = [client.next() for _ in range(2)]
        console.click("Resend", "in the queue again")
        assert client.next() == posted[1]
        expect(console.page.locator("#requests > li", has_text="Webhook: send")).to_have_count(2)
        console.click("Check this signature", "The signature matches")
        field = console.page.get_by_label("Signature, this one or your own")
        given = field.input_value()
        field.fill(bytes.fromhex("00" * 20).hex())
        console.click("Check this signature", "The signature does not match")
        expect(console.page.locator(".verdict")).to_contain_text(f"{given} is right")
        console.is_accessible()
        assert (console.errors, console.refused) == ([], [])
        context.close()


def test_a_restart(browser, tmp_path):
    """While the app is gone the status says so, and that it is asked again; when it is back, what
    was not done is offered again."""
    folder = str(tmp_path)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    try:
        with served(0, 0, {}, folder) as running:
            port, page = running.port, context.new_page()
            console = Console(page, running, f"http://127.0.0.1:{port}").open()
            console.click("Get both tokens", "An AppJWT")
        expect(console.status).to_have_text(re.compile("The app does not answer"))
        expect(page.locator("#feed-state")).to_have_text("Not live: the app does not answer.")
        console.is_accessible()
        console.click("Send", "The app does not answer")
        expect(page.get_by_label("Message", exact=True)).to_have_value("Is anybody there?")
        with served(port, 0, {}, folder) as running:
            expect(console.status).to_have_text(re.compile("The app answers again"))
            console.click("Try again", "Message 0 is sent")
            expect(page.locator("#feed-state")).to_have_text("Live.")
    finally:
        context.close()
