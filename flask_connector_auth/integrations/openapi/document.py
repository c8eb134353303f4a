"""A token's profile in; its security scheme, the envelope's schema and headers, for OpenAPI, out.

:data:`SCHEMA` is the schema of :class:`~flask_connector_auth.EnvelopeSchema`, written out: that of
apispec leaves the type of constant members open, and has them optional.
"""

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import groupby
from typing import Any

from flask import Flask

from ...verification import APP_JWT, CONSUMER_JWS, TokenProfile
from ...web import ConnectorAuthError, Route, Runtime, audit, current_runtime
from .security import conditions, errors_of, scopes_of, security_of

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}

#: The name of the envelope's schema.
ENVELOPE: str = "ConnectorAuthError"
SCHEMA: dict[str, Any] = {
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

#: The headers of the responses, by status.
HEADERS: dict[int, dict[str, Any]] = {
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


def scheme(profile: TokenProfile[Any], consumer_header: str) -> dict[str, str]:
    """Return the Security Scheme Object of a token.

    :param consumer_header: the name of the header that the ConsumerJWS is sent in.
    """
    if profile.bearer:
        said = "The access token of an app install. It may be sent without Bearer, too."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": said}
    said = "The consumer on whose behalf the app calls: the token alone."
    return {"type": "apiKey", "in": "header", "name": consumer_header, "description": said}


NEEDED: str = "what views ask for can be stated in a document of OpenAPI 3 only"
_ARGUMENT = re.compile(r"<(?:[^<>]+:)?([^:<>]+)>")


def add_authentication(document: Mapping[str, Any], app: Flask) -> dict[str, Any]:
    """Return a copy of *document* that states what its operations ask for.

    An operation that a view of *app* with requirements serves, by path and method, gets:

    - ``security`` (OpenAPI, Security Requirement Object): the tokens that are asked for, in one
      object, and another object without one that is optional. Scopes are listed as OpenAPI 3.1
      allows; in 3.0 the lists must be empty. ``x-app-jwt-scopes`` has them in both.
    - the responses that it is refused with: 401, 503 where keys or revocations can be out of
      reach, and 400 where row 40001 is switched on; each with the rows that are sent there.

    What *document* already says stands: ``security`` of an operation, its responses of these
    statuses, and components of the same names.

    The AppJWT is of type ``http``, scheme ``bearer`` (RFC 6750), and not an ``apiKey``: tools then
    send ``Bearer`` and the token, which is accepted as the bare token is. The ConsumerJWS is an
    ``apiKey`` in the header that ``CONNECTOR_AUTH_CONSUMER_HEADER`` names.

    :param document: of OpenAPI 3, with the paths of the rules of *app*.
    :raises ValueError: if *document* is of another version.
    :raises RuntimeError: if *app* has no extension.
    """
    version = str(document.get("openapi"))
    if not version.startswith("3."):
        raise ValueError(NEEDED)
    components, paths = (dict(document.get(name, {})) for name in ("components", "paths"))
    writer = _Writer(current_runtime(app), components, roles=not version.startswith("3.0"))
    for path, routes in _routes(app).items():
        if path in paths:
            # Made anew, never written into: one object may be the operation of several methods.
            paths[path] = {
                member: writer.described(value, routes.get(member.upper()))
                for member, value in paths[path].items()
            }
    return {**document, "paths": paths, "components": components}


def _routes(app: Flask) -> dict[str, dict[str, Route]]:
    """Return the routes that ask for a token, by path as in a document, and method."""
    found: dict[str, dict[str, Route]] = {}
    for route in audit(app):
        routes = found.setdefault(_ARGUMENT.sub(r"{\1}", route.rule), {})
        for method in route.methods if route.requirements else ():
            # Rules that differ in nothing but their converters are one path there.
            asked = route.requirements | routes.get(method, route).requirements
            routes[method] = replace(route, requirements=asked)
    return found


class _Writer:
    """Writes what routes ask for.

    :param components: of the document; those that are needed are added.
    :param roles: whether scopes may be listed with a scheme that is not one of OAuth 2.0.
    """

    def __init__(self, state: Runtime, components: dict[str, Any], *, roles: bool) -> None:
        self._state = state
        self._components = components
        self._roles = roles

    def described(self, operation: Any, route: Route | None) -> Any:
        """Return *operation* with what *route* asks for, and how it refuses."""
        if route is None:
            return operation
        asked = route.requirements
        header = self._state.settings.consumer_header
        for profile, token in ((APP_JWT, asked.app_jwt), (CONSUMER_JWS, asked.consumer_jws)):
            if token is not None:
                self._component("securitySchemes", profile.name, scheme(profile, header))
        scopes = scopes_of(asked)
        return {
            "security": security_of(asked, roles=self._roles),
            **({"x-app-jwt-scopes": scopes} if scopes else {}),
            **operation,
            "responses": self._responses(operation.get("responses", {}), route),
        }

    def _responses(self, said: Mapping[Any, Any], route: Route) -> dict[Any, Any]:
        responses, known = dict(said), {str(status) for status in said}
        errors = errors_of(route.requirements, self._state)
        for status, group in groupby(errors, lambda error: error.row.status):
            if str(status) not in known:
                responses[str(status)] = self._response(status, group, route)
        return responses

    def _response(
        self, status: int, errors: Iterable[type[ConnectorAuthError]], route: Route
    ) -> dict[str, Any]:
        titles, examples = [], {}
        for error in errors:
            envelope = self._state.error_responses.response_for(error.row).envelope()
            titles.append(envelope["body"]["title"])
            example = {"summary": titles[-1], "value": envelope}
            examples[error.__name__] = self._component("examples", error.__name__, example)
        told = ["; ".join(titles) + ".", *(conditions(route) if status == 401 else ())]
        schema = self._component("schemas", ENVELOPE, SCHEMA)
        return {
            "description": " ".join(told),
            "headers": deepcopy(HEADERS[status]),
            "content": {"application/json": {"schema": schema, "examples": examples}},
        }

    def _component(self, kind: str, name: str, component: Mapping[str, Any]) -> dict[str, str]:
        """Return a reference to a component, which is added if there is none of that name."""
        known = self._components.get(kind, {})
        if name not in known:
            self._components[kind] = {**known, name: deepcopy(component)}
        return {"$ref": f"#/components/{kind}/{name}"}
