"""The last requests that the app got, from any client, and the webhooks that it posted.

Requests to the console itself are left out. A client sees the status of its request; the feed also
has the reason of a refusal, which no client gets.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from threading import Lock
from time import perf_counter
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from flask import Flask, Response, has_request_context, request, request_finished, request_started
from werkzeug.exceptions import HTTPException

from ..delivery import Attempt, Delivery
from ..posting import attempted
from ..refusals import Refusal, request_refused
from .access_key import AccessKey
from .naming import Name, name_of, name_of_webhook
from .reasons import Told

#: Number of entries that are kept.
KEPT = 200
#: Most characters of a body that are kept.
MAX_BODY = 65536
#: The blueprint whose requests are left out.
OWN = "console"
#: Endpoints that read the body from the server, so that nobody can read it again.
STREAMED = ("swift.upload",)
#: WSGI loses the case of names; these are as the protocol's pages write them.
SPELLINGS = {"X-Lp-On-Behalf": "X-LP-ON-BEHALF", "Lp-On-Behalf": "LP-On-Behalf"}
BEGAN = "example_app.console.request_began"
REASON = "example_app.console.reason"

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """Headers and body of a request or of an answer."""

    headers: Headers
    body: str
    size: int  #: bytes of the body
    complete: bool = True  #: whether *body* is all of it, as text


@dataclass(slots=True)
class Entry:
    """A request and its answer."""

    number: int
    version: int  #: grows with each change of any entry
    kind: str  #: ``request``, or ``webhook`` for one that the app sent
    source: str  #: ``console``, ``app`` for the app itself, or the name of a client's program
    name: str
    detail: str
    event: Mapping[str, Any] | None
    conversation: str | None
    method: str
    path: str  #: with the query
    status: int  #: 0 if there was no answer
    reason: Told | None
    request: Message
    answer: Message
    milliseconds: float
    at: float = field(default_factory=time.time)
    count: int = 1  #: how many polls are folded into this entry


class Feed:
    """The last requests to *app*, thread-safe."""

    def __init__(self, app: Flask, access_key: AccessKey) -> None:
        self._app, self._access_key = app, access_key
        self._instance = str(uuid4())
        self._lock = Lock()
        self._numbers, self._versions = count(1), count(1)
        self._version = 0
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._deliveries: dict[int, Delivery] = {}
        self._polls: dict[tuple[str, str, int], Entry] = {}
        # Weak references: the signals stay connected as long as the app holds this object.
        request_started.connect(self._began, sender=app)
        request_refused.connect(self._refused, sender=app)
        request_finished.connect(self._finished, sender=app)
        if posting := app.extensions["webhooks"]:
            attempted.connect(self._posted, sender=posting)

    def since(self, version: int) -> dict[str, Any]:
        """Return the entries that changed after *version*, the oldest first.

        ``instance`` differs after a restart: the versions of another instance mean nothing here.
        """
        with self._lock:
            changed = [asdict(entry) for entry in self._entries.values() if entry.version > version]
            return {"instance": self._instance, "version": self._version, "entries": changed}

    def delivery(self, number: int) -> Delivery | None:
        """Return the webhook of the entry with *number*, or ``None`` if it is none."""
        with self._lock:
            return self._deliveries.get(number)

    def add(
        self, name: Name, *, poll: bool = False, delivery: Delivery | None = None, **values: Any
    ) -> None:
        """Add an entry; one that is a *poll* is folded into the last one of its kind.

        :param delivery: the webhook, if it is one.
        :param values: the other attributes of :class:`Entry`.
        """
        key = (name.text, values["source"], values["status"])
        with self._lock:
            self._version = next(self._versions)
            if poll and (folded := self._polls.get(key)):
                folded.count += 1
                folded.version, folded.at = self._version, time.time()
                folded.milliseconds = values["milliseconds"]
                return
            entry = Entry(
                number=next(self._numbers),
                version=self._version,
                name=name.text,
                detail=name.detail,
                event=name.event,
                conversation=name.conversation,
                **values,
            )
            if poll:
                self._polls[key] = entry
            else:
                self._polls.clear()
            self._entries[entry.number] = entry
            if delivery:
                self._deliveries[entry.number] = delivery
            while len(self._entries) > KEPT:
                number, dropped = self._entries.popitem(last=False)
                self._deliveries.pop(number, None)
                self._polls = {
                    key: kept for key, kept in self._polls.items() if kept is not dropped
                }

    def _began(self, _app: Flask, **_more: Any) -> None:
        request.environ[BEGAN] = perf_counter()

    def _refused(self, _app: Flask, refusal: Refusal, **_more: Any) -> None:
        if has_request_context():
            request.environ[REASON] = Told.of(refusal)
            return
        # Refused by the server, before the app got it.
        nothing = Message([], "", 0, complete=False)
        self.add(
            Name("Not readable"),
            kind="request",
            source="client",
            method=refusal.method,
            path=refusal.path,
            status=refusal.status,
            reason=Told.of(refusal),
            request=nothing,
            answer=nothing,
            milliseconds=0,
        )

    def _finished(self, _app: Flask, response: Response, **_more: Any) -> None:
        if request.blueprint == OWN:
            return
        took = perf_counter() - request.environ[BEGAN]
        sent, got = _sent(response.status_code), _answered(response)
        path = quote(request.path, safe="/!$&'()*+,;=:@~", errors="replace")
        query = request.query_string.decode("latin-1")
        self.add(
            name_of(request, sent.body, got.body),
            poll=request.method == "GET" and response.status_code < 400,
            kind="request",
            source=self._source(),
            method=request.method,
            path=f"{path}?{query}" if query else path,
            status=response.status_code,
            reason=request.environ.get(REASON),
            request=sent,
            answer=got,
            milliseconds=round(took * 1000, 1),
        )

    def _posted(self, _posting: object, attempt: Attempt, **_more: Any) -> None:
        delivery = attempt.delivery
        body, headers = delivery.post
        self.add(
            name_of_webhook(body, delivery.failures + attempt.is_taken),
            delivery=delivery,
            kind="webhook",
            source="app",
            method="POST",
            path=delivery.endpoint.url,
            status=attempt.status or 0,
            reason=None,
            request=_message({**delivery.endpoint.headers, **headers}.items(), body),
            answer=_message((), attempt.answer or attempt.error.encode()),
            milliseconds=round(attempt.seconds * 1000, 1),
        )

    def _source(self) -> str:
        name, _ = self._access_key.cookie(request.is_secure)
        if self._access_key.matches(request.cookies.get(name)):
            return "console"
        program = request.headers.get("User-Agent", "").split(" ")[0].split("/")[0]
        return "app" if program == "flask-connector-auth" else program or "client"


def _sent(status: int) -> Message:
    # The cookie is the key to the console, and the protocol has none.
    headers = [(SPELLINGS.get(name, name), value) for name, value in request.headers]
    headers = [each for each in headers if each[0] != "Cookie"]
    size = request.content_length or 0
    # A body that the view has not read may be endless, or may never come.
    untold = "Expect" in request.headers or "Transfer-Encoding" in request.headers
    if size > MAX_BODY or request.endpoint in STREAMED or (untold and status >= 400):
        return Message(headers, "", size, complete=False)
    try:
        if request.mimetype == "application/x-www-form-urlencoded":
            # Parsed by the view, so the text itself is gone.
            return _message(headers, urlencode([*request.form.items(multi=True)]).encode())
        return _message(headers, request.get_data())
    except (OSError, HTTPException):  # the client has gone
        return Message(headers, "", size, complete=False)


def _answered(response: Response) -> Message:
    headers = [*response.headers]
    if response.is_streamed or response.direct_passthrough:
        return Message(headers, "", response.content_length or 0, complete=False)
    return _message(headers, response.get_data())


def _message(headers: Iterable[tuple[str, str]], body: bytes) -> Message:
    try:
        text = body.decode() if len(body) <= MAX_BODY else None
    except UnicodeDecodeError:
        text = None
    return Message([*headers], text or "", len(body), complete=text is not None)
