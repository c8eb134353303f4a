"""Rows of the benchmark ``scale`` that clients of a gunicorn worker with four threads measure."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_connector_auth.testing import KeySetServer

from .scale_fleet import Fleet, Obeying, Proxy, Row, Size, writing
from .served import gunicorn

_CLIENTS = 8
# Seconds for which requests are sent to a worker that has started.
_COLD = 3.0
# Seconds for which requests are sent after a loss: enough to write back a million entries.
_LOSS = 10.0
#: Seconds that the key server takes for its answer, and the store for each of its answers; and for
#: which the worker loads what it needs before it serves.
STARTS = {
    "all near": (0.01, 0.001, 0.0),
    "keys after 1.5 s": (1.5, 0.001, 0.0),
    "keys and store after 1.5 s": (1.5, 1.5, 0.0),
    "the same with warm()": (1.5, 1.5, 10.0),
}


@contextmanager
def clients(
    fleet: Fleet, proxy: Proxy, settings: dict[str, Any], warm: float = 0.0
) -> Iterator[Obeying]:
    """Run a server, and yield what sends requests to it.

    :param settings: of the app, without prefix.
    """
    named = json.dumps({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
    arguments = fleet.url(proxy), fleet.keys, named, warm
    call = f"benchmarks.scale_served:application({','.join(map(repr, arguments))})"
    with gunicorn(call, workers=1) as server:
        port = str(server.connections[0].port)
        with Obeying("scale_served", port, fleet.keys) as client:
            yield client


def cold_start(fleet: Fleet, _size: Size) -> Iterator[Row]:
    """Start while good clients wait for more answers than there are threads."""
    keys = json.loads(Path(fleet.keys).read_text())["keys"]
    for name, (key_delay, store_delay, warm) in STARTS.items():
        with KeySetServer(keys) as key_server, Proxy(fleet.port, delay=store_delay / 2) as proxy:
            key_server.delay = key_delay
            settings = {"APP_JWT_KEYS": key_server.url}
            with clients(fleet, proxy, settings, warm) as client:
                found = client.call("cold", clients=_CLIENTS, seconds=_COLD)
        title = f"cold start, {name}: "
        yield title + "a view without tokens waits, seconds", found["waited"]
        yield title + f"503 for the first requests of {_CLIENTS} clients", _CLIENTS - found["good"]


def requests_while_loading(fleet: Fleet, size: Size) -> Iterator[Row]:
    """Let a worker that serves read what it has missed, and then compare all after a loss."""
    with (
        Proxy(fleet.port) as proxy,
        clients(fleet, proxy, {"REVOCATION_MAX_LAG": 120}, warm=size.limit) as client,
        writing(fleet, size) as writer,
    ):
        client.call("serve", seconds=1.0)
        yield "requests, p99 in ms", _ms(client.call("serve", seconds=3.0)["p99"])
        proxy.set(hold=True)
        writer.call("churn", count=size.missed, rate=1e9)
        client.begin("serve", seconds=size.limit, until_current=True)
        proxy.set()
        loading = client.answer()
        title = f"requests while {size.missed:,} missed changes are read, "
        yield title + "p99 in ms", _ms(loading["p99"])
        yield title + "longest in ms", _ms(loading["longest"])
        fleet.empty()
        lost = client.call("serve", seconds=_LOSS)
        title = "requests while lost data are written back, "
        yield title + "p99 in ms", _ms(lost["p99"])
        yield title + "longest in ms", _ms(lost["longest"])
        yield title + "503, percent", 100 * (1 - lost["good"])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
