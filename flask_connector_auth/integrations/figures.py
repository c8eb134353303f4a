"""The figures of one app that the integrations for metrics report, and where each comes from."""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from blinker import NamedSignal
from flask import Flask

from ..core import (
    AppJWT,
    ConsumerJWS,
    keys_outage,
    keys_refreshed,
    keys_stale,
    revocation_changed,
    revocation_stale,
    token_rejected,
    token_verified,
)
from ..keys import (
    Health,
    KeySetState,
    KeySource,
    LookupOutcome,
    RemoteKeys,
    StaticKeys,
    leaf_sources,
)
from ..verification import APP_JWT, CONSUMER_JWS, Verifier
from ..web import (
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidConsumerJWS,
    KnownReasons,
    current_runtime,
)

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Figure:
    """A counter or a gauge; the values of each label are a closed set."""

    name: str  #: words with dots between them
    #: Events are counted as they happen; the other counters, and gauges, are sampled.
    kind: Literal["events", "counter", "gauge"]
    description: str
    labels: tuple[str, ...] = ()  #: beside ``app``
    unit: Literal["", "s"] = ""

    @property
    def prometheus_name(self) -> str:
        """The name as Prometheus would have it; that of a counter is exposed with ``_total``."""
        return f"connector_auth_{self.name.replace('.', '_')}" + ("_seconds" if self.unit else "")


#: The name of a figure, one combination of its labels, and the value.
Sample = tuple[str, tuple[str, ...], float]

_OF_KEYS = ("token", "issuer")
FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure(
            "requests",
            "events",
            "Requests whose tokens were verified, rejected, or could not be verified.",
            ("outcome", "reason", "row", "token"),
        ),
        Figure("keys.events", "events", "Changes and outages of key sets.", (*_OF_KEYS, "event")),
        Figure("keys.fetches", "counter", "Fetches of key sets.", (*_OF_KEYS, "outcome")),
        Figure("keys.lookups", "counter", "Keys not found in a fresh set.", (*_OF_KEYS, "outcome")),
        Figure("keys.sources", "gauge", "Sources of keys in each state.", (*_OF_KEYS, "state")),
        Figure("keys.ready", "gauge", "1 if every source of keys is ready, else 0.", _OF_KEYS),
        Figure("keys.entries", "gauge", "Keys that can verify tokens.", _OF_KEYS),
        Figure("keys.age", "gauge", "Age of the oldest key set in use.", _OF_KEYS, "s"),
        Figure("cache.hits", "counter", "Tokens that were found in the cache.", _OF_KEYS),
        Figure("cache.misses", "counter", "Good tokens that were not in the cache.", _OF_KEYS),
        Figure("cache.entries", "gauge", "Verified tokens in the cache.", _OF_KEYS),
        Figure("cache.size", "gauge", "How many tokens the cache keeps at most.", _OF_KEYS),
        Figure(
            "revocation.changes",
            "events",
            "Revocations and restorations that the process received.",
            ("kind", "change"),
        ),
        Figure(
            "revocation.stale", "events", "How often the copy of the revocations became too old."
        ),
        Figure("revocation.ready", "gauge", "1 if the copy of the revocations is fresh, else 0."),
        Figure("revocation.lag", "gauge", "Age of the copy of the revocations.", unit="s"),
        Figure("revocation.entries", "gauge", "Revocations in force."),
    )
}

_KEY_EVENTS = {"refreshed": keys_refreshed, "stale": keys_stale, "outage": keys_outage}
_FETCHES = {"fetched": "succeeded", "fetch_failed": "failed"}
_LOOKUPS = [outcome.value for outcome in LookupOutcome if outcome is not LookupOutcome.ANSWERED]
# Configured keys, and a source of the application, have no state of a fetched set.
_STATES = ["static", "custom", *(state.value for state in KeySetState)]
_TOKENS = {
    (False, False): "",
    (True, False): APP_JWT.label,
    (False, True): CONSUMER_JWS.label,
    (True, True): "both",
}


