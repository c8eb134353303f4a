"""An app in; its console at ``/``, a page on which the protocol is seen at work and failing, out.

The page makes real requests to the services of this app. What it cannot do as a client, it asks of
the JSON calls under ``/console``: break tokens, tell why one was refused, show what the first and
the next verification cost, rotate keys, revoke. Those mint tokens, so page and calls are for the
browser that was opened with the console's key, on this machine, and for no other site in it.
"""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask, current_app

from flask_connector_auth import ConnectorAuth

from .access_key import AccessKey
from .costs import Costs
from .reasons import Reasons


@dataclass(frozen=True, slots=True)
class Console:
    """What the console knows of an app."""

    access_key: AccessKey
    connector_auth: ConnectorAuth
    reasons: Reasons
    costs: Costs


def init_app(app: Flask, connector_auth: ConnectorAuth) -> None:
    """Give *app* its console.

    :param connector_auth: what *app* is protected by.
    """
    from .views import blueprint  # which needs this module

    reasons, costs = Reasons(app), Costs(app, connector_auth)
    access_key = AccessKey(Path(app.instance_path))
    app.extensions["console"] = Console(access_key, connector_auth, reasons, costs)
    app.register_blueprint(blueprint)


def current_console() -> Console:
    """Return the console of the current app."""
    console: Console = current_app.extensions["console"]
    return console
