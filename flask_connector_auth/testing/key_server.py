"""An HTTP(S) server on loopback that publishes a key set, and can fail on purpose."""

import socket
import ssl
import struct
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import formatdate
from hashlib import sha256
from itertools import chain
from json import dumps
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, NamedTuple, Self

from .faults import RawResponse, Wire, fault
from .issuer import Issuer

# Seconds after which the server closes the connection of a silent client.
_CLIENT_TIMEOUT = 60.0
_MAX_REQUEST_BYTES = 65536


class Request(NamedTuple):
    """A request that the server has received."""

    path: str  #: with the query
    headers: Mapping[str, str]  #: names in lower case

    @property
    def conditional(self) -> bool:
        """Whether the request is conditional (RFC 9110 section 13.1)."""
        return not self.headers.keys().isdisjoint({"if-none-match", "if-modified-since"})


class KeySetServer:
    """Publishes a JWK Set on loopback, for development and tests; use it in a ``with`` statement.

    It responds on every path with the set and an ETag, or with 304 (Not Modified) to a conditional
    request. :meth:`fail` makes it fail. :meth:`stop` ends all threads and connections; without it,
    they end when the server is garbage collected.

    :param keys: see :meth:`publish`.
    :param headers: sent with every response, such as ``Cache-Control``; ``None`` leaves out a
        header such as ``ETag``.
    :param ssl_context: a server-side context, for ``https``.
    :param port: the port to listen on; 0: a free one, chosen at the first start.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        *keys: Issuer | Mapping[str, Any],
        headers: Mapping[str, str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.headers: dict[str, str | None] = dict(headers or {})
        #: Seconds before each response.
        self.delay: float = 0.0
        #: The requests received, oldest first.
        self.requests: list[Request] = []
        #: The body of the responses.
        self.body: bytes = b""
        self.port: int = port
        self._tls = ssl_context
        self._fault: Callable[[RawResponse], Wire] | None = None
        self._listener: _Listener | None = None
        self._accepting, self._stopping = threading.Thread(), threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.publish(*keys)

    @property
    def url(self) -> str:
        """The URL of the set, once the server has started."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/jwks.json"

    def publish(self, *keys: Issuer | Mapping[str, Any]) -> None:
        """Publish only these *keys* from now on: those of issuers or of JWK Sets.

        A rotation is ``publish(old, new)``, and later ``publish(new)``.
        """
        sets = [source.key_set() if isinstance(source, Issuer) else source for source in keys]
        self.body = dumps({"keys": [key for jwks in sets for key in jwks["keys"]]}).encode()

    def fail(self, name: str, **options: Any) -> None:
        """Respond to every request with a fault, until :meth:`recover`.

        :param name: ``refuse``, which closes the listening socket, or the name of a function of
            :mod:`flask_connector_auth.testing.faults`, which also has the *options*.
        :raises ValueError: if there is no such fault.
        """
        if name == "refuse":
            self.stop()
        else:
            self._fault = fault(name, **options)

    def recover(self) -> None:
        """Respond without faults again."""
        self._fault = None
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before. Does nothing if the server is running."""
        if self._listener is None:
            self._stopping.clear()
            self._listener = _Listener(self.port, weakref.WeakMethod(self._serve))
            self.port = self._listener.server_address[1]
            self._accepting = threading.Thread(target=self._listener.accept, daemon=True)
            self._accepting.start()

    def stop(self) -> None:
        """Close every socket and end every thread, whatever it is doing."""
        if self._listener is not None:
            self._listener.shutdown()
            self._accepting.join()
            with self._lock:
                self._stopping.set()
                for connection in self._connections:
                    with suppress(OSError):
                        # Not the shutdown of a TLS socket, which would wait for the client.
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)
            self._listener.server_close()
            self._listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _serve(self, accepted: socket.socket) -> None:
        with suppress(OSError), self._connection(accepted) as connection:
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            response, apply_fault = self._response(request), self._fault
            pieces = apply_fault(response) if apply_fault else [response.wire()]
            try:
                for piece in chain([self.delay], pieces):
                    _send(connection, piece)
            except ConnectionResetError:
                # A connection that is closed without lingering is reset.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    @contextmanager
    def _connection(self, accepted: socket.socket) -> Iterator[socket.socket]:
        accepted.settimeout(_CLIENT_TIMEOUT)
        connection: socket.socket = accepted
        if self._tls:
            connection = self._tls.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        with connection:
            with self._lock:
                if self._stopping.is_set():
                    raise ConnectionAbortedError
                self._connections.add(connection)
            try:
                if isinstance(connection, ssl.SSLSocket):
                    connection.do_handshake()
                yield connection
            finally:
                with self._lock:
                    self._connections.discard(connection)

    def _response(self, request: Request) -> RawResponse:
        body = self.body
        headers: dict[str, str | None] = {
            "Content-Type": "application/jwk-set+json",
            "Date": formatdate(usegmt=True),
            "ETag": f'"{sha256(body).hexdigest()[:16]}"',
            **self.headers,
        }
        etag, since = (request.headers.get(name) for name in ("if-none-match", "if-modified-since"))
        is_current = etag == headers["ETag"] if etag else since == headers.get("Last-Modified")
        if request.conditional and is_current:
            return RawResponse(304, {**headers, "Content-Length": None})
        return RawResponse(200, headers, body)


class _Listener(ThreadingTCPServer):
    """Passes each connection to the server in a new thread, with a weak reference to the server."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, port: int, serve: Callable[[], Callable[[socket.socket], None] | None]
    ) -> None:
        self._serve = serve
        super().__init__(("127.0.0.1", port), BaseRequestHandler)

    def accept(self) -> None:
        """Accept connections until :meth:`shutdown`, or until the server is collected."""
        try:
            # The interval in seconds, which is also how long stopping takes.
            self.serve_forever(0.01)
        except ReferenceError:
            self.server_close()

    def service_actions(self) -> None:
        """Raise ``ReferenceError`` if the server was collected; called by :meth:`serve_forever`."""
        if self._serve() is None:
            raise ReferenceError

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; see :class:`socketserver.BaseServer`."""
        if serve := self._serve():
            serve(request)


def _send(connection: socket.socket, piece: bytes | float) -> None:
    """Send bytes, or wait for that many seconds.

    :raises ConnectionAbortedError: if either side closes the connection while it waits.
    """
    if isinstance(piece, bytes):
        connection.sendall(piece)
    elif piece:
        connection.settimeout(piece)
        with suppress(TimeoutError):
            # Returns when the client closes the connection. Without TLS, since a client has nothing
            # more to send.
            socket.socket.recv(connection, 1, socket.MSG_PEEK)
            raise ConnectionAbortedError
        connection.settimeout(_CLIENT_TIMEOUT)


def _read_request(connection: socket.socket) -> Request | None:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(_MAX_REQUEST_BYTES)
        head += received
        if not received or len(head) > _MAX_REQUEST_BYTES:
            return None
    request_line, *lines = head.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Request(request_line.split(" ")[1] if " " in request_line else "", headers)
