"""Keys that others published in; why a real app that trusts them refuses a token out."""

from collections.abc import Sequence
from typing import Any

from flask import Flask

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
)
from tests.support.http_helpers import assert_row

#: By token: where WSGI keeps its header, and the rows of a bad and of a missing one.
KINDS = {
    "app_jwt": ("HTTP_AUTHORIZATION", 40102, 40105),
    "consumer_jws": ("HTTP_X_LP_ON_BEHALF", 40103, 40104),
}


class Judge:
    """An app that asks for one token, at ``/app_jwt`` and ``/consumer_jws``.

    :param keys: what ``CONNECTOR_AUTH_APP_JWT_KEYS`` takes.
    :param algorithms: the allow-list.
    :raises ConfigurationError: if a key is not accepted.
    """

    def __init__(self, keys: Any, algorithms: Sequence[str]) -> None:
        self._app = Flask("vectors")
        self._app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = keys
        self._app.config["CONNECTOR_AUTH_APP_JWT_ALGORITHMS"] = list(algorithms)
        ConnectorAuth(self._app)
        self._app.add_url_rule("/app_jwt", "app_jwt", require_app_jwt(lambda: {}))
        self._app.add_url_rule("/consumer_jws", "consumer_jws", require_consumer_jws(lambda: {}))
        self._client = self._app.test_client()

    def why(self, kind: str, text: str) -> Reason:
        """Return why *text* is refused, once the answer was seen to be the documented one."""
        key, invalid, missing = KINDS[kind]
        told: list[Reason] = []

        def note(_app: Flask, error: Any) -> None:
            told.append(error.reason)

        with token_rejected.connected_to(note, self._app):
            answer = self._client.get(f"/{kind}", environ_overrides={key: text})
        [reason] = told
        assert_row(answer, missing if reason is Reason.MISSING else invalid)
        return reason