class FigureReporter(ABC):
    """Reports the figures of one app: events as they happen, all others when they are sampled.

    The signals hold the reporter by weak references, and it does not refer to the app. So it lives
    as long as the app that it is stored in.

    :raises RuntimeError: if *app* has no extension.
    """

    def __init__(self, app: Flask) -> None:
        runtime = current_runtime(app)
        self.app_name: str = app.name
        self._verifiers = runtime.verifiers
        self._revocations = runtime.revocations
        # One source serves both tokens unless the ConsumerJWS has keys or algorithms of its own: it
        # must not be counted twice. Of several verifiers with one source, the first one stays.
        verifiers = {id(each.keys): each for each in reversed(self._verifiers)}.values()
        #: By token and issuer.
        self.key_sources: dict[tuple[str, str], list[KeySource]] = {
            _labels_of(each): [*leaf_sources(each.keys)] for each in verifiers
        }
        #: Events that may never happen, so that their series can begin with 0.
        self.rare_events: list[tuple[str, tuple[str, ...]]] = []
        self._receivers: list[Any] = []
        self._logged_failures: set[str] = set()
        self._reasons = KnownReasons()
        self._connect(token_verified, self.on_verified, app)
        self._connect(token_rejected, self.on_rejected, app)
        self._connect(revocation_changed, self._on_revocation_changed, runtime.revocations)
        self._connect_event(revocation_stale, "revocation.stale", (), runtime.revocations)
        for labels, sources in self.key_sources.items():
            for event, signal in _KEY_EVENTS.items():
                for source in sources:
                    self._connect_event(signal, "keys.events", (*labels, event), source)

    @abstractmethod
    def add(self, name: str, labels: tuple[str, ...]) -> None:
        """Add 1 to *name*, whose kind is ``events``."""

    def on_verified(
        self, app: Flask, app_jwt: AppJWT | None, consumer_jws: ConsumerJWS | None
    ) -> None:
        """Count a request whose tokens were verified."""
        token = _TOKENS[app_jwt is not None, consumer_jws is not None]
        self.add("requests", ("verified", "", "", token))

    def on_rejected(self, app: Flask, error: ConnectorAuthError) -> None:
        """Count a request that is refused, with the token that is at fault, if one is."""
        outcome, token = "rejected", APP_JWT.label
        if isinstance(error, AuthenticationUnavailable):
            outcome, token = "unavailable", ""
        elif isinstance(error, InvalidConsumerJWS | ConsumerJWSMissing):
            token = CONSUMER_JWS.label
        reason = self._reasons.name_of(error.reason)
        self.add("requests", (outcome, reason, str(error.row.error_code), token))

    def samples(self) -> Iterator[Sample]:
        """Yield what ``ConnectorAuth.health()`` is made of, without any I/O."""
        for labels, sources in self.key_sources.items():
            yield from _samples_of_keys(labels, sources)
        for verifier in self._verifiers:
            for name, value in verifier.cache.health().items():
                yield f"cache.{name}", _labels_of(verifier), value
        health = self._revocations.health()
        yield "revocation.ready", (), int(health["ready"])
        yield "revocation.entries", (), health["entries"]
        if health["lag"] is not None:
            yield "revocation.lag", (), health["lag"]

    def _connect(self, signal: NamedSignal, receiver: Any, sender: object) -> None:
        # The list keeps the receiver alive: the signal does not.
        self._receivers.append(signal.connect(partial(self._receive, receiver), sender))

    def _receive(self, receiver: Any, sender: object, **payload: Any) -> None:
        """Call *receiver*; if it fails, only figures are lost, and no request."""
        try:
            receiver(sender, **payload)
        except Exception as error:
            # Once, since each request may fail so. Only the class: the text may quote anything.
            if (name := type(error).__name__) not in self._logged_failures:
                self._logged_failures.add(name)
                logger.error("figures of %s are lost: %s", self.app_name, name)

    def _connect_event(
        self, signal: NamedSignal, name: str, labels: tuple[str, ...], sender: object
    ) -> None:
        self.rare_events.append((name, labels))
        self._connect(signal, lambda _sender, **_payload: self.add(name, labels), sender)

    def _on_revocation_changed(
        self, _sender: object, kind: str, revoked: bool, **_payload: object
    ) -> None:
        self.add("revocation.changes", (str(kind), "revoked" if revoked else "restored"))


def _labels_of(verifier: Verifier[Any]) -> tuple[str, str]:
    return verifier.profile.label, verifier.rules.issuer


def _health_of(source: KeySource) -> Health:
    try:
        return dict(source.health())
    except Exception as error:
        # A source of the application must neither fail a request nor hide the other figures. Only
        # the class is logged: the text may quote anything.
        name = type(source).__name__
        logger.error("the health of %s cannot be read: %s", name, type(error).__name__)
        return {"ready": False}


def _samples_of_keys(labels: tuple[str, str], sources: list[KeySource]) -> Iterator[Sample]:
    healths = [_health_of(source) for source in sources]
    yield "keys.ready", labels, int(all(health.get("ready") for health in healths))
    # Of a source of the application only ``ready`` is known.
    details = [
        health
        for source, health in zip(sources, healths, strict=True)
        if isinstance(source, RemoteKeys | StaticKeys)
    ]
    states = Counter(str(health["state"]) for health in details)
    states["custom"] = len(sources) - len(details)
    for state in _STATES:
        yield "keys.sources", (*labels, state), states[state]
    yield "keys.entries", labels, sum(health["keys"] for health in details)
    if ages := [age for health in details if (age := health.get("age")) is not None]:
        yield "keys.age", labels, max(ages)
    counts: Counter[str] = Counter()
    for health in details:
        counts.update(health.get("counts", {}))
    for count, outcome in _FETCHES.items():
        yield "keys.fetches", (*labels, outcome), counts[count]
    for outcome in _LOOKUPS:
        yield "keys.lookups", (*labels, outcome), counts[outcome]
