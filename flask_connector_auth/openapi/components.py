"""A token's profile in; its security scheme, the envelope's schema and headers, for OpenAPI, out.

:data:`SCHEMA` is the schema of :class:`~flask_connector_auth.EnvelopeSchema`, written out: that of
apispec leaves the type of constant members open, and has them optional.
"""

from typing import Any

from ..profiles import TokenProfile

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
