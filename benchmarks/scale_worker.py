"""A worker of the benchmark ``scale``: an app in a process of its own, which obeys commands.

:mod:`benchmarks.scale_fleet` runs it. Each line of standard input is a command in JSON, and gets
one line of JSON as its answer. Only the public interface of the package is used. Each command ends
by itself, and the process ends with its standard input.
"""

import json
import logging
import os
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import redis  # noqa: F401  # imported before the start of the app, which is measured
from flask import Flask

from flask_connector_auth import ConnectorAuth, require_app_jwt

from .memory import resident

# Seconds between two looks at the state.
_LOOK = 0.005
_TOKENS_IN_A_HUNDRED = 90
_CHURNED = 1000
_QUIET = 3.0
_ENVIRON = {
    **{"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http"},
    **{"SERVER_NAME": "localhost", "SERVER_PORT": "80"},
    **{"wsgi.input": BytesIO(), "wsgi.errors": sys.stderr},
}


def application(url: str, keys: str, **settings: Any) -> Flask:
    """Return an app of the store at *url*; *keys* is the path of a file with its key set."""
    app = Flask("worker")
    found = json.loads(Path(keys).read_text())["keys"]
    named = {"CONNECTOR_AUTH_APP_JWT_KEYS": found, "CONNECTOR_AUTH_REVOCATION_URL": url}
    app.config.update(named | settings)
    app.add_url_rule("/one", "one", require_app_jwt(lambda: {}))
    app.add_url_rule("/open", "open", lambda: {})
    ConnectorAuth(app)
    return app


