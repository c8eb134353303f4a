"""The rows of the documented error table, and the JSON envelope in which they are sent."""

import json
from dataclasses import dataclass

from marshmallow import Schema, fields


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the error table (protocol page, Error Responses).

    :raises ValueError: if the first three of the five digits of *error_code*, which are the status
        of the response, are not an HTTP error status.

    .. versionadded:: 0.1
    """

    error_code: int  #: ``errorCode``, five digits: the HTTP status and a running number
    title: str  #: ``title``
    details: str  #: ``details``

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(
                f"errorCode {self.error_code} does not start with an HTTP error status"
            )

    @property
    def status(self) -> int:
        """The HTTP status, and the envelope's ``code``."""
        return self.error_code // 100


INVALID_APP_JWT = ErrorRow(40102, "Invalid AppJWT", "AppJWT has expired or is invalid")
INVALID_CONSUMER_JWS = ErrorRow(40103, "Invalid ConsumerJWS", "ConsumerJWS is invalid")
CONSUMER_JWS_MISSING = ErrorRow(
    40104, "ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present"
)
APP_JWT_MISSING = ErrorRow(40105, "AppJWT is missing", "AUTHORIZATION header is not present")
MISSING_PARAMETER = ErrorRow(40001, "Missing parameter", "Brand Id is missing")
UNAVAILABLE = ErrorRow(
    50301, "Authentication unavailable", "The tokens cannot be verified at the moment"
)

#: The rows that a deployment may override, by their documented code.
ERROR_ROWS = {
    row.error_code: row
    for row in (
        INVALID_APP_JWT,
        INVALID_CONSUMER_JWS,
        CONSUMER_JWS_MISSING,
        APP_JWT_MISSING,
        MISSING_PARAMETER,
        UNAVAILABLE,
    )
}


class BodySchema(Schema):
    """The ``body`` member (protocol page, Error Responses).

    .. versionadded:: 0.1
    """

    title: fields.String = fields.String(required=True)
    details: fields.String = fields.String(required=True)
    error_code: fields.Integer = fields.Integer(required=True, data_key="errorCode", strict=True)


class EnvelopeSchema(Schema):
    """The envelope; members are dumped in the order of declaration.

    .. versionadded:: 0.1
    """

    kind: fields.Constant[str] = fields.Constant("resp")
    code: fields.Integer = fields.Integer(required=True, attribute="status")
    body: fields.Nested = fields.Nested(BodySchema, required=True)
    type: fields.Constant[str] = fields.Constant(".ReqBody$ErrorResp")


def render_envelope(row: ErrorRow) -> bytes:
    """Return the envelope of *row*: compact JSON without a trailing newline."""
    envelope = EnvelopeSchema().dump({"status": row.status, "body": row})
    return json.dumps(envelope, separators=(",", ":")).encode()
