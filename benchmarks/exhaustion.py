"""The cost of tokens and keys that are made to be expensive, relative to one good request.

Run it as ``python -m benchmarks.exhaustion``.
"""

import argparse
import json
import logging
import random
import sys
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any

from flask import Flask

from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import APP_JWT, CONSUMER_JWS

from . import driver, exhaustion_report, floods, hostile, key_costs
from .entry import bytes_an_entry
from .loads import Case
from .machine import about
from .mint import ACCOUNT
from .subjects import ours

GOOD = "good, new"
_CACHE_SIZE = 64


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run."""

    rounds: int = 51
    batch: int = 20  #: requests of each kind in each round
    requests: int = 100_000  #: requests of a flood
    kids: int = 10_000  #: requests with unknown keys
    keys: tuple[int, ...] = (100, 1_000, 10_000)  #: sizes of key sets
    entries: int = 200  #: entries of the cache, each of the largest size


QUICK = Size(rounds=11, requests=10_000, kids=2_000, keys=(100, 1_000), entries=50)


class Tokens:
    """Tokens of one type, sent to a view that requires it; a ConsumerJWS with a cached AppJWT."""

    def __init__(self, mint: hostile.Mint) -> None:
        self._mint = mint
        self._app_jwt = b"Bearer " + mint.issuer.app_jwt().encode()
        self._app = ours(mint.issuer.key_set(), CONNECTOR_AUTH_CACHE_SIZE=_CACHE_SIZE)
        self._bad = {"anybody": hostile.unsigned(mint), "the issuer": hostile.signed(mint)}
        self._loads = dict(self._all())

    def measure(self, size: Size) -> dict[str, dict[str, Any]]:
        """Return for each load its cost over that of a new good token, its memory, its maker."""
        for name, cases in self._loads.items():
            case = next(cases)
            if driver.answer(self._app, case)[0] != case.status:
                raise AssertionError(f"{name}: not {case.status}")
        makers = {name: maker for maker, some in self._bad.items() for name in some}
        return {
            name: {
                "cost": spread,
                "peak": _peak(self._app, self._loads[name]),
                "maker": makers.get(name, "the issuer"),
            }
            for name, spread in _costs(self._app, self._loads, size).items()
        }

    def _all(self) -> Iterator[tuple[str, Iterator[Case]]]:
        for name, make in {GOOD: self._mint.good, **hostile.large(self._mint)}.items():
            yield name, map(self._accepted, map(make, count()))
        for some in self._bad.values():
            for name, token in some.items():
                yield name, repeat(self._case(token, 401))

    def _accepted(self, token: bytes) -> Case:
        return self._case(token, 200)

    def _case(self, token: bytes, status: int) -> Case:
        if self._mint.kind == "app_jwt":
            headers = {"HTTP_AUTHORIZATION": b"Bearer " + token}
            return Case(f"/one/{ACCOUNT}", headers, status, None)
        headers = {"HTTP_AUTHORIZATION": self._app_jwt, "HTTP_X_LP_ON_BEHALF": token}
        return Case(f"/two/{ACCOUNT}", headers, status, None)


def _costs(app: Flask, loads: Mapping[str, Iterator[Case]], size: Size) -> dict[str, driver.Spread]:
    rng = random.Random(5)  # noqa: S311  # it orders
    order = [*loads]
    times: driver.Times = {name: [] for name in loads}
    with driver.frozen_heap():
        for _ in range(size.rounds):
            rng.shuffle(order)
            for name in order:
                cases = list(islice(loads[name], size.batch))
                times[name].append(driver.in_this_thread(app, cases))
    return driver.ratios(times, GOOD)


def _peak(app: Flask, cases: Iterator[Case]) -> float:
    """Return the peak memory of a request, in kilobytes, without the request itself."""
    first, second = map(driver.environ, islice(cases, 2))
    tracemalloc.start()
    driver.call(app, first)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    driver.call(app, second)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / 1e3


def entries(mint: hostile.Mint, number: int) -> dict[str, float]:
    """Return the kilobytes that tokens of the largest size take in the cache."""
    profile = APP_JWT if mint.kind == "app_jwt" else CONSUMER_JWS

    def size(make: Any) -> float:
        return bytes_an_entry(profile, mint.issuer, lambda n: make(n).decode(), number) / 1e3

    return {f"{profile.name}, {name}": size(make) for name, make in hostile.large(mint).items()}


def measure(size: Size) -> dict[str, Any]:
    """Run all measurements, one after the other."""
    rng = random.Random(5)  # noqa: S311  # it orders, and makes up moduli
    issuer = Issuer()
    mints = [hostile.Mint(issuer, "app_jwt"), hostile.Mint(issuer, "consumer_jws")]
    keys = key_costs.subjects(rng)
    return {
        **about(),
        "rounds": size.rounds,
        "batch": size.batch,
        "requests": size.requests,
        "kids": size.kids,
        "tokens": {mint.kind: Tokens(mint).measure(size) for mint in mints},
        "entries": {k: v for mint in mints for k, v in entries(mint, size.entries).items()},
        "floods": {kind: floods.flood(kind, size.requests) for kind in ("garbage", "new")},
        "unknown_keys": floods.unknown_keys(size.kids),
        "key_sets": {str(number): floods.key_set(number, size.rounds) for number in size.keys},
        "refused_key_set": floods.refused_key_set(size.keys[-1]),
        "keys": {
            name: {"cost": cost, "accepted": keys[name].accepted}
            for name, cost in key_costs.costs(keys, rng, size.rounds).items()
        },
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, print the tables, and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exhaustion")
    parser.add_argument("--quick", action="store_true", help="a minute or two instead of ten")
    parser.add_argument("--json", type=Path, help="write results here, tables beside")
    options = parser.parse_args(arguments)
    # The expected refusals need not be logged.
    logging.disable()
    results = json.loads(json.dumps(measure(QUICK if options.quick else Size())))
    print(exhaustion_report.text(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
        options.json.with_suffix(".txt").write_text(exhaustion_report.rst(results))


if __name__ == "__main__":
    main(sys.argv[1:])
