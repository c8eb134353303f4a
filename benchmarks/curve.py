"""Subjects in; what a request costs them with more and more different tokens about out."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice

from . import driver, loads
from .mint import Mint
from .subjects import SUBJECTS

#: How many different tokens are about, each as likely as any other to come next.
COUNTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


def curve(
    mint: Mint, rng: random.Random, names: list[str], *, rounds: int, size: int
) -> dict[str, dict[int, driver.Spread]]:
    """Return the cost of one AppJWT over the bare view, by subject and by count of tokens.

    Of a million tokens only those are signed that are drawn.
    """
    case = cache(lambda number: loads.good(mint, number, consumer=False))
    found: dict[str, dict[int, driver.Spread]] = {name: {} for name in names}
    for tokens in COUNTS:
        # Built anew, so that nobody knows a token from the count before.
        apps = {name: SUBJECTS[name].build(mint.key_set()) for name in names}
        cases = (case(number) for number in _drawn(tokens, rng))
        for name, app in apps.items():
            driver.serve(app, _seen_before(case, cases, tokens, 3 * SUBJECTS[name].remembers))
        times = driver.measure(apps, loads.Load(cases), rng, rounds=rounds, size=size)
        for name, ratio in driver.ratios(times, "bare").items():
            found[name][tokens] = ratio
    return found


def _seen_before(
    case: Callable[[int], loads.Case], cases: Iterator[loads.Case], tokens: int, enough: int
) -> Iterator[loads.Case]:
    """Yield what fills a cache: each token once, or, where they are too many, *enough* draws."""
    return map(case, range(tokens)) if tokens <= enough else islice(cases, enough)


def _drawn(tokens: int, rng: random.Random) -> Iterator[int]:
    """Yield numbers of tokens, each of *tokens* as likely as the others.

    Numbers are given in the order of first appearance: so few are ever needed, and all counts use
    the same ones.
    """
    numbers: dict[int, int] = {}
    while True:
        yield numbers.setdefault(rng.randrange(tokens), len(numbers))
