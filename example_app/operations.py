"""The name of a view in; what it takes and answers, for the OpenAPI document, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .domain import SERVICES
from .schemas import ANYTHING, NUMBER, TEXT, an_object, listed, one_of, ref

Content = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a view takes and answers."""

    responses: Mapping[str, Content]  #: by status
    body: Content | None = None
    query: Sequence[Mapping[str, Any]] = ()


def _json(schema: Mapping[str, Any]) -> Content:
    return {"application/json": {"schema": schema}}


#: What is wrong with what is asked for; not with a token, which the plugin says.
REFUSED = {"4XX": _json(ref("Refusal"))}
#: What ``knobs`` can force, with the plugin's schema; 503 of what asks for tokens is the plugin's.
LIMITED = {"429": _json(ref("ConnectorAuthError"))}
VERSION = [{"name": "v", "in": "query", "required": True, "schema": {"enum": ["3"]}}]

#: By the names of arguments.
PARAMETERS = {
    "account_id": ref("Account"),
    "client_id": ref("Client"),
    "conversation_id": ref("Conversation"),
    "service": one_of(SERVICES),
}

#: By endpoint. Not those of ``swift``, whose URLs are not for clients to make.
OPERATIONS = {
    "domain.one": Operation({"200": _json(ref("BaseURI")), **REFUSED}),
    "domain.every": Operation({"200": _json(ref("BaseURIs")), **REFUSED}),
    "sentinel.app_token": Operation(
        {
            "200": _json(ref("Token")),
            "400": _json(ref("TokenRefused")),
            "401": _json(ref("TokenRefused")),
            "503": _json(ref("ConnectorAuthError")),
            **REFUSED,
            **LIMITED,
        },
        {"application/x-www-form-urlencoded": {"schema": ref("TokenRequest")}},
    ),
    "sentinel.key_set": Operation({"200": _json(an_object(keys=listed(ANYTHING)))}),
    "idp.consumer": Operation(
        {"201": _json(an_object(token=TEXT)), **REFUSED, **LIMITED}, _json(ref("ConsumerRequest"))
    ),
    "messaging.create": Operation(
        {
            "200": _json(listed(ref("Done"))),
            "400": _json({"oneOf": [ref("Refusal"), listed(ref("Done"), ref("Refusal"))]}),
            **REFUSED,
            **LIMITED,
        },
        _json(
            {
                "type": "array",
                "prefixItems": [ref("SetUserProfile"), ref("OpenConversation")],
                "minItems": 2,
                "maxItems": 2,
            }
        ),
        VERSION,
    ),
    "messaging.send": Operation(
        {"200": _json(ref("Done")), **REFUSED, **LIMITED},
        _json(
            {
                "oneOf": [
                    ref("PublishEvent"),
                    ref("CloseConversation"),
                    ref("UploadFile"),
                    ref("DownloadFile"),
                ]
            }
        ),
        VERSION,
    ),
    "agents.login": Operation({"200": _json(ref("Session")), **REFUSED}, _json(ref("Login"))),
    "agents.installations": Operation({"200": _json(listed(ref("Installation")))}),
    "agents.installation": Operation({"200": _json(ref("Installation")), **REFUSED}),
    "desk.open_ones": Operation({"200": _json(listed(ref("Transcript")))}),
    "desk.say": Operation(
        {"200": _json(an_object(sequence=NUMBER)), **REFUSED}, _json(ref("Reply"))
    ),
    "desk.resolve": Operation({"200": _json(ANYTHING), **REFUSED}),
}
