"""The bytes that an entry of the cache of verified tokens takes, for each type of token.

Run it as ``python -m benchmarks.entry``.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from flask_connector_auth.keys import KeyRules, StaticKeys, parse_keys
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import (
    APP_JWT,
    CONSUMER_JWS,
    Authenticator,
    Verifier,
    VerifierRules,
)

ENTRIES = 2000


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


def main() -> None:
    """Print the bytes for both types of token."""
    issuer = Issuer()
    app = bytes_an_entry(APP_JWT, issuer, lambda n: issuer.app_jwt(azp=f"75588e18-{n:027d}"))
    consumer = bytes_an_entry(
        CONSUMER_JWS, issuer, lambda n: issuer.consumer_jws(ext_consumer_id=f"random_id0.{n:017d}")
    )
    print(f"an AppJWT: {app:.0f} bytes, a ConsumerJWS: {consumer:.0f} bytes")


if __name__ == "__main__":
    main()
