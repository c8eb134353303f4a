"""A request and its documented answer in; both printed, and the real answer, out."""

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
    """What came back."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def text(self) -> str:
        """Return what to show of the body."""
        text = self.body.decode(errors="replace").strip()
        return text if text.isprintable() else f"{len(self.body)} bytes"


@dataclass(frozen=True, slots=True)
class Documented:
    """What should come back."""

    status: int = 200
    body: Any = None  #: bytes, or the shape of a JSON value; ``None`` if it may be anything
    kind: str = JSON  #: ``Content-Type``
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent."""

    path: str
    body: Any = None  #: a form if it is a text, a file if bytes, or else a JSON value; or nothing
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ""  #: POST if there is a body, or else GET, unless it is given
    secure: bool = True  #: whether by TLS

    def lines(self) -> list[str]:
        """Return what to show of it."""
        headers = (f"{name}: {value}" for name, value in self.headers.items())
        shown = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else self._sent()[0]
        lines = (f"{self._method()} {self.path}", *headers, shown)
        return [shortened(line) for line in lines if line]

    def send(self, address: tuple[str, int], context: ssl.SSLContext) -> Answer:
        """Send it to *address*, host and port, and return the answer."""
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
    """Return in what *answer* differs from the documented one."""
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
    """Return the JSON value in *answer*, or ``None``."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


class Stopped(Exception):
    """An answer is wrong from which the next requests would be made."""


class Asker:
    """Asks the app that serves at *host*, and prints all that is said.

    :param port: where it does so in the clear.
    :param tls_port: where by TLS.
    :param ca_file: whom to trust.
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

        :param patience: seconds for which to ask again while the answer is another one.
        :raises Stopped: if a good answer is documented, and another one came.
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
        """Print what came, and what was *found* to differ in it."""
        self.all_ok = self.all_ok and not found
        mark = "DIFFERS" if found else "ok"
        say(f"{mark:8}< {shortened(shown)}", mark)
        for difference in found:
            say(f"        ! {difference}", mark)

    def _compared(
        self, question: Question, documented: Documented, patience: float
    ) -> tuple[Answer, list[str]]:
        def asked() -> Answer:
            return question.send(self._addresses[question.secure], self._context)

        start, waited, answer = time.monotonic(), 0.0, asked()
        while (found := differences(answer, documented)) and waited < patience:
            time.sleep(0.05)
            answer, waited = asked(), time.monotonic() - start
        if waited:
            say(f"        asked again and again, for {waited:.1f} seconds")
        return answer, found


def shortened(text: str) -> str:
    """Return *text* in one line, with only the first 12 characters of tokens, keys and the like."""
    long = r"(eyJ[\w-]{9})[\w-]*\.[\w-]+\.[\w-]+|([\w-]{12})[\w-]{200,}"
    return re.sub(long, r"\1\2…", text.strip())
