"""A request object in; what it says to a conversation checked, member by member, out.

Protocol pages: Conversation, Send.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .wire import Request

#: The types of request of the protocol.
SET_PROFILE = "userprofile.SetUserProfile"
OPEN = "cm.ConsumerRequestConversation"
PUBLISH = "ms.PublishEvent"
UPDATE = "cm.UpdateConversationField"
UPLOAD = "ms.GenerateURLForUploadFile"
DOWNLOAD = "ms.GenerateURLForDownloadFile"

#: The words that a member may be.
CHAT_STATES = ("ACTIVE", "INACTIVE", "GONE", "COMPOSING", "PAUSE")
STATUSES = ("ACCEPT", "READ", "ACCESS", "NACK", "ACTION")
TIMES_TO_RESPOND = ("NORMAL", "URGENT", "PRIORITIZED", "CUSTOM", None)


def read_event(asked: Request) -> Mapping[str, Any]:
    """Return the event in a PublishEvent.

    :raises Refused: if it is none that the protocol has.
    """
    event: Mapping[str, Any] = asked.need(asked.body, "event", dict)
    check = _EVENTS.get(asked.need(event, "type", str))
    if check is None:
        raise asked.refused(f"type of the event must be {' or '.join(_EVENTS)}")
    check(asked, event)
    return event


def _content(asked: Request, event: Mapping[str, Any]) -> None:
    if asked.need(event, "contentType", str) == "hosted/file":
        file = asked.need(event, "message", dict)
        asked.need(file, "relativePath", str)
        asked.need(file, "fileType", str)
    else:
        asked.need(event, "message", str, dict)


def _rich_content(asked: Request, event: Mapping[str, Any]) -> None:
    asked.need(event, "content", dict)


def _chat_state(asked: Request, event: Mapping[str, Any]) -> None:
    asked.choose(event, "chatState", CHAT_STATES)


def _accept_status(asked: Request, event: Mapping[str, Any]) -> None:
    asked.choose(event, "status", STATUSES)
    sequences = asked.need(event, "sequenceList", list)
    if any(type(sequence) is not int or sequence < 0 for sequence in sequences):
        raise asked.refused("sequenceList must be numbers of messages")


_EVENTS: dict[str, Callable[[Request, Mapping[str, Any]], None]] = {
    "ContentEvent": _content,
    "RichContentEvent": _rich_content,
    "AcceptStatusEvent": _accept_status,
    "ChatStateEvent": _chat_state,
}


def read_opening(asked: Request, account_id: str) -> str:
    """Return what a conversation is asked for with, as JSON.

    :raises Refused: if it is not for the account, or cannot be asked for.
    """
    body = asked.body
    if asked.need(body, "brandId", str) != account_id:
        raise asked.refused("brandId is not the account")
    if body.get("channelType", "MESSAGING") != "MESSAGING":
        raise asked.refused("channelType must be MESSAGING")
    if "ttrDefName" in body:
        asked.choose(body, "ttrDefName", TIMES_TO_RESPOND)
    for member in ("campaignInfo", "conversationContext"):
        if not isinstance(body.get(member) or {}, dict):
            raise asked.refused(f"{member} must be an object")
    return json.dumps({**body, "skillId": _skill(asked)})


def _skill(asked: Request) -> str:
    # One client has it beside the body.
    skill = asked.body.get("skillId", asked.beside.get("skillId"))
    if type(skill) in (str, int) and re.fullmatch(r"-1|[0-9]{0,10}", str(skill)):
        return str(skill)
    if skill is None:
        return ""
    raise asked.refused("skillId must be -1 or of at most 10 digits")


def is_closing(asked: Request) -> bool:
    """Whether an UpdateConversationField closes the conversation, or its one dialog.

    :raises Refused: if it has no field.
    """
    field = asked.need(asked.body, "conversationField", dict)
    dialog = field.get("dialog")
    state = dialog.get("state") if isinstance(dialog, dict) else field.get("conversationState")
    return bool(state == "CLOSE")
