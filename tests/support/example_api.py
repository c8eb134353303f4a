"""A client of the example app that makes the protocol's four calls."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cached_property
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from flask import Flask, Response

from example_app.database import find_or_add
from example_app.models import AppInstall
from tests.support.http_helpers import headers

ACCOUNT = "81823118"
OTHER_ACCOUNT = "qa5313846"
#: Authlib refuses plain HTTP to any host but the machine itself.
BASE_URL = "http://127.0.0.1:8080"
FORM = "application/x-www-form-urlencoded"

#: Sends a request, given its method, path, headers and body, and returns the answer.
Transport = Callable[[str, str, Mapping[str, str], str | bytes], Response]


def in_process(app: Flask, base_url: str = BASE_URL) -> Transport:
    """Return a transport that calls *app* without a server."""

    def send(method: str, path: str, headers: Mapping[str, str], body: str | bytes) -> Response:
        client = app.test_client(use_cookies=False)
        return client.open(path, base_url, method=method, headers=headers, data=body)

    return send


def over_http(port: int) -> Transport:
    """Return a transport to the server at *port* of this machine."""

    def send(method: str, path: str, headers: Mapping[str, str], body: str | bytes) -> Response:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Response(answer.read(), answer.status, answer.getheaders())

    return send


class Api:
    """Makes the calls for one app install."""

    def __init__(self, transport: Transport, account: str, credentials: Mapping[str, str]) -> None:
        self.transport = transport
        self.account = account
        self.credentials = credentials
        self.conversations = f"/api/account/{account}/messaging/consumer/conversation"

    def get(self, path: str) -> Response:
        """Get *path*."""
        return self.transport("GET", path, {}, b"")

    def post(self, path: str, body: Any, tokens: Mapping[str, str]) -> Response:
        """Post *body*: bytes as they are, anything else as JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body)
        return self.transport("POST", path, {"Content-Type": "application/json", **tokens}, sent)

    def token(
        self, query: Any = (), form: Any = (), version: str = "", account: str | None = None
    ) -> Response:
        """Request an AppJWT from Sentinel; *query* and *form* are parameters for ``urlencode``."""
        path = f"/sentinel/api/{version}account/{account or self.account}/app/token"
        sent = urlencode(form)
        return self.transport("POST", f"{path}?{urlencode(query)}", {"Content-Type": FORM}, sent)

    @cached_property
    def app_jwt(self) -> str:
        """An AppJWT."""
        answer = self.token({"v": "1.0"}, {"grant_type": "client_credentials", **self.credentials})
        return answer.json["access_token"]

    def consumer(self, body: Any, app_jwt: str | None = None) -> Response:
        """Request a ConsumerJWS from IDP."""
        return self.post(f"/api/account/{self.account}/consumer?v=1.0", body, headers(app_jwt))

    def someone(self) -> dict[str, str]:
        """Return the two headers with tokens, for a new consumer."""
        answer = self.consumer({"ext_consumer_id": str(uuid4())}, self.app_jwt)
        return headers(self.app_jwt, answer.json["token"])

    def create(self, tokens: Mapping[str, str], body: Any = None, v: str = "3") -> Response:
        """Create a conversation."""
        body = opening(self.account) if body is None else body
        return self.post(f"{self.conversations}?v={v}", body, tokens)

    def opened(self, tokens: Mapping[str, str]) -> str:
        """Return the id of a new conversation."""
        return self.create(tokens).json[1]["body"]["conversationId"]

    def send(self, tokens: Mapping[str, str], body: Any, v: str = "3") -> Response:
        """Send one request."""
        return self.post(f"{self.conversations}/send?v={v}", body, tokens)


def api_of(app: Flask, account: str = ACCOUNT, base_url: str = BASE_URL) -> Api:
    """Return the calls to *app*, by an install of *account*."""
    with app.app_context():
        install = find_or_add(AppInstall, account_id=account)
        credentials = {"client_id": install.client_id, "client_secret": install.client_secret}
    return Api(in_process(app, base_url), account, credentials)


def header(token: str) -> dict[str, Any]:
    """Return the header of *token*, which is not verified, as clients read it."""
    return _segment(token, 0)


def claims(token: str) -> dict[str, Any]:
    """Return the claims in *token*, which is not verified."""
    return _segment(token, 1)


def _segment(token: str, number: int) -> dict[str, Any]:
    return json.loads(urlsafe_b64decode(token.split(".")[number] + "=="))


def asking(action: str, body: Any, **members: Any) -> dict[str, Any]:
    """Return a request object; *members* replace its default members."""
    return {"kind": "req", "id": "1,", "type": action, "body": body, **members}


def opening(account: str) -> list[dict[str, Any]]:
    """Return the two requests that open a conversation."""
    return [
        asking("userprofile.SetUserProfile", {"firstName": "Ada"}),
        asking("cm.ConsumerRequestConversation", {"brandId": account}, id=2),
    ]


def message(conversation: str, **members: Any) -> dict[str, Any]:
    """Return the request that sends a text; *members* replace those of its event."""
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "Hello", **members}
    return asking("ms.PublishEvent", {"dialogId": conversation, "event": event})


def closing_of(conversation: str) -> dict[str, Any]:
    """Return the request that closes a conversation."""
    field = {"field": "ConversationStateField", "conversationState": "CLOSE"}
    body = {"conversationId": conversation, "conversationField": field}
    return asking("cm.UpdateConversationField", body)
