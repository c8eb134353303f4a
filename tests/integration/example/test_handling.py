"""How the two listeners handle HTTP connections (RFC 9112, RFC 9110)."""

import json
import socket
import ssl
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection

import pytest

from example_app import create_issuer
from example_app.refusals import request_refused
from example_app.serving import listen, serving
from tests.support.example_api import ACCOUNT

LOOK_UP = f"/api/account/{ACCOUNT}/service/baseURI.json?version=1.0"
LOGIN = f"/api/account/{ACCOUNT}/login"
TOO_LARGE = "REQUEST_HEADER_FIELDS_TOO_LARGE"
FIELDS = "The server is unwilling to process the request because its header fields are too large"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(params=["http", "https"])
def connect(both, request):
    """Return a function that connects to one of the listeners."""
    with ExitStack() as stack:
        context = ssl.create_default_context(cafile=str(both.certificate.ca))
        ports = {"http": both.port, "https": both.tls_port}

        def connect():
            address = ("127.0.0.1", ports[request.param])
            plain = stack.enter_context(socket.create_connection(address, timeout=30))
            if request.param == "http":
                return plain
            secure = context.wrap_socket(plain, server_hostname="localhost")
            return stack.enter_context(secure)

        yield connect


def get(path=LOOK_UP, version="1.1", **headers):
    """Return a GET request, as bytes."""
    return request_of("GET", path, b"", version, **headers)


def post(path, body, version="1.1", **headers):
    """Return a POST request, as bytes; a header that is ``None`` is left out."""
    sent = {"Content_Type": "application/json", "Content_Length": len(body), **headers}
    return request_of("POST", path, body, version, **sent)


def request_of(method, path, body, version, **headers):
    """Return a request, as bytes."""
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items() if v is not None]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(client, *methods):
    """Return the answers to requests with *methods*: status, headers and body of each."""
    found = []
    with client.makefile("rb") as source:
        for method in methods:
            answer = HTTPResponse(Source(source), method=method)
            answer.begin()
            found.append((answer.status, answer.headers, answer.read()))
    return found


class Source:
    """What HTTPResponse takes for a socket: the file stays open after an answer."""

    def __init__(self, file):
        self.file = file

    def makefile(self, *_):
        return self

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        """Stay open."""


def is_over(client):
    """Whether the server has ended the connection."""
    with suppress(OSError):
        return client.recv(1) == b""
    return True


def test_a_connection_is_kept(connect):
    """RFC 9112 section 9.3: many requests on one connection, whether or not bodies are read."""
    client = connect()
    for _ in range(3):
        client.sendall(get())
        [(status, headers, body)] = answers(client, "GET")
        assert (status, headers["Connection"]) == (200, None)
        assert json.loads(body)["baseURIs"]
        # 401 without a token: the body is not read by the app.
        client.sendall(post(f"/api/account/{ACCOUNT}/consumer", b"{" * 5000))
        [(status, _, body)] = answers(client, "POST")
        assert (status, json.loads(body)["body"]["errorCode"]) == (401, 40105)
        client.sendall(request_of("HEAD", LOOK_UP, b"", "1.1"))
        assert answers(client, "HEAD")[0][0] == 200


def test_requests_that_come_at_once(connect):
    """RFC 9112 section 9.3.2: pipelined requests are answered in their order."""
    client = connect()
    wrong = post(LOGIN, b'{"username":"x"}')
    client.sendall(get() + wrong + post(LOGIN, b"{") + get("/nowhere") + get())
    statuses = [status for status, _, _ in answers(client, *["GET", "POST", "POST", "GET", "GET"])]
    assert statuses == [200, 401, 400, 404, 200]


def test_chunks(connect):
    """RFC 9112 section 7.1: the next request follows the last chunk."""
    client = connect()
    coded = {"Transfer_Encoding": "chunked", "Content_Length": None}
    chunks = b"5\r\n" + b'{"use' + b"\r\n" + b'b\r\nrname":"x"}\r\n0\r\n\r\n'
    client.sendall(post(LOGIN, chunks, **coded) + post("/nowhere", chunks, **coded) + get())
    statuses = [status for status, _, _ in answers(client, "POST", "POST", "GET")]
    assert statuses == [401, 404, 200]


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [("1.1", "close", "close"), ("1.0", None, "close"), ("1.0", "keep-alive", "keep-alive")],
)
def test_who_wants_a_connection_kept(connect, version, asked, told):
    """RFC 9112 section 9.3: HTTP/1.0 clients say so, those of HTTP/1.1 say if they do not."""
    client = connect()
    client.sendall(get(version=version, Connection=asked))
    [(status, headers, _)] = answers(client, "GET")
    assert (status, headers["Connection"]) == (200, told)
    if told == "keep-alive":
        client.sendall(get(version=version))
        assert answers(client, "GET")[0][0] == 200
    assert is_over(client)


def test_one_100_continue(connect):
    """RFC 9110 section 10.1.1: it is sent once, when the app wants the body, and the connection is
    kept."""
    client = connect()
    head, body = post(LOGIN, b'{"username":"x"}', Expect="100-continue").split(b"{", 1)
    for _ in range(2):
        client.sendall(head)
        assert client.recv(4096) == GO_ON
        client.sendall(b"{" + body)
        [(status, headers, _)] = answers(client, "POST")
        assert (status, headers["Connection"]) == (401, None)


def test_no_100_continue_for_an_old_client(connect):
    """RFC 9110 section 10.1.1: HTTP/1.0 has no such status, so only the answer is sent."""
    client = connect()
    client.sendall(post(LOGIN, b"{}", version="1.0", Expect="100-continue"))
    [(status, _, _)] = answers(client, "POST")
    assert status == 401


