"""The key set server: what it sends, and that no thread or socket of it stays."""

import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flask_connector_auth.testing import KeySetServer
from flask_connector_auth.testing.faults import FAULTS, RawResponse
from flask_connector_auth.testing.key_server import _Listener
from tests.support.floor_helpers import issuer_of
from tests.support.ports import free_port
from tests.support.tls import Authority

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
OLD, NEW = issuer_of(kid="old"), issuer_of(owner="new", kid="new")


class Received(NamedTuple):
    """The response that a client received."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kids(self) -> list[str]:
        """The ids of the keys."""
        return [key["kid"] for key in loads(self.body)["keys"]]


def get(server: KeySetServer, **headers: str) -> Received:
    """Request the set; ``_`` in a name stands for ``-``."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request("GET", "/jwks.json?x=1", headers=sent)
        with connection.getresponse() as response:
            return Received(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


@pytest.fixture
def server() -> Iterator[KeySetServer]:
    """A server of the old key."""
    with KeySetServer(OLD) as running:
        yield running


def test_it_listens_on_a_port_of_your_choice() -> None:
    """So that a setting can have its URL before it starts, and after it was stopped."""
    server = KeySetServer(OLD, port=free_port())
    url = server.url
    for _ in range(2):
        with server:
            assert server.url == url
            assert get(server).kids == ["old"]


def test_it_publishes_the_keys_of_an_issuer(server: KeySetServer) -> None:
    """RFC 7517 section 5, as an issuer's own key_set() has it."""
    answer = get(server)
    assert answer.status == 200
    assert loads(answer.body) == OLD.key_set()
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert server.url == f"http://127.0.0.1:{server.port}/jwks.json"


def test_keys_are_rotated_while_it_runs(server: KeySetServer) -> None:
    """Beside each other first, then the new one alone; any set will do."""
    server.publish(OLD, NEW)
    assert get(server).kids == ["old", "new"]
    server.publish(NEW.key_set())
    assert get(server).kids == ["new"]
    server.body = b"anything"
    assert get(server).body == b"anything"


def test_it_responds_304_by_the_etag(server: KeySetServer) -> None:
    """RFC 9110 section 15.4.5: by the ETag, until other keys are published."""
    etag = get(server).headers["ETag"]
    assert get(server, If_None_Match=etag)[::2] == (304, b"")
    assert get(server, If_None_Match='"another"').status == 200
    server.publish(NEW)
    answer = get(server, If_None_Match=etag)
    assert answer.status == 200
    assert answer.headers["ETag"] != etag


def test_it_responds_304_by_the_date_too(server: KeySetServer) -> None:
    """RFC 9110 section 13.1.3: where it has one, and there is no ETag to go by (section 13.2.2)."""
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    assert get(server, If_Modified_Since=date).status == 200
    server.headers = {"Last-Modified": date, "ETag": None}
    answer = get(server)
    assert answer.status == 200
    assert answer.headers["Last-Modified"] == date
    assert "ETag" not in answer.headers
    assert get(server, If_Modified_Since=date).status == 304
    assert get(server, If_Modified_Since=date, If_None_Match='"another"').status == 200


def test_it_sends_any_header() -> None:
    """RFC 9111 section 5.2.2.1: any header can be chosen, and changed while it runs."""
    with KeySetServer(OLD, headers={"Cache-Control": "max-age=60"}) as server:
        assert get(server).headers["Cache-Control"] == "max-age=60"
        server.headers["Cache-Control"] = "no-store"
        assert get(server).headers["Cache-Control"] == "no-store"


def test_it_records_the_requests(server: KeySetServer) -> None:
    """Their number and headers, and whether they were conditional."""
    get(server)
    get(server, If_None_Match='"1"')
    get(server, If_Modified_Since="x")
    assert [request.conditional for request in server.requests] == [False, True, True]
    assert [request.path for request in server.requests] == ["/jwks.json?x=1"] * 3
    assert server.requests[1].headers["if-none-match"] == '"1"'


def test_it_delays_responses(server: KeySetServer) -> None:
    """Not before the delay is over."""
    server.delay = 0.1
    begin = time.monotonic()
    assert get(server).status == 200
    assert time.monotonic() - begin >= 0.1


def test_no_request_waits_for_another(server: KeySetServer) -> None:
    """While one client receives a byte now and then, another one gets its response."""
    server.fail("drip_headers", interval=20)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(REQUEST)
        assert client.recv(1) == b"H"
        server.recover()
        assert get(server).status == 200


def test_it_fails_until_it_recovers(server: KeySetServer) -> None:
    """A fault is switched on by its name, with options, and off again."""
    server.fail("status", status=429, retry_after=7)
    answer = get(server)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    server.recover()
    assert get(server).status == 200


def test_it_refuses_until_it_recovers(server: KeySetServer) -> None:
    """The port is closed; afterwards the server is at the same URL."""
    url = server.url
    server.fail("refuse")
    with pytest.raises(ConnectionRefusedError):
        get(server)
    server.recover()
    assert server.url == url
    assert get(server).status == 200


def test_it_resets_connections(server: KeySetServer) -> None:
    """RST, not FIN, so that the client gets an error."""
    server.fail("reset")
    with pytest.raises(ConnectionResetError):
        get(server)


def test_a_fault_that_does_not_exist_is_refused(server: KeySetServer) -> None:
    """Names and options are checked where they are given, not in the server's threads."""
    with pytest.raises(ValueError, match="no fault 'explode'; there are refuse, drip_headers"):
        server.fail("explode")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        server.fail("hang", colour="red")
    assert get(server).status == 200


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_ends_by_itself(name: str) -> None:
    """After at most a minute and 64 MiB with some headers, even if the server is not stopped."""
    good = RawResponse(200, {}, b"{" + b" " * 2000 + b"}")
    silence, size = 0.0, 0
    pieces = FAULTS[name](good, **({"to": "http://127.0.0.1/"} if name == "redirect" else {}))
    try:
        for piece in pieces:
            if isinstance(piece, bytes):
                size += len(piece)
            else:
                silence += piece
    except ConnectionResetError:
        assert name == "reset"
    assert silence <= 60.1
    assert size < 2**26 + 2**16
    assert FAULTS[name].__doc__


# Stopping


class Client(NamedTuple):
    """The state of a client when the server stops."""

    fault: str | None
    sends: bytes
    reads: int


CLIENTS = {
    "that receives nothing": Client("hang", REQUEST, 0),
    "that receives a byte now and then": Client("drip_headers", REQUEST, 1),
    "that does not read the response": Client("huge", REQUEST, 1),
    "that sends nothing": Client(None, b"", 0),
    "that sends half a request": Client(None, REQUEST[:5], 0),
}


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    """Return a function that counts this process's open files and sockets."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_nothing_of_it_stays(
    client: Client, tls: bool, tmp_path: Path, open_descriptors: Callable[[], int]
) -> None:
    """No thread, no socket: whatever a client waits for, its connection ends."""
    authority = Authority(tmp_path)
    context = authority.context() if tls else None
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    with KeySetServer(OLD, ssl_context=context) as server:
        if client.fault:
            server.fail(client.fault, **({"interval": 10} if "drip" in client.fault else {}))
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        # A client that sends no request skips the handshake too.
        if tls and client.sends == REQUEST:
            trusting = ssl.create_default_context(cafile=authority.ca_file)
            connection = trusting.wrap_socket(connection, server_hostname="127.0.0.1")
        connection.sendall(client.sends)
        if client.reads:
            assert connection.recv(client.reads)
    assert set(threading.enumerate()) == threads
    with connection, suppress(OSError):
        while connection.recv(65536):
            pass
    assert open_descriptors() == descriptors


def test_a_server_that_is_collected_ends(open_descriptors: Callable[[], int]) -> None:
    """Without a reference to it, the next garbage collection stops it."""
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    server = KeySetServer(OLD)
    server.start()
    assert get(server).status == 200
    listening = set(threading.enumerate()) - threads
    del server
    gc.collect()
    for thread in listening:
        thread.join(10)
    assert set(threading.enumerate()) == threads
    assert open_descriptors() == descriptors


def test_a_connection_during_the_collection_is_closed() -> None:
    """It was accepted just before the server was collected."""
    with _Listener(0, lambda: None) as listener:
        address: Any = listener.server_address
        with socket.create_connection(address, timeout=10) as client:
            listener.handle_request()
            assert client.recv(1) == b""


def test_a_client_that_has_gone_is_not_waited_for(server: KeySetServer) -> None:
    """Whatever the fault is, its thread ends with the client."""
    server.fail("hang")
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(REQUEST)
        while not server.requests:
            time.sleep(0)
        (serving,) = set(threading.enumerate()) - before
    serving.join(30)
    assert not serving.is_alive()


def test_a_connection_that_comes_too_late_is_closed(server: KeySetServer) -> None:
    """Accepted before the server stopped, and served after."""
    server.stop()
    accepted, client = socket.socketpair()
    with client:
        server._serve(accepted)
        assert client.recv(1) == b""


def test_it_can_be_stopped_and_started_at_any_time(server: KeySetServer) -> None:
    """Starting or stopping twice is the same as once."""
    server.start()
    assert get(server).status == 200
    server.stop()
    server.stop()
    server.start()
    assert get(server).status == 200


def test_a_request_without_end_is_given_up(server: KeySetServer) -> None:
    """Neither invalid nor oversized requests stop other clients."""
    for sent in (b"x" * 100_000, b"\r\n\r\n"):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        with client, suppress(ConnectionError):
            client.sendall(sent)
            client.recv(1)
        assert get(server).status == 200
