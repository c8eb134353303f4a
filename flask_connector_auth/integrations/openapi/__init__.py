"""OpenAPI documents that state which tokens each operation requires.

Needs ``pip install flask-connector-auth[openapi]``; no other part of the package imports this one.
"""

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from apispec import APISpec, BasePlugin
from flask import Flask

from ...verification import APP_JWT, CONSUMER_JWS
from ...web import ConnectorAuthError, Route, Runtime, audit, current_runtime
from .security import conditions, errors_of, scopes_of, security_of

__all__ = ["ConnectorAuthPlugin", "add_authentication"]

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}

_ENVELOPE_SCHEMA_NAME = "ConnectorAuthError"
# The schema of flask_connector_auth.EnvelopeSchema, written out: in the one that apispec generates,
# constant members are optional and of any type.
_ENVELOPE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "code", "body", "type"],
    "properties": {
        "kind": {"type": "string", "enum": ["resp"]},
        "code": _NUMBER,
        "body": {
            "type": "object",
            "required": ["title", "details", "errorCode"],
            "properties": {"title": _TEXT, "details": _TEXT, "errorCode": _NUMBER},
        },
        "type": {"type": "string", "enum": [".ReqBody$ErrorResp"]},
    },
}

# The headers of the error responses, by status.
_HEADERS: dict[int, dict[str, Any]] = {
    400: {},
    401: {
        "WWW-Authenticate": {
            "description": "The challenge (RFC 6750 section 3).",
            "required": True,
            "schema": _TEXT,
        }
    },
    503: {
        "Retry-After": {
            "description": "Seconds until it is worth trying again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": 30},
        }
    },
}


_APP_JWT_TEXT = "The access token of an app install. It may be sent without Bearer, too."
_CONSUMER_JWS_TEXT = "The consumer on whose behalf the app calls: the token alone."
_OTHER_VERSION = "requirements of views can be added to documents of OpenAPI 3 only"
_ARGUMENT = re.compile(r"<(?:[^<>]+:)?([^:<>]+)>")


def add_authentication(document: Mapping[str, Any], app: Flask) -> dict[str, Any]:
    """Return a copy of *document* that states which tokens its operations require.

    If a view of *app* with requirements serves the path and method of an operation, the operation
    gets:

    - ``security`` (OpenAPI, Security Requirement Object). One object has the required tokens. If a
      token is optional, another object is without it. Scopes are listed as OpenAPI 3.1 allows; in
      3.0 the lists must be empty. ``x-app-jwt-scopes`` has them in both versions.
    - The error responses, each with the rows that are sent there: 401; 503 if keys or revocations
      come from outside of the process; and 400 if row 40001 is switched on.

    What *document* already has is kept: ``security`` of an operation, its responses of these
    statuses, and components of the same names.

    The AppJWT is of type ``http``, scheme ``bearer`` (RFC 6750), and not an ``apiKey``. So tools
    send ``Bearer`` and the token, which is accepted like the bare token. The ConsumerJWS is an
    ``apiKey`` in the header that ``CONNECTOR_AUTH_CONSUMER_HEADER`` names.

    :param document: of OpenAPI 3, with the paths of the rules of *app*.
    :raises ValueError: if *document* is of another version than OpenAPI 3.
    :raises RuntimeError: if *app* has no extension.

    .. versionadded:: 0.1
    """
    version = str(document.get("openapi"))
    if not version.startswith("3."):
        raise ValueError(_OTHER_VERSION)
    components, paths = (dict(document.get(name, {})) for name in ("components", "paths"))
    describer = _Describer(current_runtime(app), components, roles=not version.startswith("3.0"))
    for path, routes in _routes(app).items():
        if path in paths:
            # A new object: the given one may be the operation of several methods.
            paths[path] = {
                member: describer.described(value, routes.get(member.upper()))
                for member, value in paths[path].items()
            }
    return {**document, "paths": paths, "components": components}


