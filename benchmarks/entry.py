"""What an entry of the cache of verified tokens takes: bytes, and time of the garbage collector.

Run it as ``python -m benchmarks.entry``.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask_connector_auth import AppJWT
from flask_connector_auth.keys import KeyRules, StaticKeys, parse_keys
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import (
    APP_JWT,
    CONSUMER_JWS,
    Authenticator,
    CachedToken,
    TokenCache,
    Verifier,
    VerifierRules,
)

ENTRIES = 2000
#: As many tokens as a large cache remembers.
MANY = 100_000


def bytes_an_entry(
    profile: Any, issuer: Issuer, mint: Callable[[int], str], entries: int = ENTRIES
) -> float:
    """Return the average bytes of an entry in a cache with *entries* tokens of *mint*."""
    keys, _ = parse_keys(issuer.key_set(), KeyRules(["RS256"]))
    rules = VerifierRules(("RS256",), issuer.name, 30, None, 16384, 2048, entries, 300)
    verifier: Verifier[Any] = Verifier(profile, rules, StaticKeys(keys))
    authenticator = Authenticator([verifier])
    now = time.time()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(entries):
        authenticator.authenticate(mint(number), now)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / entries


def pause() -> float:
    """Return the milliseconds of a full collection, the shortest of some."""
    found = []
    for _ in range(7):
        began = time.perf_counter()
        gc.collect()
        found.append(1000 * (time.perf_counter() - began))
    return min(found)


def filled(entries: int) -> TokenCache[AppJWT]:
    """Return a cache with so many AppJWTs, as a verifier puts them in."""
    cache: TokenCache[AppJWT] = TokenCache(entries)
    verifier: Any = None
    key = object()
    for number in range(entries):
        claims = {
            **{"aud": "le81823118", "azp": f"75588e18-{number:027d}", "scope": "msg.consumer"},
            **{"iss": "Sentinel", "iat": 1790000000 + number, "exp": 1790003600 + number},
        }
        token, since = APP_JWT.build(claims, "Sentinel"), float(number)
        entry = CachedToken(token, verifier, "k", "RS256", key, since, since + 300)
        cache.put(sha256(b"%d" % number).digest(), entry)
    return cache


def collections(entries: int = MANY) -> dict[str, float]:
    """Return the milliseconds of a full collection, before and after what exists is frozen.

    ``alone`` is with all frozen but the entries.
    """
    found = {"empty": pause()}
    for name in ("full", "alone"):
        cache = filled(entries)
        found[name] = pause()
        del cache
        gc.collect()
        gc.freeze()
    cache = filled(entries)
    gc.freeze()
    found["frozen"] = pause()
    # What is frozen is freed as ever once it is evicted.
    frozen = gc.get_freeze_count()
    del cache
    found["freed objects"] = frozen - gc.get_freeze_count()
    gc.unfreeze()
    return found


def main() -> None:
    """Print the bytes for both types of token, and the pauses of the garbage collector."""
    issuer = Issuer()
    app = bytes_an_entry(APP_JWT, issuer, lambda n: issuer.app_jwt(azp=f"75588e18-{n:027d}"))
    consumer = bytes_an_entry(
        CONSUMER_JWS, issuer, lambda n: issuer.consumer_jws(ext_consumer_id=f"random_id0.{n:017d}")
    )
    print(f"an AppJWT: {app:.0f} bytes, a ConsumerJWS: {consumer:.0f} bytes")
    for name, amount in collections().items():
        print(f"{name}: {amount:.1f}" + (" ms" if "objects" not in name else ""))


if __name__ == "__main__":
    main()
