"""What the benchmark ``scale`` measures: each function takes a filled store, and yields rows.

A value of ``None`` means that it did not end within the limit.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .scale_fleet import Fleet, Proxy, Row, Size, all_of, writing
from .scale_requests import cold_start, requests_while_loading


def fill(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Fill the store: tokens and app installs, which do not expire."""
    with fleet.workers() as [writer]:
        writer.start(size.limit)
        fleet.idle_worker = writer.call("memory")["now"]
        before = fleet.megabytes(), fleet.cpu()
        seconds = writer.call("fill", count=size.entries) / size.entries
        server = (fleet.cpu() - before[1]) / size.entries
        # Within a minute, a worker merges the changes of a log that has many.
        if size.entries > size.bulk:
            time.sleep(size.settle)
    yield "seconds to revoke 10,000 while the store is filled", seconds * 10_000
    yield "server CPU of this, seconds for 10,000", server * 10_000
    yield "MB in the store", fleet.megabytes() - before[0]


def one_worker(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Start one worker."""
    before = fleet.cpu()
    with fleet.workers() as [worker]:
        yield "one worker ready, seconds", worker.start(size.limit)
        memory = worker.call("memory")
        yield "MB of this worker, more than without entries", memory["now"] - fleet.idle_worker
        yield "MB at the peak, more than without entries", memory["peak"] - fleet.idle_worker
        yield "server CPU of one worker's start, seconds", fleet.cpu() - before
        entries = worker.call("health")["entries"]
        if entries != size.entries:
            raise AssertionError(f"{entries} entries instead of {size.entries}")


def workers_at_once(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Start many workers at the same time."""
    before = fleet.cpu()
    with fleet.workers(size.starting) as workers:
        all_of(workers, "start")
        yield (
            f"{size.starting} workers at once, the last one ready, seconds",
            _last(all_of(workers, "ready", limit=2 * size.limit)),
        )
        yield "server CPU of their start, seconds", fleet.cpu() - before


def load_while_changing(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Start a worker 50 ms away, while up to 25,000 entries change each second."""
    with (
        Proxy(fleet.port, delay=0.025) as proxy,
        fleet.workers(proxy=proxy) as [worker],
        writing(fleet, size) as writer,
    ):
        rate = 25_000
        writer.call("begin_churn", count=round(rate * (size.limit + 30)), rate=rate)
        time.sleep(1)
        yield "ready while entries change, 50 ms away, seconds", worker.start(size.limit)
        yield "changes a second meanwhile", writer.call("churned")


def load_over_drops(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Start a worker 30 ms away, whose connections are dropped every two seconds."""
    with (
        Proxy(fleet.port, delay=0.015, life=2.0) as proxy,
        fleet.workers(proxy=proxy) as [worker],
    ):
        yield "ready, connection drops every 2 s, 30 ms away, seconds", worker.start(size.limit)


def far_store(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Serve with a store that is far away."""
    for delay in (600, 900):
        with (
            Proxy(fleet.port, delay=delay / 2000) as proxy,
            fleet.workers(proxy=proxy, **size.far) as [worker],
        ):
            yield f"store {delay} ms away: ready, seconds", worker.start(min(size.limit, 30.0))
            served = worker.call("serve", seconds=10.0, pause=0.01)
            yield f"store {delay} ms away: 503, percent", 100 * (1 - served["good"])


def one_change(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Let a worker follow changes that another one makes one by one."""
    count, pause = 200, 0.02
    with fleet.workers() as [worker], writing(fleet, size) as writer:
        worker.start(size.limit)
        time.sleep(1)
        marks = [worker.call("cpu"), time.monotonic()]
        time.sleep(3)
        marks += [worker.call("cpu"), time.monotonic()]
        idle = (marks[2] - marks[0]) / (marks[3] - marks[1])
        server = fleet.cpu()
        writer.call("revoke", count=count, pause=pause)
        used = worker.call("cpu") - marks[2] - idle * (time.monotonic() - marks[3])
        yield "CPU of a worker for one change elsewhere, µs", 1e6 * used / count
        yield "CPU of a worker without changes, ms a second", 1e3 * idle
        yield "server CPU for one change with two workers, µs", 1e6 * (fleet.cpu() - server) / count


def bulk(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Revoke many subjects from Python, one by one and in bulk, and from the command line."""
    with writing(fleet, size) as writer:
        single = writer.call("revoke", count=size.bulk // 10)
        yield f"{size.bulk // 10:,} revocations one by one, seconds", single
        seconds = writer.call("fill", count=size.bulk, first=10**7)
        yield f"{size.bulk:,} revocations by revoke_many(), seconds", seconds
    with Proxy(fleet.port, delay=0.025) as proxy, writing(fleet, size, proxy) as writer:
        seconds = writer.call("fill", count=size.bulk, first=2 * 10**7)
        yield f"{size.bulk:,} by revoke_many(), 50 ms away, seconds", seconds
    yield f"{size.bulk:,} by the command revoke-many, seconds", _command(fleet, size)


def loss(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Empty the store, and wait until the workers have written all of it back."""
    with fleet.workers(size.losing) as workers:
        all_of(workers, "start")
        _last(all_of(workers, "ready", limit=size.limit))
        entries = {worker.call("health")["entries"] for worker in workers}
        before = fleet.commands(), fleet.cpu()
        fleet.empty()
        # The age at which a copy counts as too old is five seconds.
        found = all_of(workers, "outage", limit=2 * size.limit, at_least=10.0)
        ended = all(each["ended"] for each in found)
        if not ended:
            print(f"not well in {2 * size.limit:g} s: {found}", file=sys.stderr)
        title = f"all data lost, {size.losing} workers: "
        for name, key in (
            ("503, seconds", "failed"),
            ("until all copies are current, seconds", "old"),
        ):
            yield title + name, max(each[key] for each in found) if ended else None
        yield title + "commands of the server", fleet.commands() - before[0]
        yield title + "server CPU, seconds", fleet.cpu() - before[1]
    with fleet.workers() as [worker]:
        worker.start(size.limit)
        yield title + "entries missing after that", max(entries) - worker.call("health")["entries"]


def expired(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Revoke tokens that expired two hours ago, as many as in bulk, in an empty store."""
    fleet.empty()
    with writing(fleet, size) as writer:
        before = fleet.megabytes()
        writer.call("expired", count=size.bulk)
        time.sleep(2)
        kept = fleet.megabytes() - before
        yield f"MB in the store of {size.bulk:,} entries that expired two hours ago", kept


#: In an order in which each finds the store as it needs it: the last two change what it has.
ROWS: dict[str, Callable[[Fleet, Size], Iterator[Row]]] = {
    function.__name__: function
    for function in (
        *(fill, one_worker, workers_at_once, cold_start, requests_while_loading),
        *(load_while_changing, load_over_drops, far_store, one_change, bulk, loss, expired),
    )
}


def _command(fleet: Fleet, size: Size) -> float:
    """Return the seconds of the command, with the start of Python and of the app."""
    call = f"benchmarks.scale_worker:application({fleet.url()!r},{fleet.keys!r})"
    lines = "".join(f"command-{number:028d}\n" for number in range(size.bulk))
    began = time.monotonic()
    subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "flask", "--app", call),
            *("connector-auth", "revoke-many", "--kind", "install-id"),
        ],
        input=lines,
        text=True,
        check=True,
        capture_output=True,
        timeout=10 * size.limit,
        cwd=Path(__file__).parents[1],
    )
    return time.monotonic() - began


def _last(seconds: list[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return max(known) if len(known) == len(seconds) else None
