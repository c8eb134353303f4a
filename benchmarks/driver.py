"""Measures what a request costs each of several WSGI apps, in rounds."""

import gc
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from statistics import median, quantiles
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication, WSGIEnvironment

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from .loads import Case, Load

#: WSGI apps, or what else a :data:`Run` can send requests to.
Apps = Mapping[str, Any]
#: By app: seconds a request, one number for each round.
Times = dict[str, list[float]]
#: Serves all requests with one app; returns the seconds that it took.
Run = Callable[[Any, Sequence[Case]], float]

_ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "5000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1:5000",
    "HTTP_ACCEPT": "application/json",
    "HTTP_USER_AGENT": "benchmarks",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class Spread(NamedTuple):
    """The quartiles of measured values."""

    low: float  #: the lower quartile
    median: float
    high: float  #: the upper quartile


def measure(
    apps: Apps, load: Load, rng: random.Random, *, rounds: int, size: int, run: Run | None = None
) -> Times:
    """Serve *load* with every app in every round, in a new random order each time.

    In one round all apps get the same requests, *size* of them. All tokens are signed before the
    first round.
    """
    run = run or in_this_thread
    batches = [list(islice(load.cases, size)) for _ in range(rounds)]
    # The first batch is not counted: apps and the processor do some things only once.
    warm = [*load.warm, *islice(load.cases, size)]
    for app in apps.values():
        run(app, warm)
    times: Times = {name: [] for name in apps}
    order = list(apps)
    with frozen_heap():
        for batch in batches:
            rng.shuffle(order)
            for name in order:
                times[name].append(run(apps[name], batch) / size)
    return times


def in_this_thread(app: WSGIApplication, cases: Sequence[Case]) -> float:
    """Serve one request after the other, and return the processor time, since nothing waits here.

    Other processes on the machine then matter only as far as they evict data from the caches.
    """
    environs = list(map(environ, cases))
    start = time.thread_time()
    _call_each(app, environs)
    return time.thread_time() - start


@contextmanager
def in_threads(number: int) -> Iterator[Run]:
    """Yield a :data:`Run` that serves with *number* threads at once and returns wall-clock time."""
    with ThreadPoolExecutor(number) as pool:

        def run(app: WSGIApplication, cases: Sequence[Case]) -> float:
            environs = list(map(environ, cases))
            shares = [environs[first::number] for first in range(number)]
            start = time.perf_counter()
            list(pool.map(lambda share: _call_each(app, share), shares))
            return time.perf_counter() - start

        yield run


def ratios(times: Times, base: str) -> dict[str, Spread]:
    """Return each app's time over that of *base* in the same round: quartiles over all rounds."""
    return {
        name: spread([value / unit for value, unit in zip(values, times[base], strict=True)])
        for name, values in times.items()
    }


def spread(values: Sequence[float]) -> Spread:
    """Return the quartiles of *values*, of which there are at least two."""
    low, _, high = quantiles(values, n=4)
    return Spread(low, median(values), high)


def check(app: WSGIApplication, cases: Iterable[Case], authenticates: bool = True) -> None:
    """Let *app* answer *cases*, and compare the answers with the expected ones.

    :param authenticates: whether *app* authenticates; otherwise it accepts every request, and its
        answers only have the length of the expected ones.
    :raises AssertionError: if an answer differs.
    """
    for case in cases:
        status, body = answer(app, case)
        expected: Any = (case.status, case.body)
        found: Any = (status, body if status == 200 else None)
        if not authenticates:
            expected = (200, len(str(case.body)) if case.body else None)
            found = (status, len(str(body)) if case.body else None)
        if found != expected:
            raise AssertionError(f"{app}: {found} instead of {expected}")


def answer(app: WSGIApplication, case: Case) -> tuple[int, Any]:
    """Return the status of the answer to *case*, and its body if that is JSON."""
    response = Response(*run_wsgi_app(app, environ(case)))
    return response.status_code, response.get_json(silent=True)


def serve(app: WSGIApplication, cases: Iterable[Case]) -> None:
    """Let *app* answer *cases* without a measurement."""
    for case in cases:
        call(app, environ(case))


def environ(case: Case) -> WSGIEnvironment:
    """Return a new WSGI environment for *case*.

    Its header strings are new as well, as in a server: a string that was used before has its hash
    stored, which would make a cache look faster than it is.
    """
    headers = {name: value.decode("latin-1") for name, value in case.headers.items()}
    streams = {"wsgi.input": BytesIO(), "wsgi.errors": sys.stderr}
    return {**_ENVIRON, "PATH_INFO": case.path, **headers, **streams}


def _call_each(app: WSGIApplication, environs: Iterable[WSGIEnvironment]) -> None:
    for each in environs:
        call(app, each)


def call(app: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Call *app* once, as a server does, and discard the answer."""
    body = app(environ, _start_response)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()


def _start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    return None


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Exclude existing objects from garbage collections, which stay enabled."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
