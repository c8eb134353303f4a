"""One GET of a real server with every fault: its result, and its end in time."""

import io
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from freezegun import freeze_time

from flask_connector_auth.keys import (
    Connection,
    FetchFailed,
    FetchResponse,
    HttpFetch,
    LimitedReader,
    ResponseTooLarge,
    Watchdog,
    parse_proxy,
)
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.testing.faults import FAULTS
from tests.support.proxy import ConnectProxy
from tests.support.tls import Authority

LIMIT = 100_000
#: Far more than a fetch may take here, far less than a fault lasts: a minute.
LONG = 30.0
REFUSED = "the proxy refuses, with status 403"
TIMED_OUT = "no complete response within 0.3 s"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that our fetch trusts."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["http", "https"])
def server(request: Any, authority: Authority, issuer: Issuer) -> Iterator[KeySetServer]:
    """A server of the issuer's keys."""
    context = authority.context() if request.param == "https" else None
    with KeySetServer(issuer, ssl_context=context) as running:
        yield running


@pytest.fixture
def fetch(authority: Authority) -> HttpFetch:
    """A fetch that trusts our authority."""
    return HttpFetch(ca_file=str(authority.ca_file))


def get(fetch: HttpFetch, url: str, timeout: float = LONG, max_bytes: int = LIMIT) -> Any:
    """Return what a fetch brought, or the failure."""
    begin = time.monotonic()
    try:
        return fetch(url, headers={}, timeout=timeout, max_bytes=max_bytes)
    except FetchFailed as failed:
        return failed
    finally:
        assert time.monotonic() - begin < LONG


def why(outcome: Any) -> str:
    """Return why a fetch failed."""
    assert isinstance(outcome, FetchFailed), outcome
    return str(outcome)


