"""The current app in; what its extension was set up with out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask import current_app as current_app_proxy

from ..config import Settings
from ..core import AppJWT, ConsumerJWS
from ..revocation import Revocations
from ..verification import Verifier
from .log_limit import LogLimit
from .responses import ErrorResponses

EXTENSION = "connector_auth"


@dataclass(frozen=True, slots=True)
class Runtime:
    """All that one app's requests need, made once at ``init_app``."""

    settings: Settings
    app_jwt: Verifier[AppJWT]
    consumer_jws: Verifier[ConsumerJWS]
    revocations: Revocations
    catalogue: ErrorResponses
    clock: Callable[[], float]  #: seconds since the epoch
    consumer_key: str  #: where WSGI keeps the header of the ConsumerJWS
    account_argument: str  #: the view argument that names the account
    audience: frozenset[str] | None  #: the accounts that are served
    log_limit: LogLimit
    #: The ``EndpointRequirements`` of each (endpoint, method) that a request has come to.
    routes: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def verifiers(self) -> dict[str, Verifier[Any]]:
        """Both verifiers, by the name of their token."""
        return {"app_jwt": self.app_jwt, "consumer_jws": self.consumer_jws}


#: Returns the app object itself: what a signal is sent from, and one look-up instead of two.
current_app: Callable[[], Flask] = current_app_proxy._get_current_object  # type: ignore[attr-defined]


def current(app: Flask | None = None) -> Runtime:
    """Return the state of the current app, or of *app*.

    :raises RuntimeError: if the app has no extension: then nothing is verified, and nothing passes.
    """
    state: Runtime | None = (app or current_app()).extensions.get(EXTENSION)
    if state is None:
        raise RuntimeError(
            "A token is asked for, but the app has no ConnectorAuth: call ConnectorAuth(app), or "
            "connector_auth.init_app(app) in the application factory."
        )
    return state
