"""Loads for the benchmarks: endless requests of one kind, each with its expected answer."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, repeat

from .mint import ACCOUNT, Mint, consumer_id, install_id, of_unknown_key, with_bad_signature

HOT_SET = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and the expected answer of an app that authenticates."""

    path: str
    headers: Mapping[str, bytes]  #: by WSGI name
    status: int
    body: Mapping[str, str] | None  #: body of the answer, if its status is 200


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one kind."""

    cases: Iterator[Case]  #: endless
    warm: Sequence[Case] = ()  #: requests that a running server has served before


def good(mint: Mint, number: int, consumer: bool) -> Case:
    """Return a request with the good tokens of *number*: the AppJWT, or both."""
    headers = {"HTTP_AUTHORIZATION": b"Bearer " + mint.app_jwt(number)}
    body = {"account_id": ACCOUNT, "install_id": install_id(number)}
    if consumer:
        headers["HTTP_X_LP_ON_BEHALF"] = mint.consumer_jws(number)
        body["consumer_id"] = consumer_id(number)
    return Case(f"/{'two' if consumer else 'one'}/{ACCOUNT}", headers, 200, body)


def bad(app_jwt: bytes | None) -> Case:
    """Return a request for the view of one token, with a bad AppJWT or none."""
    headers = {} if app_jwt is None else {"HTTP_AUTHORIZATION": b"Bearer " + app_jwt}
    return Case(f"/one/{ACCOUNT}", headers, 401, None)


def good_loads(mint: Mint, rng: random.Random) -> dict[str, Load]:
    """Return the loads of good tokens, by name.

    No token of the loads "every one new" is used twice, not even in another load.
    """
    loads, numbers = {}, count(HOT_SET)
    for name, consumer in (("one token", False), ("two tokens", True)):
        hot = [good(mint, number, consumer) for number in range(HOT_SET)]
        loads[f"{name}, repeated"] = Load(repeat(hot[0]), hot[:1])
        loads[f"{name}, hot set of {HOT_SET:,}"] = Load(drawn(hot, rng), hot)
        loads[f"{name}, every one new"] = Load(new(mint, numbers, consumer))
    return loads


def bad_loads(mint: Mint) -> dict[str, Load]:
    """Return the loads of bad AppJWTs, by name."""
    token = mint.app_jwt(0)
    return {
        "missing": Load(repeat(bad(None))),
        # A token that was truncated.
        "malformed": Load(repeat(bad(token[: len(token) // 3]))),
        "bad signature, repeated": Load(repeat(bad(with_bad_signature(token, 0)))),
        "bad signature, every one new": Load(forged(token)),
        "expired": Load(repeat(bad(mint.expired(0)))),
    }


def new(mint: Mint, numbers: Iterable[int], consumer: bool = False) -> Iterator[Case]:
    """Yield good requests whose tokens are new, as long as *numbers* are."""
    return (good(mint, number, consumer) for number in numbers)


def forged(token: bytes) -> Iterator[Case]:
    """Yield requests, each with a different bad signature."""
    return (bad(with_bad_signature(token, number)) for number in count(1))


def garbage(token: bytes) -> Iterator[Case]:
    """Yield new bad requests, in turn of three kinds: truncated, forged, with an unknown key."""
    for number in count(1):
        yield bad(b"%08d%s" % (number, token[:200]))
        yield bad(with_bad_signature(token, number))
        yield bad(of_unknown_key(token, number))


def drawn(cases: Sequence[Case], rng: random.Random) -> Iterator[Case]:
    """Yield random ones of *cases*, endlessly."""
    while True:
        yield rng.choice(cases)
