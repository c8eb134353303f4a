"""The handler of HTTP connections: kept alive, pipelined, and errors in the protocol's shape.

The handler of Werkzeug closes each connection after one request. This one reads the body of each
request to its end and no further, so that the next request can follow (RFC 9112 section 9.3).
"""

import io
import logging
import socket
import ssl
from collections.abc import Iterable
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from threading import Thread, current_thread
from typing import IO, Any, ClassVar, cast

from flask import json
from werkzeug.exceptions import default_exceptions
from werkzeug.serving import DechunkedInput, WSGIRequestHandler

from .certificates import CA_NAME
from .refusals import Reason, Refusal, request_refused
from .wire import refusal

logger = logging.getLogger(__name__)

#: Seconds without a byte in either direction.
TIMEOUT = 60
#: Most bytes of a body that are read and dropped after the answer; after more, the connection ends.
DROPPED = 16 * 1024 * 1024
#: Seconds for which a client may go on sending after an error that ends the connection.
LINGER = 2


class Body(io.RawIOBase):
    """The body of one request; its reader is told to go on at the first read, if it waits."""

    def __init__(self, source: Any, length: int | None, go_on: bytes, out: Any) -> None:
        self._source, self._left = source, length
        self._go_on, self._out = go_on, out
        self._is_broken = False

    @property
    def waits(self) -> bool:
        """Whether the client waits to be told to go on, and may never send the body."""
        return bool(self._go_on) and self._left != 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read no further than the end of the body."""
        if self._left == 0:
            return 0
        if self._go_on:
            self._out.write(self._go_on)
            self._go_on = b""
        view = memoryview(buffer)[: self._left]
        try:
            size: int = self._source.readinto(view)
        except OSError:
            self._is_broken = True
            raise
        if self._left is not None:
            # The client is gone if nothing comes.
            self._left = self._left - size if size else 0
        return size

    def drop(self) -> bool:
        """Read what is left; return whether the next request can follow."""
        with suppress(OSError):
            for _ in range(DROPPED // io.DEFAULT_BUFFER_SIZE):
                if self.waits or self._is_broken:
                    return False
                if not self.read(io.DEFAULT_BUFFER_SIZE):
                    return True
        return False


class Handler(WSGIRequestHandler):
    """Serves an app by HTTP/1.1, without an access log."""

    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT  # a client that sends nothing must not hold a thread
    disable_nagle_algorithm = True  # the body of an answer must not wait for the client

    #: The connections of the server and their threads, which end with it.
    connections: ClassVar[dict[socket.socket, Thread]]

    def setup(self) -> None:
        """Begin to serve a connection."""
        super().setup()
        self.connections[self.connection] = current_thread()

    def finish(self) -> None:
        """End to serve it."""
        self.connections.pop(self.connection, None)
        super().finish()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def log_error(self, format: str, *args: Any) -> None:
        """Log an error, unless it is the end of a connection that is no longer used."""
        for error in args:
            if isinstance(error, TimeoutError):
                return
            if isinstance(error, ssl.SSLError):
                logger.warning("The TLS handshake failed: %s.", self._explained(error))
                return
        super().log_error(format, *args)

    def _explained(self, error: ssl.SSLError) -> str:
        reason = error.reason or "unknown"
        # The alerts by which clients tell it (RFC 8446 section 6.2).
        if reason.endswith(("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN")):
            file = Path(self.server.app.instance_path) / CA_NAME  # type: ignore[attr-defined]
            return f"the client does not trust the CA file {file}"
        if reason == "HTTP_REQUEST":
            return "the client sent plain HTTP to the https address"
        return reason

    def handle_expect_100(self) -> bool:
        """Go on; the client is told to when the app reads the body (RFC 9110 section 10.1.1)."""
        return True

    def run_wsgi(self) -> None:
        """Answer one request by the app."""
        body = self._body()
        if body is None:
            self._refuse(400, "The length of the body is unclear")
            return
        self.environ = {**self.make_environ(), "wsgi.input": body}
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            head[:] = status, headers

        # Flask's responses have the method, and never use the function of start_response().
        with closing(self.server.app(self.environ, start_response)) as chunks:  # type: ignore[type-var]
            status, headers = head
            self._send(status, headers, chunks, body)
        if not body.drop():
            self.close_connection = True
            self._linger()

    def _body(self) -> Body | None:
        """Return the body, or ``None`` if its end is not certain (RFC 9112 section 6.3)."""
        codings = self.headers.get_all("Transfer-Encoding", [])
        lengths = {*self.headers.get_all("Content-Length", [])}
        expects = self.headers.get("Expect", "").strip().lower() == "100-continue"
        expects = expects and self.request_version != "HTTP/1.0"  # which has no such status
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n" if expects else b""
        if codings:
            if len(codings) > 1 or codings[0].strip().lower() != "chunked" or lengths:
                return None
            return Body(DechunkedInput(cast("IO[bytes]", self.rfile)), None, go_on, self.wfile)
        length = lengths.pop() if lengths else "0"
        if lengths or not (length.isascii() and length.isdigit() and len(length) < 20):
            return None
        return Body(self.rfile, int(length), go_on, self.wfile)

    def _send(
        self, status: str, headers: list[tuple[str, str]], chunks: Iterable[bytes], body: Body
    ) -> None:
        code, _, phrase = status.partition(" ")
        has_end = any(name.lower() == "content-length" for name, _ in headers)
        if not has_end and int(code) >= 200 and int(code) not in (204, 304):
            self.close_connection = True
        if body.waits:
            self.close_connection = True  # what comes next, a body or a request, is not certain
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        elif self.request_version == "HTTP/1.0":
            self.send_header("Connection", "keep-alive")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what does not reach the app, in the protocol's shape; the connection ends."""
        # Not the message: it may quote the request line, in which clients send secrets.
        self._refuse(code, HTTPStatus(code).description)

    def _refuse(self, code: int, text: str) -> None:
        self.close_connection = True
        if self.request_version in ("", "HTTP/0.9"):
            self.request_version = "HTTP/1.0"  # the request was not read so far
        # No path: it may not be read yet, or be that of the request before.
        told = Refusal(self.command or "-", "-", code, Reason(text))
        request_refused.send(self.server.app, refusal=told)
        answer = refusal(default_exceptions[code](text))
        sent = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)
        self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: data that is not read would reset the connection."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER)
            for _ in range(DROPPED // 65536):
                if not self.connection.recv(65536):
                    break
