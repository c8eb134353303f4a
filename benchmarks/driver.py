"""WSGI apps and a load in; what a request costs each of them, round by round, out."""

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

Apps = Mapping[str, WSGIApplication]
#: Seconds a request, one number for each round, by app.
Times = dict[str, list[float]]
#: Serves all requests on one app; returns the seconds that took.
Run = Callable[[WSGIApplication, Sequence[WSGIEnvironment]], float]

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
    """The middle half of what was measured."""

    low: float  #: the lower quartile
    median: float
    high: float  #: the upper quartile


def measure(
    apps: Apps, load: Load, rng: random.Random, *, rounds: int, size: int, run: Run | None = None
) -> Times:
    """Serve *load* on every app in every round, in an order drawn anew.

    In one round all apps get the same requests, *size* of them. All are made before the first
    round, so that nothing but the apps runs between the clock's two readings.
    """
    run = run or in_this_thread
    batches = [list(islice(load.cases, size)) for _ in range(rounds)]
    # Whatever an app or the processor does for the first time is not counted.
    warm = [*load.warm, *islice(load.cases, size)]
    for app in apps.values():
        serve(app, warm)
    times: Times = {name: [] for name in apps}
    order = list(apps)
    with frozen_heap():
        for batch in batches:
            rng.shuffle(order)
            for name in order:
                times[name].append(run(apps[name], list(map(environ, batch))) / size)
    return times


def in_this_thread(app: WSGIApplication, environs: Iterable[WSGIEnvironment]) -> float:
    """Serve one request after the other; processor time, for nothing waits here.

    So what else runs on the machine counts only as far as it pushes data out of the caches.
    """
    start = time.thread_time()
    for each in environs:
        call(app, each)
    return time.thread_time() - start


@contextmanager
def in_threads(number: int) -> Iterator[Run]:
    """Hand out a :data:`Run` that serves on *number* threads at once; time as the wall has it."""
    with ThreadPoolExecutor(number) as pool:

        def run(app: WSGIApplication, environs: Sequence[WSGIEnvironment]) -> float:
            shares = [environs[first::number] for first in range(number)]
            start = time.perf_counter()
            list(pool.map(lambda share: in_this_thread(app, share), shares))
            return time.perf_counter() - start

        yield run


def ratios(times: Times, base: str) -> dict[str, Spread]:
    """Return each app's time over that of *base* in the same round: quartiles over all rounds."""
    return {
        name: spread([one / other for one, other in zip(values, times[base], strict=True)])
        for name, values in times.items()
    }


def spread(values: Sequence[float]) -> Spread:
    """Return the quartiles of two values or more."""
    low, _, high = quantiles(values, n=4)
    return Spread(low, median(values), high)


def check(app: WSGIApplication, cases: Iterable[Case], authenticates: bool = True) -> None:
    """Let *app* answer *cases*, and compare the answers with what they must be.

    :param authenticates: whether *app* does; one that does not lets everything pass, and its
        answers are merely as long as the right ones.
    :raises AssertionError: if one is another.
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
    """Return the status and the JSON body, if it is JSON, of the answer to *case*."""
    response = Response(*run_wsgi_app(app, environ(case)))
    return response.status_code, response.get_json(silent=True)


def serve(app: WSGIApplication, cases: Iterable[Case]) -> None:
    """Let *app* answer *cases*, which nobody measures."""
    for case in cases:
        call(app, environ(case))


def environ(case: Case) -> WSGIEnvironment:
    """Return a new WSGI environment for *case*.

    Its header strings are new as well, as those of a server are: in one that was used before, the
    hash is stored, which flatters a cache.
    """
    headers = {name: value.decode("latin-1") for name, value in case.headers.items()}
    streams = {"wsgi.input": BytesIO(), "wsgi.errors": sys.stderr}
    return {**_ENVIRON, "PATH_INFO": case.path, **headers, **streams}


def call(app: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Ask *app* once, as a server does, and throw the answer away."""
    body = app(environ, _start_response)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()


def _start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    return None


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep what exists out of the garbage collections to come, which stay on."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
