"""One GET of a key set within a wall-clock deadline, and the caching headers of its response."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from ..urls import is_loopback
from .connection import Cancellation, Connection, Watchdog

_CHUNK = 65536
# Bytes for headers and the framing of chunks, in addition to twice the largest body.
_OVERHEAD = 65536
# RFC 9111 section 1.2.2: a longer time counts as this one.
_MAX_SECONDS = 2.0**31
_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    # A compressed body could be small on the wire and huge in memory.
    "Accept-Encoding": "identity",
    "User-Agent": "flask-connector-auth",
}


class FetchFailed(Exception):
    """A fetch has failed. The text says why, and quotes nothing that was received.

    .. versionadded:: 0.1
    """


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete response of any status.

    .. versionadded:: 0.1
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]  #: names in lower case


class Fetch(Protocol):
    """The type of a fetch function; ``JWKS_FETCH`` takes any callable like it.

    .. versionadded:: 0.1
    """

    def __call__(
        self, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int
    ) -> Fetched:
        """Return the response to a GET of *url*.

        :param headers: to send; conditional ones if a response is known.
        :param timeout: seconds for the whole fetch.
        :param max_bytes: largest body; a larger one is a failure.
        :raises FetchFailed: if there is no complete response in time. Any other exception counts
            as a failure too.
        """
        ...


class HttpFetch:
    """Fetches with the standard library: no redirects, no decompression, TLS always verified.

    Each fetch opens a connection, so no connection is shared after a fork. The timeout is a wall
    clock: a server that sends a byte now and then outlasts the timeouts of sockets, and of every
    HTTP client built on them, so a watchdog shuts the socket down. Only the resolution of a host
    name cannot be interrupted.

    :param ca_file: certificates to trust instead of those of the system.
    :param proxy: ``http://host:port``, for every host but loopback. Proxies of the environment
        are not used.
    :raises OSError: if *ca_file* cannot be loaded.
    """

    def __init__(self, ca_file: str | None = None, proxy: str | None = None) -> None:
        self._ca_file = ca_file
        self._proxy = urlsplit(proxy) if proxy else None
        if ca_file:
            _ = self._context  # a bad file must fail when the application starts

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Loaded on first use: the certificates of the system take longer to read than all the rest
        # of a start, and applications with configured keys, and most under test, never use them.
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
        cancellation: Cancellation | None = None,
    ) -> Fetched:
        """See :class:`Fetch`.

        :param cancellation: ends this fetch early.
        """
        response, reason = None, ""
        with Watchdog(timeout) as watchdog:
            if cancellation:
                cancellation.attach(watchdog)
            try:
                response = self._get(urlsplit(url), headers, max_bytes, watchdog)
            except (FetchFailed, OSError, http.client.HTTPException, ValueError) as error:
                reason = _describe(error)
        # Checked first: reading from a socket that was shut down looks like a regular end.
        if watchdog.is_expired:
            raise FetchFailed(f"no complete response within {timeout:g} s")
        if response is None:
            raise FetchFailed(reason)
        return response

    def _get(
        self, url: SplitResult, headers: Mapping[str, str], max_bytes: int, watchdog: Watchdog
    ) -> Fetched:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        context = self._context if url.scheme == "https" else None
        # The loopback of a proxy is another machine, and requests to loopback may be unencrypted.
        proxy = None if is_loopback(url.hostname or "") else self._proxy
        limit = 2 * max_bytes + _OVERHEAD
        with closing(Connection(url, proxy, context, watchdog, limit)) as connection:
            connection.request("GET", target, headers={**_HEADERS, **headers})
            with connection.getresponse() as response:
                body = _read(response, max_bytes) if response.status == 200 else b""
        # Headers that occur several times are joined (RFC 9110 section 5.3).
        received = response.headers
        joined = {name.lower(): ", ".join(received.get_all(name, [])) for name in received}
        return Fetched(response.status, body, joined)


def _describe(error: Exception) -> str:
    """Return why a fetch failed; most texts of the standard library quote what the server sent."""
    if isinstance(error, FetchFailed):
        return str(error)
    name = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{name}: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"{name}: the host name cannot be resolved"
    return name


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("the body has a Content-Encoding")
    expected = response.length
    body = b""
    # Up to one byte more than the limit is read, whatever length the server claims.
    while chunk := response.read(min(_CHUNK, max_bytes + 1 - len(body))):
        body += chunk
    if len(body) > max_bytes:
        raise FetchFailed(f"the body is over {max_bytes} bytes (JWKS_MAX_BYTES)")
    if expected is not None and len(body) != expected:
        raise FetchFailed("the body is shorter than its Content-Length")
    return body


def freshness_lifetime(headers: Mapping[str, str]) -> float | None:
    """Return the seconds for which a response is fresh, or ``None`` if it does not say.

    ``Expires`` is not read, since ``max-age`` has replaced it. ``no-store``, ``no-cache`` and a
    ``max-age`` that is not a number count as 0 (RFC 9111 sections 5.2.2 and 4.2.1). ``Age`` is
    subtracted (section 5.1).

    :param headers: names in lower case.
    """
    values = headers.get("cache-control", "").lower().split(",")
    # The first of several equal directives counts (RFC 9111 section 4.2.1): it overwrites the
    # others, since the order is reversed.
    pairs = (value.strip().partition("=") for value in reversed(values))
    directives = {name: value for name, _, value in pairs}
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "max-age" not in directives:
        return None
    max_age = _parse_seconds(directives["max-age"].strip('"'))
    return max(0.0, (max_age or 0.0) - (_parse_seconds(headers.get("age")) or 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, or ``None`` without one (RFC 9110 section 10.2.3).

    A date is compared with the ``Date`` of the same response, so no two clocks have to agree.
    """
    value = headers.get("retry-after")
    seconds, until, date = (
        _parse_seconds(value),
        _parse_date(value),
        _parse_date(headers.get("date")),
    )
    if seconds is None and until is not None and date is not None:
        seconds = max(0.0, until - date)
    return seconds


def conditional_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a conditional request for the same resource (RFC 9110 section 13.1).

    ``Last-Modified`` is used only if it is older than the response. A set that changes twice in
    one second has the same ``Last-Modified`` after the second change, and the set of before would
    be confirmed forever (section 8.8.2.2).
    """
    if etag := headers.get("etag"):
        return {"If-None-Match": etag}
    modified, date = _parse_date(headers.get("last-modified")), _parse_date(headers.get("date"))
    if modified is not None and date is not None and modified < date:
        return {"If-Modified-Since": headers["last-modified"]}
    return {}


def _parse_seconds(value: str | None) -> float | None:
    # The first value of a list counts (RFC 9111 section 5.1).
    text = (value or "").partition(",")[0].strip()
    return min(float(text), _MAX_SECONDS) if text.isascii() and text.isdigit() else None


def _parse_date(value: str | None) -> float | None:
    # The parser raises several kinds of exception for a malformed date.
    with suppress(Exception):
        return parsedate_to_datetime(value or "").timestamp()
    return None
