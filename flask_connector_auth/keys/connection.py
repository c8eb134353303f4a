"""HTTP connections with a wall-clock deadline, a size limit and cancellation."""

import http.client
import io
import os
import re
import socket
import ssl
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Self
from urllib.parse import SplitResult

from ..core import steady_time
from .urls import Proxy

# Seconds for one address of a host.
_TIMEOUT_PER_ADDRESS = 2.0


class ResponseTooLarge(http.client.HTTPException):
    """The server has sent more bytes than a connection may receive."""


class FetchFailed(Exception):
    """A fetch has failed. The text says why, and quotes nothing that was received.

    .. versionadded:: 0.1
    """


class Watchdog:
    """Shuts the watched sockets down after *timeout* seconds."""

    def __init__(self, timeout: float) -> None:
        self._deadline = steady_time() + timeout
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(timeout, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._timer.join()
        for sock in self._sockets:
            sock.close()

    @property
    def is_expired(self) -> bool:
        """Whether the time is over."""
        return steady_time() >= self._deadline

    def remaining(self) -> float:
        """Return the remaining seconds, or raise :exc:`TimeoutError` if the time is over."""
        remaining = self._deadline - steady_time()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def watch(self, sock: socket.socket) -> None:
        """Watch a duplicate of *sock*, because TLS takes the descriptor of the original away."""
        self._sockets.append(sock.dup())
        if self.is_expired:
            self._shut_down()

    def expire(self) -> None:
        """End the time now."""
        self._deadline = steady_time()
        self._shut_down()

    def _shut_down(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Cancelled(Exception):
    """The load of a key set was cancelled."""


class Cancellation:
    """Lets another thread, or the garbage collector, cancel the load of a key set.

    It has no lock: the garbage collector can run in a thread that already holds the lock.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._is_cancelled = False
        self._watchdog: Watchdog | None = None

    def raise_if_cancelled(self) -> None:
        """Raise :exc:`Cancelled` if the load was cancelled."""
        if self._is_cancelled:
            raise Cancelled

    def attach(self, watchdog: Watchdog) -> None:
        """Let :meth:`cancel` shut down the sockets of *watchdog*."""
        self._watchdog = watchdog
        if self._is_cancelled:
            watchdog.expire()

    def cancel(self) -> None:
        """Shut down the connection, if there is one, and prevent further ones."""
        self._is_cancelled = True
        # A child process shares the connection with its parent, which still uses it.
        if self._watchdog and self._process == os.getpid():
            self._watchdog.expire()


class Connection(http.client.HTTPConnection):
    """A connection, through *proxy* if one is given, with TLS if *context* is given.

    :param limit: most bytes that may be received.
    """

    def __init__(
        self,
        url: SplitResult,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        watchdog: Watchdog,
        limit: int,
    ) -> None:
        # The standard library leaves the default port out of the header Host.
        self.default_port = 443 if context else 80
        self._target = url.hostname or ""
        self._proxy = proxy
        self._tls = context
        self._watchdog = watchdog
        port = url.port or self.default_port
        next_hop = (proxy.host, proxy.port) if proxy else (self._target, port)
        super().__init__(*next_hop)
        # The standard library has this hook for its tests. With an overridden connect(), the
        # response of a proxy to CONNECT would be read while no watchdog watches the socket.
        self._create_connection = self._open
        self.response_class: Any = partial(_limited_response, limit)
        if proxy:
            self.set_tunnel(self._target, port, proxy.headers)

    def _open(self, address: tuple[str, int], *_others: Any) -> socket.socket:
        problem = OSError("no address")
        for family, kind, protocol, _, peer in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                # Each address has a limit of its own, within the deadline of all.
                sock.settimeout(min(_TIMEOUT_PER_ADDRESS, self._watchdog.remaining()))
                self._watchdog.watch(sock)
                sock.connect(peer)
                # Some systems cannot shut down a socket that is not connected yet.
                self._watchdog.remaining()
            except OSError as error:
                sock.close()
                problem = error
            else:
                # From here on the watchdog limits the whole fetch, not each operation.
                sock.settimeout(None)
                return sock
        raise problem

    def connect(self) -> None:
        """Connect to the host, through the proxy if one is given, with TLS for ``https``."""
        try:
            super().connect()
        except OSError as error:
            if self._proxy is None:
                raise
            # The standard library quotes the answer of the proxy; its status is enough.
            if status := re.search(r"failed: (\d{3})", str(error)):
                raise FetchFailed(f"the proxy refuses, with status {status[1]}") from None
            name = type(error).__name__
            raise FetchFailed(f"the proxy cannot be reached ({name})") from None
        if self._tls:
            self.sock: socket.socket | Any = self._tls.wrap_socket(
                self.sock, server_hostname=self._target
            )


def _limited_response(limit: int, *args: Any, **options: Any) -> http.client.HTTPResponse:
    """Return a response of at most *limit* bytes, with its headers and chunk sizes.

    The standard library sets no limit itself: it reads a chunk of size -1 to the end, for example.
    """
    response = http.client.HTTPResponse(*args, **options)
    response.fp = io.BufferedReader(LimitedReader(response.fp.detach(), limit))
    return response


class LimitedReader(io.RawIOBase):
    """Reads at most *limit* bytes from *raw*."""

    def __init__(self, raw: io.RawIOBase, limit: int) -> None:
        self._raw = raw
        self._remaining = limit

    def readable(self) -> bool:
        """See :class:`io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See :class:`io.RawIOBase`; raises :exc:`ResponseTooLarge` if *raw* has more bytes."""
        size = self._raw.readinto(buffer) or 0
        self._remaining -= size
        if self._remaining < 0:
            raise ResponseTooLarge
        return size

    def close(self) -> None:
        """See :class:`io.RawIOBase`."""
        self._raw.close()
        super().close()
