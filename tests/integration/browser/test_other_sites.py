"""Other sites in the same browser: they can neither read the console nor make it do anything."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from example_app.serving import served
from tests.support.browser_driving import Console, go_to_page, key_path, talk

ASKING = """async ([url, method, mode]) => {
  try {
    const answer = await fetch(url, { method, mode, body: method === "POST" ? "{}" : undefined });
    return [answer.type, await answer.text()];
  } catch (error) {
    return [error.name, ""];
  }
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, without a log."""

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def other_site(tmp_path) -> Iterator[str]:
    """The origin of a site at another port of this machine, with an empty page."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Another</title><link rel=icon>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser):
    """A page in a profile of its own."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def keys(running):
    """Return the kids of the signing keys."""
    return [*running.app.extensions["signing_keys"].read().keys]


def test_a_request_of_another_site(page, other_site, running):
    """It cannot read (CORS, CORP), and what it sends blindly does nothing; the page itself can."""
    before, base = keys(running), f"http://127.0.0.1:{running.port}"
    go_to_page(page, f"{base}{key_path(running)}")
    page.goto(other_site)
    for method, path in (("GET", "session"), ("POST", "keys"), ("POST", "faults")):
        for mode in ("cors", "no-cors"):
            asked = [f"{base}/console/{path}", method, mode]
            assert page.evaluate(ASKING, asked) == ["TypeError", ""]
    assert keys(running) == before
    page.goto(base)
    kind, text = page.evaluate(ASKING, [f"{base}/console/keys", "POST", "cors"])
    assert (kind, '"kid"' in text) == ("basic", True)
    assert len(keys(running)) == len(before) + 1


def test_a_frame_of_another_site(page, other_site, running):
    """The console is shown in no frame, so no user is made to click in it unseen."""
    go_to_page(page, f"http://127.0.0.1:{running.port}{key_path(running)}")
    page.goto(other_site)
    page.evaluate(
        "url => { document.body.append(Object.assign(document.createElement('iframe'), "
        "{ src: url })); }",
        f"http://127.0.0.1:{running.port}/",
    )
    page.wait_for_function("() => frames.length === 1")
    frame = page.frames[1]
    frame.wait_for_load_state()
    assert frame.locator("h1").filter(has_text="console").count() == 0
    page.goto(f"http://127.0.0.1:{running.port}/")
    assert page.locator("h1").filter(has_text="console").count() == 1


def test_a_name_that_was_made_to_lead_here(page, running):
    """DNS rebinding: the other site's name resolves to this machine, and is refused."""
    address = f"http://rebound.example:{running.port}"
    for path in (key_path(running), "/console/session"):
        answer = page.goto(f"{address}{path}")
        assert (answer.status, answer.json()["code"]) == (403, "FORBIDDEN")
    go_to_page(page, f"http://localhost:{running.port}{key_path(running)}")
    assert page.goto(f"http://localhost:{running.port}/console/session").status == 200


def test_to_anywhere_by_a_setting(browser, tmp_path):
    """Under another name, when the setting says so; by TLS, without which no token is issued."""
    with served(0, 0, {"CONNECTOR_CONSOLE_ANYWHERE": True}, str(tmp_path)) as elsewhere:
        for secure, port in ((True, elsewhere.tls_port), (False, elsewhere.port)):
            context = browser.new_context(ignore_https_errors=True)
            origin = f"http{'s' if secure else ''}://rebound.example:{port}"
            console = Console(context.new_page(), elsewhere, origin).open()
            if secure:
                talk(console)
            else:
                console.click("Look up the services", "services, all at")
                console.click("Copy curl: Look up the services", "Select the text instead")
            assert (console.errors, console.refused) == ([], [])
            context.close()


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.append(Object.assign(document.createElement('script'), {text: 'x = 1'}))",
        "document.body.innerHTML = '<p>x'",
        "document.body.append(Object.assign(new Image(), {src: 'https://rebound.example/'}))",
        "fetch('http://rebound.example/').catch(() => {})",
        "eval('1')",
    ],
)
def test_the_policy_is_in_force(console: Console, attempt):
    """Content Security Policy: no script but the page's own, no markup from text, no other host."""
    console.page.evaluate(f"() => {{ setTimeout(() => {{ {attempt}; }}); }}")
    assert console.page.evaluate("typeof x") == "undefined"
    if not console.errors:
        console.page.wait_for_event("console")
    assert all(
        "Content Security Policy" in each or "TrustedScript" in each or "TrustedHTML" in each
        for each in console.errors
    )
    console.errors.clear()
    console.urls[:] = [url for url in console.urls if "rebound" not in url]
