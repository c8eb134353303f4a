"""The panel Break it: a switch for each fault; the answer, and the reason in the server's log."""

import json

import pytest
from playwright.sync_api import expect

from tests.support.example_console import REASONS
from tests.support.http_helpers import INVALID, MISSING, ROWS


@pytest.mark.parametrize("kind", REASONS)
def test_each_switch(console, kind):
    """The envelope of its row beside its reason; one switch is on at a time, and off is good."""
    panel = console.panel("Break it")
    for fault, reason in REASONS[kind].items():
        row = (MISSING if fault == "missing" else INVALID)[kind]
        console.flip(kind, fault, f"Answered with 401, {row} .* log: {reason}\\.")
        assert json.loads(console.page.locator("#answer").inner_text()) == json.loads(ROWS[row])
        assert console.page.locator("#reason").inner_text().startswith(reason)
        assert len(console.page.locator("#reason-text").inner_text()) > 20
        expect(panel.get_by_role("switch", checked=True)).to_have_count(1)
        console.was_refused(401)
    console.flip(kind, fault, "Answered with 200")
    assert json.loads(console.page.locator("#answer").inner_text())["code"] == "OK"
    expect(panel.get_by_role("switch", checked=True)).to_have_count(0)


def test_every_fault_has_a_switch(console):
    """Those that the console can make, and no other."""
    panel = console.panel("Break it")
    assert panel.get_by_role("switch").count() == sum(map(len, REASONS.values()))


def test_swapped_tokens(console):
    """Two switches at once: each token in the other's place. The AppJWT is refused first."""
    panel = console.panel("Break it")
    console.flip("consumer_jws", "swapped", "Answered with 401, 40103 .* log: same_token")
    console.flip("app_jwt", "swapped", "Answered with 401, 40102 .* log: wrong_type")
    expect(panel.get_by_role("switch", checked=True)).to_have_count(2)
    console.flip("app_jwt", "swapped", "Answered with 401, 40103 .* log: same_token")
    console.flip("consumer_jws", "swapped", "Answered with 200")
    console.was_refused(401, 401, 401)


def test_what_was_sent_is_shown(console):
    """The broken token is in the request, and so is the missing one not."""
    console.panel("Break it")
    console.flip("app_jwt", "scheme", "Answered with 401")
    assert "\nAuthorization: Basic YTpi\n" in console.shown("bad_header")["Request"]
    console.flip("app_jwt", "missing", "Answered with 401, 40105")
    request = console.shown("missing")["Request"]
    assert "Authorization" not in request
    assert "\nX-LP-ON-BEHALF: eyJ" in request
    console.was_refused(401, 401)
