"""An HTTP proxy whose tunnels all lead to the TLS listener.

A client that heeds ``HTTPS_PROXY`` reaches this app under the names of the real service, without a
change to the machine. The proxy never connects to another host.
"""

import socket
from collections.abc import Sequence
from selectors import EVENT_READ, DefaultSelector

from .certificates import ADDRESSES
from .handling import TIMEOUT, Handler


class Proxy(Handler):
    """The handler of connections, with tunnels (RFC 9110 section 9.3.6)."""

    tls_address: tuple[str, int] | None = None  #: the end of tunnels; if not set, there are none

    def do_CONNECT(self) -> None:
        """Open a tunnel to the TLS listener, if the target is a host that this app replaces."""
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
    """Forward data between the two *ends* until one is closed."""
    with DefaultSelector() as selector:
        for end, other in (ends, reversed(ends)):
            selector.register(end, EVENT_READ, other)
        while ready := selector.select(TIMEOUT):
            for key, _ in ready:
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
