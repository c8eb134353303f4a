"""The OpenAPI document of the app, at ``/openapi.json``.

``operations`` describes the bodies and answers of the calls. The required tokens and the errors are
not written down: the plugin reads them from the decorators of the views.
"""

import re
from http import HTTPStatus
from inspect import getdoc
from typing import Any

from apispec import APISpec
from flask import Blueprint, Flask, current_app
from werkzeug.routing import Rule

from flask_connector_auth.integrations.openapi import ConnectorAuthPlugin

from .operations import OPERATIONS, PARAMETERS
from .schemas import SCHEMAS

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def show() -> dict[str, Any]:
    """Return the document."""
    return document(current_app)


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of *app*."""
    plugin = ConnectorAuthPlugin(app)
    spec = APISpec("Connector API", "1", "3.1.0", plugins=[plugin])
    for name, schema in SCHEMAS.items():
        spec.components.schema(name, schema)
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPERATIONS:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            spec.path(path, operations=_operations(app, rule))
    return spec.to_dict()


def _operations(app: Flask, rule: Rule) -> dict[str, Any]:
    operation = OPERATIONS[rule.endpoint]
    summary = (getdoc(app.view_functions[rule.endpoint]) or "").partition("\n")[0]
    described = {
        "summary": summary,
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": [
            *({"name": name, "in": "path", "schema": PARAMETERS[name]} for name in rule.arguments),
            *operation.query,
        ],
        "responses": {
            status: {"description": _phrase(status), "content": content}
            for status, content in operation.responses.items()
        },
    }
    if operation.body:
        described["requestBody"] = {"required": True, "content": operation.body}
    methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return {method.lower(): described for method in methods}


def _phrase(status: str) -> str:
    return HTTPStatus(int(status)).phrase if status.isdigit() else "It is refused"
