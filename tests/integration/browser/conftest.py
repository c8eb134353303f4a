"""What the browser's tests share: a browser, the app behind real listeners, and the console."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from example_app.serving import Served, served
from tests.support.browser_driving import CHROMIUM, PATIENCE, Console, chromium

# Where there is no browser there are no tests; the CI has one.
collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]


# Not for longer than these tests: what drives the browser keeps an event loop running.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each has a profile of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app, as ``python -m example_app`` serves it."""
    # Keys are rotated more often than anybody would in earnest.
    settings = {"CONNECTOR_AUTH_JWKS_COOLDOWN": 0.1}
    with served(0, 0, settings, str(tmp_path_factory.mktemp("browser"))) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, running: Served) -> Iterator[Callable[..., Console]]:
    """Return a function that opens the console in a new profile with the given options.

    When the test is done, no page has asked another host for anything or complained of anything,
    but of the answers in its ``refused``, which the test has to take from there.
    """
    consoles = []

    def visit(secure: bool = False, fragment: str = "", **options: object) -> Console:
        port = running.tls_port if secure else running.port
        origin = f"http{'s' if secure else ''}://127.0.0.1:{port}"
        context = browser.new_context(ignore_https_errors=secure, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        console = Console(context.new_page(), running, origin)
        consoles.append(console)
        return console.open(fragment)

    yield visit
    for console in consoles:
        console.page.context.close()
        assert [url for url in console.urls if not url.startswith(f"{console.origin}/")] == []
        assert (console.errors, console.refused) == ([], [])


@pytest.fixture(autouse=True)
def nothing_revoked(running: Served) -> Iterator[None]:
    """The app outlives a test: one that fails leaves nothing revoked for the next."""
    yield
    with running.app.app_context():
        revocations = running.app.extensions["console"].connector_auth.revocations
        for revoked in [*revocations.entries()]:
            revocations.restore(**revoked.subject)


@pytest.fixture
def console(visit: Callable[..., Console]) -> Console:
    """The console, just opened."""
    return visit()
