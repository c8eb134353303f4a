"""Rotates keys, and revokes and restores tokens, while requests are served."""

import random
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flask_connector_auth.core import keys_refreshed
from flask_connector_auth.revocation import Revocations
from flask_connector_auth.testing import Issuer, KeySetServer

from .facts import Fact

# Most subjects that are revoked at a time, so that most tokens stay good.
_MAX_REVOKED = 6
# Fraction of changes that are rotations: few, so that between two of them it is certain which keys
# are in force.
_ROTATED = 0.02


class Rotation:
    """Publishes all keys, or all but one of them, in turn."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        #: Whether each key is in force.
        self.published = [Fact() for _ in issuers]
        self.server = KeySetServer(*issuers)
        self.count = 0
        self._issuers = issuers
        self._serving = deque(range(len(issuers)))
        self._under_way: Fact | None = None

    def step(self) -> None:
        """Withdraw a key, or publish it again; do nothing until the last step is in force."""
        if self._under_way:
            return
        if len(self._serving) == len(self._issuers):
            changed = self._serving.popleft()
        else:
            changed = (self._serving[-1] + 1) % len(self._issuers)
            self._serving.append(changed)
        self.count += 1
        self._under_way = self.published[changed]
        self._under_way.begin()
        self.server.publish(*(self._issuers[number] for number in self._serving))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Serve the keys, and end a change when the app has loaded them."""

        def landed(_source: object, **_kids: object) -> None:
            # The first set is loaded before any change.
            if self._under_way:
                self._under_way.end()
                self._under_way = None

        with self.server, keys_refreshed.connected_to(landed):
            yield


class Turmoil:
    """Makes one change at a time: a rotation, a revocation or a restoration.

    :param subjects: the subjects that can be revoked: the fact that a subject is not revoked, and
        its argument for ``revoke``.
    """

    def __init__(
        self, rotation: Rotation, subjects: Sequence[tuple[Fact, Mapping[str, Any]]]
    ) -> None:
        self.rotation = rotation
        self.revoked = 0
        self._subjects = subjects
        self._now_revoked: deque[tuple[Fact, Mapping[str, Any]]] = deque()
        self._lock = threading.Lock()

    def change(self, revocations: Revocations, rng: random.Random) -> None:
        """Make a change, unless another thread is making one."""
        if self._lock.acquire(blocking=False):
            try:
                if rng.random() < _ROTATED:
                    self.rotation.step()
                self._revoke_or_restore(revocations, rng)
            finally:
                self._lock.release()

    def _revoke_or_restore(self, revocations: Revocations, rng: random.Random) -> None:
        if len(self._now_revoked) < _MAX_REVOKED:
            fact, subject = rng.choice([pair for pair in self._subjects if pair[0].holds])
            self._now_revoked.append((fact, subject))
            self.revoked += 1
            with fact.changing():
                revocations.revoke(**subject)
        else:
            fact, subject = self._now_revoked.popleft()
            with fact.changing():
                revocations.restore(**subject)
