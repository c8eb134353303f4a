"""A key set in; a real HTTP(S) server on loopback that publishes it, well or badly, out."""

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

from .faults import Answer, Wire, fault
from .issuer import Issuer

# Seconds after which the server gives a silent client up.
_PATIENCE = 60.0
_MAX_REQUEST = 65536


class Request(NamedTuple):
    """What a client asked for.

    .. versionadded:: 0.1
    """

    path: str  #: with the query
    headers: Mapping[str, str]  #: names in lower case

    @property
    def conditional(self) -> bool:
        """Whether an answer was asked for only if it is another one (RFC 9110 section 13.1)."""
        return not self.headers.keys().isdisjoint({"if-none-match", "if-modified-since"})


class KeySetServer:
    """Publishes a JWK Set on loopback, for development and tests; use it in a ``with`` statement.

    It answers every path, sends an ETag, and 304 (Not Modified) to whoever has that one already.
    See :meth:`fail` for what can go wrong on purpose. Nothing of it outlives :meth:`stop`; one that
    is dropped instead ends with the next garbage collection.

    :param keys: see :meth:`publish`.
    :param headers: sent with every answer, such as ``Cache-Control``; ``None`` leaves one out, such
        as ``ETag``.
    :param ssl_context: a server's, for ``https``.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        *keys: Issuer | Mapping[str, Any],
        headers: Mapping[str, str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.headers: dict[str, str | None] = dict(headers or {})
        #: Seconds before each answer.
        self.delay: float = 0.0
        #: What was asked for, oldest first.
        self.requests: list[Request] = []
        #: The set as it is sent.
        self.body: bytes = b""
        self.port: int = 0
        self._tls = ssl_context
        self._fault: Callable[[Answer], Wire] | None = None
        self._listener: _Listener | None = None
        self._accepting = threading.Thread()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.publish(*keys)

    @property
    def url(self) -> str:
        """Where the set is, once the server was started."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/jwks.json"

    def publish(self, *keys: Issuer | Mapping[str, Any]) -> None:
        """Publish these *keys*, issuers' or those of JWK Sets, and no others from now on.

        A rotation is ``publish(old, new)``, and after a while ``publish(new)``.
        """
        sets = [each.key_set() if isinstance(each, Issuer) else each for each in keys]
        self.body = dumps({"keys": [key for each in sets for key in each["keys"]]}).encode()

    def fail(self, name: str, **options: Any) -> None:
        """Answer every request with a fault from now on, until :meth:`recover`.

        :param name: ``refuse`` closes the listening socket; the others, and their *options*, are
            the functions of :mod:`flask_connector_auth.testing.faults`.
        :raises ValueError: if there is no such fault.
        """
        if name == "refuse":
            self.stop()
        else:
            self._fault = fault(name, **options)

    def recover(self) -> None:
        """Answer well again."""
        self._fault = None
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before; a running server stays as it is."""
        if self._listener is None:
            self._stopping.clear()
            self._listener = _Listener(self.port, weakref.WeakMethod(self._serve))
            self.port = self._listener.server_address[1]
            self._accepting = threading.Thread(target=self._listener.accept, daemon=True)
            self._accepting.start()

    def stop(self) -> None:
        """Close every socket and end every thread, in whatever it is doing."""
        if self._listener is not None:
            self._listener.shutdown()
            self._accepting.join()
            with self._lock:
                self._stopping.set()
                for connection in self._connections:
                    with suppress(OSError):
                        # That of TLS would wait for the client.
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
            answer, faulty = self._answer(request), self._fault
            pieces = faulty(answer) if faulty else [answer.wire()]
            try:
                for piece in chain([self.delay], pieces):
                    _send(connection, piece)
            except ConnectionResetError:
                # Closed without lingering, a connection is reset.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    @contextmanager
    def _connection(self, accepted: socket.socket) -> Iterator[socket.socket]:
        accepted.settimeout(_PATIENCE)
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

    def _answer(self, request: Request) -> Answer:
        body = self.body
        headers: dict[str, str | None] = {
            "Content-Type": "application/jwk-set+json",
            "Date": formatdate(usegmt=True),
            "ETag": f'"{sha256(body).hexdigest()[:16]}"',
            **self.headers,
        }
        etags, since = (
            request.headers.get(name) for name in ("if-none-match", "if-modified-since")
        )
        known = etags == headers["ETag"] if etags else since == headers.get("Last-Modified")
        if request.conditional and known:
            return Answer(304, {**headers, "Content-Length": None})
        return Answer(200, headers, body)


class _Dropped(Exception):
    """There is no server any more to listen for."""


class _Listener(ThreadingTCPServer):
    """Hands each connection to the server, in a thread of its own; it does not keep it alive."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, port: int, serve: Callable[[], Callable[[socket.socket], None] | None]
    ) -> None:
        self._serve = serve
        super().__init__(("127.0.0.1", port), BaseRequestHandler)

    def accept(self) -> None:
        """Accept connections until :meth:`shutdown`, or until the server is gone."""
        try:
            # The seconds that stopping takes.
            self.serve_forever(0.01)
        except _Dropped:
            self.server_close()

    def service_actions(self) -> None:
        """Look after each connection, and now and then; see :class:`socketserver.BaseServer`."""
        if self._serve() is None:
            raise _Dropped

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; see :class:`socketserver.BaseServer`."""
        if serve := self._serve():
            serve(request)


def _send(connection: socket.socket, piece: bytes | float) -> None:
    """Send bytes, or wait for so many seconds.

    :raises ConnectionAbortedError: if the connection ends while it waits, from either side.
    """
    if isinstance(piece, bytes):
        connection.sendall(piece)
    elif piece:
        connection.settimeout(piece)
        with suppress(TimeoutError):
            # Of TLS too, only to be woken: a client has nothing more to send.
            socket.socket.recv(connection, 1, socket.MSG_PEEK)
            raise ConnectionAbortedError
        connection.settimeout(_PATIENCE)


def _read_request(connection: socket.socket) -> Request | None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(_MAX_REQUEST)
        head += more
        if not more or len(head) > _MAX_REQUEST:
            return None
    first, *lines = head.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Request(first.split(" ")[1] if " " in first else "", headers)
