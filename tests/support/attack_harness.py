"""An attack in; nothing out, or all that it got: another answer, a view that ran, a secret told.

Beside each attack the untouched tokens are sent, right before it and right after it: a verifier
that refuses everything passes no test, and what an attack leaves behind would show.
"""

import io
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, got_request_exception
from werkzeug.test import TestResponse

from flask_connector_auth import token_rejected, token_verified
from flask_connector_auth.testing.tampering import TokenKind, ValidToken
from tests.support.attack_stage import (
    CANARY,
    HEADERS,
    KINDS,
    MARKER,
    Stage,
    good,
    good_token,
    stages,
)
from tests.support.floor_helpers import SECRET, pem, signing_key
from tests.support.http_helpers import CHALLENGES, INVALID, ROWS
from tests.support.recorded_logs import listening

#: What breaks a token: the text to send is made of the good one.
Attack = Callable[[ValidToken], str]
# Characters: what is shorter may stand in a log by chance.
_LONG = 9
_FORMAT = logging.Formatter("%(levelname)s %(name)s %(message)s")


def answer_of(row: int) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return all that is sent for a documented row: status, each header, body."""
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(ROWS[row]))),
        ("Cache-Control", "no-store"),
        ("WWW-Authenticate", CHALLENGES[row]),
    ]
    return "401 UNAUTHORIZED", headers, ROWS[row]


class Told:
    """All that an app says while it is watched, but for the answer."""

    def __init__(self) -> None:
        self.lines: list[str] = []  #: of log
        self.pieces: list[str] = []  #: of anything: lines, records, errors, what they hold
        self.errors: list[BaseException] = []
        self.verified: list[object] = []

    def hear(self, errors: Iterable[BaseException]) -> None:
        """Take in what *errors* show, once all has been raised that is raised."""
        for error in errors:
            for each in _chain(error):
                attributes = {**vars(each), "data": getattr(each, "data", None)}
                self.pieces += [str(each), repr(each), repr(each.args), repr(attributes)]
            self.pieces += traceback.format_exception(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        yield from _chain(error.__cause__)
        error = error.__context__


@contextmanager
def watching(app: Flask) -> Iterator[Told]:
    """Watch the log of everybody at DEBUG, and the signals of *app*."""
    told = Told()

    def refused(_app: Flask, error: BaseException) -> None:
        told.errors.append(error)

    def verified(_app: Flask, **tokens: object) -> None:
        told.verified.append(tokens)
        told.pieces.append(repr(tokens))

    def failed(_app: Flask, exception: BaseException) -> None:
        raise AssertionError("an error that is no answer") from exception

    with (
        listening() as recorder,
        token_rejected.connected_to(refused, app),
        token_verified.connected_to(verified, app),
        got_request_exception.connected_to(failed, app),
    ):
        yield told
    told.lines = [_FORMAT.format(each) for each in recorder.records]
    told.pieces += told.lines + [str(vars(each)) for each in recorder.records]
    told.hear(told.errors)


def key_material() -> set[str]:
    """Return what no one may be shown of the keys that the stages sign with, as text."""
    texts = {SECRET, *pem().split("\n")[1:3]}
    for algorithm in ("RS256", "ES256", "Ed25519", "HS256"):
        members = signing_key(algorithm).as_dict(private=True)
        texts |= {str(value) for name, value in members.items() if len(name) < 3}
    return {text for text in texts if len(text) >= _LONG}


KEY_MATERIAL = key_material()


def segments(text: str) -> set[str]:
    """Return the parts of a header value that are long enough to be known again."""
    for sign in " ,\t":
        text = text.replace(sign, ".")
    return {part for part in text.split(".") if len(part) >= _LONG}


def assert_nothing_told(told: Told, answer: TestResponse, sent: Iterable[str]) -> None:
    """Assert that no part of what was *sent*, no claim, and no key is told to anybody."""
    pieces = [*told.pieces, answer.status, str(answer.headers), answer.get_data(as_text=True)]
    whole = "\n".join(pieces)
    secrets = {MARKER, CANARY, *KEY_MATERIAL}.union(*map(segments, sent))
    leaked = {each for each in secrets if each in whole or ascii(each)[1:-1] in whole}
    assert leaked == set()
    assert all(line.isascii() and line.isprintable() for line in told.lines)


def assert_passes(stage: Stage) -> None:
    """Assert that the untouched tokens get to the view."""
    before = len(stage.ran)
    answer = stage.send(stage.environ())
    assert (stage.mode, answer.status_code, len(stage.ran)) == (stage.mode, 200, before + 1)


def assert_refused(stage: Stage, row: int, environ: Mapping[str, str], **request: Any) -> None:
    """Assert that a request is answered with a *row*, to the byte, and gets nothing else.

    :param environ: its headers, all of them.
    :param request: what else there is about it; see :meth:`Stage.send`.
    """
    errors, before = io.StringIO(), len(stage.ran)
    with watching(stage.app) as told:
        answer = stage.send(environ, errors_stream=errors, **request)
    status, headers, body = answer_of(row)
    content = b"" if request.get("method") == "HEAD" else body
    assert (stage.mode, answer.status) == (stage.mode, status)
    assert ([*answer.headers], answer.data) == (headers, content)
    assert len(stage.ran) == before
    assert (len(told.errors), len(told.lines), told.verified) == (1, 1, [])
    told.pieces.append(errors.getvalue())
    assert_nothing_told(told, answer, environ.values())


def withstand(attack: Attack, kind: TokenKind, algorithm: str = "RS256", **settings: Any) -> None:
    """Assert that every mode of an app refuses a broken token of a *kind*, and nothing but that.

    :param settings: see :func:`stages`.
    """
    text = attack(good(kind, algorithm))
    assert text != good_token(kind, algorithm)
    for stage in stages(algorithm, **settings):
        with untouched(stage):
            assert_refused(stage, INVALID[kind], stage.environ(**{HEADERS[kind]: text}))


@contextmanager
def untouched(stage: Stage) -> Iterator[None]:
    """Assert that the untouched tokens pass right before and right after an attack.

    Often enough before it that the app recognises the last request, where it can.
    """
    for _ in range(3):
        assert_passes(stage)
    yield
    assert_passes(stage)


def against_both(table: Mapping[str, Attack]) -> pytest.MarkDecorator:
    """Parametrise a test by each attack of a table, by its name, for both tokens."""
    rows = [(attack, kind) for attack in table.values() for kind in KINDS]
    names = [f"{name}, {kind}" for name in table for kind in KINDS]
    return pytest.mark.parametrize(("attack", "kind"), rows, ids=names)
