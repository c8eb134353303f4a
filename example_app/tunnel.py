"""A client that takes this for a proxy in; a tunnel to the TLS listener out, whatever it asks for.

So a client that heeds ``HTTPS_PROXY`` reaches this app under the real service's name, and nothing
on the machine has to be changed. No other host is ever connected to.
"""

import socket
from collections.abc import Sequence
from selectors import EVENT_READ, DefaultSelector

from werkzeug.serving import WSGIRequestHandler

from .certificates import ADDRESSES

#: Seconds without a byte in either direction.
TIMEOUT = 60


class Quiet(WSGIRequestHandler):
    """Werkzeug's handler, without an access log, and with tunnels (RFC 9110 section 9.3.6)."""

    timeout = TIMEOUT  # so that nobody holds a thread by sending nothing
    tls_address: tuple[str, int] | None = None  #: where tunnels lead to, if anywhere

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def do_CONNECT(self) -> None:
        """Lead the client to the TLS listener, if it is for a host that this app stands in for."""
        host = self.path.rpartition(":")[0].strip("[]")
        known = host in ("localhost", *ADDRESSES) or host.endswith(".liveperson.net")
        if self.tls_address is None or not known:
            self.send_error(403)
            return
        with socket.create_connection(self.tls_address, TIMEOUT) as listener:
            self.send_response(200, "Connection established")
            self.end_headers()
            _relay((self.connection, listener))
        self.close_connection = True


def _relay(ends: Sequence[socket.socket]) -> None:
    """Pass on what comes from either of both *ends*, until one is closed."""
    with DefaultSelector() as selector:
        for end, other in (ends, reversed(ends)):
            selector.register(end, EVENT_READ, other)
        while ready := selector.select(TIMEOUT):
            for key, _ in ready:
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
