"""The parts of ``python -m benchmarks.scale``: its processes, its proxy, and some rows."""

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks import scale_rows
from benchmarks.scale_fleet import Fleet, Process, Proxy, fleet


@pytest.fixture(scope="module")
def processes() -> Iterator[Fleet]:
    """A server, and what starts workers for it."""
    with fleet(None) as found:
        yield found


def connected(proxy: Proxy) -> socket.socket:
    """Return a connection to the server, through *proxy*."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def test_the_proxy_passes_on_what_it_has_held_back(processes: Fleet) -> None:
    """In both directions, with a delay and without; what is held arrives once that ends."""
    with Proxy(processes.port, delay=0.01) as proxy, connected(proxy) as client:
        for settings in ({"delay": 0.01}, {}):
            proxy.set(**settings)
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        proxy.set(hold=True)
        client.sendall(b"PING\r\n")
        answers: list[bytes] = []
        receiver = threading.Thread(target=lambda: answers.append(client.recv(100)))
        receiver.start()
        proxy.set(hold=True)
        assert answers == []
        proxy.set()
        receiver.join()
        assert answers == [b"+PONG\r\n"]


def test_the_proxy_drops_connections(processes: Fleet) -> None:
    """Each one at the end of its own life, not at that of an earlier one."""
    with Proxy(processes.port, life=2) as proxy:
        with connected(proxy) as client:
            assert client.recv(100) == b""
        with connected(proxy) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
            assert client.recv(100) == b""


def test_a_process_that_ends_is_no_endless_wait() -> None:
    """An error, with what was called."""
    with (
        Process("scale_proxy", "no port") as process,
        pytest.raises(RuntimeError, match=r"no answer from .*'no port'"),
    ):
        process.answer()


def test_rows_of_a_small_store(processes: Fleet) -> None:
    """A real server, real workers and the real command, as the whole benchmark has them."""
    size = scale_rows.Size(entries=100, bulk=50, limit=30, settle=0)
    rows = dict([*scale_rows.fill(processes, size), *scale_rows.bulk(processes, size)])
    assert all(value is not None for value in rows.values())
    assert {"MB in the store", "50 by the command revoke-many, seconds"} <= rows.keys()