class ConnectorAuthPlugin(BasePlugin):
    """Plugin for apispec, and for libraries built on it: ``APISpec(…, plugins=[…])``.

    ``to_dict()`` and ``to_yaml()`` of the spec then return what :func:`add_authentication` returns.

    :param app: the app whose views are documented.
    :raises ValueError: when it is passed to a spec of another version than OpenAPI 3.

    .. versionadded:: 0.1
    """

    def __init__(self, app: Flask) -> None:
        self._app = app

    def init_spec(self, spec: APISpec) -> None:
        """Let the document of *spec* state which tokens the views require.

        :raises ValueError: if *spec* is of another version than OpenAPI 3.
        """
        if spec.openapi_version.major != 3:
            raise ValueError(_OTHER_VERSION)
        to_dict = spec.to_dict
        # When the document is made, and not when a path is added: flask-smorest adds paths as soon
        # as their blueprint is registered, and the app may be protected later.
        spec.to_dict = lambda: add_authentication(to_dict(), self._app)  # type: ignore[method-assign]


def _routes(app: Flask) -> dict[str, dict[str, Route]]:
    """Return the routes that require a token, by path (as in a document) and method."""
    routes_by_path: dict[str, dict[str, Route]] = {}
    for route in audit(app):
        routes = routes_by_path.setdefault(_ARGUMENT.sub(r"{\1}", route.rule), {})
        for method in route.methods if route.requirements else ():
            # Rules that differ only in their converters are one path in a document.
            requirements = route.requirements | routes.get(method, route).requirements
            routes[method] = replace(route, requirements=requirements)
    return routes_by_path


@dataclass(frozen=True, slots=True)
class _Describer:
    """Describes requirements and error responses of routes."""

    runtime: Runtime
    components: dict[str, Any]  #: of the document; missing ones are added
    roles: bool  #: whether scopes may be listed with a scheme that is not one of OAuth 2.0

    def described(self, operation: Any, route: Route | None) -> Any:
        """Return *operation* with the requirements and the error responses of *route*."""
        if route is None:
            return operation
        requirements = route.requirements
        if requirements.app_jwt is not None:
            scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            scheme["description"] = _APP_JWT_TEXT
            self._component("securitySchemes", APP_JWT.name, scheme)
        if requirements.consumer_jws is not None:
            header = self.runtime.settings.consumer_header
            scheme = {"type": "apiKey", "in": "header", "name": header}
            scheme["description"] = _CONSUMER_JWS_TEXT
            self._component("securitySchemes", CONSUMER_JWS.name, scheme)
        scopes = scopes_of(requirements)
        return {
            "security": security_of(requirements, roles=self.roles),
            **({"x-app-jwt-scopes": scopes} if scopes else {}),
            **operation,
            "responses": self._responses(operation.get("responses", {}), route),
        }

    def _responses(self, given: Mapping[Any, Any], route: Route) -> dict[Any, Any]:
        responses, statuses = dict(given), {str(status) for status in given}
        errors = errors_of(route.requirements, self.runtime)
        for status, group in groupby(errors, lambda error: error.row.status):
            if str(status) not in statuses:
                responses[str(status)] = self._response(status, group, route)
        return responses

    def _response(
        self, status: int, errors: Iterable[type[ConnectorAuthError]], route: Route
    ) -> dict[str, Any]:
        titles, examples = [], {}
        for error in errors:
            envelope = self.runtime.error_responses.response_for(error.row).envelope()
            titles.append(envelope["body"]["title"])
            example = {"summary": titles[-1], "value": envelope}
            examples[error.__name__] = self._component("examples", error.__name__, example)
        sentences = ["; ".join(titles) + ".", *(conditions(route) if status == 401 else ())]
        schema = self._component("schemas", _ENVELOPE_SCHEMA_NAME, _ENVELOPE_SCHEMA)
        return {
            "description": " ".join(sentences),
            "headers": deepcopy(_HEADERS[status]),
            "content": {"application/json": {"schema": schema, "examples": examples}},
        }

    def _component(self, kind: str, name: str, component: Mapping[str, Any]) -> dict[str, str]:
        """Return a reference to a component; add it if none of that name exists."""
        known = self.components.get(kind, {})
        if name not in known:
            self.components[kind] = {**known, name: deepcopy(component)}
        return {"$ref": f"#/components/{kind}/{name}"}
