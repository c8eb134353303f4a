"""A real proxy on loopback that tunnels (RFC 9110 section 9.3.6) and maps host names to ports."""

import select
import socket
from base64 import b64encode
from collections.abc import Mapping
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, Self


class ConnectProxy(ThreadingTCPServer):
    """Tunnels to the loopback port that :attr:`names` has for ``host:port``; refuses others.

    :param credentials: user and password, if it wants them (RFC 7617).
    """

    def __init__(self, credentials: bytes | None = None) -> None:
        super().__init__(("127.0.0.1", 0), BaseRequestHandler)
        self.names: Mapping[str, int] = {}
        wanted = b64encode(credentials or b"").decode()
        self._wanted = f"\r\nProxy-Authorization: Basic {wanted}\r\n" if credentials else ""
        #: The first line of each request.
        self.request_lines: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = Thread(target=self.serve_forever, args=(0.01,))

    def finish_request(self, request: Any, _client_address: Any) -> None:
        """Serve one connection."""
        head = b""
        while b"\r\n\r\n" not in head and (more := request.recv(65536)):
            head += more
        first = head.decode().partition("\r\n")[0]
        self.request_lines.append(first)
        if self._wanted not in head.decode():
            request.sendall(b"HTTP/1.1 407 do-not-tell-this\r\n\r\n")
            return
        port = self.names.get(first.split(" ")[1]) if first.startswith("CONNECT ") else None
        if port is None:
            request.sendall(b"HTTP/1.1 403 do-not-tell-this\r\n\r\n")
            return
        request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as target:
            _pipe(request, target)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


def _pipe(client: socket.socket, server: socket.socket) -> None:
    peers = {client: server, server: client}
    while True:
        for ready in select.select(list(peers), [], [])[0]:
            content = ready.recv(65536)
            if not content:
                return
            peers[ready].sendall(content)
