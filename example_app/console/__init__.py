"""An app in; its console at ``/``, a page on which the protocol is seen at work and failing, out.

The page makes real requests to the services of this app. What it cannot do as a client, it asks of
the JSON calls under ``/console``: break tokens, tell why one was refused, show what the first and
the next verification cost, rotate keys, revoke. Those mint tokens for whoever asks, so they answer
to this machine alone, and to no other site in its browsers.
"""

from dataclasses import dataclass

from flask import Flask, current_app

from flask_connector_auth import ConnectorAuth

from .costs import Costs
from .reasons import Reasons


@dataclass(frozen=True, slots=True)
class Console:
    """What the console knows of an app."""

    connector_auth: ConnectorAuth
    reasons: Reasons
    costs: Costs


def init_app(app: Flask, connector_auth: ConnectorAuth) -> None:
    """Give *app* its console.

    :param connector_auth: what *app* is protected by.
    """
    from .views import blueprint  # which needs this module

    reasons, costs = Reasons(app), Costs(app, connector_auth)
    app.extensions["console"] = Console(connector_auth, reasons, costs)
    app.register_blueprint(blueprint)


def current_console() -> Console:
    """Return the console of the current app."""
    console: Console = current_app.extensions["console"]
    return console
