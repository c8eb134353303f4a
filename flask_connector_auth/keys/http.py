"""One GET of a key set within a wall-clock deadline, and the caching headers of its response."""

import http.client
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from .connection import Cancellation, Connection, FetchFailed, Watchdog
from .urls import is_loopback, parse_proxy

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


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """A complete response of any status.

    .. versionadded:: 0.1
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]  #: names in lower case


class Fetch(Protocol):
    """The type of a fetch function; ``JWKS_FETCH`` takes any callable of this form.

    .. versionadded:: 0.1
    """

    def __call__(
        self, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int
    ) -> FetchResponse:
        """Return the response to a GET of *url*.

        :param headers: to send. They are conditional if an earlier response is known.
        :param timeout: seconds for the whole fetch.
        :param max_bytes: the largest body, in bytes. A larger one is a failure.
        :raises FetchFailed: if there is no complete response in time. Any other exception is also a
            failure.
        """
        ...


class HttpFetch:
    """Fetches with the standard library: no redirects, no decompression, TLS always verified.

    Each fetch opens a connection, so that processes never share one after a fork. A watchdog shuts
    its socket down at the timeout, since the timeout of a socket starts again with each byte that
    the server sends. Only the resolution of a host name cannot be interrupted.

    :param ca_file: certificates to trust instead of those of the system.
    :param proxy: for every ``https`` URL but those of loopback, see :func:`parse_proxy`. Proxies of
        the environment are not used.
    :raises OSError: if *ca_file* cannot be loaded.
    """

    def __init__(self, ca_file: str | None = None, proxy: str | None = None) -> None:
        self._ca_file = ca_file
        self._proxy = parse_proxy(proxy) if proxy else None
        if ca_file:
            _ = self._context  # a bad file must fail when the application starts

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Made on first use: reading the certificates of the system is the slowest part of a start,
        # and an application with configured keys never needs them.
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
    ) -> FetchResponse:
        """See :class:`Fetch`; *cancellation* ends this fetch early."""
        response, reason = None, ""
        with Watchdog(timeout) as watchdog:
            if cancellation:
                cancellation.attach(watchdog)
            try:
                response = self._get(urlsplit(url), headers, max_bytes, watchdog)
            except (FetchFailed, OSError, http.client.HTTPException, ValueError) as error:
                reason = _describe(error)
        # This comes first: a socket that was shut down looks like a complete response.
        if watchdog.is_expired:
            raise FetchFailed(f"no complete response within {timeout:g} s")
        if response is None:
            raise FetchFailed(reason)
        return response

    def _get(
        self, url: SplitResult, headers: Mapping[str, str], max_bytes: int, watchdog: Watchdog
    ) -> FetchResponse:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        context = self._context if url.scheme == "https" else None
        # For a proxy on another machine, loopback would be that machine. And plain text takes the
        # shortest way: the proxy, and what is before it, could replace the keys.
        is_direct = context is None or is_loopback(url.hostname or "")
        proxy = None if is_direct else self._proxy
        limit = 2 * max_bytes + _OVERHEAD
        with closing(Connection(url, proxy, context, watchdog, limit)) as connection:
            connection.request("GET", target, headers={**_HEADERS, **headers})
            with connection.getresponse() as response:
                body = _read(response, max_bytes) if response.status == 200 else b""
        # Headers that occur several times are joined (RFC 9110 section 5.3).
        received = response.headers
        joined = {name.lower(): ", ".join(received.get_all(name, [])) for name in received}
        return FetchResponse(response.status, body, joined)


def _describe(error: Exception) -> str:
    """Return why a fetch failed, without the texts that may quote what the server sent."""
    if isinstance(error, FetchFailed):
        return str(error)
    name = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{name}: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"{name}: the host name cannot be resolved"
    if type(error) is OSError and error.errno is not None:
        # Many failures of a network have no class of their own.
        return f"{name}: {os.strerror(error.errno)}"
    return name


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("the body has a Content-Encoding")
    expected = response.length
    body = b""
    # At most one byte more than the limit is read, whatever Content-Length says.
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
    """
    values = headers.get("cache-control", "").lower().split(",")
    pairs = (value.strip().partition("=") for value in reversed(values))
    # Of equal directives the first counts (RFC 9111 section 4.2.1); it is the last one in *pairs*.
    directives = {name: value for name, _, value in pairs}
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "max-age" not in directives:
        return None
    max_age = _parse_seconds(directives["max-age"].strip('"'))
    return max(0.0, (max_age or 0.0) - (_parse_seconds(headers.get("age")) or 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, or ``None`` without one (RFC 9110 section 10.2.3).

    A date is compared with the ``Date`` of the same response, not with a clock of ours.
    """
    seconds = _parse_seconds(headers.get("retry-after"))
    until, date = (_parse_date(headers.get(name)) for name in ("retry-after", "date"))
    if seconds is None and until is not None and date is not None:
        seconds = max(0.0, until - date)
    return seconds


def conditional_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a conditional request for the same resource (RFC 9110 section 13.1).

    ``Last-Modified`` is used only if it is older than the response (section 8.8.2.2). If a set
    changes twice in one second, its ``Last-Modified`` stays the same, and the server would go on
    confirming the first version.
    """
    if etag := headers.get("etag"):
        return {"If-None-Match": etag}
    modified, date = (_parse_date(headers.get(name)) for name in ("last-modified", "date"))
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
