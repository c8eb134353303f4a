"""The console at ``/``, a page that shows the protocol at work and its failures.

The page sends real requests to the services of this app. What a client cannot do is done by the
JSON calls under ``/console``: show every request that the app gets and why one was refused, break
tokens, show what the first and the next verification cost, rotate keys, revoke, turn knobs. These
calls mint tokens. So the console is only for the
browser that was opened with its key, on this machine, and for no other site in that browser.
"""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask, current_app

from flask_connector_auth import ConnectorAuth

from .access_key import AccessKey
from .costs import Costs
from .feed import Feed
from .reasons import Reasons


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of the console of one app."""

    access_key: AccessKey
    connector_auth: ConnectorAuth
    reasons: Reasons
    costs: Costs
    feed: Feed


def init_app(app: Flask, connector_auth: ConnectorAuth) -> None:
    """Set up the console of *app*.

    :param connector_auth: the extension that protects *app*.
    """
    from .views import blueprint  # here, since views imports this module

    reasons, costs = Reasons(app), Costs(app, connector_auth)
    access_key = AccessKey(Path(app.instance_path))
    feed = Feed(app, access_key)
    app.extensions["console"] = Console(access_key, connector_auth, reasons, costs, feed)
    app.register_blueprint(blueprint)


def current_console() -> Console:
    """Return the console of the current app."""
    console: Console = current_app.extensions["console"]
    return console
