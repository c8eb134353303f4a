"""The reasons of refusals, which no client gets: a word, what it is about, and an explanation."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from flask import Flask, has_request_context, request

from flask_connector_auth import Reason

from ..refusals import Refusal, request_refused

#: The header that names a request; one of the public clients sends it too.
REQUEST_ID = "Request-ID"
#: Number of reasons that are kept.
KEPT = 100
#: What each reason means, and what a client does about it.
EXPLAINED = {
    Reason.MISSING: "The header is not there. Send the token in it; some proxies drop headers.",
    Reason.BAD_HEADER: "The header is not one token. Send the bare token, once.",
    Reason.TOO_LARGE: "The token or its header is too long. Something else was sent in its place.",
    Reason.NOT_COMPACT: "This is no token: it has not the three parts of a JWT. Look whether it "
    "was cut off on its way.",
    Reason.BAD_JSON: "A part of the token is no strict JSON, or has a member twice. No library "
    "makes such a token.",
    Reason.BAD_PARAMETER: "The header of the token has a value of a wrong type, such as another "
    "typ: it is a token for something else.",
    Reason.CRITICAL: "The token asks for an extension, and none is supported.",
    Reason.BAD_ALGORITHM: "The token names an algorithm that is not allowed. Only RS256 is; none "
    "and HMAC are what attackers try.",
    Reason.UNKNOWN_KEY: "No published key has this kid. The token is of another environment, or "
    "its key was withdrawn: get a new one.",
    Reason.BAD_SIGNATURE: "No key verifies the signature. The token was edited, or signed by "
    "somebody else: get a new one.",
    Reason.MISSING_CLAIM: "A claim that must be there is not. It is a token for another service.",
    Reason.BAD_CLAIM: "A claim has a value of a wrong type.",
    Reason.WRONG_ISSUER: "iss names another issuer. The token is of another environment.",
    Reason.EXPIRED: "exp has passed. Get a new AppJWT, best shortly before the old one expires, "
    "and again after a 401.",
    Reason.NOT_YET_VALID: "The token was issued in the future: a clock is wrong.",
    Reason.TOO_LONG_LIVED: "The token lives longer than this service permits.",
    Reason.WRONG_TYPE: "This is a token of the other type. The AppJWT goes into Authorization, "
    "the ConsumerJWS into X-LP-ON-BEHALF.",
    Reason.SAME_TOKEN: "Both headers have the same token. Get a ConsumerJWS, and send that in "
    "X-LP-ON-BEHALF.",
    Reason.WRONG_ACCOUNT: "The token is of another account than the URL.",
    Reason.MISSING_SCOPE: "The token lacks the scope that this call needs.",
    Reason.REVOKED: "The token was revoked, or its app install, account or consumer. Restore it "
    "in Operations.",
    Reason.UNKNOWN_USER: "The token is good, and the app does not know its user.",
    Reason.VIEW: "Both tokens are good, and the service has refused what was asked for.",
    Reason.KEYS_UNAVAILABLE: "The service cannot load its keys at the moment. Try again.",
    Reason.REVOCATION_UNAVAILABLE: "The service does not know at the moment what is revoked. "
    "Try again.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Why a request was refused."""

    reason: str  #: the word in the log, or the view's own reason
    details: str  #: what the word is about
    explanation: str

    @classmethod
    def of(cls, refusal: Refusal) -> "Told":
        """Return what is told of *refusal*."""
        text = refusal.reason.text
        word, _, details = text.partition(" ")
        if refusal.reason.error_code and word in EXPLAINED:
            return cls(word, details, EXPLAINED[Reason(word)])
        if refusal.reason.error_code:
            return cls(text, "", EXPLAINED[Reason.VIEW])
        return cls(text, "", "")


class Reasons:
    """The reasons why *app* refused the last requests that had a :data:`REQUEST_ID`."""

    def __init__(self, app: Flask) -> None:
        self._reasons: OrderedDict[str, Told] = OrderedDict()
        # A weak reference: the signal stays connected as long as the app holds this object.
        request_refused.connect(self._refused, sender=app)

    def of(self, request_id: str) -> Told | None:
        """Return the reason, or ``None`` if the request was not refused or is too long ago."""
        return self._reasons.get(request_id)

    def _refused(self, _app: Flask, refusal: Refusal, **_more: Any) -> None:
        # What the server refuses before the app gets it is no request of Flask.
        name = request.headers.get(REQUEST_ID, "") if has_request_context() else ""
        if 0 < len(name) <= 64:
            self._reasons[name] = Told.of(refusal)
            while len(self._reasons) > KEPT:
                self._reasons.popitem(last=False)
