"""A simulated issuer and clock around a real key source."""

import json
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey

from flask_connector_auth.core import Reason, Unavailable
from flask_connector_auth.keys import (
    FetchFailed,
    FetchResponse,
    KeyRules,
    KeySetBackup,
    KeySetLoader,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
)

URL = "https://issuer.example/jwks"
RULES = KeyRules(["ES256"])
StartThread = Callable[[Callable[[], None]], threading.Thread | None]


def run_now(run: Callable[[], None]) -> None:
    """Fetch in the thread of the lookup: simulated time does not pass meanwhile."""
    run()


class World:
    """A key set at :data:`URL`, a clock, and a count of fetches."""

    def __init__(self, *kids: str) -> None:
        self.now = 0.0
        self.fetches: list[float] = []
        self.up = True
        self.entries: dict[str, dict[str, Any]] = {}
        self.headers: dict[str, str] = {}
        self.meanwhile: Callable[[], None] = lambda: None
        self.publish(*kids)

    def publish(self, *kids: str) -> None:
        """Let the set have these keys, and no others."""
        self.entries = {kid: self.entries.get(kid) or new_key(kid) for kid in kids}

    def renew(self, kid: str) -> None:
        """Put new key material under an old kid."""
        self.entries[kid] = new_key(kid)

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def fetch(
        self, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int
    ) -> FetchResponse:
        """Respond as the issuer does at this time."""
        self.fetches.append(self.now)
        self.meanwhile()
        if not self.up:
            raise FetchFailed("down")
        return FetchResponse(
            200, json.dumps({"keys": list(self.entries.values())}).encode(), self.headers
        )

    def source(
        self,
        rules: RemoteRules | None = None,
        start_thread: StartThread = run_now,
        clock: Callable[[], float] | None = None,
        backup: KeySetBackup | None = None,
    ) -> RemoteKeys:
        """Return a source of this world's keys.

        :param clock: in place of :meth:`clock`.
        :param backup: see :class:`KeySetLoader`.
        """
        rules = rules or RemoteRules()
        policy = RefreshPolicy(rules, random.Random(1).random)
        loader = KeySetLoader([URL], self.fetch, RULES, rules, backup)
        return RemoteKeys(policy, loader, clock or self.clock, start_thread)


def new_key(kid: str) -> dict[str, Any]:
    """Return a new public key."""
    return {**ECKey.generate_key("P-256").as_dict(private=False), "kid": kid}


def kids(source: RemoteKeys, kid: str | None, algorithm: str = "ES256") -> list[str | None]:
    """Return the ids of the keys that a token gets."""
    return [key.kid for key in source.candidates(kid, algorithm)]


def unavailable(source: RemoteKeys, kid: str) -> float:
    """Assert that the keys are unavailable; return the seconds to wait."""
    with pytest.raises(Unavailable) as caught:
        source.candidates(kid, "ES256")
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    return caught.value.retry_after


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once *condition* holds; fail after ten seconds."""
    tick = threading.Event()
    for _ in range(1000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not happen")
