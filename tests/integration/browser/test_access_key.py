"""The key to the console in a browser: no page without it, and no trace of it where others look."""

import pytest
from playwright.sync_api import expect

from tests.support.browser_driving import go_to_page, key_path


@pytest.fixture
def page(browser):
    """A page in a profile of its own."""
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


@pytest.fixture(params=["http", "https"])
def origin(request, running):
    """Each of the two listeners."""
    port = running.port if request.param == "http" else running.tls_port
    return f"{request.param}://127.0.0.1:{port}"


def test_without_the_key(page, running, origin):
    """403 for the page and all that is behind it, until it was opened with the key."""
    for path in ("/", "/?key=wrong", "/console/session"):
        assert page.goto(f"{origin}{path}").status == 403
    for path in (key_path(running), "/"):
        go_to_page(page, f"{origin}{path}")
        assert page.goto(f"{origin}/console/session").status == 200


def test_where_the_key_is(page, running, origin):
    """In a cookie that no script can read, gone with the browser; neither in the address bar, the
    history, the referrer nor the names of what the page has loaded."""
    key = key_path(running).rpartition("=")[2]
    go_to_page(page, f"{origin}{key_path(running)}#break")
    assert page.url == f"{origin}/#break"
    assert page.evaluate("document.cookie") == ""
    told = "[document.referrer, ...performance.getEntries().map(({ name }) => name)].join()"
    assert key not in page.evaluate(told)
    [cookie] = page.context.cookies()
    assert cookie["value"] == key
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    assert cookie["secure"] is origin.startswith("https:")
    page.go_back()
    assert page.url == "about:blank"


def test_both_listeners(page, running):
    """All ports of a host share their cookies: one of TLS is no hindrance to the other one."""
    for _ in range(2):
        for origin in (
            f"https://127.0.0.1:{running.tls_port}",
            f"http://127.0.0.1:{running.port}",
        ):
            go_to_page(page, f"{origin}{key_path(running)}")
            assert page.goto(f"{origin}/console/session").status == 200


def test_a_link_of_another_site(page, running):
    """SameSite=Strict: the cookie is not sent where another site's link leads, not even the one
    that was just set; the answer says what to do."""
    page.goto(f"http://rebound.example:{running.port}/")
    with page.expect_navigation():
        page.evaluate(
            "url => { location.href = url; }",
            f"http://127.0.0.1:{running.port}{key_path(running)}",
        )
    assert page.url == f"http://127.0.0.1:{running.port}/"
    assert "press Enter in the address bar" in page.locator("body").inner_text()
    go_to_page(page, page.url)


def test_a_reload_and_a_second_tab(page, running, origin):
    """The address is opened with the key once; a reload and another tab have it too."""
    go_to_page(page, f"{origin}{key_path(running)}")
    page.reload()
    expect(page.locator("body[data-ready]")).to_be_attached()
    go_to_page(page.context.new_page(), f"{origin}/#tokens")
