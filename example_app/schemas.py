"""The schemas of the OpenAPI document.

Protocol pages: Domain API, Authorization, Get ConsumerJWS, Conversation, Send. A request is
described in as much detail as ``events`` checks it.
"""

from typing import Any

from . import events
from .notifications import AUDIENCES
from .swift import TYPES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SOME_TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer"}
ANYTHING: Schema = {"type": "object"}
SKILL: Schema = {"type": "string", "pattern": "^(-1|[0-9]{1,10})$"}


def ref(name: str) -> Schema:
    """Return a reference to the schema *name*."""
    return {"$ref": f"#/components/schemas/{name}"}


def an_object(optional: tuple[str, ...] = (), **members: Schema) -> Schema:
    """Return the schema of an object with *members*, all required except the *optional* ones."""
    needed = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": needed}


def listed(*items: Schema) -> Schema:
    """Return the schema of an array whose items match any of *items*."""
    return {"type": "array", "items": {"anyOf": [*items]}}


def one_of(words: Any) -> Schema:
    """Return the schema of a value that is one of *words*."""
    return {"enum": [*words]}


def asking(action: str, body: Schema) -> Schema:
    """Return the schema of a request object."""
    return an_object(
        ("metadata",),
        kind=one_of(["req"]),
        id={"type": ["string", "number"]},
        type=one_of([action]),
        body=body,
        metadata={"type": "array"},
    )


def _change(name: str, optional: tuple[str, ...] = (), **members: Schema) -> Schema:
    return an_object(optional, field=one_of([name]), **members)


def _event(name: str, **members: Schema) -> Schema:
    return an_object((), type=one_of([name]), **members)


def _reply(**members: Schema) -> Schema:
    return an_object(
        ("role", "messageAudience", "metadata"),
        **members,
        role=one_of(events.ROLES),
        messageAudience=one_of(AUDIENCES),
        metadata={"type": "array"},
    )


FILE = an_object(fileType=one_of(TYPES), fileSize={"type": "integer", "minimum": 1})

SCHEMAS = {
    "Account": TEXT,
    "Client": TEXT,
    "Conversation": TEXT,
    "Path": TEXT,
    "Refusal": an_object(("reqId",), code=TEXT, body=an_object(msg=TEXT), reqId=TEXT),
    "Done": an_object(code=one_of(["OK"]), body=ANYTHING, reqId=TEXT),
    "BaseURI": an_object(service=TEXT, account=ref("Account"), baseURI=TEXT),
    "BaseURIs": an_object(baseURIs=listed(ref("BaseURI"))),
    "TokenRequest": an_object(
        grant_type=one_of(["client_credentials"]), client_id=TEXT, client_secret=TEXT
    ),
    "Token": an_object(access_token=TEXT, token_type=one_of(["Bearer"]), expires_in=NUMBER),
    "TokenRefused": an_object(("error_description",), error=TEXT, error_description=TEXT),
    "ConsumerRequest": an_object(
        ext_consumer_id={"type": "string", "minLength": 1, "maxLength": 256}
    ),
    "SetUserProfile": asking(events.SET_PROFILE, ANYTHING),
    "OpenConversation": asking(
        events.OPEN,
        an_object(
            ("ttrDefName", "campaignInfo", "conversationContext", "channelType", "skillId"),
            brandId=ref("Account"),
            ttrDefName=one_of(events.TIMES_TO_RESPOND),
            campaignInfo={"type": ["object", "null"]},
            conversationContext={"type": ["object", "null"]},
            channelType=one_of(["MESSAGING"]),
            skillId={"type": "string", "pattern": "^(-1|[0-9]{0,10})$"},
        ),
    ),
    "PublishEvent": asking(
        events.PUBLISH, an_object(dialogId=ref("Conversation"), event=ref("Event"))
    ),
    "Event": {
        "oneOf": [
            _event("ContentEvent", contentType=one_of(["text/plain"]), message=SOME_TEXT),
            _event("RichContentEvent", content={"type": "object", "minProperties": 1}),
            _event("ChatStateEvent", chatState=one_of(events.CHAT_STATES)),
            _event(
                "AcceptStatusEvent",
                status=one_of(events.STATUSES),
                sequenceList={
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0},
                    "minItems": 1,
                },
            ),
        ]
    },
    "FirstEvent": asking(events.PUBLISH, an_object(event=ref("Event"))),
    "UpdateConversation": asking(
        events.UPDATE,
        an_object(
            conversationId=ref("Conversation"),
            conversationField={
                "oneOf": [
                    ref("Change"),
                    {"type": "array", "items": ref("Change"), "minItems": 1},
                ]
            },
        ),
    ),
    "Change": {
        "oneOf": [
            _change("ConversationStateField", conversationState=one_of(["CLOSE"])),
            _change(
                "DialogChange",
                type=one_of(["UPDATE"]),
                dialog=an_object(
                    ("closedCause",),
                    dialogId=ref("Conversation"),
                    state=one_of(["CLOSE"]),
                    closedCause=TEXT,
                ),
            ),
            _change(
                "CSATRate",
                csatRate={"type": "integer", "minimum": 1, "maximum": 5},
                csatResolutionConfirmation={"type": "boolean"},
                status=one_of(["FILLED"]),
            ),
            _change(
                "TTRField",
                ttrType=one_of(filter(None, events.TIMES_TO_RESPOND)),
                value={"type": "integer", "minimum": 1},
            ),
            _change("Skill", type=one_of(["UPDATE"]), skill=SKILL),
            _change("Skill", type=one_of(["REMOVE"])),
            _change(
                "ParticipantsChange",
                type=one_of(["ADD", "REMOVE"]),
                userId=SOME_TEXT,
                role=one_of(events.ROLES),
            ),
        ]
    },
    "UploadFile": asking(events.UPLOAD, FILE),
    "DownloadFile": asking(events.DOWNLOAD, an_object(relativePath=SOME_TEXT)),
    "Login": an_object(username=TEXT, password=TEXT),
    "Session": an_object(
        bearer=TEXT, sessionTTl=TEXT, config=ANYTHING, csdsCollectionResponse=ref("BaseURIs")
    ),
    "Installation": an_object(client_id=ref("Client"), client_secret=TEXT, scope=TEXT),
    "Reply": {
        "oneOf": [
            _reply(message={"type": "string", "minLength": 1, "maxLength": events.MAX_TEXT}),
            _reply(event=ref("Event")),
        ]
    },
    "NewFile": FILE,
    "FileURL": an_object(
        relativePath=TEXT, queryParams=an_object(temp_url_sig=TEXT, temp_url_expires=TEXT)
    ),
    "Transcript": an_object(
        conversationId=TEXT, consumer=TEXT, details=ANYTHING, messages=listed(ANYTHING)
    ),
}
