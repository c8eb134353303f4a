"""A request and its documented answer in; both printed, and the real answer, out."""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from typing import Any

say = partial(print, flush=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content_type: str | None
    body: bytes


def differences(answer: Answer, status: int, body: bytes | None) -> list[str]:
    """Return in what *answer* differs from the documented one; with *body* ``None``, any may be."""
    found = []
    if answer.status != status:
        found.append(f"the status is documented as {status}")
    if answer.content_type != "application/json":
        found.append(f"Content-Type is {answer.content_type}, documented as application/json")
    if body is not None and answer.body != body:
        found.append(f"the body is documented as {body.decode()}")
    return found


class Stopped(Exception):
    """An answer is wrong from which the next requests would be made."""


class Asker:
    """Asks the app that serves at *host* and *port*, and prints all that is said."""

    def __init__(self, host: str, port: int) -> None:
        self.address = host, port
        self.steps = 0
        self.all_ok = True

    def ask(
        self,
        title: str,
        path: str,
        body: Any = None,
        tokens: Mapping[str, str] | None = None,
        status: int = 200,
        exactly: bytes | None = None,
    ) -> Any:
        """Send a request, print it and its answer, and return the JSON value in the answer.

        :param body: what to POST: a form if it is a text, or else a JSON value; ``None`` for GET.
        :param tokens: the headers with tokens.
        :param status: the documented status.
        :param exactly: the documented bytes, where they are always the same; returned as ``None``.
        :raises Stopped: if the answer is wrong and *exactly* was not given.
        """
        self.steps += 1
        say(f"\n{self.steps}. {title}")
        answer = self._send(path, body, tokens or {})
        found = differences(answer, status, exactly)
        self.all_ok = self.all_ok and not found
        shown = shortened(answer.body.decode(errors="replace"))
        say(f"{'DIFFERS' if found else 'ok':8}< {answer.status} {shown}")
        for difference in found:
            say(f"        ! {difference}")
        if found and exactly is None:
            raise Stopped
        return json.loads(answer.body) if exactly is None else None

    def _send(self, path: str, body: Any, tokens: Mapping[str, str]) -> Answer:
        form = isinstance(body, str)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        text = body if form or body is None else json.dumps(body, separators=(",", ":"))
        method = "GET" if text is None else "POST"
        headers = (f"{name}: {token}" for name, token in tokens.items())
        for line in (f"{method} {path}", *headers, text):
            if line is not None:
                say(f"        > {shortened(line)}")
        with closing(HTTPConnection(*self.address, timeout=30)) as connection:
            connection.request(method, path, text, {"Content-Type": kind, **tokens})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers["Content-Type"], answer.read())


def shortened(text: str) -> str:
    """Return *text* in one line, with only the first 12 characters of each token in it."""
    return re.sub(r"(eyJ[\w-]{9})[\w-]*\.[\w-]+\.[\w-]+", r"\1…", text.strip())
