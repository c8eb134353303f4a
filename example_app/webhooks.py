"""Posts signed notifications to the URL that is configured for webhooks.

Protocol page: Webhooks. A process posts one notification after the other, so they arrive in order
unless there are several workers. A failed post is repeated, so a notification may arrive twice.
"""

import base64
import hmac
import json
import logging
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app

from .models import AppInstall, install_of

logger = logging.getLogger(__name__)

#: Seconds to wait for the answer to a notification.
TIMEOUT = 10
#: Most notifications in the queue; further ones are dropped.
WAITING = 1000

Post = tuple[bytes, Mapping[str, str]]


class Webhooks:
    """Posts to *url*, in a thread that lives while there is something to post.

    :param retries: how often a failed post is repeated.
    :param pause: seconds before each repetition.
    """

    def __init__(self, url: str, retries: int, pause: float) -> None:
        parts = urlsplit(url)
        connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connect = partial(connection, parts.hostname or "", parts.port, timeout=TIMEOUT)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._retries = retries
        self._pause = pause
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        self._waiting: Queue[Post] = Queue(WAITING)
        self._closed = Event()
        self._thread: Thread | None = None

    def put(self, post: Post) -> None:
        """Put *post*, a body and its headers, in the queue."""
        with self._lock:
            try:
                self._waiting.put_nowait(post)
            except Full:
                logger.error("A notification is dropped: %d are waiting.", WAITING)
            # Started no earlier than here: a thread does not survive the fork of a worker.
            if self._thread is None:
                thread = Thread(target=self._run, args=(self._waiting, self._closed), daemon=True)
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """End the thread after the current post; the queue is dropped."""
        with self._lock:
            thread = self._thread
            self._closed.set()
            self._begin()
        if thread:
            thread.join()

    def _next(self, waiting: Queue[Post]) -> Post | None:
        """Return the next post, or ``None``, after which the thread ends."""
        with self._lock:
            try:
                return waiting.get_nowait()
            except Empty:
                # After close() the attribute may already belong to another thread.
                if waiting is self._waiting:
                    self._thread = None
                return None

    def _run(self, waiting: Queue[Post], closed: Event) -> None:
        while not closed.is_set() and (post := self._next(waiting)) is not None:
            for attempt in range(1 + self._retries):
                if attempt and closed.wait(self._pause):
                    break
                if self._taken(*post):
                    break

    def _taken(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Post once; return whether the answer was 200 or 201."""
        try:
            with closing(self._connect()) as connection:
                connection.request("POST", self._target, body, dict(headers))
                status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            logger.warning("A notification could not be posted (%s).", type(error).__name__)
            return False
        if status not in (200, 201):
            logger.warning("A notification was answered with %d.", status)
        return status in (200, 201)


def signed(install: AppInstall, notification: Mapping[str, Any]) -> Post:
    """Return the body and the headers of *notification*."""
    # ASCII, because a known client computes the signature over ASCII text.
    body = json.dumps(notification, separators=(",", ":")).encode("ascii")
    digest = hmac.digest(install.client_secret.encode(), body, "sha1")
    return body, {
        "Content-Type": "application/json",
        "x-liveperson-account-id": install.account_id,
        "x-liveperson-client-id": install.client_id,
        "x-liveperson-signature": f"sha1={base64.b64encode(digest).decode()}",
    }


def send(account_id: str, notification: Mapping[str, Any]) -> None:
    """Post *notification* on behalf of the app install of *account_id*."""
    install = install_of(account_id)
    if install:
        current_app.extensions["webhooks"].put(signed(install, notification))


def close(app: Flask) -> None:
    """End the thread that posts for *app*, if there is one."""
    # An app of create_issuer() has no webhooks.
    if webhooks := app.extensions.get("webhooks"):
        webhooks.close()


def are_wanted() -> bool:
    """Whether there is a URL to post to."""
    return current_app.extensions["webhooks"] is not None


def init_app(app: Flask) -> None:
    """Set up the webhooks of *app*, if its configuration has a URL.

    :raises ValueError: if that is not an HTTP URL.
    """
    url, retries, pause = (
        app.config[f"CONNECTOR_WEBHOOK_{name}"] for name in ("URL", "RETRIES", "PAUSE")
    )
    if url and not (urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname):
        raise ValueError("CONNECTOR_WEBHOOK_URL must start with http:// or https:// and a host")
    app.extensions["webhooks"] = Webhooks(url, retries, pause) if url else None
