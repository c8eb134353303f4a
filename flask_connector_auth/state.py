"""The current app in; what its extension was set up with out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app

from .catalogue import Catalogue
from .settings import Settings
from .tokens import AppJWT, ConsumerJWS
from .verifier import Verifier

EXTENSION = "connector_auth"


@dataclass(frozen=True, slots=True)
class State:
    """All that one app's requests need, made once at ``init_app``."""

    settings: Settings
    app_jwt: Verifier[AppJWT]
    consumer_jws: Verifier[ConsumerJWS]
    catalogue: Catalogue
    clock: Callable[[], float]  #: seconds since the epoch
    consumer_key: str  #: where WSGI keeps the header of the ConsumerJWS
    #: What each (endpoint, method) asks for, once it was asked for the first time.
    routes: dict[tuple[str, str], Any] = field(default_factory=dict)


def current(app: Flask | None = None) -> State:
    """Return the state of the current app, or of *app*.

    :raises RuntimeError: if the app has no extension: then nothing is verified, and nothing passes.
    """
    app = app or current_app._get_current_object()  # type: ignore[attr-defined]
    state: State | None = app.extensions.get(EXTENSION)
    if state is None:
        raise RuntimeError(
            "A token is asked for, but the app has no ConnectorAuth: call ConnectorAuth(app), or "
            "connector_auth.init_app(app) in the application factory."
        )
    return state
