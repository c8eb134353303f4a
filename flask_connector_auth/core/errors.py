"""Why a request fails, and what the client is sent.

A reason is for logs, signals and exceptions, and never for the client. The client gets one row of
the documented error table, in a JSON envelope.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from marshmallow import Schema, fields


class Reason(StrEnum):
    """One word for each way a request can fail.

    .. versionadded:: 0.1
    """

    MISSING = "missing"  #: the header is absent or blank
    BAD_HEADER = "bad_header"  #: the header is not one token, bare or behind ``Bearer``
    TOO_LARGE = "too_large"  #: the token or its header segment is over the size limit
    NOT_COMPACT = "not_compact"  #: not three base64url segments (RFC 7515 section 7.1)
    BAD_JSON = "bad_json"  #: a segment is not a strict JSON object in UTF-8 (RFC 8725 section 3.7)
    BAD_PARAMETER = "bad_parameter"  #: a header parameter of a wrong type or value
    CRITICAL = "critical"  #: ``crit``, ``b64`` or ``zip`` asks for an extension: none is supported
    BAD_ALGORITHM = "bad_algorithm"  #: ``alg`` is not on the allow-list (RFC 8725 section 3.1)
    UNKNOWN_KEY = "unknown_key"  #: no configured key fits the token
    BAD_SIGNATURE = "bad_signature"  #: no fitting key verifies the signature
    MISSING_CLAIM = "missing_claim"  #: a mandatory claim is absent
    BAD_CLAIM = "bad_claim"  #: a claim has a wrong type or an unusable value
    WRONG_ISSUER = "wrong_issuer"  #: ``iss`` is not the configured issuer (RFC 8725 section 3.8)
    EXPIRED = "expired"  #: ``exp`` has passed (RFC 7519 section 4.1.4)
    NOT_YET_VALID = "not_yet_valid"  #: ``nbf`` or ``iat`` lies in the future
    TOO_LONG_LIVED = "too_long_lived"  #: ``exp - iat`` is over the configured lifetime
    WRONG_TYPE = "wrong_type"  #: a token of the other type (RFC 8725 section 3.12)
    SAME_TOKEN = "same_token"  #: both headers have the same text
    WRONG_ACCOUNT = "wrong_account"  #: a token of another account
    MISSING_SCOPE = "missing_scope"  #: a required scope was not granted
    REVOKED = "revoked"  #: the token, or every token of its account, app or consumer
    UNKNOWN_USER = "unknown_user"  #: the user loader of the application has found no user
    VIEW = "view"  #: the view itself raised the error
    KEYS_UNAVAILABLE = "keys_unavailable"  #: the verification keys are not available just now
    REVOCATION_UNAVAILABLE = "revocation_unavailable"  #: it is not known what is revoked


# Expected values in the details of a refusal: a text with more or longer ones would be cut.
_MAX_NAMED, _MAX_TEXT = 8, 64


class Rejected(Exception):
    """The token is refused: the client's fault. Carries a reason, never token text.

    ``repr()`` shows the reason, ``str()`` does not.

    :param reason_details: what the reason is about, by name: what was expected, or what a token
        with a good signature says instead.
    """

    #: Returns :attr:`loggable_claims`: they are worked out only for a rejection that is logged.
    #: Never a ``partial``: error reporters would show the claims that it holds.
    find_loggable_claims: Callable[[], Mapping[str, str]] = dict

    def __init__(self, reason: Reason | str, reason_details: Mapping[str, str] = {}) -> None:
        self.args: tuple[Any, ...] = (reason,)
        self.reason = reason
        self.reason_details = reason_details

    @property
    def loggable_claims(self) -> Mapping[str, str]:
        """Claims that the log may show, because the token's signature is good."""
        return self.find_loggable_claims()

    @classmethod
    def of_expected(cls, reason: Reason, name: str, expected: Collection[str]) -> "Rejected":
        """Return the error of a token with none of the *expected* values, *name* in its details."""
        count, text = len(expected), " or ".join(sorted(expected))
        if count > _MAX_NAMED or (count > 1 and len(text) > _MAX_TEXT):
            text = f"one of {count}"
        return cls(reason, {name: text})

    @classmethod
    def wrong_account(cls, expected: Collection[str]) -> "Rejected":
        """Return the error of a token of another account than one of those *expected*."""
        return cls.of_expected(Reason.WRONG_ACCOUNT, "expected_account", expected)

    def __str__(self) -> str:
        return "the token is refused"


class Unavailable(Exception):
    """The token cannot be verified just now: the fault of this service, not of the client's token.

    ``repr()`` shows the reason, ``str()`` does not.

    :param reason: what is not available. Any value that is not a :class:`Reason` counts as
        ``keys_unavailable``.
    :param retry_after: seconds after which the client should try again.

    .. versionadded:: 0.1
    """

    # For a subclass whose constructor does not call this one.
    reason: Reason = Reason.KEYS_UNAVAILABLE
    retry_after: float = 1
    #: What the reason is about, by name. The verifier sets it, and a key source need not.
    reason_details: Mapping[str, str] = {}

    def __init__(self, reason: Reason, retry_after: float = 1) -> None:
        # A key source of the application raises this in a request. An outage stays an outage,
        # whatever it was given: an error here would be answered with 500.
        try:
            reason = Reason(reason)
        except ValueError:
            reason = Reason.KEYS_UNAVAILABLE
        super().__init__(reason, retry_after)
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        return "the tokens cannot be verified at the moment"


def forget_origin(error: BaseException) -> None:
    """Free what *error*, once it is handled, holds of the request: its traceback and causes.

    An application may raise one object again and again, and then it would hold each request.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the error table (protocol page, Error Responses).

    :raises ValueError: if *error_code* does not have five digits, of which the first three are an
        HTTP error status. They are the status of the response.

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
    """The member ``body`` of the envelope (protocol page, Error Responses).

    .. versionadded:: 0.1
    """

    title: fields.String = fields.String(required=True)
    details: fields.String = fields.String(required=True)
    error_code: fields.Integer = fields.Integer(required=True, data_key="errorCode", strict=True)


class EnvelopeSchema(Schema):
    """The JSON body of every error. Members are dumped in the order of declaration.

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
