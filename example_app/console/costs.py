"""Measures how long the verification of a request's tokens takes, and whether the cache had them.

The clock starts in the last hook before the view and stops when ``token_verified`` is sent, which
is before the code of the view: between them run only the two decorators. If the count of cache
misses went up, the request verified a token; with concurrent requests, it may have been another
one.
"""

from collections import deque
from itertools import count
from time import perf_counter_ns
from typing import Any

from flask import Blueprint, Flask, current_app, request

from flask_connector_auth import ConnectorAuth, token_verified

#: Number of requests whose costs are kept.
KEPT = 60
BEGAN = "example_app.console.began"


class Costs:
    """The cost of authentication in the last requests to the watched blueprint."""

    def __init__(self, app: Flask, connector_auth: ConnectorAuth) -> None:
        self._app, self._connector_auth = app, connector_auth
        self._numbers = count(1)
        self._last: deque[dict[str, Any]] = deque(maxlen=KEPT)
        # A weak reference: the signal stays connected as long as the app holds this object.
        token_verified.connect(self._verified, sender=app)

    def last(self) -> list[dict[str, Any]]:
        """Return ``number``, ``microseconds`` and ``cached`` of each request, the oldest first."""
        return list(self._last)

    def begin(self) -> None:
        """Start the clock for the current request."""
        request.environ[BEGAN] = self._misses(), perf_counter_ns()

    def _verified(self, _app: Flask, **_tokens: Any) -> None:
        end = perf_counter_ns()
        misses, began = request.environ.pop(BEGAN, (0, 0))
        if began:
            cost = {
                "number": next(self._numbers),
                "microseconds": (end - began) / 1000,
                "cached": self._misses() == misses,
            }
            self._last.append(cost)

    def _misses(self) -> int:
        caches: dict[str, dict[str, int]] = self._connector_auth.health(self._app)["cache"]
        return sum(cache["misses"] for cache in caches.values())


def watch(blueprint: Blueprint) -> None:
    """Measure the requests to *blueprint*; no other hook may follow, since it would be measured."""
    blueprint.before_request(_begin)


def _begin() -> None:
    current_app.extensions["console"].costs.begin()
