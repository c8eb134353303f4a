"""Faults of an HTTP server: each turns a good response into what a faulty server sends."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http.client import responses
from itertools import chain
from typing import Any

#: What a server sends: bytes, and numbers for seconds of silence between them. A fault that raises
#: :exc:`ConnectionResetError` resets the connection.
Wire = Iterable[bytes | float]

# The longest silence, and 64 MiB for the largest body: every fault ends by itself.
_MAX_SECONDS = 60.0
_FLOOD = [b" " * 2**16] * 2**10


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An HTTP response as it is sent, valid or not."""

    status: int
    headers: Mapping[str, str | None]  #: the value ``None`` leaves a header out
    body: bytes = b""

    def head(self) -> bytes:
        """Return the status line and the headers."""
        headers = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def wire(self) -> bytes:
        """Return the whole response as bytes."""
        return self.head() + self.body

    def with_headers(self, **headers: str | None) -> "RawResponse":
        """Return this response with other *headers*; ``_`` in a name stands for ``-``."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **changed})


def drip_headers(good: RawResponse, interval: float = 0.1) -> Wire:
    """The headers, one byte every *interval* seconds."""
    yield from _dripping(good.head(), interval)


def drip_body(good: RawResponse, interval: float = 0.1) -> Wire:
    """The headers at once, the body one byte every *interval* seconds."""
    yield good.head()
    yield from _dripping(good.body, interval)


def _dripping(text: bytes, interval: float) -> Wire:
    for number in range(min(len(text), int(_MAX_SECONDS / interval))):
        yield text[number : number + 1]
        yield interval


def hang(_good: RawResponse) -> Wire:
    """No response, while the connection stays open."""
    yield _MAX_SECONDS


def reset(_good: RawResponse) -> Wire:
    """The connection is reset (RST) instead of a response."""
    yield b""
    raise ConnectionResetError


def lie_long(good: RawResponse, by: int = 100) -> Wire:
    """A Content-Length that exceeds the body *by* that many bytes."""
    yield good.with_headers(Content_Length=str(len(good.body) + by)).wire()


def lie_short(good: RawResponse, by: int = 1) -> Wire:
    """A Content-Length that falls short of the body *by* that many bytes."""
    yield good.with_headers(Content_Length=str(len(good.body) - by)).wire()


def bomb(good: RawResponse, size: int = 2**24) -> Wire:
    """A small gzip-encoded body that inflates to *size* bytes."""
    body = gzip.compress(good.body + b" " * (size - len(good.body)))
    yield replace(good, body=body).with_headers(Content_Encoding="gzip").wire()


def redirect(good: RawResponse, to: str, status: int = 302) -> Wire:
    """A redirect *to* another URL."""
    yield RawResponse(status, {"Location": to}).wire()


def not_modified(good: RawResponse) -> Wire:
    """304 (Not Modified), even to an unconditional request."""
    yield RawResponse(304, {**good.headers, "Content-Length": None}).wire()


def status(good: RawResponse, status: int = 503, retry_after: int | str | None = None) -> Wire:
    """Any *status* with the good body; *retry_after* is the header of that name."""
    wait = None if retry_after is None else str(retry_after)
    yield replace(good, status=status).with_headers(Retry_After=wait).wire()


def huge(good: RawResponse) -> Wire:
    """The good body in chunks, followed by 64 MiB of white space."""
    yield from _chunked(good, [good.body, *_FLOOD])


def chunked(good: RawResponse, size: int = 64) -> Wire:
    """The good response in chunks of *size* bytes: valid, but unusual."""
    starts = range(0, len(good.body), size)
    yield from _chunked(good, (good.body[start : start + size] for start in starts))


def truncated(good: RawResponse) -> Wire:
    """A chunked body that ends within a chunk."""
    head, chunk, _end = _chunked(good, [good.body])
    yield head
    yield chunk[:-10]


def negative_chunk(good: RawResponse) -> Wire:
    """A chunk of size -1, on which some clients read forever, followed by 64 MiB."""
    yield next(_chunked(good, []))
    yield b"-1\r\n"
    yield from _FLOOD


def _chunked(good: RawResponse, chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield good.with_headers(Content_Length=None, Transfer_Encoding="chunked").head()
    for chunk in chain(chunks, [b""]):
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)


def header_flood(good: RawResponse) -> Wire:
    """100,000 headers after the good ones."""
    yield good.head()[:-2]
    for number in range(100_000):
        yield b"X-%d: %b\r\n" % (number, b"x" * 200)


def http10(good: RawResponse) -> Wire:
    """The good body in HTTP/1.0, without a length: it ends with the connection."""
    yield b"HTTP/1.0 200 OK\r\n\r\n" + good.body


def junk(good: RawResponse, body: bytes = b"<html>Welcome</html>") -> Wire:
    """A *body* that is not JSON."""
    yield replace(good, body=body).wire()


#: The faults by name. Each takes the good response, and options.
FAULTS: Mapping[str, Callable[..., Wire]] = {
    fault.__name__: fault
    for fault in (
        *(drip_headers, drip_body, hang, reset, lie_long, lie_short, bomb, redirect, not_modified),
        *(status, huge, chunked, truncated, negative_chunk, header_flood, http10, junk),
    )
}


def fault(name: str, **options: Any) -> Callable[[RawResponse], Wire]:
    """Return the fault of that *name* with these *options*.

    :raises ValueError: if there is no such fault.
    :raises TypeError: if the fault has no such options.
    """
    if name not in FAULTS:
        raise ValueError(f"no fault {name!r}; there are refuse, {', '.join(FAULTS)}")

    faulty = partial(FAULTS[name], **options)
    # Raises TypeError for wrong options now; a generator runs no code until it is iterated.
    faulty(RawResponse(200, {}))
    return faulty