class Worker:
    """The app of this process, and what can be done with it: each method is a command.

    :param arguments: those of :func:`application`.
    :param tokens: AppJWTs.
    """

    def __init__(self, arguments: dict[str, Any], tokens: list[str]) -> None:
        self._arguments = arguments
        self._tokens = cycle(tokens)
        self._changed = 0

    def start(self) -> None:
        """Start the app, and then to read the store, as the first probe does."""
        self._make()
        self._revocations.health()

    def ready(self, limit: float) -> float | None:
        """Return how many seconds after the start the app was ready; ``None``: not in *limit*."""
        for _ in self._looks(limit):
            if self._revocations.health()["ready"]:
                return time.monotonic() - self._began
        return None

    def health(self) -> dict[str, Any]:
        """Return the health of the revocations."""
        found: dict[str, Any] = self._revocations.health()
        return found

    def memory(self) -> dict[str, float]:
        """Return the resident memory now, and its peak since the last call, in megabytes."""
        status = Path("/proc/self/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        now = resident()
        # Linux: the peak starts anew.
        Path("/proc/self/clear_refs").write_text("5")
        return {"now": now, "peak": int(line.split()[1]) * 1024 / 1e6}

    def cpu(self) -> float:
        """Return the seconds of processor time that this process has used."""
        return time.process_time()

    def fill(self, count: int, first: int = 0) -> float:
        """Revoke *count* tokens and installs, and return for how many seconds."""
        began = time.perf_counter()
        self._revocations.revoke_many(_subjects(first, count))
        return time.perf_counter() - began

    def churn(self, count: int, rate: float) -> None:
        """Make *count* changes of a thousand installs, at most *rate* a second."""
        began = time.monotonic()
        for done in range(0, count, _CHURNED):
            time.sleep(max(0.0, began + done / rate - time.monotonic()))
            self._revocations.revoke_many(map(_install, range(_CHURNED)))
            self._changed = done + _CHURNED

    def begin_churn(self, count: int, rate: float) -> None:
        """Begin what :meth:`churn` does, and go on with the next command."""
        self._churn_began, self._changed = time.monotonic(), 0
        threading.Thread(target=self.churn, args=(count, rate), daemon=True).start()

    def churned(self) -> float:
        """Return how many changes a second :meth:`begin_churn` has made until now."""
        return self._changed / (time.monotonic() - self._churn_began)

    def revoke(self, count: int, pause: float = 0.0) -> float:
        """Revoke *count* installs one by one, with a pause after each; return the seconds."""
        began = time.perf_counter()
        for number in range(count):
            self._revocations.revoke(**_install(number))
            time.sleep(pause)
        return time.perf_counter() - began

    def expired(self, count: int) -> None:
        """Revoke *count* tokens that expired two hours ago; then something else, now and then."""
        payload = {"exp": int(time.time()) - 7200}
        self._revocations.revoke_many(
            {"token": f"eyJ9.{_base64({**payload, 'jti': number})}.c2ln"} for number in range(count)
        )
        self.revoke(200, 0.01)

    def serve(self, seconds: float, pause: float = 0.005, *, until_current: bool = False) -> Any:
        """Send requests, and return the share of the good ones, and the p99 of their times.

        A time counts from when the request was due: clients do not wait for each other.

        :param until_current: whether to end as soon as the copy is a second old at most.
        """
        times, began, is_current, number = [], time.perf_counter(), not until_current, 0
        for number in range(round(seconds / pause)):
            due = began + number * pause
            time.sleep(max(0.0, due - time.perf_counter()))
            is_good = self._send("/one") == 200
            now = time.perf_counter()
            times += [now - due] if is_good else []
            lag = self._revocations.health()["lag"] if until_current else None
            is_current = is_current or (lag is not None and lag < 1)
            if now - began > seconds or (until_current and is_current):
                break
        p99 = sorted(times)[len(times) * 99 // 100] if times and is_current else None
        return {"good": len(times) / (number + 1), "p99": p99}

    def outage(self, limit: float, at_least: float) -> dict[str, Any]:
        """Send requests until all is well again, and return how many seconds that took.

        :param at_least: seconds before which it does not end.
        :returns: ``failed``: from the first answer that was not good to the last one; ``old``:
            until the copy was current for good; ``ended``: whether all was well in *limit*.
        """
        began, failed, old, ended = time.monotonic(), [0.0, 0.0], 0.0, False
        for look in self._looks(limit, 0.01):
            now = look - began
            if self._send("/one") != 200:
                failed = [failed[0] or now, now]
            lag = self._revocations.health()["lag"]
            old = now if lag is None or lag > 1 else old
            if now > at_least and now - max(old, failed[1]) > _QUIET:
                ended = True
                break
        return {"failed": failed[1] - failed[0], "old": old, "ended": ended}

    def _make(self) -> None:
        self._began = time.monotonic()
        self._app = application(**self._arguments)
        self._revocations = self._app.extensions["connector_auth"].revocations

    def _looks(self, limit: float, pause: float = _LOOK) -> Iterator[float]:
        began = now = time.monotonic()
        while now - began < limit:
            yield now
            time.sleep(pause)
            now = time.monotonic()

    def _send(self, path: str) -> int:
        statuses: list[str] = []

        def start_response(status: str, _headers: Any, _error: Any = None) -> Any:
            statuses.append(status)

        token = next(self._tokens)
        environ = {**_ENVIRON, "PATH_INFO": path, "HTTP_AUTHORIZATION": f"Bearer {token}"}
        body = self._app.wsgi_app(environ, start_response)
        for _ in body:
            pass
        return int(statuses[0].partition(" ")[0])


def _subjects(first: int, count: int) -> Iterator[dict[str, Any]]:
    for number in range(first, first + count):
        if number % 100 < _TOKENS_IN_A_HUNDRED:
            yield {"digest": os.urandom(32)}
        else:
            yield {"install_id": f"75588e18-{number:027d}"}


def _install(number: int) -> dict[str, str]:
    return {"install_id": f"churned-{number:028d}"}


def _base64(claims: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def obey(commanded: Any) -> None:
    """Obey commands, which are methods of *commanded*, until standard input ends."""
    print("null", flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(getattr(commanded, name)(**arguments)), flush=True)


def main(url: str, keys: str, settings: str) -> None:
    """Run a worker."""
    # The log would report the outages that are measured.
    logging.disable()
    arguments = {"url": url, "keys": keys, **json.loads(settings)}
    obey(Worker(arguments, json.loads(Path(keys).read_text())["tokens"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
