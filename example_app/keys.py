"""The instance folder in; the issuer that signs with the private key kept there out."""

import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from flask import Flask, current_app
from joserfc.jwk import RSAKey

from flask_connector_auth.testing import Issuer

FILE_NAME = "signing-key.json"


def init_app(app: Flask) -> None:
    """Give *app* its issuer, and let it trust that issuer's tokens."""
    issuer = load_issuer(Path(app.instance_path))
    app.extensions["issuer"] = issuer
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()


def current_issuer() -> Issuer:
    """Return the issuer of the current app."""
    issuer: Issuer = current_app.extensions["issuer"]
    return issuer


def load_issuer(folder: Path) -> Issuer:
    """Return the issuer with the key in *folder*: a private JWK (RFC 7517), made where none is."""
    path = folder / FILE_NAME
    if not path.exists():
        _create(path)
    key = RSAKey.import_key(json.loads(path.read_text()))
    # The thumbprint (RFC 7638) as kid: another key has another name.
    return Issuer(key, kid=key.thumbprint())


def _create(path: Path) -> None:
    # A temporary file has mode 0600, and a link appears at once and replaces nothing: of workers
    # that start together, one's key becomes everyone's, and nobody reads half a key.
    with NamedTemporaryFile("w", dir=path.parent) as draft:
        json.dump(RSAKey.generate_key(2048).as_dict(private=True), draft)
        draft.flush()
        with suppress(FileExistsError):
            os.link(draft.name, path)
