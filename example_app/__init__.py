"""Configuration in; a Connector API on one machine, as a Flask app, out.

One module a service, as in the protocol: ``domain`` says where the others are, ``sentinel`` issues
the AppJWT, ``idp`` the ConsumerJWS, ``messaging`` takes what consumers say, ``swift`` keeps their
files, and ``agents`` lets agents in. ``desk`` is where those answer, ``webhooks`` tells apps what
happened, and ``console`` is a page on which to watch it. All protection is two decorators, on the
views. As in a deployment, they load their keys over HTTP, from where ``sentinel`` publishes them.

So a request may wait until another one, for the keys, is answered. Serve with more threads than
there are requests at a time::

    python -m example_app
    flask --app example_app run --port 8080
    gunicorn --bind 127.0.0.1:8080 --threads 32 "example_app:create_app()"

or serve the keys by a process of their own; ``docs/rotation.rst`` does. The first of these has a
TLS listener too, as clients need; ``docs/example.rst`` says how to point them at it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_connector_auth import ConnectorAuth

from . import (
    agents,
    commands,
    console,
    database,
    desk,
    domain,
    idp,
    keys,
    messaging,
    openapi,
    sentinel,
    swift,
    webhooks,
    wire,
)

DEFAULTS = {
    #: Where the keys are: this app itself, if that is where it is served.
    "CONNECTOR_AUTH_APP_JWT_KEYS": f"http://127.0.0.1:8080{sentinel.KEY_SET_PATH}",
    #: The account that an app install is made for at the first start.
    "CONNECTOR_ACCOUNT_ID": "le81823118",
    #: Seconds that an AppJWT lives, until the knob says otherwise.
    "CONNECTOR_TOKEN_LIFE": 3600,
    #: Host and port that the domain look-up tells; where it was asked, if not set.
    "CONNECTOR_BASE_URI": None,
    #: Where notifications are posted to; nowhere, if not set.
    "CONNECTOR_WEBHOOK_URL": None,
    #: How often a notification that was not taken is posted again.
    "CONNECTOR_WEBHOOK_RETRIES": 3,
    #: Seconds before it is.
    "CONNECTOR_WEBHOOK_PAUSE": 30,
    #: Whether the console is served to more than this machine, to who has its key.
    "CONNECTOR_CONSOLE_ANYWHERE": False,
    #: A file in the instance folder; ``timeout`` is how many seconds one writer waits for another.
    "SQLALCHEMY_DATABASE_URI": "sqlite:///connector.db?timeout=30",
    #: Bytes in the body of a request; a file may have more.
    "MAX_CONTENT_LENGTH": 65536,
}


def create_app(
    config: Mapping[str, Any] | None = None, *, instance_path: str | None = None
) -> Flask:
    """Return the app; the first start makes its signing key, its tables and one app install.

    :param config: settings, over those of the environment (``FLASK_…``) and the defaults above.
    :param instance_path: absolute path of the folder for the signing keys and the database;
        ``instance`` beside this package if not given.
    :raises ConfigurationError: if a ``CONNECTOR_AUTH_…`` setting cannot be used.
    :raises VersionError: if the database was made by another version of this app.
    :raises ValueError: if the URL for the webhooks is none.
    """
    app = create_issuer(config, instance_path=instance_path)
    connector_auth = ConnectorAuth(app)
    webhooks.init_app(app)
    for service in (domain, idp, messaging, swift, agents, desk, openapi):
        app.register_blueprint(service.blueprint)
    console.init_app(app, connector_auth)
    return app


def create_issuer(
    config: Mapping[str, Any] | None = None, *, instance_path: str | None = None
) -> Flask:
    """Return the part of the app that issues AppJWTs and publishes the keys; nothing in it waits.

    The parameters are those of :func:`create_app`.
    """
    app = Flask(__name__, instance_path=instance_path, static_folder=None)
    # Not answered by a redirect, which a known client does not follow.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # members as the protocol shows them
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    # Private keys and a client secret are kept here: nobody else's business. The files in it are
    # for the owner alone too, since the folder may be an older one.
    Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.init_app(app)
    database.init_app(app)
    sentinel.init_app(app)
    database.let_go(app)
    app.register_blueprint(sentinel.blueprint)
    commands.init_app(app)
    # Not for the four errors: their own handler goes before any generic one.
    app.register_error_handler(HTTPException, wire.send_refusal)
    return app
