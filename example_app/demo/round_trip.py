"""An app install in; the four calls of the protocol and its four errors, compared, out."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from ..models import AppInstall
from .asking import Asker, say
from .documented import (
    APP_JWT_MISSING,
    CONSUMER_JWS_MISSING,
    INVALID_APP_JWT,
    INVALID_CONSUMER_JWS,
)

APP = "Authorization"
CONSUMER = "X-LP-ON-BEHALF"


class Caller:
    """Calls for one app install, on behalf of a consumer who was never here before."""

    def __init__(self, asker: Asker, install: AppInstall) -> None:
        self.asker = asker
        self.install = install
        self.account = f"/api/account/{install.account_id}"
        self.conversations = f"{self.account}/messaging/consumer/conversation"
        self.name = f"demo-{secrets.token_hex(4)}"
        self.message: dict[str, Any] = {}

    def get_tokens(self) -> dict[str, str]:
        """Return the headers of the Send API, with an AppJWT and a ConsumerJWS."""
        app_jwt = self.asker.ask(
            "Which app calls? Its id and secret get an AppJWT, good for an hour.",
            f"/sentinel{self.account}/app/token?v=1.0",
            f"grant_type=client_credentials"
            f"&client_id={self.install.client_id}&client_secret={self.install.client_secret}",
        )["access_token"]
        consumer_jws = self.asker.ask(
            "On behalf of whom? The app's own name for someone gets a ConsumerJWS, good for ever.",
            f"{self.account}/consumer?v=1.0",
            {"ext_consumer_id": self.name},
            {APP: app_jwt},
            201,
        )["token"]
        return {APP: app_jwt, CONSUMER: consumer_jws}

    def open(self, tokens: Mapping[str, str]) -> None:
        """Create a conversation, which the messages will be sent in."""
        created = self.asker.ask(
            "Create a conversation: two requests in one array.",
            f"{self.conversations}?v=3",
            [
                request(1, "userprofile.SetUserProfile", {}),
                request(2, "cm.ConsumerRequestConversation", {"brandId": self.install.account_id}),
            ],
            tokens,
        )
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": "Hello"}
        dialog = created[1]["body"]["conversationId"]
        self.message = request(3, "ms.PublishEvent", {"dialogId": dialog, "event": event})

    def send(self, title: str, tokens: Mapping[str, str], **expected: Any) -> None:
        """Send the message; *expected* goes to :meth:`Asker.ask`, and is a success if not given."""
        self.asker.ask(title, f"{self.conversations}/send?v=3", self.message, tokens, **expected)


def round_trip(caller: Caller) -> dict[str, str]:
    """Get the two tokens, open a conversation, send a message; then meet the four errors.

    Return the headers with the tokens.
    """
    caller.asker.ask(
        "Where is the Send API? The domain look-up tells.",
        f"{caller.account}/service/asyncMessagingEnt/baseURI.json?version=1.0",
    )
    tokens = caller.get_tokens()
    caller.open(tokens)
    caller.send("Send a message in it.", tokens)
    say("\nThe same message, refused in each of the four documented ways, byte for byte:")
    for title, answer, headers in refusals(tokens):
        caller.send(title, headers, status=401, exactly=answer)
    return tokens


def refusals(tokens: Mapping[str, str]) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield each error's title and answer, and what of *tokens*, which are good, gets it."""
    app_jwt, consumer_jws = tokens[APP], tokens[CONSUMER]
    yield "No AppJWT.", APP_JWT_MISSING, {CONSUMER: consumer_jws}
    yield "An altered AppJWT.", INVALID_APP_JWT, {**tokens, APP: altered(app_jwt)}
    yield "No ConsumerJWS.", CONSUMER_JWS_MISSING, {APP: app_jwt}
    yield (
        "An altered ConsumerJWS.",
        INVALID_CONSUMER_JWS,
        {**tokens, CONSUMER: altered(consumer_jws)},
    )


def request(number: int, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a request object of the protocol."""
    return {"kind": "req", "id": str(number), "type": action, "body": body}


def altered(token: str) -> str:
    """Return *token* with another character in its signature."""
    return token[:-9] + ("B" if token[-9] == "A" else "A") + token[-8:]
