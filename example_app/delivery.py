"""One post of a notification: where to, what, and what came of it."""

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

#: Seconds to wait for the connection, and then for the answer.
TIMEOUT = 5
#: Most bytes of an answer that are read, for those who look at attempts.
ANSWER = 2000

#: A body and its headers.
Post = tuple[bytes, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the notifications of one event type are posted to."""

    url: str
    max_retries: int | None = None  #: ``None`` is none too, but lets posts be kept for some time
    headers: Mapping[str, str] = field(default_factory=dict)  #: further ones

    def __str__(self) -> str:
        # Not the query nor a password, which may be secrets.
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(slots=True)
class Delivery:
    """A notification on its way."""

    conversation_id: str
    event_type: str
    endpoint: Endpoint
    post: Post
    since: float = field(default_factory=time.monotonic)
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One post, and what came of it."""

    delivery: Delivery
    status: int | None  #: of the answer, or ``None`` if there was none
    answer: bytes  #: the beginning of its body
    error: str  #: the name of the error, if there was no answer
    seconds: float  #: that it took

    @property
    def is_taken(self) -> bool:
        """Whether the answer was 200 or 201."""
        return self.status in (200, 201)


def post_once(delivery: Delivery) -> Attempt:
    """Post *delivery* once."""
    endpoint, (body, headers) = delivery.endpoint, delivery.post
    parts, began = urlsplit(endpoint.url), time.monotonic()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    status, answer, problem = None, b"", ""
    try:
        with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT)) as connection:
            connection.request("POST", target, body, {**endpoint.headers, **headers})
            response = connection.getresponse()
            status = response.status
            with suppress(OSError, HTTPException):
                answer = response.read(ANSWER)
    except (OSError, HTTPException, ValueError) as error:
        problem = type(error).__name__
    return Attempt(delivery, status, answer, problem, time.monotonic() - began)
