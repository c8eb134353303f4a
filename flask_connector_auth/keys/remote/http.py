"""A URL in; what one GET of it brings within a wall-clock deadline, or why nothing, out."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from ..urls import is_loopback
from .connection import Attempt, Connection, Watchdog

_CHUNK = 65536
# Bytes that headers and the framing of chunks may take, beside twice the body.
_OVERHEAD = 65536
_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    # An encoded body could be small on the wire and huge in memory.
    "Accept-Encoding": "identity",
    "User-Agent": "flask-connector-auth",
}


class FetchFailed(Exception):
    """A fetch brought nothing. The text says why, and quotes nothing of what was received.

    .. versionadded:: 0.1
    """


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer, whatever its status.

    .. versionadded:: 0.1
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]  #: names in lower case


class Fetch(Protocol):
    """How a key set is fetched; ``JWKS_FETCH`` takes any callable like this one.

    .. versionadded:: 0.1
    """

    def __call__(
        self, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int
    ) -> Fetched:
        """Return the answer to a GET of *url*.

        :param headers: to send; conditional ones where an answer is known.
        :param timeout: seconds, for all of it.
        :param max_bytes: of the body; a larger one is a failure.
        :raises FetchFailed: if there is no whole answer in time. Any other exception counts as a
            failure too.
        """
        ...


class HttpFetch:
    """Fetches with the standard library: no redirect, no decompression, TLS always verified.

    One connection a fetch, so that nothing is shared over a fork. The timeout is a wall clock: a
    server that drips a byte now and then outlasts the timeouts of sockets, and of every HTTP
    client built on them, so a watchdog shuts the socket down. Only for a name server does it have
    to wait.

    :param ca_file: certificates to trust instead of the system's.
    :param proxy: ``http://host:port``, for all but loopback; proxies of the environment are not
        used.
    :raises OSError: if *ca_file* cannot be loaded.
    """

    def __init__(self, ca_file: str | None = None, proxy: str | None = None) -> None:
        self._ca_file = ca_file
        self._proxy = urlsplit(proxy) if proxy else None
        if ca_file:
            _ = self._context  # what is wrong with the file shows at the start

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # The system's certificates take longer to read than all the rest of a start, and most apps
        # under test, and all with configured keys, never need them.
        context = ssl.create_default_context(cafile=self._ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def __call__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
        attempt: Attempt | None = None,
    ) -> Fetched:
        """See :class:`Fetch`.

        :param attempt: what this fetch is a part of, and ends with.
        """
        answer, why = None, ""
        with Watchdog(timeout) as watchdog:
            if attempt:
                attempt.guard(watchdog)
            try:
                answer = self._get(urlsplit(url), headers, max_bytes, watchdog)
            except (FetchFailed, OSError, http.client.HTTPException, ValueError) as error:
                why = _reason(error)
        # A socket that was shut down reads like one that was closed in good order.
        if watchdog.expired:
            raise FetchFailed(f"{timeout:g} s are over")
        if answer is None:
            raise FetchFailed(why)
        return answer

    def _get(
        self, url: SplitResult, headers: Mapping[str, str], max_bytes: int, watchdog: Watchdog
    ) -> Fetched:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        context = self._context if url.scheme == "https" else None
        # A proxy's loopback is not ours, and what is for ours may travel in the clear.
        proxy = None if is_loopback(url.hostname or "") else self._proxy
        limit = 2 * max_bytes + _OVERHEAD
        with closing(Connection(url, proxy, context, watchdog, limit)) as connection:
            connection.request("GET", target, headers={**_HEADERS, **headers})
            with connection.getresponse() as response:
                body = _read(response, max_bytes) if response.status == 200 else b""
        # Those that came several times are joined (RFC 9110 section 5.3).
        received = response.headers
        joined = {name.lower(): ", ".join(received.get_all(name, [])) for name in received}
        return Fetched(response.status, body, joined)


def _reason(error: Exception) -> str:
    """Return why a fetch failed: most texts of others quote what the server sent."""
    if isinstance(error, FetchFailed):
        return str(error)
    name = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{name}: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"{name}: the name of the host cannot be resolved"
    return name


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("the body is encoded")
    expected = response.length
    body = b""
    # A byte beyond the limit is asked for, whatever length the server claims.
    while chunk := response.read(min(_CHUNK, max_bytes + 1 - len(body))):
        body += chunk
    if len(body) > max_bytes:
        raise FetchFailed(f"the body is over {max_bytes} bytes")
    if expected is not None and len(body) != expected:
        raise FetchFailed("the body is shorter than its Content-Length")
    return body
