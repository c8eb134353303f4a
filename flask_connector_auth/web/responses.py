"""The responses to refused requests, rendered once for each row of the error table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.http import HTTP_STATUS_CODES

from ..core import APP_JWT_MISSING, CONSUMER_JWS_MISSING, ERROR_ROWS, ErrorRow, render_envelope

_MISSING_ROWS = (APP_JWT_MISSING, CONSUMER_JWS_MISSING)


@dataclass(frozen=True, slots=True)
class RenderedResponse:
    """The response for one row: the same bytes for every reason."""

    row: ErrorRow  #: as it is sent, overrides included
    status: int
    status_line: str  #: status and phrase
    body: bytes
    headers: list[tuple[str, str]]

    def to_response(self) -> Response:
        """Return a new Flask response."""
        # Status line, length and headers are ready and valid: nothing is computed or checked again.
        headers = Headers()
        headers[:] = self.headers
        return Response([self.body], self.status_line, headers)

    def envelope(self) -> dict[str, Any]:
        """Return the envelope as an object."""
        return json.loads(self.body)  # type: ignore[no-any-return]


class ErrorResponses:
    """The error responses of one app.

    :param overrides: rows to send instead, by documented code.
    :param realm: of the challenge in ``WWW-Authenticate``.
    """

    def __init__(self, overrides: Mapping[int, ErrorRow], realm: str) -> None:
        self._realm = realm
        self._responses = {
            row: self._render(row, overrides.get(code, row)) for code, row in ERROR_ROWS.items()
        }

    def response_for(self, row: ErrorRow) -> RenderedResponse:
        """Return the response for *row*; a row that the app defines is rendered at first use."""
        response = self._responses.get(row)
        if response is None:
            response = self._responses[row] = self._render(row, row)
        return response

    def _render(self, row: ErrorRow, sent_row: ErrorRow) -> RenderedResponse:
        body = render_envelope(sent_row)
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
        status_line = f"{sent_row.status} {phrase}"
        return RenderedResponse(sent_row, sent_row.status, status_line, body, [*headers.items()])
