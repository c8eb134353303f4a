"""The cost of floods of new requests and of large key sets, in time and memory."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from statistics import median
from typing import Any

from flask import Flask

from flask_connector_auth.keys import BadKeySet, KeyRules, RemoteRules, parse_key_set
from flask_connector_auth.testing import KeySetServer

from . import driver, loads
from .key_costs import rsa_key
from .memory import growth, resident
from .mint import Mint, of_unknown_key
from .subjects import ours

_BATCH = 20


def flood(kind: str, requests: int) -> dict[str, float]:
    """Return the growth of a process in megabytes, and its slowdown by the flood.

    :param kind: see :func:`growth`.
    """
    mint = Mint()
    app = ours(mint.key_set())
    cases = loads.new(mint, count()) if kind == "new" else loads.garbage(mint.app_jwt(0))
    before = _typical(app, cases)
    driver.serve(app, islice(cases, requests))
    return {**growth(kind, requests), "after_over_before": _typical(app, cases) / before}


def unknown_keys(requests: int) -> dict[str, float]:
    """Return the cost of tokens with unknown keys, while the keys are fetched from loopback.

    :returns: ``fetches``; ``seconds`` of wall-clock time for all requests; and ``median``: the
        processor time of such a request over that of a new good token.
    """
    mint = Mint()
    with KeySetServer(mint.key_set()) as server:
        app = ours(server.url)
        good = _typical(app, loads.new(mint, count()))
        start = time.perf_counter()
        token = mint.app_jwt(0)
        bad = (loads.bad(of_unknown_key(token, number)) for number in count())
        typical = _typical(app, bad, requests // _BATCH)
        return {
            "fetches": len(server.requests),
            "seconds": time.perf_counter() - start,
            "median": typical / good,
        }


def key_set(size: int, rounds: int) -> dict[str, float]:
    """Return the cost of a key set of *size* keys.

    :returns: ``bytes`` of its text, ``seconds`` to load it, ``megabytes`` that it takes, and
        ``request``: the cost of a new good token over that with a set of one key.
    """
    rng = random.Random(5)  # noqa: S311  # it makes up moduli, and orders
    mint = Mint()
    keys: Any = {"keys": [*_public_keys(rng, size - 1), *mint.key_set()["keys"]]}
    before = resident()
    start = time.thread_time()
    app = ours(keys)
    seconds = time.thread_time() - start
    megabytes = resident() - before
    apps = {"one": ours(mint.key_set()), "many": app}
    load = loads.Load(loads.new(mint, count()))
    times = driver.measure(apps, load, rng, rounds=rounds, size=20)
    return {
        "bytes": len(json.dumps(keys)),
        "seconds": seconds,
        "megabytes": megabytes,
        "request": driver.ratios(times, "one")["many"][1],
    }


def refused_key_set(size: int) -> float:
    """Return the seconds that it takes to refuse a fetched set of *size* keys."""
    rng = random.Random(5)  # noqa: S311  # it makes up moduli
    body = json.dumps({"keys": _public_keys(rng, size)}).encode()
    start = time.thread_time()
    with suppress(BadKeySet):
        parse_key_set(body, KeyRules(["RS256"]), RemoteRules().max_keys)
        raise AssertionError(f"{size} keys were accepted")
    return time.thread_time() - start


def _public_keys(rng: random.Random, size: int) -> list[dict[str, Any]]:
    return [{**rsa_key(rng).as_dict(private=False), "kid": f"key-{n}"} for n in range(size)]


def _typical(app: Flask, cases: Iterator[loads.Case], batches: int = 51) -> float:
    """Return the median time of a batch of the next *cases*."""
    times = (driver.in_this_thread(app, list(islice(cases, _BATCH))) for _ in range(batches))
    return median(times)
