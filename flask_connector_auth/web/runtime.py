"""All that the requests of one app need: settings, verifiers, revocations, the limit of its log."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from flask import Flask

from ..config import IssuerSettings, Settings, TokenSettings
from ..core import AppJWT, ConsumerJWS, Reason, close_if_closable, register_at_fork
from ..revocation import RevocationRules, Revocations
from ..verification import (
    Authenticator,
    Verifier,
    VerifierRules,
    app_jwt_profile,
    consumer_jws_profile,
)
from .context import EXTENSION, current_app
from .responses import ErrorResponses

if TYPE_CHECKING:
    from .callbacks import Callbacks

_MAX_REASONS = len(Reason) + 64
# Held for a moment, and only if a request is refused. A fork waits for it: otherwise a child could
# inherit it locked, without the thread that would release it.
_lock = threading.Lock()
register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(slots=True)
class _Bucket:
    """The token bucket of one reason."""

    lines: float  #: number of lines that may be logged at once
    updated_at: float  #: when *lines* was computed
    held_back: int = 0  #: number of lines that were not logged since the last logged one


class KnownReasons:
    """All reasons, and the first 64 words of the application's checks: memory is bounded."""

    def __init__(self) -> None:
        self._known: set[str] = set(Reason)

    def name_of(self, reason: str) -> str:
        """Return *reason*, or ``other`` for all further words."""
        if len(self._known) < _MAX_REASONS:
            self._known.add(reason)
        return str(reason) if reason in self._known else "other"


class LogLimit:
    """A token bucket for each of the :class:`KnownReasons`, and one for all others.

    :param per_second: lines that each reason may log in the long run; 0 or ``None``: any number.
    :param burst: lines that each reason may log at once.
    :param clock: returns seconds; never goes back.
    """

    def __init__(
        self, per_second: float | None, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._reasons = KnownReasons()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, reason: str) -> int | None:
        """Take one line about *reason* out of its bucket.

        :returns: the number of lines held back since the last one that was logged, or ``None`` if
            this line is held back too.
        """
        if not self._per_second:
            return 0
        with _lock:
            now = self._clock()
            name = self._reasons.name_of(reason)
            bucket = self._buckets.get(name)
            if bucket is None:
                bucket = self._buckets[name] = _Bucket(self._burst, now)
            gained = (now - bucket.updated_at) * self._per_second
            bucket.lines, bucket.updated_at = min(self._burst, bucket.lines + gained), now
            if bucket.lines < 1:
                bucket.held_back += 1
                return None
            bucket.lines -= 1
            held_back, bucket.held_back = bucket.held_back, 0
            return held_back


