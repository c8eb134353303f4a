"""An address in; an HTTP connection with a wall clock and a limit of bytes out."""

import http.client
import io
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any, Self
from urllib.parse import SplitResult

_CONNECT_TIMEOUT = 2.0


class TooManyBytes(http.client.HTTPException):
    """An answer that has no end."""


class Watchdog:
    """Shuts the watched sockets down once *timeout* seconds are over."""

    def __init__(self, timeout: float) -> None:
        self._until = time.monotonic() + timeout
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(timeout, self._expire)
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
    def expired(self) -> bool:
        """Whether they are over."""
        return time.monotonic() >= self._until

    def left(self) -> float:
        """Return the seconds that are left.

        :raises TimeoutError: if there are none.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def watch(self, sock: socket.socket) -> None:
        """Watch the connection of *sock*, by a descriptor of its own: TLS takes the first away."""
        self._sockets.append(sock.dup())
        if self.expired:
            self._expire()

    def expire(self) -> None:
        """Let the time be over now."""
        self._until = time.monotonic()
        self._expire()

    def _expire(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class GivenUp(Exception):
    """No one needs what is being fetched any more."""


class Attempt:
    """A load of a key set that another thread, or the garbage collector, may give up.

    It takes no lock: a collection can happen anywhere, in a thread that holds one too.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._given_up = False
        self._watchdog: Watchdog | None = None

    def check(self) -> None:
        """Return if the load is still needed.

        :raises GivenUp: if it is not.
        """
        if self._given_up:
            raise GivenUp

    def guard(self, watchdog: Watchdog) -> None:
        """Let :meth:`give_up` end what *watchdog* watches."""
        self._watchdog = watchdog
        if self._given_up:
            watchdog.expire()

    def give_up(self) -> None:
        """Shut the connection down, if there is one, and let none be opened any more."""
        self._given_up = True
        # Over a fork a connection is shared, and still the parent's.
        if self._watchdog and self._process == os.getpid():
            self._watchdog.expire()


class Connection(http.client.HTTPConnection):
    """One connection, through a proxy if there is one, with TLS if there is a *context*.

    :param limit: bytes that may be received.
    """

    def __init__(
        self,
        url: SplitResult,
        proxy: SplitResult | None,
        context: ssl.SSLContext | None,
        watchdog: Watchdog,
        limit: int,
    ) -> None:
        # Told so, the standard library leaves the port out of the header Host.
        self.default_port = 443 if context else 80
        self._target = url.hostname or ""
        self._tls = context
        self._watchdog = watchdog
        port = url.port or self.default_port
        first = proxy or url
        super().__init__(first.hostname or "", first.port or port)
        # The standard library's own hook for tests; by way of connect(), a proxy's answer to
        # CONNECT would be read before the watchdog had the socket.
        self._create_connection = self._open
        self.response_class: Any = partial(_Response, limit)
        if proxy:
            self.set_tunnel(self._target, port)

    def _open(self, address: tuple[str, int], *_others: Any) -> socket.socket:
        problem = OSError("no address")
        for family, kind, protocol, _, place in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                # Each address has its time, but all of them no more than there is.
                sock.settimeout(min(_CONNECT_TIMEOUT, self._watchdog.left()))
                self._watchdog.watch(sock)
                sock.connect(place)
                # Until it is connected, not every system lets a socket be shut down.
                self._watchdog.left()
            except OSError as error:
                sock.close()
                problem = error
            else:
                # From here on the watchdog is the timeout: the whole counts, not each operation.
                sock.settimeout(None)
                return sock
        raise problem

    def connect(self) -> None:
        """Connect to the host, through the proxy if there is one, with TLS for ``https``."""
        super().connect()
        if self._tls:
            self.sock: socket.socket | Any = self._tls.wrap_socket(
                self.sock, server_hostname=self._target
            )


class _Response(http.client.HTTPResponse):
    """An answer of at most *limit* bytes, all told.

    The standard library reads without bound in places, such as a chunk of the size -1.
    """

    def __init__(self, limit: int, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_Metered(self.fp.detach(), limit))


class _Metered(io.RawIOBase):
    """What *raw* brings, up to *limit* bytes."""

    def __init__(self, raw: io.RawIOBase, limit: int) -> None:
        self._raw = raw
        self._left = limit

    def readable(self) -> bool:
        """See :class:`io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See :class:`io.RawIOBase`.

        :raises TooManyBytes: beyond the limit.
        """
        got = self._raw.readinto(buffer) or 0
        self._left -= got
        if self._left < 0:
            raise TooManyBytes
        return got

    def close(self) -> None:
        """See :class:`io.RawIOBase`."""
        self._raw.close()
        super().close()
