"""Requests a second that gunicorn answers, with wrk as the client on the loopback interface.

Run it as ``python -m benchmarks.served``. Both programs share the cores of the machine, so the
numbers serve only to compare one subject with another.
"""

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from flask import Flask

from . import report
from .loads import Case, good
from .machine import about
from .mint import Mint
from .subjects import SUBJECTS

WORKERS, THREADS, CONNECTIONS = 2, 4, 16


def application(name: str, keys: str) -> Flask:
    """Return the app of the subject *name*; gunicorn calls it, with the path of a JWK Set."""
    return SUBJECTS[name].build(json.loads(Path(keys).read_text()))


def measure(names: list[str], seconds: int, rounds: int) -> dict[str, list[float]]:
    """Return requests a second, by subject: one number for each round."""
    mint = Mint()
    case = good(mint, 0, consumer=True)
    found: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
        keys.write(json.dumps(mint.key_set()))
        keys.flush()
        for _ in range(rounds):
            for name in names:
                with gunicorn(f"benchmarks.served:application({name!r},{keys.name!r})") as port:
                    _check(port, case)
                    found[name].append(_wrk(port, case, seconds))
    return found


@contextmanager
def gunicorn(call: str) -> Iterator[int]:
    """Serve the app that *call* returns with gunicorn, and yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        command = [
            *(sys.executable, "-m", "gunicorn", call),
            # The socket is created here, and queues requests until a worker is ready.
            *("--bind", f"fd://{listener.fileno()}", "--worker-class", "gthread"),
            *("--workers", str(WORKERS), "--threads", str(THREADS), "--log-level", "error"),
        ]
        with subprocess.Popen(command, pass_fds=[listener.fileno()]) as process:  # noqa: S603
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()
                process.wait(timeout=30)


def _check(port: int, case: Case) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", case.path, headers=headers_of(case))
    status = connection.getresponse().status
    connection.close()
    if status != case.status:
        raise AssertionError(f"{status} instead of {case.status}")


def _wrk(port: int, case: Case, seconds: int) -> float:
    headers = [f"-H{name}: {value}" for name, value in headers_of(case).items()]
    command = [
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *headers),
        f"http://127.0.0.1:{port}{case.path}",
    ]
    report = subprocess.run(  # noqa: S603
        command, check=True, capture_output=True, text=True, timeout=seconds + 60
    ).stdout
    rate = re.search(r"^Requests/sec: +([\d.]+)$", report, re.MULTILINE)
    if rate is None or "Non-2xx" in report or "Socket errors" in report:
        raise AssertionError(f"not every request was answered rightly:\n{report}")
    return float(rate[1])


def headers_of(case: Case) -> dict[str, str]:
    """Return the headers of *case* under their HTTP names."""
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value.decode()
        for name, value in case.headers.items()
    }


def table(results: report.Results) -> report.Table:
    """Return the table of the medians by subject."""
    rates = results["rates"]
    shares = {
        name: median([rate / bare for rate, bare in zip(values, rates["bare"], strict=True)])
        for name, values in rates.items()
    }
    return report.Table(
        f"gunicorn, {WORKERS} workers of {THREADS} threads; two tokens, repeated",
        ["", "requests a second", "share of the bare view's"],
        [
            [results["titles"][name], f"{median(values):.0f}", f"{shares[name]:.2f}"]
            for name, values in rates.items()
        ],
    )


def main() -> None:
    """Measure, print the table, and write the files."""
    options = _options()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on this machine; on Debian: apt-get install wrk")
    names = [name for name in SUBJECTS if name in {"bare", *options.only.split(",")}]
    results = {
        **about(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "titles": {name: SUBJECTS[name].title for name in names},
        "rates": measure(names, options.seconds, options.rounds),
    }
    found = table(results)
    print(report.aligned(found))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
        options.json.with_suffix(".txt").write_text(
            f"{_facts(results)}\n\n{report.list_table(found)}\n"
        )


def _facts(results: report.Results) -> str:
    return (
        f"{results['date']}, {results['machine']}, {results['python']}; medians of "
        f"{results['rounds']} times {results['seconds']} seconds, the subjects in turn."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served", description="Requests a second behind gunicorn."
    )
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each subject")
    parser.add_argument("--only", default="bare,ours", help=f"some of: {', '.join(SUBJECTS)}")
    parser.add_argument("--json", type=Path, help="write results here, a table beside")
    return parser.parse_args()


if __name__ == "__main__":
    main()
