"""A request and its documented answer in; both printed, and the real answer, out."""

import json
import re
import time
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


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent."""

    path: str
    body: Any  #: a form if it is a text, or else a JSON value to POST; ``None`` for GET
    tokens: Mapping[str, str]  #: the headers with tokens

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.body is None else "POST"

    @property
    def text(self) -> str | None:
        """The body as it is sent."""
        written = self.body is None or isinstance(self.body, str)
        return self.body if written else json.dumps(self.body, separators=(",", ":"))

    def lines(self) -> list[str]:
        """Return what to show of it."""
        headers = (f"{name}: {token}" for name, token in self.tokens.items())
        lines = (f"{self.method} {self.path}", *headers, self.text)
        return [shortened(line) for line in lines if line is not None]

    def send(self, address: tuple[str, int]) -> Answer:
        """Send it to *address*, host and port, and return the answer."""
        form = isinstance(self.body, str)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        with closing(HTTPConnection(*address, timeout=30)) as connection:
            headers = {"Content-Type": kind, **self.tokens}
            connection.request(self.method, self.path, self.text, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers["Content-Type"], answer.read())


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
        patience: float = 0,
    ) -> Any:
        """Send a request, print it and its answer, and return the JSON value in the answer.

        :param body: what to POST: a form if it is a text, or else a JSON value; ``None`` for GET.
        :param tokens: the headers with tokens.
        :param status: the documented status.
        :param exactly: the documented bytes, where they are always the same; returned as ``None``.
        :param patience: seconds for which to ask again while the answer is another one.
        :raises Stopped: if the answer is wrong and *exactly* was not given.
        """
        self.steps += 1
        say(f"\n{self.steps}. {title}")
        question = Question(path, body, tokens or {})
        for line in question.lines():
            say(f"        > {line}")
        answer, found = self._compared(question, status, exactly, patience)
        self.all_ok = self.all_ok and not found
        shown = shortened(answer.body.decode(errors="replace"))
        say(f"{'DIFFERS' if found else 'ok':8}< {answer.status} {shown}")
        for difference in found:
            say(f"        ! {difference}")
        if found and exactly is None:
            raise Stopped
        return json.loads(answer.body) if exactly is None else None

    def _compared(
        self, question: Question, status: int, exactly: bytes | None, patience: float
    ) -> tuple[Answer, list[str]]:
        start, waited = time.monotonic(), 0.0
        answer = question.send(self.address)
        while (found := differences(answer, status, exactly)) and waited < patience:
            time.sleep(0.05)
            answer, waited = question.send(self.address), time.monotonic() - start
        if waited:
            say(f"        asked again and again, for {waited:.1f} seconds")
        return answer, found


def shortened(text: str) -> str:
    """Return *text* in one line, with only the first 12 characters of each token and key in it."""
    long = r"(eyJ[\w-]{9})[\w-]*\.[\w-]+\.[\w-]+|([\w-]{12})[\w-]{200,}"
    return re.sub(long, r"\1\2…", text.strip())
