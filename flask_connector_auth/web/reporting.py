"""The rejection of a request: its error, one rate-limited log line, and a signal."""

import logging
from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import Request

from ..core import Reason, Rejected, Unavailable, forget_origin, shared_claims, token_rejected
from ..verification import CONSUMER_JWS, TokenProfile, check_distinct, read_token
from .context import Entries, current_app
from .exceptions import (
    AppJWTMissing,
    AuthenticationUnavailable,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
)
from .runtime import Runtime

logger: logging.Logger = logging.getLogger(__name__)

# Characters of a claim, in the log and in the details of a reason; real ids are shorter.
_MAX_CLAIM = 64
# Not a header that is too large, which is not read a second time, nor what the application refuses.
_MAY_BE_SAME_TOKEN = {*Reason} - {Reason.TOO_LARGE, Reason.UNKNOWN_USER}
_MISSING_PARAMETER_REASONS = (Reason.MISSING_CLAIM, Reason.WRONG_ISSUER)


def report_failure(
    runtime: Runtime,
    request: Request,
    profile: TokenProfile[Any],
    failure: Rejected | Unavailable,
    entries: Entries,
) -> ConnectorAuthError:
    """Return the error for *failure*, once it is logged and the signal is sent.

    Raise the error outside of any ``except`` block: then it has no ``__cause__``, and a log of the
    error does not show what was sent. Do not assign it to a local variable: error and traceback
    would refer to each other, and the garbage collector would have to free the request.

    The level is ``INFO``, or ``ERROR`` if the fault is the server's. The line shows a claim only if
    the signature of its token was verified. The log record has the same values in
    ``connector_auth``, a dict.

    :param profile: of the token that failed.
    :param failure: why; it holds nothing of the request afterwards.
    :param entries: of the verified tokens, even of one whose account or scopes are the failure.
    """
    forget_origin(failure)
    error = _error(runtime, request.environ, profile, failure)
    if failure.reason_details and error.reason is failure.reason:
        details = failure.reason_details.items()
        error.reason_details = {name: _shorten(value) for name, value in details}
    level = logging.ERROR if isinstance(error, AuthenticationUnavailable) else logging.INFO
    if logger.isEnabledFor(level):
        held_back = runtime.log_limit.take(error.reason)
        if held_back is not None:
            claims: dict[str, str] = {}
            for entry in filter(None, entries):
                claims |= entry.verifier.loggable_claims(entry.kid, shared_claims(entry.token))
            if isinstance(failure, Rejected):
                claims |= failure.loggable_claims
            values = {
                "row": error.row.error_code,
                "endpoint": request.endpoint,
                **{name: _shorten(claim) for name, claim in claims.items()},
                **error.reason_details,
                "held_back": held_back,
            }
            # "!a" escapes what could end the line or control a terminal.
            line = " ".join(f"{name}={value!a}" for name, value in values.items())
            extra = {"connector_auth": {"reason": str(error.reason), **values}}
            logger.log(level, "refused: %s %s", error.reason, line, extra=extra)
    if token_rejected.receivers:
        token_rejected.send(current_app(), error=error)
    return error


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CLAIM else text[:_MAX_CLAIM] + "..."


def _error(
    runtime: Runtime,
    environ: WSGIEnvironment,
    profile: TokenProfile[Any],
    failure: Rejected | Unavailable,
) -> ConnectorAuthError:
    """Return the error for *failure*: the only place that maps reasons to errors."""
    reason = failure.reason
    if isinstance(failure, Unavailable):
        return AuthenticationUnavailable(reason, failure.retry_after)
    if profile.label == CONSUMER_JWS.label:
        if reason is Reason.MISSING:
            return ConsumerJWSMissing(reason)
        if reason in _MAY_BE_SAME_TOKEN and _have_same_token(runtime, environ):
            reason = Reason.SAME_TOKEN
        return InvalidConsumerJWS(reason)
    if reason is Reason.MISSING:
        return AppJWTMissing(reason)
    if runtime.settings.missing_parameter_row and reason in _MISSING_PARAMETER_REASONS:
        return MissingParameter(reason)
    return InvalidAppJWT(reason)


def _have_same_token(runtime: Runtime, environ: WSGIEnvironment) -> bool:
    """Whether both headers hold the same text, which then cannot be a ConsumerJWS."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if len(header) > 2 * runtime.settings.max_token_bytes:
        return False
    try:
        app_text = read_token(header, bearer=True)
        consumer_text = read_token(environ.get(runtime.consumer_environ_key), bearer=False)
        check_distinct(app_text, consumer_text)
    except Rejected as rejected:
        return rejected.reason is Reason.SAME_TOKEN
    return False
