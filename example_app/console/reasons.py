"""The reasons of the last refusals, by request id; clients see them only in the console."""

from collections import OrderedDict
from typing import Any

from flask import Flask, request

from flask_connector_auth import ConnectorAuthError, token_rejected

#: The header that names a request; one of the public clients sends it too.
REQUEST_ID = "Request-ID"
#: Number of reasons that are kept.
KEPT = 100


class Reasons:
    """The reasons why *app* refused the last requests that had a :data:`REQUEST_ID`."""

    def __init__(self, app: Flask) -> None:
        self._reasons: OrderedDict[str, str] = OrderedDict()
        # A weak reference: the signal stays connected as long as the app holds this object.
        token_rejected.connect(self._rejected, sender=app)

    def of(self, request_id: str) -> str | None:
        """Return the reason, or ``None`` if the request was not refused or is too long ago."""
        return self._reasons.get(request_id)

    def _rejected(self, _app: Flask, error: ConnectorAuthError, **_more: Any) -> None:
        name = request.headers.get(REQUEST_ID, "")
        if 0 < len(name) <= 64:
            self._reasons[name] = str(error.reason)
            while len(self._reasons) > KEPT:
                self._reasons.popitem(last=False)
