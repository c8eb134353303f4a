"""Who may use the console: this machine, by a name of its own, and no other site in its browser."""

import pytest

from example_app.database import let_go

from .api import BASE_URL
from .console import OWN

#: Each call of the console that changes something or tells a secret, and the page.
CALLS = [
    ("GET", "/"),
    ("GET", "/console/static/console.js"),
    ("GET", "/console/session"),
    ("GET", "/console/faults"),
    ("POST", "/console/faults"),
    ("GET", "/console/reasons/x"),
    ("GET", "/console/operations"),
    ("POST", "/console/keys"),
    ("POST", "/console/keys/x/use"),
    ("POST", "/console/keys/x/withdraw"),
    ("POST", "/console/revoke"),
    ("POST", "/console/restore"),
]


@pytest.fixture
def visit(example):
    """Return a function that makes a call from an address, with headers."""

    def visit(call, peer="127.0.0.1", base_url=BASE_URL, app=example, **headers):
        method, path = call
        return app.test_client().open(
            path,
            base_url,
            method=method,
            buffered=True,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_base={"REMOTE_ADDR": peer},
        )

    return visit


def keys(app):
    """Return the kids of the signing keys."""
    with app.app_context():
        return [*app.extensions["signing_keys"].read().keys]


def test_every_call_is_in_the_list(example):
    """A call that is added is tried below too."""
    rules = [rule for rule in example.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    assert len(rules) == len(CALLS)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_from_another_machine(visit, example, call):
    """403 in the protocol's shape, and nothing is done."""
    before = keys(example)
    answer = visit(call, peer="192.0.2.7", **OWN)
    assert (answer.status_code, answer.json["code"]) == (403, "FORBIDDEN")
    assert keys(example) == before


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_from_this_machine(visit, peer):
    """Its loopback addresses, in both families."""
    assert visit(("GET", "/"), peer).status_code == 200


@pytest.mark.parametrize("peer", ["", "10.0.0.1", "::ffff:192.0.2.7", "fe80::1", "localhost"])
def test_an_address_that_is_not_of_this_machine(visit, peer):
    """403, and so for what is no address: a server at a Unix socket does not know who asks."""
    assert visit(("GET", "/"), peer).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1:8443", 200),
        ("[::1]:8080", 200),
        ("rebound.example", 403),
        ("[::1", 403),
        ("[", 403),
        ("", 403),
        ("localhost.example:8080", 403),
        ("127.0.0.1.example", 403),
        ("192.0.2.7", 403),
        ("api.liveperson.net", 403),
    ],
)
def test_the_name_that_it_is_asked_under(example, host, status):
    """A name that was made to resolve to this machine is not one of it (DNS rebinding)."""
    answer = example.test_client().get("/console/session", environ_overrides={"HTTP_HOST": host})
    assert answer.status_code == status


@pytest.mark.parametrize("header", ["Forwarded", "X_Forwarded_For", "X_Real_IP"])
def test_what_a_proxy_passes_on(visit, header):
    """It comes from this machine, but who knows on whose behalf."""
    assert visit(("GET", "/console/session"), **{header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("call", CALLS[1:], ids=" ".join)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8080"},
        {**OWN, "Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_from_another_site(visit, example, call, headers):
    """403 by either header, from another port or scheme of this machine too; nothing is done."""
    before = keys(example)
    answer = visit(call, **headers)
    assert (answer.status_code, answer.json["code"]) == (403, "FORBIDDEN")
    assert keys(example) == before


def test_a_preflight(visit):
    """No other site is allowed to send what a form could not (Fetch standard, CORS)."""
    answer = visit(
        ("OPTIONS", "/console/faults"),
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert answer.status_code == 403
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_link_to_the_page(visit):
    """The page opens from anywhere, and by itself does nothing."""
    assert visit(("GET", "/"), Sec_Fetch_Site="cross-site").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Sec_Fetch_Site": "none"}, OWN], ids=str)
def test_the_page_and_what_is_no_browser(visit, headers):
    """The page's own requests, an address that was typed in, and a command are served."""
    assert visit(("GET", "/console/session"), **headers).status_code == 200


@pytest.mark.parametrize("call", [CALLS[0], CALLS[1], CALLS[2], CALLS[4]], ids=" ".join)
def test_what_the_browser_is_told(visit, call):
    """Nothing from elsewhere, no script in the markup, no frame, no cache; on errors too."""
    headers = visit(call).headers
    policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect", "img")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers.getlist("Cache-Control") == ["no-store"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(("text", "status"), [("true", 200), ("False", 403), ("0", 403)])
def test_the_setting_from_the_environment(visit, start, tmp_path, monkeypatch, text, status):
    """Nothing but ``true`` opens it: Flask reads JSON there, and all else is a text."""
    monkeypatch.setenv("FLASK_CONNECTOR_CONSOLE_ANYWHERE", text)
    app = start(tmp_path)
    assert visit(("GET", "/"), peer="192.0.2.7", app=app).status_code == status
    let_go(app)


def test_to_anywhere_by_a_setting(visit, start, tmp_path):
    """Then other machines and names are served, and other sites are still not."""
    app = start(tmp_path, CONNECTOR_CONSOLE_ANYWHERE=True)
    call = ("GET", "/console/session")
    far = {"peer": "192.0.2.7", "base_url": "http://dev.example", "app": app}
    assert visit(call, **far).status_code == 200
    assert visit(call, **far, Sec_Fetch_Site="cross-site").status_code == 403
    assert visit(call, **far, Origin="https://evil.example").status_code == 403
    let_go(app)