def test_a_key_set_is_fetched(server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: status, body, and headers by their names in lower case."""
    server.headers = {"Cache-Control": "max-age=60", "X-Empty": ""}
    answer = get(fetch, server.url)
    assert (answer.status, answer.body) == (200, server.body)
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["x-empty"] == ""


def test_what_is_sent(server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: what is accepted, no encoding, the query, and conditions as given."""
    url = f"{server.url}?tenant=1&x=%20"
    fetch(url, headers={"If-None-Match": '"1"'}, timeout=LONG, max_bytes=LIMIT)
    (request,) = server.requests
    assert request.path == "/jwks.json?tenant=1&x=%20"
    assert request.headers == {
        "accept": "application/jwk-set+json, application/json",
        "accept-encoding": "identity",
        "host": f"127.0.0.1:{server.port}",
        "if-none-match": '"1"',
        "user-agent": "flask-connector-auth",
    }


def test_a_url_without_a_path_is_that_of_the_root(server: KeySetServer, fetch: HttpFetch) -> None:
    """RFC 9110 section 4.2.3: an empty path is sent as a slash."""
    assert get(fetch, server.url.removesuffix("/jwks.json")).status == 200
    assert [request.path for request in server.requests] == ["/"]


def good(outcome: Any, body: bytes) -> bool:
    """Whether the whole set has come."""
    return isinstance(outcome, FetchResponse) and (outcome.status, outcome.body) == (200, body)


def fails(*reasons: str) -> Callable[[Any, bytes], bool]:
    """Return whether a fetch fails for one of these reasons, in these words."""
    return lambda outcome, _body: isinstance(outcome, FetchFailed) and str(outcome) in reasons


def status(code: int) -> Callable[[Any, bytes], bool]:
    """Return whether a fetch brings that status, and nothing else."""
    return lambda outcome, _body: (outcome.status, outcome.body) == (code, b"")


OUTCOMES: dict[str, Callable[[Any, bytes], bool]] = {
    "bomb": fails("the body has a Content-Encoding"),
    "chunked": good,
    "drip_body": fails(TIMED_OUT),
    "drip_headers": fails(TIMED_OUT),
    "hang": fails(TIMED_OUT),
    "header_flood": fails("HTTPException"),
    "http10": good,
    # The loader checks for JSON.
    "junk": lambda outcome, _body: outcome.body == b"<html>Welcome</html>",
    "lie_long": fails("the body is shorter than its Content-Length", "IncompleteRead"),
    # Nothing shows that there is more.
    "lie_short": lambda outcome, body: outcome.body == body[:-1],
    "huge": fails(f"the body is over {LIMIT} bytes (JWKS_MAX_BYTES)"),
    "negative_chunk": fails("ResponseTooLarge"),
    "not_modified": status(304),
    "redirect": status(302),
    "refuse": fails("ConnectionRefusedError"),
    # Under TLS, either end of a connection looks the same.
    "reset": fails("ConnectionResetError", "RemoteDisconnected"),
    "status": status(503),
    "truncated": fails("IncompleteRead"),
}
NEVER_ENDS = {"drip_body", "drip_headers", "hang"}


def test_every_fault_has_an_outcome() -> None:
    """No fault of the server is left out here."""
    assert OUTCOMES.keys() == FAULTS.keys() | {"refuse"}


@pytest.mark.parametrize("fault", OUTCOMES)
def test_a_fault_has_its_outcome(fault: str, server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: a complete response in time, or a failure with its reason; no later effect."""
    server.fail(fault, **({"to": "http://127.0.0.1/"} if fault == "redirect" else {}))
    outcome = get(fetch, server.url, timeout=0.3 if fault in NEVER_ENDS else LONG)
    assert OUTCOMES[fault](outcome, server.body), outcome
    server.recover()
    assert good(get(fetch, server.url), server.body)


PEAKS = """
import sys, tracemalloc
from flask_connector_auth.keys import FetchFailed, HttpFetch
fetch = HttpFetch()
tracemalloc.start()
for url in sys.argv[1:]:
    tracemalloc.reset_peak()
    try:
        fetch(url, headers={}, timeout=30, max_bytes=100_000)
    except FetchFailed:
        print(tracemalloc.get_traced_memory()[1])
"""


def test_no_answer_takes_more_memory_than_the_limit_allows() -> None:
    """JWKS_MAX_BYTES: 16 MiB and more are on offer, of which nothing is inflated or kept."""
    with ExitStack() as stack:
        servers = [stack.enter_context(KeySetServer()) for _ in range(4)]
        for server, fault in zip(
            servers, ("bomb", "huge", "negative_chunk", "header_flood"), strict=True
        ):
            server.fail(fault)
        # In a process of its own: what the servers send is not to be counted.
        urls = [server.url for server in servers]
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-c", PEAKS, *urls], check=True, capture_output=True, text=True
        )
    peaks = [int(line) for line in ran.stdout.split()]
    assert len(peaks) == len(servers)
    assert max(peaks) < 10 * LIMIT


# Size


@pytest.mark.parametrize("fault", [None, "chunked", "http10"])
@pytest.mark.parametrize(("over", "passes"), [(-1, True), (0, True), (1, False)])
def test_the_limit_is_the_largest_body(
    fault: str | None, over: int, passes: bool, server: KeySetServer, fetch: HttpFetch
) -> None:
    """JWKS_MAX_BYTES: a body of that size passes, whole, and one byte more does not."""
    if fault:
        server.fail(fault)
    server.body = b" " * (LIMIT + over)
    outcome = get(fetch, server.url)
    if passes:
        assert good(outcome, server.body)
    else:
        assert why(outcome) == f"the body is over {LIMIT} bytes (JWKS_MAX_BYTES)"


def test_a_length_is_not_believed(server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: what counts is what comes, however much or little was announced."""
    server.fail("lie_long", by=2**40)
    assert OUTCOMES["lie_long"](get(fetch, server.url), server.body)
    server.body = b" " * (LIMIT + 1)
    assert why(get(fetch, server.url)) == f"the body is over {LIMIT} bytes (JWKS_MAX_BYTES)"


def test_all_that_is_received_is_counted(fetch: HttpFetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """JWKS_MAX_BYTES: twice the body, and 64 KiB for headers and chunks; that much may come."""
    for over in (0, 1):
        reader = LimitedReader(io.BytesIO(b"x" * (10 + over)), 10)  # type: ignore[arg-type]
        with pytest.raises(ResponseTooLarge) if over else nullcontext():
            assert reader.readinto(bytearray(20)) == 10
    limits: list[int] = []

    def connect(*arguments: Any) -> Any:
        limits.append(arguments[-1])
        raise OSError

    monkeypatch.setattr("flask_connector_auth.keys.http.Connection", connect)
    assert why(get(fetch, "http://issuer.test/")) == "OSError"
    assert limits == [2 * LIMIT + 65536]


def test_any_encoding_but_identity_is_refused(server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: an encoded answer is a failure, whatever it is called."""
    for encoding in ("gzip", "br", "identity, gzip", "x"):
        server.headers = {"Content-Encoding": encoding}
        assert why(get(fetch, server.url)) == "the body has a Content-Encoding"
    server.headers = {"Content-Encoding": "Identity"}
    assert good(get(fetch, server.url), server.body)


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(code: int, server: KeySetServer, fetch: HttpFetch) -> None:
    """docs/keys.rst: no redirects at all, which closes SSRF by redirect."""
    with KeySetServer() as elsewhere:
        server.fail("redirect", to=elsewhere.url, status=code)
        answer = get(fetch, server.url)
        assert (answer.status, answer.headers["location"]) == (code, elsewhere.url)
        assert elsewhere.requests == []
        assert good(get(fetch, elsewhere.url), elsewhere.body)
        assert len(elsewhere.requests) == 1


def test_headers_that_come_twice_are_joined(fetch: HttpFetch) -> None:
    """RFC 9110 section 5.3: so that neither of two Cache-Control headers is lost."""
    with KeySetServer(headers={"Cache-Control": "max-age=60\r\nCACHE-CONTROL: no-store"}) as server:
        assert get(fetch, server.url).headers["cache-control"] == "max-age=60, no-store"


# Where to

PROXY = parse_proxy("http://proxy.test:3128")


@pytest.mark.parametrize(
    ("url", "tls", "proxy", "first", "tunnel"),
    [
        ("http://a.test/", False, None, ("a.test", 80), (None, None)),
        ("https://a.test/", True, None, ("a.test", 443), (None, None)),
        ("https://a.test:8443/", True, None, ("a.test", 8443), (None, None)),
        ("https://a.test/", True, PROXY, ("proxy.test", 3128), ("a.test", 443)),
        ("https://a.test:8443/", True, PROXY, ("proxy.test", 3128), ("a.test", 8443)),
    ],
)
def test_where_a_connection_goes(
    url: str, tls: bool, proxy: Any, first: Any, tunnel: Any, fetch: HttpFetch
) -> None:
    """RFC 9110 section 4.2: a URL without a port has that of its scheme; so has a tunnel."""
    context = fetch._context if tls else None
    made: Any = Connection(urlsplit(url), proxy, context, Watchdog(1), LIMIT)
    assert (made.host, made.port) == first
    assert (made._tunnel_host, made._tunnel_port) == tunnel


def test_it_is_a_get(fetch: HttpFetch) -> None:
    """RFC 9110 section 9.1: the name of a method has its case."""
    lines: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                lines.append(client.recv(65536).partition(b"\r\n")[0])
                client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert get(fetch, f"http://127.0.0.1:{listening.getsockname()[1]}").status == 204
        thread.join()
    assert lines == [b"GET / HTTP/1.1"]


# The wall clock


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a socket that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a socket that takes no more connections, so that one cannot be made."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        place = listening.getsockname()
        with socket.create_connection(place):
            yield place[1]


@pytest.mark.parametrize("fault", sorted(NEVER_ENDS))
def test_a_fetch_ends_in_time_while_a_test_stands_still(
    server: KeySetServer, fetch: HttpFetch, fault: str
) -> None:
    """freezegun stops ``time.monotonic`` too: the deadline is by a clock that it leaves alone."""
    server.fail(fault)
    with freeze_time():
        outcome = get(fetch, server.url, timeout=0.3)
    assert why(outcome) == TIMED_OUT


def test_a_handshake_that_hangs_is_cut_off(mute: int, fetch: HttpFetch) -> None:
    """JWKS_TIMEOUT: one wall clock for TLS too."""
    assert why(get(fetch, f"https://127.0.0.1:{mute}/", timeout=0.3)) == TIMED_OUT


def test_a_connection_that_is_not_made_is_given_up(full: int, fetch: HttpFetch) -> None:
    """JWKS_TIMEOUT: one wall clock for the connection too."""
    assert why(get(fetch, f"http://127.0.0.1:{full}/", timeout=0.3)) == TIMED_OUT


def resolve(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let every name have these ports on loopback for its addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments: found)


def test_all_addresses_of_a_name_share_the_time(
    full: int, fetch: HttpFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_TIMEOUT: many addresses take no longer than one."""
    resolve(monkeypatch, *[full] * 1000)
    assert why(get(fetch, "http://issuer.test/", timeout=0.3)) == TIMED_OUT


def test_the_next_address_of_a_name_is_tried(
    fetch: HttpFetch, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is reached by one of its addresses is reached."""
    with KeySetServer(issuer) as server, KeySetServer() as refusing:
        refusing.fail("refuse")
        resolve(monkeypatch, refusing.port, server.port)
        assert good(get(fetch, "http://issuer.test/"), server.body)


def test_a_name_without_an_address_is_a_failure(
    fetch: HttpFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the resolver and bad host names are failures like others."""

    def unknown(*_arguments: Any) -> Any:
        raise socket.gaierror("do not tell this")

    assert "Unicode" in why(get(fetch, "http://a..b/"))
    resolve(monkeypatch)
    assert why(get(fetch, "http://issuer.test/")) == "OSError"
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    unresolved = "gaierror: the host name cannot be resolved"
    assert why(get(fetch, "http://issuer.test/")) == unresolved


def test_what_is_watched_too_late_is_cut_off_at_once() -> None:
    """A connection that was made just as the time was over does not stay."""
    ours, peer = socket.socketpair()
    with ours, peer, Watchdog(0) as watchdog:
        watchdog.watch(ours)
        assert peer.recv(1) == b""


def test_a_watchdog_blocks_nothing() -> None:
    """A socket that was never connected is no error, and a process that ends does not wait."""
    with socket.socket() as sock, Watchdog(0) as watchdog:
        watchdog.watch(sock)
        assert watchdog.is_expired
        assert watchdog._timer.daemon


UNDER_GEVENT = """
from gevent import monkey, sleep, spawn
monkey.patch_all()
import sys
from flask_connector_auth.keys import FetchFailed, HttpFetch

def work():
    while True:
        done.append(1)
        sleep(0.01)

fetch, done = HttpFetch(sys.argv[1]), []
spawn(work)
for url in sys.argv[2:]:
    done.clear()
    try:
        print(fetch(url, headers={}, timeout=0.3, max_bytes=100_000).status)
    except FetchFailed as failed:
        print(failed, "-", "others went on" if len(done) > 1 else "nothing else was done")
"""


def test_greenlets_keep_to_the_time_too(authority: Authority) -> None:
    """docs/deploying.rst: patched by gevent, a fetch is cut off, and holds up no other."""
    faults = (None, "hang", "drip_headers", "drip_body")
    with ExitStack() as stack:
        urls = []
        for context in (None, authority.context()):
            for fault in faults:
                server = stack.enter_context(KeySetServer(ssl_context=context))
                if fault:
                    server.fail(fault)
                urls.append(server.url)
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-c", UNDER_GEVENT, str(authority.ca_file), *urls],
            check=True,
            capture_output=True,
            text=True,
        )
    cut_off = "no complete response within 0.3 s - others went on"
    assert ran.stdout.splitlines() == ["200", cut_off, cut_off, cut_off] * 2


# TLS


def test_tls_is_verified(authority: Authority, tmp_path: Path, fetch: HttpFetch) -> None:
    """docs/keys.rst: expired, other host, self-signed, unknown authority: all refused."""
    stranger = Authority(tmp_path, "another authority")
    contexts = {
        "certificate has expired": authority.context(expired=True),
        "IP address mismatch": authority.context("other.test"),
        "self-signed certificate": authority.context(self_signed=True),
        "unable to get local issuer certificate": stranger.context(),
    }
    for reason, context in contexts.items():
        with KeySetServer(ssl_context=context) as server:
            outcome = why(get(fetch, server.url))
            assert outcome.startswith(f"SSLCertVerificationError: {reason}")
            assert server.requests == []
    with KeySetServer(ssl_context=authority.context()) as server:
        assert good(get(fetch, server.url), server.body)


def test_only_a_named_authority_is_trusted(authority: Authority, tmp_path: Path) -> None:
    """JWKS_CA_FILE: its certificates replace those of the system."""
    stranger = Authority(tmp_path, "another authority")
    fetches = {name: HttpFetch(ca) for name, ca in (("system", None), ("other", stranger.ca_file))}
    with KeySetServer(ssl_context=authority.context()) as server:
        for fetch in fetches.values():
            assert "unable to get local issuer certificate" in why(get(fetch, server.url))
        assert get(HttpFetch(str(authority.ca_file)), server.url).status == 200
    with pytest.raises(OSError, match="No such file"):
        HttpFetch(str(tmp_path / "missing.pem"))


def test_old_tls_is_refused(authority: Authority, fetch: HttpFetch) -> None:
    """docs/keys.rst: TLS 1.2 or later."""
    context = authority.context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with KeySetServer(ssl_context=context) as server:
        assert why(get(fetch, server.url)).startswith("SSL")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert good(get(fetch, server.url), server.body)


# Proxies


def test_a_proxy_tunnels(authority: Authority, issuer: Issuer) -> None:
    """JWKS_PROXY: TLS goes through it end to end, to the host that the URL names."""
    context = authority.context("issuer.test")
    with KeySetServer(issuer, ssl_context=context) as server, ConnectProxy() as proxy:
        proxy.names = {"issuer.test:443": server.port, "other.test:443": server.port}
        fetch = HttpFetch(str(authority.ca_file), proxy.url)
        assert good(get(fetch, "https://issuer.test/jwks"), server.body)
        assert [first.split(" ")[1] for first in proxy.request_lines] == ["issuer.test:443"]
        (request,) = server.requests
        assert (request.path, request.headers["host"]) == ("/jwks", "issuer.test")
        assert "Hostname mismatch" in why(get(fetch, "https://other.test/jwks"))


def test_a_proxy_that_refuses_or_hangs_is_a_failure(mute: int) -> None:
    """JWKS_TIMEOUT includes the proxy, and the text of the proxy is not quoted."""
    with ConnectProxy() as proxy:
        assert why(get(HttpFetch(proxy=proxy.url), "https://issuer.test/")) == REFUSED
    hanging = HttpFetch(proxy=f"http://127.0.0.1:{mute}")
    assert why(get(hanging, "https://issuer.test/", timeout=0.3)) == TIMED_OUT


@pytest.mark.parametrize(
    ("user_info", "credentials"),
    [
        ("user:secret", b"user:secret"),
        ("user", b"user:"),
        ("user:", b"user:"),
        ("%75ser:p%40ss%3A%2f%25:%23", b"user:p@ss:/%:#"),
        ("us%C3%A9r:%C3%BC%20%FF", "usér:ü ".encode() + b"\xff"),
    ],
)
def test_a_proxy_with_user_and_password(
    user_info: str, credentials: bytes, authority: Authority, issuer: Issuer
) -> None:
    """RFC 7617 section 2: both are decoded, and sent to the proxy alone."""
    context = authority.context("issuer.test")
    with (
        KeySetServer(issuer, ssl_context=context) as server,
        ConnectProxy(credentials) as proxy,
    ):
        proxy.names = {"issuer.test:443": server.port}
        fetches = [
            HttpFetch(str(authority.ca_file), proxy.url.replace("//", f"//{each}"))
            for each in ("", "user:wrong@", f"{user_info}@")
        ]
        for fetch in fetches[:2]:
            assert why(get(fetch, "https://issuer.test/")) == ("the proxy refuses, with status 407")
        assert server.requests == []
        assert good(get(fetches[2], "https://issuer.test/"), server.body)
        (request,) = server.requests
        assert "proxy-authorization" not in request.headers
        assert "authorization" not in request.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "issuer.test"])
def test_plain_http_takes_no_proxy(
    host: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_HTTP_HOSTS: plain text takes the shortest way, with a proxy for other hosts too."""
    with KeySetServer(issuer) as server, ConnectProxy() as proxy:
        fetch = HttpFetch(proxy=proxy.url)
        assert why(get(fetch, "https://issuer.test/")) == REFUSED
        assert len(proxy.request_lines) == 1
        resolve(monkeypatch, server.port)
        assert good(get(fetch, f"http://{host}:{server.port}/"), server.body)
        assert len(proxy.request_lines) == 1


def test_loopback_needs_no_proxy(server: KeySetServer, authority: Authority) -> None:
    """Requests to loopback may be unencrypted, so they must not leave the machine."""
    with ConnectProxy() as proxy:
        fetch = HttpFetch(str(authority.ca_file), proxy.url)
        assert good(get(fetch, server.url), server.body)
        assert proxy.request_lines == []


def test_proxies_of_the_environment_are_not_used(
    authority: Authority, issuer: Issuer, fetch: HttpFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_PROXY alone decides which proxy is used."""
    with (
        KeySetServer(issuer, ssl_context=authority.context("issuer.test")) as server,
        ConnectProxy() as proxy,
    ):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        resolve(monkeypatch, server.port)
        assert good(get(fetch, "https://issuer.test/"), server.body)
        assert proxy.request_lines == []


def test_nothing_of_an_answer_is_shown() -> None:
    """A log of what was fetched does not hold the body."""
    assert "do-not-tell-this" not in repr(FetchResponse(200, b"do-not-tell-this", {}))
