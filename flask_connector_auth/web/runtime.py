"""All that the requests of one app need: settings, verifiers, revocations, rendered errors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app as current_app_proxy

from ..config import Settings
from ..core import AppJWT, ConsumerJWS
from ..revocation import RevocationRules, Revocations
from ..verification import APP_JWT, CONSUMER_JWS, Verifier, VerifierRules
from .log_limit import LogLimit
from .responses import ErrorResponses

EXTENSION = "connector_auth"


@dataclass(frozen=True, slots=True)
class Runtime:
    """All that one app's requests need, built once by ``init_app``."""

    settings: Settings
    app_jwt: Verifier[AppJWT]
    consumer_jws: Verifier[ConsumerJWS]
    revocations: Revocations
    error_responses: ErrorResponses
    clock: Callable[[], float]  #: returns seconds since the epoch
    consumer_environ_key: str  #: of the ConsumerJWS header in a WSGI environ
    account_argument: str  #: the view argument that names the account
    audience: frozenset[str] | None  #: the accounts that are served
    log_limit: LogLimit
    #: The ``EndpointRequirements`` by endpoint and method, kept from the first request on.
    endpoints: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float]) -> "Runtime":
        """Build what *settings* describe.

        :param clock: returns seconds since the epoch.
        """
        revocations = _revocations(settings, clock)
        app_rules = _verifier_rules(settings, settings.app_jwt_algorithms)
        consumer_rules = _verifier_rules(settings, settings.consumer_jws_algorithms)
        cache = revocations.cache
        return cls(
            settings=settings,
            app_jwt=Verifier(APP_JWT, app_rules, settings.app_jwt_keys, cache),
            consumer_jws=Verifier(CONSUMER_JWS, consumer_rules, settings.consumer_jws_keys, cache),
            revocations=revocations,
            error_responses=ErrorResponses(settings.error_catalogue, settings.realm),
            clock=clock,
            account_argument=settings.account_argument,
            audience=settings.audience,
            consumer_environ_key="HTTP_" + settings.consumer_header.upper().replace("-", "_"),
            log_limit=LogLimit(settings.log_limit, settings.log_burst),
        )

    @property
    def verifiers(self) -> dict[str, Verifier[Any]]:
        """Both verifiers, by the name of their token."""
        return {"app_jwt": self.app_jwt, "consumer_jws": self.consumer_jws}


#: Returns the app object itself: the sender of signals, and one look-up instead of two.
current_app: Callable[[], Flask] = current_app_proxy._get_current_object  # type: ignore[attr-defined]


def current_runtime(app: Flask | None = None) -> Runtime:
    """Return the runtime of *app*, or of the current app.

    :raises RuntimeError: if the app has no extension: nothing is verified, so no request passes.
    """
    runtime: Runtime | None = (app or current_app()).extensions.get(EXTENSION)
    if runtime is None:
        raise RuntimeError(
            "A token is required, but the app has no ConnectorAuth: call ConnectorAuth(app), or "
            "connector_auth.init_app(app) in the application factory."
        )
    return runtime


def _revocations(settings: Settings, clock: Callable[[], float]) -> Revocations:
    rules = RevocationRules(
        leeway=settings.leeway,
        max_lifetime=settings.max_lifetime,
        keep=settings.revocation_keep,
        max_lag=settings.revocation_max_lag,
        fail_closed=settings.revocation_on_outage == "closed",
    )
    return Revocations(settings.revocation_store, rules, clock)


def _verifier_rules(settings: Settings, algorithms: tuple[str, ...]) -> VerifierRules:
    return VerifierRules(
        algorithms=algorithms,
        issuer=settings.issuer,
        leeway=settings.leeway,
        max_lifetime=settings.max_lifetime,
        max_token_bytes=settings.max_token_bytes,
        max_header_bytes=settings.max_header_bytes,
        cache_size=settings.cache_size,
        cache_max_age=settings.cache_max_age,
    )
