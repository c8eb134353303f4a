"""The parameters, bodies and answers of each view, for the OpenAPI document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .domain import SERVICES
from .schemas import ANYTHING, NUMBER, TEXT, an_object, listed, one_of, ref

Content = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """The body, query parameters and answers of a view."""

    responses: Mapping[str, Content]  #: by status
    body: Content | None = None
    query: Sequence[Mapping[str, Any]] = ()


def _json(schema: Mapping[str, Any]) -> Content:
    return {"application/json": {"schema": schema}}


#: Errors of the request itself; the plugin adds those of the tokens.
REFUSED = {"4XX": _json(ref("Refusal"))}
#: The failure that ``knobs`` can force, with the plugin's schema. The plugin adds the 503 of views
#: that require tokens.
LIMITED = {"429": _json(ref("ConnectorAuthError"))}
VERSION = [{"name": "v", "in": "query", "required": True, "schema": {"enum": ["3"]}}]
PATH = [{"name": "relativePath", "in": "query", "required": True, "schema": ref("Path")}]

#: Schemas by the names of arguments.
PARAMETERS = {
    "account_id": ref("Account"),
    "client_id": ref("Client"),
    "conversation_id": ref("Conversation"),
    "service": one_of(SERVICES),
}

#: Operations by endpoint. Those of ``swift`` are left out, since clients do not build these URLs,
#: and that of ``msgHist``, which most clients would sign by OAuth 1.0.
OPERATIONS = {
    "domain.host_of_service": Operation({"200": _json(ref("BaseURI")), **REFUSED}),
    "domain.all_hosts": Operation({"200": _json(ref("BaseURIs")), **REFUSED}),
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
            "400": _json(listed(ref("Done"), ref("Refusal"))),
            **REFUSED,
            **LIMITED,
        },
        _json(
            {
                "type": "array",
                "prefixItems": [ref("SetUserProfile"), ref("OpenConversation")],
                "items": ref("FirstEvent"),
                "minItems": 2,
                "maxItems": 3,  # more first events are accepted
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
                    ref("UpdateConversation"),
                    ref("SetUserProfile"),
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
    "desk.open_conversations": Operation({"200": _json(listed(ref("Transcript")))}),
    "desk.say": Operation(
        {"200": _json(an_object(("sequence",), sequence=NUMBER)), **REFUSED}, _json(ref("Reply"))
    ),
    "desk.new_file": Operation({"200": _json(ref("FileURL")), **REFUSED}, _json(ref("NewFile"))),
    "desk.file": Operation({"200": _json(ref("FileURL")), **REFUSED}, query=PATH),
    "desk.resolve": Operation({"200": _json(ANYTHING), **REFUSED}),
}
