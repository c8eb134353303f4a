"""A gunicorn worker of the benchmark ``scale``, and its clients in a process of their own.

The client obeys commands as :mod:`benchmarks.scale_worker` does; :mod:`benchmarks.scale_fleet` runs
it. Each request is sent when it is due, whether earlier ones have been answered or not.
"""

import json
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from flask import Flask

from flask_connector_auth import ConnectorAuth

from . import scale_worker
from .served import naming_its_worker

_LOOK = 0.1
_SENDERS = 4
_TIMEOUT = 60


def application(url: str, keys: str, settings: str, warm: float = 0.0) -> Flask:
    """Return the app that gunicorn serves; the arguments are text and numbers for its command line.

    :param settings: see :func:`benchmarks.scale_worker.application`, in JSON.
    :param warm: seconds for which the app may load what it needs before it serves.
    """
    app = naming_its_worker(scale_worker.application(url, keys, **json.loads(settings)))
    cache = app.extensions["connector_auth"].revocations.cache
    app.add_url_rule("/lag", "lag", lambda: {"lag": cache.lag()})
    # It would report the outages that are measured.
    logging.getLogger("flask_connector_auth").setLevel(logging.CRITICAL)
    if warm:
        ConnectorAuth().warm(warm, app)
    return app


class Client:
    """Sends requests to a server on loopback: each method is a command.

    :param tokens: AppJWTs.
    """

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._port = port
        self._headers = [{"Authorization": f"Bearer {token}"} for token in tokens]

    def serve(self, seconds: float, pause: float = 0.005, *, until_current: bool = False) -> Any:
        """Send requests for *seconds*; return the share of the good ones, and their p99 in seconds.

        :param until_current: whether to end as soon as the copy is a second old at most.
        """
        end, began, times = threading.Event(), time.perf_counter(), []
        sent = 0

        def send(first: int) -> None:
            nonlocal sent
            with closing(self._connected()) as connection:
                for number in range(first, round(seconds / pause), _SENDERS):
                    due = began + number * pause
                    if end.wait(max(0.0, due - time.perf_counter())):
                        break
                    sent += 1
                    if self._status(connection, "/one", number) == 200:
                        times.append(time.perf_counter() - due)

        with ThreadPoolExecutor(_SENDERS) as pool:
            senders = [pool.submit(send, first) for first in range(_SENDERS)]
            is_current = not until_current or self._wait_until_current(seconds)
            if until_current:
                end.set()
            for sender in senders:
                sender.result()
        ordered = sorted(times) if is_current else []
        p99, longest = (ordered[len(ordered) * 99 // 100], ordered[-1]) if ordered else (None, None)
        return {"good": len(times) / max(1, sent), "p99": p99, "longest": longest}

    def cold(self, clients: int, seconds: float, pause: float = 0.05) -> Any:
        """Let *clients* send a good token at once, and send other requests for *seconds*.

        :returns: ``good``: how many of the clients were served at their first attempt; ``waited``:
            the longest that a view took that asks for no token.
        """
        began = time.perf_counter()

        def send(path: str, number: int, due: float) -> tuple[int, float]:
            time.sleep(max(0.0, due - time.perf_counter()))
            with closing(self._connected()) as connection:
                status = self._status(connection, path, number)
            return status, time.perf_counter() - due

        with ThreadPoolExecutor(clients + round(seconds / pause)) as pool:
            good = [pool.submit(send, "/one", number, began) for number in range(clients)]
            others = [
                pool.submit(send, "/open", 0, began + number * pause)
                for number in range(1, round(seconds / pause))
            ]
            return {
                "good": sum(each.result()[0] == 200 for each in good),
                "waited": max(each.result()[1] for each in others),
            }

    def _wait_until_current(self, seconds: float) -> bool:
        began = time.monotonic()
        with closing(self._connected()) as connection:
            while time.monotonic() - began < seconds:
                connection.request("GET", "/lag")
                lag = json.loads(connection.getresponse().read())["lag"]
                if lag is not None and lag < 1:
                    return True
                time.sleep(_LOOK)
        return False

    def _status(self, connection: HTTPConnection, path: str, number: int) -> int:
        connection.request("GET", path, headers=self._headers[number % len(self._headers)])
        with connection.getresponse() as response:
            response.read()
        return response.status

    def _connected(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)


def main(port: str, keys: str) -> None:
    """Obey commands until standard input ends."""
    scale_worker.obey(Client(int(port), json.loads(Path(keys).read_text())["tokens"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
