"""An error row in; the answer it is sent as out, rendered once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.http import HTTP_STATUS_CODES

from ..core import APP_JWT_MISSING, CONSUMER_JWS_MISSING, ERROR_ROWS, ErrorRow, render_envelope

_MISSING = (APP_JWT_MISSING, CONSUMER_JWS_MISSING)


@dataclass(frozen=True, slots=True)
class RenderedResponse:
    """What is sent for one row: the same bytes whatever the reason was."""

    row: ErrorRow  #: as it is sent, overrides included
    status: int
    status_line: str  #: with its phrase
    body: bytes
    headers: list[tuple[str, str]]

    def response(self) -> Response:
        """Return a new response with this answer."""
        # Nothing is worked out again that is known: neither status line, nor length, nor whether
        # each header is well-formed.
        headers = Headers()
        headers[:] = self.headers
        return Response([self.body], self.status_line, headers)

    def data(self) -> dict[str, Any]:
        """Return the envelope as the object it encodes."""
        return json.loads(self.body)  # type: ignore[no-any-return]


class ErrorResponses:
    """The answers of one app, with its overrides of the error table.

    :param overrides: rows to send instead, by documented code.
    :param realm: of the challenge in ``WWW-Authenticate``.
    """

    def __init__(self, overrides: Mapping[int, ErrorRow], realm: str) -> None:
        self._realm = realm
        self._answers = {
            row: self._render(row, overrides.get(code, row)) for code, row in ERROR_ROWS.items()
        }

    def answer(self, row: ErrorRow) -> RenderedResponse:
        """Return the answer for *row*; one of the app's own is rendered at its first use."""
        answer = self._answers.get(row)
        if answer is None:
            answer = self._answers[row] = self._render(row, row)
        return answer

    def _render(self, row: ErrorRow, shown: ErrorRow) -> RenderedResponse:
        body = render_envelope(shown)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
        if shown.status == 401:
            # RFC 6750 section 3.1: a request without a token gets no error code; any other gets
            # the same one, so that the challenge says no more than the envelope.
            error = {} if row in _MISSING else {"error": "invalid_token"}
            challenge = WWWAuthenticate("bearer", {"realm": self._realm, **error})
            headers["WWW-Authenticate"] = challenge.to_header()
        phrase = HTTP_STATUS_CODES.get(shown.status, "Unknown").upper()
        status_line = f"{shown.status} {phrase}"
        return RenderedResponse(shown, shown.status, status_line, body, [*headers.items()])
