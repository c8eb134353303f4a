"""Configuration in; a Connector API in the small, as a Flask app, out.

One module a service, as in the protocol: ``domain`` says where the others are, ``sentinel`` issues
the AppJWT, ``idp`` the ConsumerJWS, and ``messaging`` takes what consumers say. All protection is
two decorators, on the views of ``idp`` and ``messaging``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_connector_auth import ConnectorAuth

from . import domain, idp, keys, messaging, models, sentinel, wire

DEFAULTS = {
    #: The account that an app install is made for at the first start.
    "CONNECTOR_ACCOUNT_ID": "le81823118",
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
    :param instance_path: absolute path of the folder for the signing key and the database;
        ``instance`` beside this package if not given.
    :raises ConfigurationError: if a ``CONNECTOR_AUTH_…`` setting cannot be used.
    """
    app = Flask(__name__, instance_path=instance_path, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # members as the protocol shows them
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    # A private key and a client secret are kept here: nobody else's business.
    Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.init_app(app)
    ConnectorAuth(app)
    models.init_app(app)
    sentinel.init_app(app)
    for service in (domain, sentinel, idp, messaging):
        app.register_blueprint(service.blueprint)
    # Not for the four errors: their own handler goes before any generic one.
    app.register_error_handler(HTTPException, wire.send_refusal)
    return app
