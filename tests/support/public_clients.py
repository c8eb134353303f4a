"""The public clients in; what each of them sends, from look-up to close, as data, out.

Header names in each client's spelling, parameters in its order, bodies in its form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

ALL = "/api/account/{account}/service/baseURI.json?version=1.0"
ONE = "/api/account/{account}/service/{service}/baseURI.json?version=1.0"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
V1 = "/sentinel/api/account/{account}/app/token"

CREDENTIALS = "client_id={client_id}&client_secret={client_secret}"
GRANT = "grant_type=client_credentials"

CLOSE = {"field": "ConversationStateField", "conversationState": "CLOSE"}
PROFILE = {
    "firstName": "Ada",
    "lastName": "L.",
    "avatarUrl": "http://avatarurl.com",
    "role": None,
    "backgndImgUri": "http://something.com",
    "description": "here is the description",
    "privateData": {
        "mobileNum": "1750345346",
        "mail": "ada@example.org",
        "pushNotificationData": {
            "serviceName": "Service",
            "certName": "CertName",
            "token": "TOKEN_IDENTIFIER",
        },
    },
}
SDES = {
    "authenticatedData": {
        "lp_sdes": [
            {"type": "ctmrinfo", "info": {"socialId": "1234", "ctype": "vip"}},
            {"type": "personal", "personal": {"firstname": "Ada", "gender": "FEMALE"}},
        ]
    }
}


@dataclass(frozen=True)
class Client:
    """What one client sends; texts have the names of what is filled in."""

    name: str
    token: tuple[str, str, str]  #: path with query, Content-Type, body
    lookup: str = ALL  #: path; empty if the client is told the hosts
    lookup_host: str = "api.liveperson.net"
    secure: bool = True  #: whether the look-up goes by TLS
    host: str = ""  #: that of the other calls, with the service in it; by look-up if not given
    idp: str = "/api/account/{account}/consumer?v=1.0"
    idp_header: str = "Authorization"
    app_header: str = "Authorization"
    consumer_header: str = "X-LP-ON-BEHALF"
    more: Mapping[str, str] = field(default_factory=dict)  #: further headers of each call
    sending: Mapping[str, str] = field(default_factory=dict)  #: those of the Send API
    ids: Callable[[], tuple[Any, Any]] = lambda: ("1,", "2,")
    profile: Mapping[str, Any] = field(default_factory=dict)
    opening: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)  #: beside the body of the opening
    event: Mapping[str, Any] = field(
        default_factory=lambda: {
            "type": "ContentEvent",
            "contentType": "text/plain",
            "message": "Hi ü",
        }
    )
    names_conversation: bool = False  #: whether an event has conversationId beside dialogId
    closing: Mapping[str, Any] = field(default_factory=lambda: CLOSE)

    def __str__(self) -> str:
        return self.name


def uuids() -> tuple[str, str]:
    """Return two ids."""
    return str(uuid4()), str(uuid4())


def mixed(path: str = V1) -> tuple[str, str, str]:
    """Return the form with the credentials in the body."""
    return f"{path}?v=1.0&{GRANT}", FORM, CREDENTIALS


def old(kind: str = "", body: str = "") -> tuple[str, str, str]:
    """Return the form with all in the query."""
    return f"{V1}?v=1.0&{GRANT}&{CREDENTIALS}", kind, body


SURVEY = {
    "field": "DialogChange",
    "type": "UPDATE",
    "dialog": {"dialogId": "{dialog}", "state": "CLOSE", "closedCause": "Closed by consumer"},
}

CLIENTS = [
    Client(
        "demo",
        token=old(),
        lookup_host="adminlogin.liveperson.net",
        secure=False,
        app_header="authorization",
        sending={
            "Client-Properties": '{"type":".ClientProperties","features":["AUTO_MESSAGES"]}',
        },
        profile=PROFILE,
        opening={
            "ttrDefName": "NORMAL",
            "campaignInfo": {"campaignId": "99", "engagementId": "100"},
            "conversationContext": {"visitorId": "A", "sessionId": "B", "type": "SharkContext"},
        },
        names_conversation=True,
        closing=SURVEY,
    ),
    Client(
        "botium",
        token=mixed(),
        lookup="/api/account/{account}/service/baseURI?version=1.0",
        idp="/api/account/{account}/consumer",
        idp_header="authorization",
        app_header="authorization",
        sending={"Client-Properties": '{"type":"ClientProperties","features":["RICH_CONTENT"]}'},
        ids=uuids,
        profile=PROFILE,
        opening={"channelType": "MESSAGING", "skillId": "-1"},
        event={
            "type": "ContentEvent",
            "contentType": "text/plain",
            "message": {"text": "an object"},
        },
    ),
    Client(
        "old botium",
        token=mixed(),
        lookup="/api/account/{account}/service/baseURI?version=1.0",
        idp="/api/account/{account}/consumer",
        app_header="authorization",
        sending={"Client-Properties": "[object Object]"},
        ids=uuids,
    ),
    Client(
        "dotnet",
        token=old(),
        lookup=ONE,
        secure=False,
        profile=SDES,
        beside={"skillId": "12"},
        opening={"ttrDefName": "NORMAL", "channelType": "MESSAGING"},
    ),
    Client(
        "mcp",
        token=(f"{V1}?v=1.0", FORM, f"{GRANT}&{CREDENTIALS}"),
        names_conversation=True,
        opening={"skillId": 277},
        event={"type": "RichContentEvent", "content": {"type": "vertical", "elements": []}},
    ),
    Client("ccc", token=mixed(), lookup="", profile=SDES, ids=lambda: (1, 2)),
    Client(
        "sim",
        token=old(JSON, "{{}}"),
        ids=lambda: ("1", "2"),
        names_conversation=True,
        closing=SURVEY,
    ),
    Client("nexmo", token=old(), lookup="", host="va.{service}.liveperson.net"),
    Client(
        "pgn",
        token=mixed(),
        more={
            "Brand-ID": "{account}",
            "Client-source": "client",
            "Request-ID": "7fca0ba5-3d0c-4a8f-9a4f-6f4a4de0a3f1",
        },
        ids=uuids,
    ),
    Client(
        "connector_api",
        token=old(FORM),
        more={"Accept": "application/json"},
        sending={"User-Agent": "MarkConnector/0.4.4", "Client-Properties": "[object Object]"},
        ids=uuids,
        profile={"firstName": "Mark", "lastName": "ConnectorTest"},
        opening={"ttrDefName": "CUSTOM", "channelType": "MESSAGING"},
    ),
    Client(
        "nexmo-live-engage",
        token=old(FORM),
        lookup="",
        host="va.{service}.liveperson.net",
        profile=SDES,
        opening={"channelType": "MESSAGING", "ttrDefName": "URGENT", "skillId": "-1"},
    ),
    Client(
        "functions",
        token=(f"{V1}?v=2.0", FORM, f"{GRANT}&scope=&{CREDENTIALS}"),
        lookup_host="adminlogin.liveperson.net",
        secure=False,
        more={"Accept": "application/json"},
    ),
    Client(
        "V2",
        token=("/sentinel/api/v2/account/{account}/app/token", FORM, f"{GRANT}&{CREDENTIALS}"),
    ),
    Client(
        "V2 of the text",
        token=(f"{V1}?v=2.0", FORM, f"{CREDENTIALS}&{GRANT}"),
        ids=lambda: (3, 0),
    ),
]
