"""The cost of a request by the number of different tokens in use."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice

from . import driver, loads
from .mint import Mint
from .subjects import SUBJECTS

#: Numbers of different tokens, each of which is equally likely to come next.
COUNTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


def curve(
    mint: Mint, rng: random.Random, names: list[str], *, rounds: int, size: int
) -> dict[str, dict[int, driver.Spread]]:
    """Return the cost of one AppJWT over the bare view, by subject and by number of tokens.

    Only tokens that are drawn are signed, not a whole million.
    """
    case = cache(lambda number: loads.good(mint, number, consumer=False))
    found: dict[str, dict[int, driver.Spread]] = {name: {} for name in names}
    for tokens in COUNTS:
        # New apps, whose caches hold no token of the previous count.
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
    """Yield requests that fill a cache: each token once, or *enough* draws if that is fewer."""
    return map(case, range(tokens)) if tokens <= enough else islice(cases, enough)


def _drawn(tokens: int, rng: random.Random) -> Iterator[int]:
    """Yield numbers of tokens, each of *tokens* with the same probability.

    Numbers are assigned in the order of first appearance: so only few tokens are signed, and all
    counts use the same ones.
    """
    numbers: dict[int, int] = {}
    while True:
        yield numbers.setdefault(rng.randrange(tokens), len(numbers))
