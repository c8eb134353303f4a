"""The panel Tokens: both decoded, each claim explained, the time that is left."""

import re

from playwright.sync_api import expect

from tests.support.browser_driving import look_at_tokens
from tests.support.example_api import claims, header

KINDS = ("app_jwt", "consumer_jws")


def test_both_tokens_decoded(console):
    """Header and claims as they are in the tokens, each explained; the tokens as they are sent."""
    look_at_tokens(console)
    for kind in KINDS:
        section = console.page.locator(f"#{kind}")
        token = section.locator("pre").text_content()
        rows = section.locator("tbody tr").all()
        cells = [row.locator("th, td").all_inner_texts() for row in rows]
        values = {**header(token), **claims(token)}
        assert {name: value.split(" (")[0] for name, value, _ in cells} == {
            name: str(value) for name, value in values.items()
        }
        assert all(meaning for *_, meaning in cells)
        # As in the list of requests: of 24 hours, in whatever country the browser is.
        times = [value.split(" (")[1] for _, value, _ in cells if " (" in value]
        assert all(re.fullmatch(r"\d\d:\d\d:\d\d\)", time) for time in times)


def test_they_are_the_ones_that_are_sent(console):
    """Those of the panel are in the next request, and new ones are others."""
    look_at_tokens(console)
    shown = {kind: console.page.locator(f"#{kind} pre").text_content() for kind in KINDS}
    console.panel("Conversation")
    console.click("Open a conversation", "A conversation is open")
    request = console.shown("Open conversation")["Request"]
    assert f"Authorization: {shown['app_jwt']}\n" in request
    assert f"X-LP-ON-BEHALF: {shown['consumer_jws']}\n" in request


def test_before_there_are_any(console):
    """It says so."""
    panel = console.panel("Tokens")
    assert panel.get_by_text("None yet").count() == 2


def test_the_time_that_is_left(console):
    """An AppJWT counts down to its end; a ConsumerJWS has none."""
    console.page.clock.install()
    console.open()
    look_at_tokens(console)
    app_jwt, consumer_jws = console.page.get_by_role("timer").all()

    def left():
        minutes, seconds = re.match(r"(\d+) min (\d\d) s left$", app_jwt.inner_text()).groups()
        return int(minutes) * 60 + int(seconds)

    before = left()
    assert 3500 < before <= 3600
    console.page.clock.run_for(5000)
    # It is told each second, and real time passes too.
    assert 4 <= before - left() < 60
    console.page.clock.fast_forward("59:30")
    console.page.clock.run_for(60_000)
    expect(app_jwt).to_have_text("expired")
    expect(consumer_jws).to_have_text("never expires")
