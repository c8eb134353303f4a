"""Methods, paths and converters: ways to a view that pass its decorator by.

RFC 9110 section 9.3. Error handlers of the app are tested by ``tests/unit/web/test_exceptions.py``,
ways to declare by ``tests/spec``, and identities of other requests, threads and apps by
``tests/unit/web/test_context.py``.
"""

import unicodedata
from typing import Any

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import BaseConverter

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from tests.support.attack_harness import assert_refused, untouched
from tests.support.attack_stage import HEADERS, stages
from tests.support.floor_helpers import cases
from tests.support.http_helpers import ACCOUNT, PREFLIGHT, assert_row, headers
from tests.support.types import MakeApp


@pytest.mark.parametrize("kind", HEADERS)
def test_head_is_judged_as_get_is(kind: Any) -> None:
    """RFC 9110 section 9.3.2: the same row, and no body."""
    for stage in stages():
        environ = stage.environ(**{HEADERS[kind]: "junk"})
        row = 40102 if kind == "app_jwt" else 40103
        with untouched(stage):
            assert_refused(stage, row, environ, method="HEAD")


@cases(
    "request_",
    {
        "OPTIONS": {"method": "OPTIONS"},
        "preflight": {"method": "OPTIONS", "headers": PREFLIGHT},
        "method in lower case": {"method": "options"},
        "POST": {"method": "POST"},
        "TRACE": {"method": "TRACE"},
        "CONNECT": {"method": "CONNECT"},
        "unknown": {"method": "GETT"},
        "WebSocket": {"headers": {"Connection": "Upgrade", "Upgrade": "websocket"}},
        "slash twice": {"path": f"/api//{ACCOUNT}"},
        "slash behind": {"path": f"/api/{ACCOUNT}/"},
        "dots": {"path": f"/api/x/../{ACCOUNT}"},
        "other case": {"path": f"/API/{ACCOUNT}"},
    },
)
def test_what_is_no_request_for_the_view_does_not_run_it(request_: dict[str, Any]) -> None:
    """Flask answers by itself, without the view, with tokens or without."""
    for stage in stages():
        if stage.app.config["TRAP_HTTP_EXCEPTIONS"]:
            continue  # where Flask's own 404 and 405 are raised, on purpose
        before = len(stage.ran)
        for environ in ({}, stage.environ()):
            answer = stage.send(environ, **request_)
            # A slash too many is merged into one, by way of a redirect.
            assert answer.status_code in (200, 308, 400, 404, 405)
            assert len(stage.ran) == before


