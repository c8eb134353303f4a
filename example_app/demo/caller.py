"""The requests that an app makes on behalf of a consumer."""

import secrets
from collections.abc import Mapping
from typing import Any

from ..models import AppInstall
from .asking import Asker, Documented, Question
from .documented import TOKEN, TOKEN_TYPE, UUID, ok

APP = "Authorization"
CONSUMER = "X-LP-ON-BEHALF"


class Caller:
    """Makes the requests of one app install on behalf of a new consumer."""

    def __init__(self, asker: Asker, install: AppInstall) -> None:
        self.asker = asker
        self.install = install
        self.account = f"/api/account/{install.account_id}"
        self.conversations = f"{self.account}/messaging/consumer/conversation"
        self.name = f"demo-{secrets.token_hex(4)}"
        self.life = 3600  #: documented lifetime of an AppJWT, in seconds
        self.conversation = ""  #: id of the open conversation

    def get_app_jwt(self, title: str, query: str, form: str = "", version: str = "") -> str:
        """Return a new AppJWT; *query* and *form* name the parameters to send in each."""
        sent = {
            "v": "1.0",
            "grant_type": "client_credentials",
            "client_id": self.install.client_id,
            "client_secret": self.install.client_secret,
        }
        in_query, in_form = (
            "&".join(f"{name}={sent[name]}" for name in names.split()) for names in (query, form)
        )
        path = f"/sentinel/api/{version}account/{self.install.account_id}/app/token"
        answer = {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": self.life,
            "scope": "msg.consumer",
        }
        question = Question(f"{path}?{in_query}", in_form)
        return str(
            self.asker.ask(title, question, Documented(200, answer, TOKEN_TYPE))["access_token"]
        )

    def get_tokens(self, patience: float = 0) -> dict[str, str]:
        """Return the headers of the Send API, with an AppJWT and a ConsumerJWS.

        :param patience: seconds that the API may need to load the key of the AppJWT.
        """
        app_jwt = self.get_app_jwt(
            "Which app calls? Its id and secret get an AppJWT.",
            "v",
            "grant_type client_id client_secret",
        )
        consumer_jws = self.asker.ask(
            "On behalf of whom? The app's own name for someone gets a ConsumerJWS, good for ever.",
            Question(
                f"{self.account}/consumer?v=1.0", {"ext_consumer_id": self.name}, {APP: app_jwt}
            ),
            Documented(201, {"token": TOKEN}),
            patience,
        )["token"]
        return {APP: app_jwt, CONSUMER: consumer_jws}

    def opening(self) -> list[dict[str, Any]]:
        """Return the two requests that open a conversation."""
        body = {"brandId": self.install.account_id, "ttrDefName": "NORMAL", "skillId": "-1"}
        return [
            request(1, "userprofile.SetUserProfile", {"firstName": "Ada"}),
            request(2, "cm.ConsumerRequestConversation", body),
        ]

    def open(self, tokens: Mapping[str, str]) -> None:
        """Create the conversation for the messages of the tour."""
        created = self.asker.ask(
            "Create a conversation: two requests in one array.",
            Question(f"{self.conversations}?v=3", self.opening(), tokens),
            Documented(
                200,
                [
                    ok("1", {"msg": "OK User Profile set successfully"}),
                    ok("2", {"conversationId": UUID, "dialogId": UUID}),
                ],
            ),
        )
        self.conversation = created[1]["body"]["conversationId"]

    def message(self, **event: Any) -> dict[str, Any]:
        """Return the request that publishes an event, a text if none is given."""
        text = {"type": "ContentEvent", "contentType": "text/plain", "message": "Hello"}
        body = {"dialogId": self.conversation, "event": event or text}
        return request(3, "ms.PublishEvent", body)

    def send(
        self,
        title: str,
        tokens: Mapping[str, str],
        body: Any = None,
        documented: Documented | None = None,
        patience: float = 0,
    ) -> Any:
        """Send *body*, by default a text message; return the JSON value of the answer."""
        return self.asker.ask(
            title,
            Question(f"{self.conversations}/send?v=3", body or self.message(), tokens),
            documented or Documented(200, ok("3", {"sequence": int})),
            patience,
        )


def request(number: int, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a request object of the protocol."""
    return {"kind": "req", "id": str(number), "type": action, "body": body}
