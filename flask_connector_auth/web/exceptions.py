"""HTTP exceptions, rendered as the documented error envelope."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, has_app_context, has_request_context
from werkzeug.exceptions import HTTPException

from ..core import ErrorRow, Reason, errors
from .context import EXTENSION, current_app, current_request_context
from .responses import ErrorResponses


class EnvelopeError(HTTPException):
    """The class that the error handler of the extension is registered for.

    Flask looks for a handler by the code of the exception's *class* first, then along its bases.
    All errors have one code, whatever the status of the instance: so this handler is found before
    those for ``HTTPException`` or ``Exception``, even if a blueprint has one. The public classes
    derive from this one: so an app's handler for one of them is found before this handler,
    whichever was registered first. ``Unauthorized`` is no base: so an app's ``errorhandler(401)``
    is not found.
    """

    code: int | None = 401
    response: Response


class PreflightAnswered(EnvelopeError):
    """Ends a request with *response*, raised where a returned response might be dropped.

    Without a code on the instance, Flask sends the response as it is, and calls no handler. With
    ``TRAP_HTTP_EXCEPTIONS`` Flask calls the handler of the extension, which returns it too.
    Frameworks may report it as an exception all the same, so its texts say that it is no error.
    """

    description: str | None = "a CORS preflight was answered; no error"

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)
        self.code: int | None = None

    def __str__(self) -> str:
        return f"{self.description}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.description}>"


class ConnectorAuthError(EnvelopeError):
    """Base class of this package's HTTP errors; each is sent as the envelope of its :attr:`row`.

    A subclass with another row is sent in the same envelope.

    ``str()`` returns what the client may see: code, title and details as they are sent, the same
    for every reason. GraphQL libraries, sockets and error reporters pass it on. For a log, use
    ``repr()``, which shows row and reason, or the attributes ``reason`` and ``reason_details``.

    :param reason: for log and signal; it is never sent to the client.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow]  #: the row of the error table that is sent
    #: Details of the reason, by name: see :doc:`errors`. For log and signal, like the reason.
    reason_details: Mapping[str, str] = {}

    def __init__(self, reason: Reason | str = Reason.VIEW) -> None:
        rendered = current_error_responses().response_for(self.row)
        # Flask-RESTful sends ``response`` if it is set, and calls no error handler.
        super().__init__(rendered.row.details, rendered.to_response())
        self.code: int | None = rendered.row.status
        self.reason: Reason | str = reason
        self._rendered = rendered

    @property
    def data(self) -> dict[str, Any]:
        """The envelope as an object, which Flask-RESTX sends."""
        return self._rendered.envelope()

    def __str__(self) -> str:
        row = self._rendered.row
        return f"{row.error_code} {row.title}: {row.details}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.row.error_code}: {self.reason}>"


class InvalidAppJWT(ConnectorAuthError):
    """Row 40102: the AppJWT has expired or is invalid.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.INVALID_APP_JWT


class InvalidConsumerJWS(ConnectorAuthError):
    """Row 40103: the ConsumerJWS is invalid, or does not allow what the view does.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.INVALID_CONSUMER_JWS


class ConsumerJWSMissing(ConnectorAuthError):
    """Row 40104: the ConsumerJWS is missing.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.CONSUMER_JWS_MISSING


class AppJWTMissing(ConnectorAuthError):
    """Row 40105: the AppJWT is missing.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.APP_JWT_MISSING


class MissingParameter(ConnectorAuthError):
    """Row 40001: the AppJWT lacks a mandatory claim, or its issuer is wrong.

    It is sent only if ``CONNECTOR_AUTH_MISSING_PARAMETER_ROW`` is set. Otherwise row 40102 is sent.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.MISSING_PARAMETER


class AuthenticationUnavailable(ConnectorAuthError):
    """Row 50301: the tokens cannot be verified at the moment; the server's fault.

    :param retry_after: seconds until the client should try again, sent as ``Retry-After`` (RFC 9110
        section 10.2.3). It is rounded and limited to 1 to 30, because a known client gives up above
        that. A value that is not a number counts as 1.

    .. versionadded:: 0.1
    """

    row: ClassVar[ErrorRow] = errors.UNAVAILABLE

    def __init__(self, reason: Reason | str = Reason.VIEW, retry_after: float = 1) -> None:
        super().__init__(reason)
        try:
            seconds = float(retry_after)
        except (TypeError, ValueError, OverflowError):
            seconds = 1
        # In this order: max() returns 1 if the other is not a number, and an infinite one cannot be
        # rounded.
        self.response.headers["Retry-After"] = str(round(min(30, max(1, seconds))))


def current_error_responses() -> ErrorResponses:
    """Return the error responses of the app that answers: that of the request, if there is one.

    Within a request another app's context may be the current one (decision 0001).
    """
    if has_request_context():
        app = current_request_context().app
    elif has_app_context():
        app = current_app()
    else:
        return _DOCUMENTED
    runtime = app.extensions.get(EXTENSION)
    responses: ErrorResponses = runtime.error_responses if runtime else _DOCUMENTED
    return responses


# For errors that are made outside of any app, or in an app without the extension.
_DOCUMENTED = ErrorResponses({}, "Connector API")


blueprint: Blueprint = Blueprint("connector_auth", __name__)


@blueprint.app_errorhandler(EnvelopeError)
def send_envelope(error: EnvelopeError) -> Response:
    """Return the response that *error* was made with."""
    return error.response
