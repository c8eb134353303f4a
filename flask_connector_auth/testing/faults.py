"""A good HTTP answer in; what a faulty server sends in its place, piece by piece, out."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http.client import responses
from typing import Any

#: What goes over the wire: bytes, and seconds of silence between them. A fault that raises
#: :exc:`ConnectionResetError` resets the connection.
Wire = Iterable[bytes | float]

# Seconds, and bytes: no fault is without end.
_LONGEST = 60.0
_MOST = 2**26
_BLOCK = b" " * 2**16


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, not necessarily a sound one."""

    status: int
    headers: Mapping[str, str | None]  #: ``None`` leaves one out
    body: bytes = b""

    def head(self) -> bytes:
        """Return the status line and the headers."""
        headers = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def wire(self) -> bytes:
        """Return the whole answer."""
        return self.head() + self.body

    def having(self, **headers: str | None) -> "Answer":
        """Return this answer with other *headers*; ``_`` in a name stands for ``-``."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **changed})


def drip_headers(good: Answer, interval: float = 0.1) -> Wire:
    """The headers, a byte each *interval* seconds."""
    yield from _dripping(good.head(), interval)


def drip_body(good: Answer, interval: float = 0.1) -> Wire:
    """The headers at once, the body a byte each *interval* seconds."""
    yield good.head()
    yield from _dripping(good.body, interval)


def _dripping(text: bytes, interval: float) -> Wire:
    for number in range(min(len(text), int(_LONGEST / interval))):
        yield text[number : number + 1]
        yield interval


def hang(_good: Answer) -> Wire:
    """Nothing, and the connection stays open."""
    yield _LONGEST


def reset(_good: Answer) -> Wire:
    """The connection is reset (RST) in place of an answer."""
    yield b""
    raise ConnectionResetError


def lie_long(good: Answer, by: int = 100) -> Wire:
    """A Content-Length larger than the body, *by* that many bytes."""
    yield good.having(Content_Length=str(len(good.body) + by)).wire()


def lie_short(good: Answer, by: int = 1) -> Wire:
    """A Content-Length smaller than the body, *by* that many bytes."""
    yield good.having(Content_Length=str(len(good.body) - by)).wire()


def bomb(good: Answer, size: int = 2**24) -> Wire:
    """A gzip-encoded body, small on the wire, of *size* bytes once it is inflated."""
    body = gzip.compress(good.body + b" " * (size - len(good.body)))
    yield replace(good, body=body).having(Content_Encoding="gzip").wire()


def redirect(good: Answer, to: str, status: int = 302) -> Wire:
    """A redirect *to* another URL."""
    yield Answer(status, {"Location": to}).wire()


def not_modified(good: Answer) -> Wire:
    """304 (Not Modified), whether it was asked for or not."""
    yield Answer(304, {**good.headers, "Content-Length": None}).wire()


def status(good: Answer, status: int = 503, retry_after: int | str | None = None) -> Wire:
    """Any *status*, over the good body; *retry_after* is the header of that name."""
    wait = None if retry_after is None else str(retry_after)
    yield replace(good, status=status).having(Retry_After=wait).wire()


def huge(good: Answer) -> Wire:
    """The good body in chunks, and then more and more chunks of white space."""
    yield good.having(Content_Length=None, Transfer_Encoding="chunked").head()
    yield _chunk(good.body)
    for _ in range(_MOST // len(_BLOCK)):
        yield _chunk(_BLOCK)
    yield b"0\r\n\r\n"


def chunked(good: Answer, size: int = 64) -> Wire:
    """The good answer in chunks of *size* bytes: not a fault, but not what one expects either."""
    yield good.having(Content_Length=None, Transfer_Encoding="chunked").head()
    for start in range(0, len(good.body), size):
        yield _chunk(good.body[start : start + size])
    yield b"0\r\n\r\n"


def truncated(good: Answer) -> Wire:
    """A chunked body that is cut off within a chunk."""
    yield good.having(Content_Length=None, Transfer_Encoding="chunked").head()
    yield _chunk(good.body)[:-10]


def negative_chunk(good: Answer) -> Wire:
    """A chunk of the size -1, which makes some clients read for ever, and so much the more."""
    yield good.having(Content_Length=None, Transfer_Encoding="chunked").head()
    yield b"-1\r\n"
    for _ in range(_MOST // len(_BLOCK)):
        yield _BLOCK


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def header_flood(good: Answer) -> Wire:
    """Headers, and more headers."""
    yield good.head()[:-2]
    for number in range(100_000):
        yield b"X-%d: %b\r\n" % (number, b"x" * 200)


def http10(good: Answer) -> Wire:
    """The good body by HTTP/1.0: no length, the end of the connection is its end."""
    yield b"HTTP/1.0 200 OK\r\n\r\n" + good.body


def junk(good: Answer, body: bytes = b"<html>Welcome</html>") -> Wire:
    """A *body* that is no JSON."""
    yield replace(good, body=body).wire()


#: The faults by name; each takes the good answer, and options with defaults.
FAULTS: Mapping[str, Callable[..., Wire]] = {
    fault.__name__: fault
    for fault in (
        *(drip_headers, drip_body, hang, reset, lie_long, lie_short, bomb, redirect, not_modified),
        *(status, huge, chunked, truncated, negative_chunk, header_flood, http10, junk),
    )
}


def fault(name: str, **options: Any) -> Callable[[Answer], Wire]:
    """Return the fault of that *name* with these *options*.

    :raises ValueError: if there is none of that name.
    :raises TypeError: if it has no such options.
    """
    if name not in FAULTS:
        raise ValueError(f"no fault {name!r}; there are refuse, {', '.join(FAULTS)}")

    def faulty(good: Answer) -> Wire:
        return FAULTS[name](good, **options)

    # Called, a generator binds its arguments, and does nothing yet.
    faulty(Answer(200, {}))
    return faulty
