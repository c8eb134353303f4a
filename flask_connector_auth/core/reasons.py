"""The reasons for which a request fails: for logs, signals and exceptions, never for the client."""

from collections.abc import Mapping
from enum import StrEnum


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
    CRITICAL = "critical"  #: ``crit``, ``b64`` or ``zip`` is present: no extension is supported
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
    VIEW = "view"  #: the view itself raised the error
    KEYS_UNAVAILABLE = "keys_unavailable"  #: the verification keys are not available just now
    REVOCATION_UNAVAILABLE = "revocation_unavailable"  #: it is not known what is revoked


class Rejected(Exception):
    """The token is refused: the client's fault. Carries a :class:`Reason`, never token text.

    ``repr()`` shows the reason, ``str()`` does not.
    """

    #: Claims that the log may show, because the token's signature is good.
    loggable_claims: Mapping[str, str] = {}

    @property
    def reason(self) -> Reason:
        """Why the token is refused."""
        reason: Reason = self.args[0]
        return reason

    def __str__(self) -> str:
        return "the token is refused"


class Unavailable(Exception):
    """The token cannot be verified just now: the fault of this service, not of the client's token.

    ``repr()`` shows the reason, ``str()`` does not.

    :param reason: what is not available.
    :param retry_after: seconds after which the client should try again.

    .. versionadded:: 0.1
    """

    def __init__(self, reason: Reason, retry_after: float = 1) -> None:
        super().__init__(reason, retry_after)
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        return "the tokens cannot be verified at the moment"
