"""Compare each answer to many concurrent requests with the answers that are right.

Meanwhile keys are rotated and tokens revoked. Run it as ``python -m benchmarks.concurrency``, or
with greenlets as ``python -m gevent.monkey --module benchmarks.concurrency``.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from threading import Barrier
from typing import Any

from flask import Flask, Response, request, stream_with_context
from werkzeug.test import run_wsgi_app

from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)

from .crowd import Crowd
from .facts import NOBODY, Answer, Sent, Who

APPS = 32
#: Requests that a thread sends between two changes.
CHANGE_EVERY = 20
# Key of the request's environ under which hooks record the identity that they see.
_SEEN = "benchmarks.seen"
# The cache is smaller than the number of tokens. The timeouts are so long that even on a slow
# machine 503 is never a right answer.
_SETTINGS = {
    "CACHE_SIZE": 2 * APPS,
    **{"JWKS_MAX_AGE": 60, "JWKS_MIN_AGE": 1, "JWKS_COOLDOWN": 0.1},
    **{"JWKS_TIMEOUT": 50, "JWKS_WAIT": 100, "JWKS_MAX_WAITING": 1000},
}


@dataclass(slots=True)
class Outcome:
    """The counts of a run."""

    answers: Counter[str] = field(default_factory=Counter)  #: by ``200``, or by error code
    wrong: list[str] = field(default_factory=list)
    undecided: int = 0  #: number of requests for which several answers were right
    rotations: int = 0
    revoked: int = 0
    seconds: float = 0


def application(keys: str) -> Flask:
    """Return an app whose views answer with the identity they see, and whose hooks record it."""
    app = Flask("concurrent")
    settings = {"APP_JWT_KEYS": keys, **_SETTINGS}
    app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
    ConnectorAuth(app)

    @app.get("/pair/<account_id>")
    @require_consumer_jws
    @require_app_jwt
    def pair(account_id: str) -> list[Any]:
        return [*_whom(), *_whom()]

    @app.get("/stream/<account_id>")
    @require_app_jwt
    @require_consumer_jws
    def stream(account_id: str) -> Response:
        def pieces() -> Iterator[str]:
            yield json.dumps(_whom())[:-1]
            yield "," + json.dumps(_whom())[1:]

        return Response(stream_with_context(pieces()))

    @app.get("/open/<account_id>")
    def open_(account_id: str) -> list[Any]:
        return [*_whom(), *_whom()]

    @app.after_request
    def after(response: Response) -> Response:
        request.environ[_SEEN].append(_whom())
        return response

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        request.environ[_SEEN].append(_whom())

    return app


def _whom() -> Who:
    # Let another thread run; a greenlet is switched only where it waits.
    time.sleep(0)
    try:
        return current_app_jwt.install_id, current_consumer_jws.ext_consumer_id
    except RuntimeError:
        return NOBODY


def send(app: Flask, sent: Sent) -> tuple[Answer, set[Who]]:
    """Return the answer to *sent*, and all identities that were seen during the request."""
    seen: list[Who] = []
    tokens = {"HTTP_AUTHORIZATION": sent.app_jwt, "HTTP_X_LP_ON_BEHALF": sent.consumer_jws}
    environ = {
        **{"REQUEST_METHOD": "GET", "PATH_INFO": f"/{sent.view}/{sent.account}"},
        **{"SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1"},
        **{"wsgi.url_scheme": "http", "wsgi.input": BytesIO(), "wsgi.errors": sys.stderr},
        **{name: token.text for name, token in tokens.items() if token},
        _SEEN: seen,
    }
    pieces, status, _headers = run_wsgi_app(app, environ)
    body = json.loads(b"".join(pieces))
    if hasattr(pieces, "close"):
        pieces.close()
    if not status.startswith("200"):
        return body["body"]["errorCode"], set(seen)
    first, second = tuple(body[:2]), tuple(body[2:])
    return first, {second, *seen}


def run(requests: int, threads: int = 64, seed: int = 5) -> Outcome:
    """Send *requests* from *threads* threads at once."""
    crowd, barrier = Crowd(APPS), Barrier(threads + 1)
    rotation = crowd.turmoil.rotation
    with rotation.watched(), _many_switches(), ThreadPoolExecutor(threads) as pool:
        app = application(rotation.server.url)
        # Load the first set of keys before the first rotation: its arrival would otherwise look
        # like the end of that rotation.
        app.extensions["connector_auth"].verifiers[0].keys.candidates("key-0", "RS256")
        share = _sender(app, crowd, requests // threads, barrier)
        futures = [pool.submit(share, random.Random(seed + n)) for n in range(threads)]  # noqa: S311
        barrier.wait()
        begin = time.perf_counter()
        outcomes = [future.result() for future in futures]
        seconds = time.perf_counter() - begin
    total = Outcome(rotations=rotation.count, revoked=crowd.turmoil.revoked, seconds=seconds)
    for outcome in outcomes:
        total.answers += outcome.answers
        total.wrong += outcome.wrong
        total.undecided += outcome.undecided
    return total


def _sender(
    app: Flask, crowd: Crowd, count: int, barrier: Barrier
) -> Callable[[random.Random], Outcome]:
    """Return the function that each thread runs, with a random generator for that thread."""
    revocations = app.extensions["connector_auth"].revocations

    def send_share(rng: random.Random) -> Outcome:
        outcome = Outcome()
        barrier.wait()
        for number in range(count):
            if number % CHANGE_EVERY == 0:
                crowd.turmoil.change(revocations, rng)
            sent = crowd.request(rng)
            start = time.perf_counter()
            answer, seen = send(app, sent)
            permitted = sent.permitted(start, time.perf_counter())
            _record(outcome, sent, answer, seen, permitted)
        return outcome

    return send_share


def _record(
    outcome: Outcome, sent: Sent, answer: Answer, seen: set[Who], permitted: set[Answer]
) -> None:
    """Count *answer*; it is wrong if not *permitted*, or if another identity was *seen*."""
    outcome.answers[str(answer if isinstance(answer, int) else 200)] += 1
    outcome.undecided += len(permitted) > 1
    if answer not in permitted or seen != {NOBODY if isinstance(answer, int) else answer}:
        outcome.wrong.append(f"/{sent.view}: {answer}, seen {seen}, permitted {permitted}")


@contextmanager
def _many_switches() -> Iterator[None]:
    """Switch threads within a request; by default a thread serves a dozen before a switch."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def main(arguments: Sequence[str]) -> int:
    """Run, print the counts, and return 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.concurrency")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args(arguments)
    outcome = run(options.requests, options.threads, options.seed)
    count = outcome.answers.total()
    print(f"{count:,} requests, {options.threads} threads, {outcome.seconds:.0f} s")
    print(f"{count / outcome.seconds:,.0f} requests a second")
    print(", ".join(f"{answer}: {number:,}" for answer, number in sorted(outcome.answers.items())))
    print(f"{outcome.rotations:,} rotations, {outcome.revoked:,} revocations")
    print(f"{outcome.undecided:,} requests met a change, so that two answers or more were right")
    print(f"{len(outcome.wrong):,} wrong answers", *outcome.wrong[:20], sep="\n")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
