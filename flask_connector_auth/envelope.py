"""An error row in; the documented envelope, as bytes, out."""

import json
from dataclasses import dataclass

from marshmallow import Schema, fields


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the error table; *status* is the HTTP status and the envelope's ``code``."""

    status: int
    error_code: int
    title: str
    details: str


INVALID_APP_JWT = Row(401, 40102, "Invalid AppJWT", "AppJWT has expired or is invalid")
INVALID_CONSUMER_JWS = Row(401, 40103, "Invalid ConsumerJWS", "ConsumerJWS is invalid")
CONSUMER_JWS_MISSING = Row(
    401, 40104, "ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present"
)
APP_JWT_MISSING = Row(401, 40105, "AppJWT is missing", "AUTHORIZATION header is not present")


class BodySchema(Schema):
    """The ``body`` member (protocol page, Error Responses)."""

    title = fields.String(required=True)
    details = fields.String(required=True)
    error_code = fields.Integer(required=True, data_key="errorCode")


class EnvelopeSchema(Schema):
    """The envelope; members are dumped in the order of declaration."""

    kind = fields.Constant("resp")
    code = fields.Integer(required=True, attribute="status")
    body = fields.Nested(BodySchema, required=True)
    type = fields.Constant(".ReqBody$ErrorResp")


def render(row: Row) -> bytes:
    """Return the envelope of *row*: compact JSON without a trailing newline."""
    envelope = EnvelopeSchema().dump({"status": row.status, "body": row})
    return json.dumps(envelope, separators=(",", ":")).encode()