@cases(
    "sent",
    {
        "override": {"X-HTTP-Method-Override": "OPTIONS", "X-HTTP-Method": "OPTIONS"},
        "preflight headers": PREFLIGHT,
        "forwarded": {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"},
        "rewritten": {"X-Original-URL": "/health", "X-Rewrite-URL": "/health"},
        "hop by hop": {"Connection": "close, Authorization, X-LP-ON-BEHALF"},
        "conditional": {"If-None-Match": "*", "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        "range": {"Range": "bytes=0-0"},
        "accept": {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
        "expect": {"Expect": "100-continue"},
        "user": {"X-Remote-User": "admin", "X-Account-Id": ACCOUNT},
    },
)
def test_no_other_header_opens_a_door(sent: dict[str, str]) -> None:
    """Row 40102, the very bytes: whatever else a request says about itself."""
    for stage in stages():
        with untouched(stage):
            environ = stage.environ(**{HEADERS["app_jwt"]: "junk"})
            assert_refused(stage, 40102, environ, headers=sent)


@cases(
    "spelling",
    {
        "another": "another",
        "upper case": ACCOUNT.upper(),
        "space behind": f"{ACCOUNT}%20",
        "tab behind": f"{ACCOUNT}%09",
        "line end": f"{ACCOUNT}%0a",
        "NUL": f"{ACCOUNT}%00",
        "encoded twice": "%256c" + ACCOUNT[1:],
        "fullwidth": ACCOUNT.replace("l", "\uff4c"),
        "other digits": ACCOUNT.replace("1", "\u0661"),
        "zero-width": f"{ACCOUNT}\u200b",
        "no UTF-8": f"{ACCOUNT}%ff",
        "overlong": f"%c1%ac{ACCOUNT[1:]}",
        "parameter": f"{ACCOUNT};x=1",
        "list": f"{ACCOUNT},another",
        "plus": f"{ACCOUNT}+",
        "dot": f"{ACCOUNT}.",
        "shorter": ACCOUNT[:-1],
        "longer": f"{ACCOUNT}8",
    },
)
def test_the_account_of_the_url_is_compared_as_it_is(spelling: str) -> None:
    """RFC 8725 section 3.9: percent-decoded once, then code point by code point."""
    for stage in stages():
        with untouched(stage):
            assert_refused(stage, 40102, stage.environ(), path=f"/api/{spelling}")


def view_at(app: Flask, rule: str) -> list[object]:
    """Add a view for both tokens; return the accounts that it will have been asked for."""
    ran: list[object] = []

    @app.route(rule)
    @require_app_jwt
    @require_consumer_jws
    def view(account_id: object) -> dict[str, Any]:
        ran.append(account_id)
        return {}

    return ran


@pytest.mark.parametrize(("token", "url"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_account_is_not_normalised(
    token: str, url: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 8725 section 3.9: the composed letter and the decomposed one are two accounts."""
    forms = {form: unicodedata.normalize(form, "caf\u00e9") for form in (token, url)}
    app = make_app()
    ran, client = view_at(app, "/<account_id>"), app.test_client()
    account = forms[token]
    sent = headers(issuer.app_jwt(aud=account), issuer.consumer_jws(account_id=account))
    assert client.get(f"/{account}", headers=sent).status_code == 200
    assert_row(client.get(f"/{forms[url]}", headers=sent), 40102)
    assert ran == [account]


class Folding(BaseConverter):
    """Takes an account in any case."""

    def to_python(self, value: str) -> str:
        """Return it in lower case."""
        return value.lower()


@cases(
    "rule, account, good, bad",
    {
        "int": ("/<int:account_id>", "7", ["7", "007"], ["8", "70"]),
        "float": ("/<float:account_id>", "7.5", ["7.5", "7.50"], ["7.25"]),
        "path": ("/<path:account_id>", "a/b", ["a/b"], ["a", "a/b/c", "a//b"]),
        "any": ("/<any(a, b):account_id>", "a", ["a"], ["b"]),
        "folding": ("/<folding:account_id>", "acme", ["acme", "ACME"], ["acm"]),
        "folding, a token that is not": ("/<folding:account_id>", "ACME", [], ["acme", "ACME"]),
        "uuid": (
            "/<uuid:account_id>",
            "75588e18-0000-4000-8000-000000000000",
            ["75588e18-0000-4000-8000-000000000000", "75588E18-0000-4000-8000-000000000000"],
            ["75588e18-0000-4000-8000-000000000001"],
        ),
    },
)
def test_the_account_is_the_one_that_the_view_gets(
    rule: str, account: str, good: list[str], bad: list[str], make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/accounts.rst: a converter decides what a spelling means, for guard and view."""
    app = make_app()
    app.url_map.converters["folding"] = Folding
    ran, client = view_at(app, rule), app.test_client()
    sent = headers(issuer.app_jwt(aud=account), issuer.consumer_jws(account_id=account))
    for spelling in good:
        assert client.get(f"/{spelling}", headers=sent).status_code == 200
    for spelling in bad:
        assert_row(client.get(f"/{spelling}", headers=sent), 40102)
    assert [str(each) for each in ran] == [account] * len(good)


def test_what_runs_before_a_view_does_not_run_it(make_app: MakeApp, issuer: Issuer) -> None:
    """Hooks of app and blueprint, in any order, change no row."""
    app, seen = make_app(), []
    blueprint = Blueprint("b", __name__)
    app.before_request(lambda: seen.append("app"))
    blueprint.before_request(lambda: seen.append("blueprint"))
    ConnectorAuth().protect(blueprint)
    blueprint.before_request(lambda: seen.append("behind"))
    blueprint.add_url_rule("/x", "x", lambda: {})
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert_row(client.get("/x", headers=headers("junk", "junk")), 40102)
    assert seen == ["app", "blueprint"]
    good = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/x", headers=good).status_code == 200
    assert seen[2:] == ["app", "blueprint", "behind"]
