"""Bytes on a real connection: what a server makes of them before WSGI.

RFC 9112 section 5; RFC 9110 section 5; PEP 3333. Werkzeug's own server, in
this process, so that log and signals are watched too.
"""

import socket
import threading
from collections.abc import Iterator

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from tests.support.attack_harness import answer_of, untouched, watching
from tests.support.attack_stage import HEADERS, Stage, stages
from tests.support.http_helpers import ACCOUNT

STAGE: Stage = stages()[0]
#: By row, the headers as bytes: ``{a}`` is the good AppJWT, ``{c}`` the good ConsumerJWS.
LINES: dict[str, tuple[int | None, str]] = {
    "good": (None, "Authorization: Bearer {a}|X-LP-ON-BEHALF: {c}"),
    "good, other names": (None, "authorization:{a}|x-lp-on-behalf:\t{c} "),
    "good, folded": (None, "Authorization: Bearer|  {a}|X-LP-ON-BEHALF: {c}"),
    "folded within the token": (40102, "Authorization: {a}|  {a}|X-LP-ON-BEHALF: {c}"),
    "twice, good and good": (40102, "Authorization: {a}|Authorization: {a}|X-LP-ON-BEHALF: {c}"),
    "twice, good and bad": (40102, "Authorization: {a}|Authorization: x|X-LP-ON-BEHALF: {c}"),
    "twice, bad and good": (40102, "Authorization: x|Authorization: {a}|X-LP-ON-BEHALF: {c}"),
    "twice, blank and good": (40102, "Authorization:|Authorization: {a}|X-LP-ON-BEHALF: {c}"),
    "consumer twice": (40103, "Authorization: {a}|X-LP-ON-BEHALF: {c}|X-LP-ON-BEHALF: {c}"),
    "consumer twice, one bad": (40103, "Authorization: {a}|X-LP-ON-BEHALF: x|x-lp-on-behalf: {c}"),
    "underscores": (40104, "Authorization: {a}|X_LP_ON_BEHALF: {c}"),
    "underscores beside it": (None, "Authorization: {a}|X-LP-ON-BEHALF: {c}|X_LP_ON_BEHALF: x"),
    "underscores for it": (40103, "Authorization: {a}|X-LP-ON-BEHALF: x|X_LP_ON_BEHALF: {c}"),
    "high bytes": (40102, "Authorization: \xff\xfe\x80{a}|X-LP-ON-BEHALF: {c}"),
    "no-break space": (40102, "Authorization: {a}\xa0|X-LP-ON-BEHALF: {c}"),
    "NUL": (40103, "Authorization: {a}|X-LP-ON-BEHALF: {c}\0"),
    "UTF-8": (40103, "Authorization: {a}|X-LP-ON-BEHALF: \xc3\xa9{c}"),
    "blank": (40105, "Authorization: \t |X-LP-ON-BEHALF: {c}"),
    "none": (40105, "X-LP-ON-BEHALF: {c}"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server on loopback."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, STAGE.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, lines: str) -> tuple[bytes, bytes]:
    """Send a request of these header lines; return head and body of the answer."""
    head = f"GET /api/{ACCOUNT} HTTP/1.1|Host: 127.0.0.1|Connection: close|{lines}||"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.replace("|", "\r\n").encode("latin-1"))
        with connection.makefile("rb") as answer:
            received = answer.read()
    first, _, body = received.partition(b"\r\n\r\n")
    return first, body


@pytest.mark.parametrize("name", LINES)
def test_bytes_on_the_wire_are_one_token_or_none(name: str, port: int) -> None:
    """RFC 9110 section 5.3, RFC 9112 section 5.2: folded, repeated, renamed, and not ASCII."""
    row, lines = LINES[name]
    tokens = STAGE.environ()
    app_jwt, consumer_jws = (tokens[key] for key in HEADERS.values())
    with untouched(STAGE):
        before = len(STAGE.ran)
        with watching(STAGE.app) as told:
            head, body = ask(port, lines.format(a=app_jwt, c=consumer_jws))
        ran = len(STAGE.ran) - before
    if row is None:
        assert head.startswith(b"HTTP/1.1 200 ")
        assert (ran, told.errors) == (1, [])
        return
    status, headers, expected = answer_of(row)
    sent = head.decode("latin-1").split("\r\n")
    assert (sent[0], body) == (f"HTTP/1.1 {status}", expected)
    assert [f"{key}: {value}" for key, value in headers] == [
        line for line in sent if line.partition(":")[0] in dict(headers)
    ]
    assert (ran, len(told.errors)) == (0, 1)
    whole = "\n".join(told.pieces)
    parts = [part for token in (app_jwt, consumer_jws) for part in token.split(".")]
    assert [part for part in parts if part in whole] == []
