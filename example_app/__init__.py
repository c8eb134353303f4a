"""Configuration in; a Connector API in the small, as a Flask app, out.

One module a service, as in the protocol: ``domain`` says where the others are, ``sentinel`` issues
the AppJWT, ``idp`` the ConsumerJWS, and ``messaging`` takes what consumers say. All protection is
two decorators, on the views of ``idp`` and ``messaging``. As in a deployment, those load their keys
over HTTP, from where ``sentinel`` publishes them.

So a request may wait until another one, for the keys, is answered. Serve with more threads than
there are requests at a time::

    flask --app example_app run --port 8080
    gunicorn --bind 127.0.0.1:8080 --threads 32 "example_app:create_app()"

or serve the keys by a process of their own; ``docs/rotation.rst`` does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_connector_auth import ConnectorAuth

from . import domain, idp, keys, messaging, models, rotation, sentinel, wire

DEFAULTS = {
    #: Where the keys are: this app itself, if that is where it is served.
    "CONNECTOR_AUTH_APP_JWT_KEYS": f"http://127.0.0.1:8080{sentinel.KEY_SET_PATH}",
    #: The account that an app install is made for at the first start.
    "CONNECTOR_ACCOUNT_ID": "le81823118",
    #: Seconds that an AppJWT lives.
    "CONNECTOR_TOKEN_LIFE": 3600,
    #: A file in the instance folder; ``timeout`` is how many seconds one writer waits for another.
    "SQLALCHEMY_DATABASE_URI": "sqlite:///connector.db?timeout=30",
    #: Bytes in the body of a request.
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
    """
    app = create_issuer(config, instance_path=instance_path)
    ConnectorAuth(app)
    for service in (domain, idp, messaging):
        app.register_blueprint(service.blueprint)
    return app


def create_issuer(
    config: Mapping[str, Any] | None = None, *, instance_path: str | None = None
) -> Flask:
    """Return the part of the app that issues AppJWTs and publishes the keys; nothing in it waits.

    The parameters are those of :func:`create_app`.
    """
    app = Flask(__name__, instance_path=instance_path, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # members as the protocol shows them
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    # Private keys and a client secret are kept here: nobody else's business.
    Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.init_app(app)
    models.init_app(app)
    sentinel.init_app(app)
    models.let_go(app)
    app.register_blueprint(sentinel.blueprint)
    app.cli.add_command(rotation.commands)
    # Not for the four errors: their own handler goes before any generic one.
    app.register_error_handler(HTTPException, wire.send_refusal)
    return app
