"""The requests of the tour: sends and prints them, and compares answers with documented ones."""

import json
import re
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from .saying import say
from .shapes import described, matches

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def text(self) -> str:
        """Return the body as text, or its size if it is not printable."""
        text = self.body.decode(errors="replace").strip()
        return text if text.isprintable() else f"{len(self.body)} bytes"


@dataclass(frozen=True, slots=True)
class Documented:
    """The documented answer to a request."""

    status: int = 200
    body: Any = None  #: bytes, or the shape of a JSON value; ``None`` accepts any body
    kind: str = JSON  #: ``Content-Type``
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case


@dataclass(frozen=True, slots=True)
class Question:
    """A request to send."""

    path: str
    body: Any = None  #: a text is sent as a form, bytes as a file, other values as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  #: default: POST if there is a body, else GET
    secure: bool = True  #: whether to use TLS

    def lines(self) -> list[str]:
        """Return the lines to print for the request."""
        body, kind = self._sent()
        sent = {**({"Content-Type": kind} if body else {}), **self.headers}
        headers = (f"{name}: {value}" for name, value in sent.items())
        shown = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else body
        lines = (f"{self._method()} {self.path}", *headers, shown)
        return [shortened(line) for line in lines if line]

    def send(self, address: tuple[str, int], context: ssl.SSLContext) -> Answer:
        """Send the request to *address*, host and port, and return the answer."""
        made: HTTPConnection = (
            HTTPSConnection(*address, timeout=30, context=context)
            if self.secure
            else HTTPConnection(*address, timeout=30)
        )
        body, kind = self._sent()
        with closing(made) as connection:
            headers = {"Content-Type": kind, **self.headers}
            connection.request(self._method(), self.path, body, headers)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, received, answer.read())

    def _method(self) -> str:
        return self.method or ("GET" if self.body is None else "POST")

    def _sent(self) -> tuple[Any, str]:
        if self.body is None or isinstance(self.body, str):
            return self.body, FORM
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        return json.dumps(self.body, separators=(",", ":")), JSON


def differences(answer: Answer, documented: Documented) -> list[str]:
    """Return a sentence for each difference of *answer* from the documented one."""
    found = []
    if answer.status != documented.status:
        found.append(f"the status is documented as {documented.status}")
    for name, value in {"content-type": documented.kind, **documented.headers}.items():
        if answer.headers.get(name) != value:
            found.append(f"{name} is {answer.headers.get(name)}, documented as {value}")
    if isinstance(documented.body, bytes):
        if answer.body != documented.body:
            found.append(f"the body is documented as {documented.body.decode(errors='replace')}")
    elif documented.body is not None and not matches(value_of(answer), documented.body):
        found.append(f"the body is documented as {described(documented.body)}")
    return found


def value_of(answer: Answer) -> Any:
    """Return the JSON value in *answer*, or ``None`` if the body is not JSON."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


class Stopped(Exception):
    """An answer is wrong on which the next requests depend."""


class Asker:
    """Sends requests to the app that serves at *host*, and prints requests and answers.

    :param port: port for plain HTTP.
    :param tls_port: port for TLS.
    :param ca_file: certificate of the CA to trust.
    """

    def __init__(self, host: str, port: int, tls_port: int, ca_file: str) -> None:
        self._addresses = {False: (host, port), True: (host, tls_port)}
        self._context = ssl.create_default_context(cafile=ca_file)
        self.steps = 0
        self.all_ok = True

    def ask(
        self, title: str, question: Question, documented: Documented, patience: float = 0
    ) -> Any:
        """Send *question*, print it and its answer, and return the JSON value in the answer.

        :param patience: seconds for which to repeat the request while the answer differs.
        :raises Stopped: if the answer differs from a documented success.
        """
        self.announce(title, question.lines())
        answer, found = self._compared(question, documented, patience)
        self.judge(f"{answer.status} {answer.text()}", found)
        if found and documented.status < 400:
            raise Stopped
        return value_of(answer)

    def announce(self, title: str, lines: list[str]) -> None:
        """Print the next step."""
        self.steps += 1
        say(f"\n{self.steps}. {title}", "title")
        for line in lines:
            say(f"        > {line}", "sent")

    def judge(self, shown: str, found: list[str]) -> None:
        """Print an answer, and the differences that were *found* in it."""
        self.all_ok = self.all_ok and not found
        mark = "DIFFERS" if found else "ok"
        say(f"{mark:8}< {shortened(shown)}", mark)
        for difference in found:
            say(f"        ! {difference}", mark)

    def _compared(
        self, question: Question, documented: Documented, patience: float
    ) -> tuple[Answer, list[str]]:
        def send_once() -> Answer:
            return question.send(self._addresses[question.secure], self._context)

        start, waited, answer = time.monotonic(), 0.0, send_once()
        while (found := differences(answer, documented)) and waited < patience:
            time.sleep(0.05)
            answer, waited = send_once(), time.monotonic() - start
        if waited:
            say(f"        asked again and again, for {waited:.1f} seconds")
        return answer, found


def shortened(text: str) -> str:
    """Return *text* in one line, with only the first 12 characters of tokens, keys and the like."""
    long = r"(eyJ[\w-]{9})[\w-]*\.[\w-]+\.[\w-]+|([\w-]{12})[\w-]{200,}"
    return re.sub(long, r"\1\2…", text.strip())
