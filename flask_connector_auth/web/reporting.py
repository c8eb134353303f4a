"""A refused request in; one line of log, within its limit, and a signal out."""

import logging
from collections.abc import Mapping

from flask import Request

from ..core import AppJWT, ConsumerJWS, token_rejected
from ..verification import read_token
from .exceptions import AuthenticationUnavailable, ConnectorAuthError
from .runtime import Runtime, current_app

logger: logging.Logger = logging.getLogger(__name__)

# Characters of one value: more than any id that is seen in earnest.
_MAX_SHOWN = 64


def log_rejection(
    state: Runtime,
    request: Request,
    error: ConnectorAuthError,
    verified: Mapping[str, str] = {},
    app_jwt: AppJWT | None = None,
    consumer_jws: ConsumerJWS | None = None,
) -> ConnectorAuthError:
    """Log that *request* is refused with *error*, send the signal, and return *error*.

    The line is ``INFO``, or ``ERROR`` where the fault is ours. Nothing is told of a token but what
    its signature vouches for. The record carries the same values as ``connector_auth``, a dict.

    :param verified: what is known of a token that was refused; see :class:`Rejected`.
    :param app_jwt: as it was verified, even if it is what the request is refused for.
    :param consumer_jws: likewise.
    """
    level = logging.ERROR if isinstance(error, AuthenticationUnavailable) else logging.INFO
    if logger.isEnabledFor(level):
        held_back = state.log_limit.take(error.reason)
        if held_back is not None:
            told = {
                "row": error.row.error_code,
                "endpoint": request.endpoint,
                **_cut({**_known(state, request, app_jwt, consumer_jws), **verified}),
                "held_back": held_back,
            }
            # By ascii(), so that no value can end the line or change what a terminal shows.
            line = " ".join(f"{name}={value!a}" for name, value in told.items())
            extra = {"connector_auth": {"reason": error.reason.value, **told}}
            logger.log(level, "refused: %s %s", error.reason, line, extra=extra)
    if token_rejected.receivers:
        token_rejected.send(current_app(), error=error)
    return error


def _known(
    state: Runtime, request: Request, app_jwt: AppJWT | None, consumer_jws: ConsumerJWS | None
) -> dict[str, str]:
    """Return what is told of the tokens that were verified, read once more from their headers."""
    known: dict[str, str] = {}
    if app_jwt is not None:
        text = read_token(request.environ["HTTP_AUTHORIZATION"], bearer=True)
        known |= state.app_jwt.loggable_claims(text, app_jwt)
    if consumer_jws is not None:
        text = read_token(request.environ[state.consumer_key], bearer=False)
        known |= state.consumer_jws.loggable_claims(text, consumer_jws)
    return known


def _cut(told: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "..."
        for name, value in told.items()
    }
