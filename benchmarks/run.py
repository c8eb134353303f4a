"""Runs all measurements of the comparison, and returns their results."""

import random
import sys
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask import Flask

from . import driver, loads
from .curve import curve
from .imports import import_times
from .machine import about
from .memory import KINDS, growth
from .mint import Mint
from .subjects import SUBJECTS

PACKAGE = "flask_connector_auth"
Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run."""

    rounds: int = 101
    batch: int = 100  #: requests to each subject in each round
    requests: int = 100_000  #: requests of the memory and flood measurements
    imports: int = 30  #: interpreters to start for each import time


QUICK = Size(rounds=21, requests=20_000, imports=20)


class Runner:
    """Measures the subjects *names*, of which the first is the bare view."""

    def __init__(self, names: list[str], size: Size) -> None:
        self.names = names
        self.size = size
        self.rng = random.Random(5)  # noqa: S311  # it orders subjects and draws from a set
        self.mint = Mint()
        self.apps = self._build(names, self.mint.key_set())

    def run(self) -> Results:
        """Check that all subjects give the right answers, then run all measurements."""
        good, bad = loads.good_loads(self.mint, self.rng), loads.bad_loads(self.mint)
        for load in (*good.values(), *bad.values()):
            self._check(self.apps, load)
        results: Results = {
            **about(),
            "rounds": self.size.rounds,
            "batch": self.size.batch,
            "requests": self.size.requests,
            "titles": {name: SUBJECTS[name].title for name in self.names},
            "loads": {},
        }
        for name, load in {**good, **bad}.items():
            _show_progress(name)
            results["loads"][name] = self._ratios(load)
        _show_progress("four threads")
        results["four_threads"] = self._four_threads(good["two tokens, repeated"])
        _show_progress("key set of 50")
        results["key_sets"] = self._key_sets(good["one token, every one new"])
        _show_progress("number of tokens")
        drawn = [name for name in self.names if name != "raw"]
        results["curve"] = curve(
            self.mint, self.rng, drawn, rounds=self.size.rounds, size=self.size.batch
        )
        if "ours" in self.names:
            results |= self._ours_alone(good["one token, hot set of 1,000"])
        return results

    def _ratios(self, load: loads.Load) -> dict[str, driver.Spread]:
        """Each subject's time over that of the bare view."""
        case = next(load.cases)
        apps = {n: app for n, app in self.apps.items() if n != "raw" or case.status == 200}
        return driver.ratios(self._measure(apps, load), "bare")

    def _four_threads(self, load: loads.Load) -> dict[str, driver.Spread]:
        """Each subject's time over that of the bare view, with four threads in this process."""
        with driver.in_threads(4) as run:
            return driver.ratios(self._measure(self.apps, load, run), "bare")

    def _key_sets(self, load: loads.Load) -> dict[str, driver.Spread]:
        """Each subject's time with a key set of 50 over its time with a key set of 1."""
        names = [name for name in self.names if SUBJECTS[name].authenticates]
        many = self._build(names, self.mint.key_set(50))
        self._check(many, load)
        found = {}
        for name in names:
            pair = {"1": self.apps[name], "50": many[name]}
            found[name] = driver.ratios(self._measure(pair, load), "1")["50"]
        return found

    def _ours_alone(self, hot: loads.Load) -> Results:
        count = self.size.requests
        _show_progress("garbage flood")
        pair = {name: self.apps[name] for name in ("bare", "ours")}
        before = driver.ratios(self._measure(pair, hot), "bare")["ours"]
        driver.serve(pair["ours"], islice(loads.garbage(self.mint.app_jwt(0)), count))
        # Without a new warm-up, which would hide what the flood did to the hot set.
        after = driver.ratios(self._measure(pair, loads.Load(hot.cases)), "bare")["ours"]
        _show_progress("memory")
        memory = {kind: growth(kind, count) for kind in KINDS}
        _show_progress("import time")
        imports = import_times(["flask", PACKAGE], self.size.imports)
        return {"flood": {"before": before, "after": after}, "memory": memory, "imports": imports}

    def _measure(
        self, apps: driver.Apps, load: loads.Load, run: driver.Run = driver.in_this_thread
    ) -> driver.Times:
        size = self.size
        return driver.measure(apps, load, self.rng, rounds=size.rounds, size=size.batch, run=run)

    def _check(self, apps: dict[str, Flask], load: loads.Load) -> None:
        # Twice, since a cached token takes another path.
        cases = 2 * list(islice(load.cases, 3))
        for name, app in apps.items():
            if name != "raw" or cases[0].status == 200:
                driver.check(app, cases, SUBJECTS[name].authenticates)

    def _build(self, names: list[str], keys: Any) -> dict[str, Flask]:
        return {name: SUBJECTS[name].build(keys) for name in names}


def _show_progress(measurement: str) -> None:
    print(f"measuring: {measurement}", file=sys.stderr)
