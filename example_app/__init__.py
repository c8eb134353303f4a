"""A Connector API on one machine, as a Flask app.

Each service of the protocol is one module: ``domain`` returns the hosts of the services,
``sentinel`` issues the AppJWT, ``idp`` issues the ConsumerJWS, ``messaging`` receives what
consumers send, ``swift`` stores their files, ``history`` has their conversations, and ``agents``
logs agents in. ``desk`` is where agents answer, ``webhooks`` posts notifications to apps,
``refusals`` tells why a request was refused, and ``console`` is a page that shows all of it at
work. All protection is two decorators on the views, and ``verify_request()`` in the one view that
has another way to authenticate too. As in a deployment, the extension loads its keys over HTTP,
from where ``sentinel`` publishes them.

A request may therefore wait until another one, for the keys, is answered. Serve the app with more
threads than it gets requests at a time::

    python -m example_app
    flask --app example_app run --port 8080
    gunicorn --bind 127.0.0.1:8080 --threads 32 "example_app:create_app()"

or serve the keys from a separate process, as in ``docs/rotation.rst``. The first of these commands
also has the TLS listener that clients need; ``docs/example.rst`` shows how to point clients at it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_connector_auth import ConnectorAuth, ConnectorAuthError

from . import (
    agents,
    commands,
    console,
    database,
    desk,
    domain,
    history,
    idp,
    keys,
    messaging,
    openapi,
    refusals,
    sentinel,
    swift,
    webhooks,
    wire,
)

DEFAULTS = {
    #: URL of the keys: this app itself, if it is served at this address.
    "CONNECTOR_AUTH_APP_JWT_KEYS": f"http://127.0.0.1:8080{sentinel.KEY_SET_PATH}",
    #: The account whose app install is created at the first start.
    "CONNECTOR_ACCOUNT_ID": "81823118",
    #: Lifetime of an AppJWT in seconds, unless the knob ``token-life`` is set.
    "CONNECTOR_TOKEN_LIFE": 3600,
    #: Host and port that the domain look-up returns (default: the Host of the request).
    "CONNECTOR_BASE_URI": None,
    #: URL that all notifications are posted to (default: none are posted).
    "CONNECTOR_WEBHOOK_URL": None,
    #: How often a notification to that URL is posted again after a failure, at most 5 times.
    "CONNECTOR_WEBHOOK_RETRIES": 0,
    #: Instead: the webhooks of the app by event type, as in its installation.
    "CONNECTOR_WEBHOOKS": None,
    #: Seconds before a notification is posted again.
    "CONNECTOR_WEBHOOK_PAUSE": 30,
    #: Digest of the signature, sha1 or sha256.
    "CONNECTOR_WEBHOOK_DIGEST": "sha1",
    #: Whether other machines may open the console too; they need its key as well.
    "CONNECTOR_CONSOLE_ANYWHERE": False,
    #: A file in the instance folder; ``timeout`` is the seconds that one writer waits for another.
    "SQLALCHEMY_DATABASE_URI": "sqlite:///connector.db?timeout=30",
    #: Most bytes in the body of a request; uploads of files have a limit of their own.
    "MAX_CONTENT_LENGTH": 65536,
}


def create_app(
    config: Mapping[str, Any] | None = None, *, instance_path: str | None = None
) -> Flask:
    """Return the app; the first start creates its signing key, its tables and one app install.

    :param config: settings that override those of the environment (``FLASK_…``) and the defaults.
    :param instance_path: absolute path of the folder for the signing keys and the database;
        ``instance`` beside this package if not given.
    :raises ConfigurationError: if a ``CONNECTOR_AUTH_…`` setting cannot be used.
    :raises VersionError: if another version of this app created the database.
    :raises SettingError: if a setting of the webhooks cannot be used.
    """
    app = create_issuer(config, instance_path=instance_path)
    connector_auth = ConnectorAuth(app)
    webhooks.init_app(app)
    for service in (domain, idp, messaging, swift, agents, desk, history, openapi):
        app.register_blueprint(service.blueprint)
    console.init_app(app, connector_auth)
    return app


def create_issuer(
    config: Mapping[str, Any] | None = None, *, instance_path: str | None = None
) -> Flask:
    """Return the part of the app that issues AppJWTs and publishes the keys.

    No request to it waits for another one.

    The parameters are those of :func:`create_app`.
    """
    app = Flask(__name__, instance_path=instance_path, static_folder=None)
    # Do not redirect ``//``: a known client does not follow redirects.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # members as the protocol shows them
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    # The folder holds private keys and a client secret, so only its owner may open it. The files
    # are restricted as well, since an existing folder keeps its mode.
    Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.init_app(app)
    database.init_app(app)
    sentinel.init_app(app)
    database.let_go(app)
    app.register_blueprint(sentinel.blueprint)
    commands.init_app(app)
    refusals.init_app(app)
    # The errors of the tokens have a handler that precedes any generic one, so they are named too:
    # their responses are sent unchanged, and their reasons are kept.
    for error in (HTTPException, ConnectorAuthError):
        app.register_error_handler(error, wire.send_refusal)
    return app
