"""Access to the console: with its key, from this machine, and from no other site in the browser."""

import re
import stat
from contextlib import closing
from http.client import HTTPConnection
from http.cookies import SimpleCookie

import pytest

from example_app.console.access_key import FILE_NAME, AccessKey
from example_app.database import let_go
from tests.support.example_api import BASE_URL
from tests.support.example_console import OWN, access_key, cookie
from tests.support.example_processes import python

#: Each call of the console that changes something or tells a secret, and the page.
CALLS = [
    ("GET", "/"),
    ("GET", "/console/static/console.js"),
    ("GET", "/console/session"),
    ("GET", "/console/feed"),
    ("POST", "/console/signature"),
    ("POST", "/console/webhooks/1/resend"),
    ("GET", "/console/conversations/x.sh"),
    ("POST", "/console/knobs"),
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
    """Return a function that makes a call from an address, with the key and other headers."""

    def visit(call, peer="127.0.0.1", base_url=BASE_URL, app=example, **headers):
        method, path = call
        headers = {"Cookie": cookie(app, base_url.startswith("https:")), **headers}
        return app.test_client(use_cookies=False).open(
            path,
            base_url,
            method=method,
            buffered=True,
            headers={
                name.replace("_", "-"): value
                for name, value in headers.items()
                if value is not None
            },
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
def test_without_the_key(visit, example, call):
    """403 without the key, even from this machine: a bare ``proxy_pass http://127.0.0.1:8000``
    forwards all requests like that, without a header that shows it; nothing is done."""
    before, proxied = keys(example), {"base_url": "http://127.0.0.1:8000"}
    for own in ({}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": proxied["base_url"]}):
        answer = visit(call, **proxied, Cookie=None, **own)
        assert (answer.status_code, answer.json["code"]) == (403, "FORBIDDEN")
        assert "Set-Cookie" not in answer.headers
    assert keys(example) == before
    assert visit(("GET", "/console/session"), **proxied).status_code == 200


def wrong_keys(app):
    """Return what is nearly the key of *app*, or has it in the wrong place."""
    name, value = access_key(app).cookie(secure=False)
    values = ["", value[:-1], f"{value}=", value.swapcase(), f'"{value} "', "é", value[::-1]]
    return [
        *(f"{name}={each}" for each in values),
        *(f"{other}={value}" for other in (f"__Host-{name}", "connector-console", name[:-1])),
        "=".join(access_key(app).cookie(secure=True)),
    ]


def test_a_wrong_key(visit, example):
    """403, in the cookie and in the address; the right one opens it."""
    for each in wrong_keys(example):
        answer = visit(("GET", "/console/session"), Cookie=each.encode().decode("latin-1"))
        assert answer.status_code == 403
    path = access_key(example).path
    for each in ("/?key=", path[:-1], f"{path}x", f"{path[:6]}{path[6:].swapcase()}", "/?key=é"):
        answer = visit(("GET", each))
        assert (answer.status_code, answer.headers.get("Set-Cookie")) == (403, None)
    assert visit(("GET", path), Cookie=None).status_code == 303


@pytest.mark.parametrize("call", CALLS[1:], ids=" ".join)
def test_the_key_in_another_address(visit, example, call):
    """403: only the page, which is cleaned of it at once, is opened so."""
    method, path = call
    opened = f"{path}{access_key(example).path[1:]}"
    assert visit((method, opened), Cookie=None).status_code == 403


@pytest.mark.parametrize("secure", [False, True])
def test_the_address_with_the_key(visit, example, secure):
    """RFC 6265bis sections 4.1.2, 4.1.3: a redirect to the address without it, and a cookie that no
    script reads, no other site sends, and, by TLS, no other host sets and no clear request has."""
    base_url = BASE_URL.replace("http:", "https:") if secure else BASE_URL
    answer = visit(("GET", access_key(example).path), base_url=base_url, Cookie=None)
    assert (answer.status_code, answer.headers["Location"]) == (303, "./")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    key = access_key(example).path.removeprefix("/?key=")
    assert key not in answer.text
    [(name, morsel)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
    assert re.fullmatch(r"(__Host-)?connector-console-[0-9a-f]{8}", name)
    assert name.startswith("__Host-") is secure
    set_to = {name: value for name, value in morsel.items() if value}
    assert set_to == {
        **({"secure": True} if secure else {}),
        **{"httponly": True, "samesite": "Strict", "path": "/"},
    }
    opened = visit(("GET", "/"), base_url=base_url, Cookie=f"{name}={morsel.value}")
    assert opened.status_code == 200


def test_the_key_is_kept(start, tmp_path):
    """For the owner alone, over a restart; another folder has another one, under another name,
    since all ports of a host share their cookies."""
    folders = [tmp_path / name for name in ("one", "one", "other")]
    one, again, other = (access_key(start(folder)) for folder in folders)
    assert one.path == again.path
    assert one.cookie(secure=False) == again.cookie(secure=False)
    assert set(one.cookie(secure=False)).isdisjoint(other.cookie(secure=False))
    file = folders[0] / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) == 43  # 256 bits
    assert file.read_text() not in repr(start(folders[0]).extensions["console"])
    file.unlink()
    assert AccessKey(folders[0]).path != one.path


def test_the_key_for_other_servers(project):
    """What a command prints behind the app's address opens the console of every process."""
    found = set()
    for _ in range(2):
        with python("-m", "flask", "--app", "example_app", "console", folder=project) as process:
            output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        found.add(output)
    assert found == {f"{AccessKey(project / 'instance').path}\n"}


def test_the_key_over_http(both):
    """At both listeners, as a browser does it: the address, then the cookie."""
    with closing(HTTPConnection("127.0.0.1", both.port, timeout=30)) as connection:
        answers = []
        for path, headers in (
            ("/console/session", {}),
            (access_key(both.app).path, {}),
            ("/console/session", {"Cookie": cookie(both.app)}),
        ):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answers.append((answer.status, b"client_secret" in answer.read()))
    assert answers == [(403, False), (303, False), (200, True)]


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
    """403, also without an address: a server at a Unix socket has none for its clients."""
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
    own = {"HTTP_HOST": host, "HTTP_COOKIE": cookie(example)}
    answer = example.test_client(use_cookies=False).get("/console/session", environ_overrides=own)
    assert answer.status_code == status


@pytest.mark.parametrize("header", ["Forwarded", "X_Forwarded_For", "X_Real_IP"])
def test_what_a_proxy_passes_on(visit, header):
    """403: the proxy is on this machine, but its client may be anywhere."""
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


def test_a_link_to_the_page(visit, example):
    """The page opens from anywhere, with the key in the link or not, and does nothing by itself."""
    for path, status in (("/", 200), (access_key(example).path, 303)):
        assert visit(("GET", path), Sec_Fetch_Site="cross-site").status_code == status


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
    """Then other machines and names are served; without the key, and to other sites, still none."""
    app = start(tmp_path, CONNECTOR_CONSOLE_ANYWHERE=True)
    call = ("GET", "/console/session")
    far = {"peer": "192.0.2.7", "base_url": "http://dev.example", "app": app}
    assert visit(call, **far).status_code == 200
    assert visit(call, **far, Cookie=None).status_code == 403
    assert visit(call, **far, Sec_Fetch_Site="cross-site").status_code == 403
    assert visit(call, **far, Origin="https://evil.example").status_code == 403
    let_go(app)