def test_no_100_continue_for_what_is_refused(connect):
    """RFC 9110 section 10.1.1: the final status comes at once, and the body never needs to."""
    client = connect()
    request = post(f"/api/account/{ACCOUNT}/consumer", b"{}", Expect="100-continue")
    client.sendall(request.removesuffix(b"{}"))
    [(status, headers, _)] = answers(client, "POST")
    assert (status, headers["Connection"]) == (401, "close")
    assert is_over(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "2", "Transfer_Encoding": "chunked"},
        {"Content_Length": None, "Transfer_Encoding": "gzip, chunked"},
        {"Content_Length": "-1"},
        {"Content_Length": "+2"},
        {"Content_Length": "2_0"},
        {"Content_Length": "x"},
        {"Content_Length": "9" * 20},
        {"Content_Length": "2\r\nContent-Length: 3"},
    ],
    ids=str,
)
def test_a_body_whose_end_is_unclear(connect, headers):
    """RFC 9112 section 6.3: 400, and the connection ends: where is the next request?"""
    client = connect()
    client.sendall(post(LOGIN, b"{}", **headers) + get())
    [(status, found, body)] = answers(client, "POST")
    assert (status, found["Connection"]) == (400, "close")
    assert json.loads(body)["body"]["msg"] == "The length of the body is unclear"
    assert is_over(client)


def test_chunks_that_are_none(connect):
    """RFC 9112 section 7.1: the connection ends, since nothing that follows can be understood."""
    client = connect()
    client.sendall(
        post(LOGIN, b"xyz\r\n", Transfer_Encoding="chunked", Content_Length=None) + get()
    )
    [(status, _, _)] = answers(client, "POST")
    assert status == 400
    assert is_over(client)


@pytest.fixture
def lines(both):
    """The refusals, as lines."""
    lines = []

    def receive(_app, refusal):
        lines.append(str(refusal))

    with request_refused.connected_to(receive, sender=both.app):
        yield lines


@pytest.mark.parametrize(
    ("request_", "status", "name", "text"),
    [
        (get(X="x" * 70000), 431, TOO_LARGE, FIELDS),
        (get(**{f"X{number}": "" for number in range(101)}), 431, TOO_LARGE, FIELDS),
        (get("/?x=secret" + "x" * 70000), 414, "REQUEST_URI_TOO_LONG", "URI is too long"),
        (get("/ ?x=secret"), 400, "BAD_REQUEST", "Bad request syntax"),
        (get(version="3.0"), 505, "HTTP_VERSION_NOT_SUPPORTED", "Cannot fulfill request"),
    ],
    ids=["long", "many", "path", "syntax", "version"],
)
def test_what_does_not_reach_the_app(connect, lines, request_, status, name, text):
    """RFC 6585 section 5, RFC 9110 sections 15.5.15 and 15.6.6: the answer has the protocol's shape
    too, arrives though the client still sends, and is a line like the others."""
    client = connect()
    with suppress(OSError):
        client.sendall(request_ + b"x" * 100_000)
    [(found, headers, body)] = answers(client, "GET")
    assert (found, headers["Content-Type"]) == (status, "application/json")
    answer = json.loads(body)
    assert (answer["code"], set(answer)) == (name, {"code", "body"})
    assert answer["body"]["msg"].startswith(text)
    assert is_over(client)
    [line] = lines
    assert f"  {text}" in line
    assert "secret" not in line + body.decode()


def test_a_tunnel_elsewhere_is_refused_in_json(both):
    """The proxy's refusal has the same shape."""
    with socket.create_connection(("127.0.0.1", both.port), timeout=30) as client:
        client.sendall(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
        [(status, _, body)] = answers(client, "CONNECT")
        assert (status, json.loads(body)["code"]) == (403, "FORBIDDEN")


def test_a_large_body_that_is_refused(connect):
    """RFC 9110 section 15.5.14: the answer arrives, and the connection can be used again."""
    client = connect()
    client.sendall(post(LOGIN, b" " * 1_000_000) + get())
    statuses = [status for status, _, _ in answers(client, "POST", "GET")]
    assert statuses == [413, 200]


def test_a_client_that_leaves(both, connect):
    """In the middle of a body: nothing is printed, and the next client is served."""
    client = connect()
    client.sendall(post(LOGIN, b"{}", Content_Length=100))
    client.close()
    other = connect()
    other.sendall(get())
    assert answers(other, "GET")[0][0] == 200


def test_connections_end_with_the_server(tmp_path):
    """One that is kept alive is closed, so that its thread ends."""
    app = create_issuer({}, instance_path=str(tmp_path))
    with ExitStack() as stack:
        with listen(0) as listener, serving(app, listener):
            address = listener.getsockname()
            client = stack.enter_context(socket.create_connection(address, timeout=30))
            client.sendall(get("/sentinel/well-known/jwks"))
            assert answers(client, "GET")[0][0] == 200
        assert is_over(client)


def test_the_clients_of_python(both):
    """One connection of http.client for a whole conversation, by either listener."""
    context = ssl.create_default_context(cafile=str(both.certificate.ca))
    for connection in (
        HTTPConnection("127.0.0.1", both.port, timeout=30),
        HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=context),
    ):
        with closing(connection):
            sent = set()
            for _ in range(3):
                connection.request("GET", LOOK_UP)
                assert connection.getresponse().read()
                sent.add(connection.sock.getsockname())
            assert len(sent) == 1