@dataclass(frozen=True, slots=True)
class Runtime:
    """All that one app's requests need, built once by ``init_app``."""

    settings: Settings
    app_jwt: Authenticator[AppJWT]
    consumer_jws: Authenticator[ConsumerJWS]
    revocations: Revocations
    error_responses: ErrorResponses
    clock: Callable[[], float]  #: returns seconds since the epoch
    consumer_environ_key: str  #: of the ConsumerJWS header in a WSGI environ
    account_argument: str  #: the view argument that names the account
    log_limit: LogLimit
    callbacks: "Callbacks"  #: those of the ``ConnectorAuth`` that has set the app up
    #: The ``EndpointRequirements`` by endpoint and method, kept from the first request on.
    endpoints: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def from_settings(
        cls, settings: Settings, clock: Callable[[], float], callbacks: "Callbacks"
    ) -> "Runtime":
        """Build what *settings* describe.

        :param clock: returns seconds since the epoch.
        """
        issuers = settings.issuers
        lifetimes = [each.max_lifetime or inf for each in issuers.values()]
        revocation_rules = RevocationRules(
            leeway=settings.leeway,
            max_lifetime=None if inf in lifetimes else max(lifetimes),
            keep=settings.revocation_keep,
            max_lag=settings.revocation_max_lag,
            fail_closed=settings.revocation_on_outage == "closed",
        )
        revocations = Revocations(
            settings.revocation_store, revocation_rules, clock, issuers=tuple(issuers)
        )
        verifiers = [_verifiers(settings, each) for each in issuers.values()]
        app_jwt, consumer_jws = (
            Authenticator(each, revocations.cache) for each in zip(*verifiers, strict=True)
        )
        return cls(
            settings=settings,
            app_jwt=app_jwt,
            consumer_jws=consumer_jws,
            revocations=revocations,
            error_responses=ErrorResponses(settings.error_catalogue, settings.realm),
            clock=clock,
            account_argument=settings.account_argument,
            consumer_environ_key="HTTP_" + settings.consumer_header.upper().replace("-", "_"),
            log_limit=LogLimit(settings.log_limit, settings.log_burst),
            callbacks=callbacks,
        )

    @property
    def issuers(self) -> dict[str, dict[str, Verifier[Any]]]:
        """The verifiers by issuer, then by the name of their token."""
        return {
            name: {"app_jwt": verifier, "consumer_jws": self.consumer_jws.verifiers[name]}
            for name, verifier in self.app_jwt.verifiers.items()
        }

    @property
    def verifiers(self) -> list[Verifier[Any]]:
        """All verifiers."""
        return [verifier for each in self.issuers.values() for verifier in each.values()]

    def health(self) -> dict[str, Any]:
        """Return the health of keys, caches and revocations; see ``ConnectorAuth.health``."""
        healths = {name: _health_of(verifiers) for name, verifiers in self.issuers.items()}
        [first, *others] = healths.values()
        keys = {"issuers": healths} if others else first
        return {**keys, "revocation": self.revocations.health()}

    def close(self) -> None:
        """End the threads of the app, and close its connections; see ``ConnectorAuth.close``."""
        for verifier in self.verifiers:
            close_if_closable(verifier.keys)
        self.revocations.close()


def _health_of(verifiers: Mapping[str, Verifier[Any]]) -> dict[str, Any]:
    return {
        "keys": {name: dict(verifier.keys.health()) for name, verifier in verifiers.items()},
        "cache": {name: verifier.cache.health() for name, verifier in verifiers.items()},
    }


def is_ready(health: Mapping[str, Any]) -> bool:
    """Whether *health*, and every mapping in it that has a ``ready``, is ready.

    Of several issuers, one that is ready is enough: it serves its own tokens.
    """
    parts = {name: part for name, part in health.items() if isinstance(part, Mapping)}
    issuers = parts.pop("issuers", None)
    serves_one = issuers is None or any(map(is_ready, issuers.values()))
    return serves_one and bool(health.get("ready", True)) and all(map(is_ready, parts.values()))


def current_runtime(app: Flask | None = None) -> Runtime:
    """Return the runtime of *app*, or of the current app.

    :raises RuntimeError: if the app has no extension: nothing is verified, so no request passes.
    """
    runtime: Runtime | None = (app or current_app()).extensions.get(EXTENSION)
    if runtime is None:
        raise RuntimeError(
            "The app has no ConnectorAuth: call ConnectorAuth(app), or "
            "connector_auth.init_app(app) in the application factory."
        )
    return runtime


def _verifiers(
    settings: Settings, issuer: IssuerSettings
) -> tuple[Verifier[AppJWT], Verifier[ConsumerJWS]]:
    app, consumer = issuer.app_jwt, issuer.consumer_jws

    def rules(token: TokenSettings) -> VerifierRules:
        return VerifierRules(
            algorithms=token.algorithms,
            issuer=issuer.name,
            leeway=settings.leeway,
            max_lifetime=issuer.max_lifetime,
            max_token_bytes=settings.max_token_bytes,
            max_header_bytes=settings.max_header_bytes,
            cache_size=settings.cache_size,
            cache_max_age=settings.cache_max_age,
            audience=issuer.audience,
            has_other_issuers=len(settings.issuers) > 1,
        )

    app_profile = app_jwt_profile(app.claims, consumer.claims, app.types)
    consumer_profile = consumer_jws_profile(consumer.claims, app.claims, consumer.types)
    return (
        Verifier(app_profile, rules(app), app.keys),
        Verifier(consumer_profile, rules(consumer), consumer.keys),
    )
