"""The responses to refused requests: each row of the error table, rendered once for an app."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.utils import cached_property

from ..core import ErrorRow, errors

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_MISSING_ROWS = (errors.APP_JWT_MISSING, errors.CONSUMER_JWS_MISSING)


class _Body(list[bytes]):
    """The body in the form for a server: one that it calls ``close()`` of, once it has sent it."""

    __slots__ = ("close",)
    close: Callable[[], None]


class EnvelopeResponse(Response):
    """A Flask response that is sent with the headers of its row.

    Headers of its own are made when something reads them, such as a function of ``after_request``.
    Most refusals are sent without: to make headers, and to compute from them what is sent, takes
    longer than all else that this package does to refuse a request.
    """

    rendered: "RenderedResponse"

    def __init__(self, rendered: "RenderedResponse") -> None:
        # Not the constructor of Response, which would read the headers.
        attributes = vars(self)
        attributes["rendered"] = rendered
        for name, value in rendered.attributes.items():
            attributes[name] = value.copy() if type(value) is list else value

    @cached_property
    def headers(self) -> Headers:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The headers of this response alone, which may be changed."""
        headers = Headers()
        headers[:] = self.rendered.headers  # the constructor takes twice as long
        return headers

    def get_wsgi_response(
        self, environ: "WSGIEnvironment"
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return body, status line and headers: the row's, unless something has read headers."""
        rendered = self.rendered
        if "headers" in vars(self) or self.status != rendered.status_line:
            # Not by super(), which reads the ``__class__`` below.
            return Response.get_wsgi_response(self, environ)
        if environ["REQUEST_METHOD"] == "HEAD" or self.response != rendered.parts:
            return self.get_app_iter(environ), rendered.status_line, [*rendered.headers]
        # A tenth of the time that Werkzeug takes for an iterator that encodes each part.
        body = _Body(rendered.parts)
        body.close = self.close
        return body, rendered.status_line, [*rendered.headers]

    def _change_class(self, response_class: type[Response]) -> None:
        """Make this a response of another class, as ``force_type`` does for an app's own class."""
        vars(self)["headers"] = self.headers  # other classes make none
        object.__dict__["__class__"].__set__(self, response_class)

    __class__ = property(type, _change_class)  # pyright: ignore[reportIncompatibleMethodOverride]


@dataclass(frozen=True, slots=True)
class RenderedResponse:
    """The response for one row: the same bytes for every reason."""

    row: ErrorRow  #: as it is sent, overrides included
    status_line: str  #: status and phrase
    parts: list[bytes]  #: the body
    headers: tuple[tuple[str, str], ...]
    attributes: Mapping[str, Any]  #: of a response, as Flask computes them, but for the headers

    def to_response(self) -> Response:
        """Return a new Flask response."""
        return EnvelopeResponse(self)

    def envelope(self) -> dict[str, Any]:
        """Return the envelope as an object."""
        return json.loads(self.parts[0])  # type: ignore[no-any-return]


class ErrorResponses:
    """The error responses of one app.

    :param overrides: rows to send instead, by documented code.
    :param realm: of the challenge in ``WWW-Authenticate``.
    """

    def __init__(self, overrides: Mapping[int, ErrorRow], realm: str) -> None:
        self._realm = realm
        self._responses = {
            row: self._render(row, overrides.get(code, row))
            for code, row in errors.ERROR_ROWS.items()
        }

    def response_for(self, row: ErrorRow) -> RenderedResponse:
        """Return the response for *row*; a row that the app defines is rendered at first use."""
        response = self._responses.get(row)
        if response is None:
            response = self._responses[row] = self._render(row, row)
        return response

    def _render(self, row: ErrorRow, sent_row: ErrorRow) -> RenderedResponse:
        body = errors.render_envelope(sent_row)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
        if sent_row.status == 401:
            # RFC 6750 section 3.1: no error code for a request without a token. All others get the
            # same code, so that the challenge tells no more than the envelope.
            error = {} if row in _MISSING_ROWS else {"error": "invalid_token"}
            challenge = WWWAuthenticate("bearer", {"realm": self._realm, **error})
            headers["WWW-Authenticate"] = challenge.to_header()
        phrase = HTTP_STATUS_CODES.get(sent_row.status, "Unknown").upper()
        line = f"{sent_row.status} {phrase}"
        attributes = vars(Response([body], line, headers))
        del attributes["headers"]
        return RenderedResponse(sent_row, line, [body], (*headers.items(),), attributes)
