"""Processor time that gunicorn's workers take for a request, with each way to authenticate.

Run it as ``python -m benchmarks.served``. Requests a second would depend on the client, which
shares the cores of the machine with the workers; their processor time hardly does.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import NamedTuple

from flask import Flask

from . import driver, report
from .loads import Case, bad_loads, good_loads
from .machine import about
from .mint import Mint
from .subjects import SUBJECTS

WORKERS, THREADS = 2, 4
#: Subjects that give an answer to every load.
NAMES = [name for name in SUBJECTS if name != "raw"]


class Server(NamedTuple):
    """The workers of a gunicorn, and connections to them."""

    workers: Sequence[int]  #: process ids
    connections: Sequence[HTTPConnection]  #: to one worker after the other, in turn
    authenticates: bool = True  #: whether bad tokens are refused


def application(name: str, keys: str) -> Flask:
    """Return the app of the subject *name*; gunicorn calls it, with the path of a JWK Set."""
    return naming_its_worker(SUBJECTS[name].build(json.loads(Path(keys).read_text())))


def naming_its_worker(app: Flask) -> Flask:
    """Return *app* with one more view, for :func:`gunicorn`: the id of the process."""
    app.add_url_rule("/worker", view_func=lambda: str(os.getpid()))
    return app


@contextmanager
def gunicorn(call: str, connections: int = 1, workers: int = WORKERS) -> Iterator[Server]:
    """Serve the app that *call* returns with gunicorn.

    :param call: its app is :func:`naming_its_worker`.
    :param connections: to each worker.
    :param workers: processes.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        # As gunicorn does with a socket of its own; it sends head and body of a response apart.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [
            *(sys.executable, "-m", "gunicorn", call),
            # The socket is created here, and queues requests until a worker is ready.
            *("--bind", f"fd://{listener.fileno()}", "--worker-class", "gthread"),
            *("--workers", str(workers), "--threads", str(THREADS), "--log-level", "error"),
            # A connection waits while other subjects have their turn.
            *("--keep-alive", "3600"),
        ]
        process = stack.enter_context(
            subprocess.Popen(command, pass_fds=[listener.fileno()])  # noqa: S603
        )
        stack.callback(process.terminate)
        found: dict[int, list[HTTPConnection]] = {}
        while len(found) < workers or min(map(len, found.values())) < connections:
            connection = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30)
            stack.enter_context(closing(connection))
            connection.request("GET", "/worker")
            # A connection stays with the worker that accepted it.
            found.setdefault(int(connection.getresponse().read()), []).append(connection)
        equal = zip(*(some[:connections] for some in found.values()), strict=True)
        yield Server([*found], [connection for turn in equal for connection in turn])


def worker_time(server: Server, cases: Sequence[Case]) -> float:
    """Send *cases*, one at a time on each connection; return the workers' processor time.

    :raises AssertionError: if an answer has another status than its case.
    """
    start = sum(map(processor_time, server.workers))
    for first in range(0, len(cases), len(server.connections)):
        sent = [*zip(server.connections, cases[first:], strict=False)]
        for connection, case in sent:
            connection.request("GET", case.path, headers=headers_of(case))
        for connection, case in sent:
            with connection.getresponse() as response:
                response.read()
            expected = case.status if server.authenticates else 200
            if response.status != expected:
                raise AssertionError(f"{response.status} instead of {expected}")
    return sum(map(processor_time, server.workers)) - start


def processor_time(process: int) -> float:
    """Return the seconds, user and system, of all threads of *process* (Linux)."""
    # The clock that the C library's clock_getcpuclockid() returns: nanoseconds, where /proc has
    # hundredths of a second.
    return time.clock_gettime(~process << 3 | 2)


def headers_of(case: Case) -> dict[str, str]:
    """Return the headers of *case* under their HTTP names."""
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value.decode()
        for name, value in case.headers.items()
    }


def measure(names: Sequence[str], rounds: int, size: int) -> dict[str, driver.Times]:
    """Return the seconds of a request, by load and by subject: one number for each round."""
    mint, rng = Mint(), random.Random(5)  # noqa: S311  # it orders subjects and draws from a set
    with tempfile.NamedTemporaryFile("w", suffix=".json") as keys, ExitStack() as stack:
        keys.write(json.dumps(mint.key_set()))
        keys.flush()
        servers = {}
        for name in names:
            call = f"benchmarks.served:application({name!r},{keys.name!r})"
            server = stack.enter_context(gunicorn(call, THREADS))
            servers[name] = server._replace(authenticates=SUBJECTS[name].authenticates)
        found = {}
        for name, load in {**good_loads(mint, rng), **bad_loads(mint)}.items():
            print(f"measuring: {name}", file=sys.stderr)
            # Once to each worker, since each has a cache of its own.
            warm = [case for case in load.warm for _ in range(WORKERS)]
            found[name] = driver.measure(
                servers, replace(load, warm=warm), rng, rounds=rounds, size=size, run=worker_time
            )
        return found


def table(results: report.Results) -> report.Table:
    """Return the table of the ratios to the bare view, and what that itself takes."""
    titles = {name: title for name, title in results["titles"].items() if name != "bare"}
    rows = [
        [load, f"{1e6 * median(times['bare']):.0f}", *(_ratio(times, name) for name in titles)]
        for load, times in results["times"].items()
    ]
    return report.Table(
        f"Processor time behind gunicorn, {WORKERS} workers of {THREADS} threads, "
        "times the bare view",
        ["", "bare view, microseconds", *titles.values()],
        rows,
    )


def _ratio(times: driver.Times, name: str) -> str:
    return f"{driver.ratios(times, 'bare')[name].median:.2f}"


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, and write the files."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served",
        description="Processor time of gunicorn's workers, as a multiple of the same bare view.",
    )
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--size", type=int, default=200, help="requests to a subject in a round")
    parser.add_argument("--only", default=",".join(NAMES), help=f"some of: {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, help="write results here, a table beside")
    options = parser.parse_args(arguments)
    names = [name for name in NAMES if name in {"bare", *options.only.split(",")}]
    results = {
        **about(),
        "rounds": options.rounds,
        "batch": options.size,
        "titles": {name: SUBJECTS[name].title for name in names},
        "times": measure(names, options.rounds, options.size),
    }
    found = table(results)
    print(report.aligned(found))
    if options.json:
        report.write(results, " ".join(report.facts(results)), found, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
