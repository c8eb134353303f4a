"""A row and a reason in; an exception that Flask turns into the documented envelope out."""

from typing import Any, ClassVar

from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

from ..core import Reason
from ..core import error_rows as envelope
from .responses import ErrorResponses
from .runtime import EXTENSION, Runtime, current_app


class EnvelopeError(HTTPException):
    """Where the blueprint's error handler is registered, and nothing else.

    Flask looks a handler up by the code of the exception's *class* first, then along its bases.
    With one code for all, whatever status an instance has, our handler is found before any
    generic one (``HTTPException``, ``Exception``, of a blueprint too); and with this class above
    the public ones, an app's handler for any of those is found before ours, whichever was
    registered first. ``Unauthorized`` is no base, so an app's ``errorhandler(401)`` is not met.
    """

    code: int | None = 401
    response: Response


class ConnectorAuthError(EnvelopeError):
    """The root of this package's HTTP errors; each is sent as the envelope of its :attr:`row`.

    Subclass it with a row of your own to have that sent in the same envelope.

    ``str()`` of one is what the client may see: code, title and details as they are sent, the same
    whatever the reason was. GraphQL libraries, sockets and error reporters pass it on. For a log,
    take ``repr()``, which names row and reason, or ``reason``.

    :param reason: why, for log and signal; the client never sees it.
    """

    row: ClassVar[envelope.ErrorRow]  #: what is sent

    def __init__(self, reason: Reason = Reason.VIEW) -> None:
        answer = _catalogue().answer(self.row)
        # Flask-RESTful sends ``response`` where it finds one set, and asks no handler.
        super().__init__(answer.row.details, answer.response())
        self.code: int | None = answer.status
        self.reason = reason
        self._answer = answer

    @property
    def data(self) -> dict[str, Any]:
        """The envelope as an object, which is what Flask-RESTX sends."""
        return self._answer.data()

    def __str__(self) -> str:
        row = self._answer.row
        return f"{row.error_code} {row.title}: {row.details}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.row.error_code}: {self.reason}>"


class InvalidAppJWT(ConnectorAuthError):
    """Row 40102: the AppJWT has expired or is invalid."""

    row: ClassVar[envelope.ErrorRow] = envelope.INVALID_APP_JWT


class InvalidConsumerJWS(ConnectorAuthError):
    """Row 40103: the ConsumerJWS is invalid, or not good for what the view was asked."""

    row: ClassVar[envelope.ErrorRow] = envelope.INVALID_CONSUMER_JWS


class ConsumerJWSMissing(ConnectorAuthError):
    """Row 40104: there is no ConsumerJWS."""

    row: ClassVar[envelope.ErrorRow] = envelope.CONSUMER_JWS_MISSING


class AppJWTMissing(ConnectorAuthError):
    """Row 40105: there is no AppJWT."""

    row: ClassVar[envelope.ErrorRow] = envelope.APP_JWT_MISSING


class MissingParameter(ConnectorAuthError):
    """Row 40001, by setting: the AppJWT lacks a mandatory claim, or its issuer is wrong."""

    row: ClassVar[envelope.ErrorRow] = envelope.MISSING_PARAMETER


class AuthenticationUnavailable(ConnectorAuthError):
    """Row 50301: the tokens cannot be judged just now; our fault, never the client's.

    :param retry_after: seconds until the client should try again, sent as ``Retry-After``
        (RFC 9110 section 10.2.3), within 1 to 30: a known client gives up above that.
    """

    row: ClassVar[envelope.ErrorRow] = envelope.UNAVAILABLE

    def __init__(self, reason: Reason = Reason.KEYS_UNAVAILABLE, retry_after: float = 1) -> None:
        super().__init__(reason)
        self.response.headers["Retry-After"] = str(min(30, max(1, round(retry_after))))


def _catalogue() -> ErrorResponses:
    try:
        app = current_app()
    except RuntimeError:
        return _DOCUMENTED  # outside of any app
    state: Runtime | None = app.extensions.get(EXTENSION)
    return state.catalogue if state else _DOCUMENTED


_DOCUMENTED = ErrorResponses({}, "Connector API")


blueprint: Blueprint = Blueprint("connector_auth", __name__)


@blueprint.app_errorhandler(EnvelopeError)
def send_envelope(error: EnvelopeError) -> Response:
    """Return the answer that *error* was made with."""
    return error.response
