"""Forks while a fetch is under way, in a separate process; exit status 0 if the child continues.

The parent's fetch hangs until the child has ended, and holds the lock for a moment at the fork, as
another thread might.
"""

import os
import sys
import threading
from collections.abc import Mapping

from flask_connector_auth.keys import (
    FetchResponse,
    KeyRules,
    KeySetLoader,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
)
from tests.support.simulation import URL, World

world = World("a")
parent, hang, hanging = os.getpid(), threading.Event(), threading.Event()


def fetch(url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int) -> FetchResponse:
    """Hang in the parent, from the second time on; answer in the child."""
    if os.getpid() == parent and world.fetches:
        hanging.set()
        hang.wait(20)
    return world.fetch(url, headers=headers, timeout=timeout, max_bytes=max_bytes)


def kids(source: RemoteKeys, kid: str) -> list[str | None]:
    """Return the ids of the candidate keys."""
    return [key.kid for key in source.candidates(kid, "ES256")]


def in_child(source: RemoteKeys) -> int:
    """Use the inherited set, and fetch a new one."""
    inherited = kids(source, "a") == ["a"]
    fetched = kids(source, "b") == ["b"]
    return 0 if inherited and fetched else 1


def main() -> int:
    """Return 0 if parent and child both see the new key."""
    rules = RemoteRules(wait=10, cooldown=0.001)
    keys = KeySetLoader([URL], fetch, KeyRules(["ES256"]), rules)
    source = RemoteKeys(RefreshPolicy(rules), keys)
    assert kids(source, "a") == ["a"]
    world.publish("a", "b")
    answers: list[list[str | None]] = []
    asking = threading.Thread(target=lambda: answers.append(kids(source, "b")))
    asking.start()
    assert hanging.wait(10)
    with source._lock:
        child = os.fork()
    if child == 0:
        os._exit(in_child(source))
    _, status = os.waitpid(child, 0)
    hang.set()
    asking.join(10)
    return 0 if status == 0 and answers == [["b"]] else 1


if __name__ == "__main__":
    sys.exit(main())
