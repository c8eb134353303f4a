"""An app and an issuer in; a test client that sends good tokens, unless told otherwise, out."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from ..state import current
from .issuer import Issuer

# The default of an argument for which None means something.
_NEW: Any = object()


class ConnectorClient(FlaskClient):
    """Flask's test client, with the two headers in each request.

    Each method takes ``app_jwt`` and ``consumer_jws`` beside Flask's own arguments: the token to
    send, or ``None`` to send none. A new one is sent if nothing is said; a header that is given
    among ``headers`` stays as it is.

    :param app: the app to ask; it has to trust the *issuer*.
    :param issuer: mints what is sent.
    """

    def __init__(self, app: Flask, issuer: Issuer) -> None:
        super().__init__(app, app.response_class)
        self._issuer = issuer
        self._consumer_header = current(app).settings.consumer_header

    def open(
        self,
        *args: Any,
        app_jwt: str | None = _NEW,
        consumer_jws: str | None = _NEW,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a request; see :meth:`flask.testing.FlaskClient.open`."""
        headers = Headers(kwargs.pop("headers", None))
        for name, token, new in (
            ("Authorization", app_jwt, self._issuer.app_jwt),
            (self._consumer_header, consumer_jws, self._issuer.consumer_jws),
        ):
            text = new() if token is _NEW else token
            if text is not None and name not in headers:
                headers[name] = text
        return super().open(*args, headers=headers, **kwargs)
