"""A request that was refused in; the reason that only the server's log has, by its id, out."""

from collections import OrderedDict
from typing import Any

from flask import Flask, request

from flask_connector_auth import ConnectorAuthError, token_rejected

#: The header by which a client names its request; one of the public ones sends it too.
REQUEST_ID = "Request-ID"
#: Reasons that are kept.
KEPT = 100


class Reasons:
    """Remembers why *app* refused the last requests that had a name."""

    def __init__(self, app: Flask) -> None:
        self._reasons: OrderedDict[str, str] = OrderedDict()
        # Weakly, and so for as long as the app has this object.
        token_rejected.connect(self._rejected, sender=app)

    def of(self, request_id: str) -> str | None:
        """Return the reason, or ``None`` if no token was refused, or too many others since."""
        return self._reasons.get(request_id)

    def _rejected(self, _app: Flask, error: ConnectorAuthError, **_more: Any) -> None:
        name = request.headers.get(REQUEST_ID, "")
        if 0 < len(name) <= 64:
            self._reasons[name] = error.reason.value
            while len(self._reasons) > KEPT:
                self._reasons.popitem(last=False)
