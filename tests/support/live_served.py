"""The app that gunicorn serves in the tests of processes; configured by the environment."""

import os
from typing import Any

from flask import Flask

from flask_connector_auth import ConnectorAuth, require_app_jwt

app = Flask(__name__)
app.config.from_prefixed_env()
connector_auth = ConnectorAuth(app)


@app.get("/")
@require_app_jwt
def index() -> dict[str, Any]:
    """Say which worker answers."""
    return {"pid": os.getpid()}


@app.get("/health")
def health() -> dict[str, Any]:
    """Say how the keys are, in this worker."""
    return {"pid": os.getpid(), **connector_auth.health()}
