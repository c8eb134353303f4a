"""Checks on the request objects of a conversation, member by member.

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

#: The permitted values of members.
CHAT_STATES = ("ACTIVE", "INACTIVE", "GONE", "COMPOSING", "PAUSE")
STATUSES = ("ACCEPT", "READ", "ACCESS", "NACK", "ACTION")
TIMES_TO_RESPOND = ("NORMAL", "URGENT", "PRIORITIZED", "CUSTOM", None)


def read_event(req: Request) -> Mapping[str, Any]:
    """Return the event in a PublishEvent.

    :raises Refused: if the protocol has no such event.
    """
    event: Mapping[str, Any] = req.need(req.body, "event", dict)
    check = _EVENTS.get(req.need(event, "type", str))
    if check is None:
        raise req.refused(f"type of the event must be {' or '.join(_EVENTS)}")
    check(req, event)
    return event


def _content(req: Request, event: Mapping[str, Any]) -> None:
    if req.need(event, "contentType", str) == "hosted/file":
        file = req.need(event, "message", dict)
        req.need(file, "relativePath", str)
        req.need(file, "fileType", str)
    else:
        req.need(event, "message", str, dict)


def _rich_content(req: Request, event: Mapping[str, Any]) -> None:
    req.need(event, "content", dict)


def _chat_state(req: Request, event: Mapping[str, Any]) -> None:
    req.choose(event, "chatState", CHAT_STATES)


def _accept_status(req: Request, event: Mapping[str, Any]) -> None:
    req.choose(event, "status", STATUSES)
    sequences = req.need(event, "sequenceList", list)
    if any(type(sequence) is not int or sequence < 0 for sequence in sequences):
        raise req.refused("sequenceList must be numbers of messages")


_EVENTS: dict[str, Callable[[Request, Mapping[str, Any]], None]] = {
    "ContentEvent": _content,
    "RichContentEvent": _rich_content,
    "AcceptStatusEvent": _accept_status,
    "ChatStateEvent": _chat_state,
}


def read_opening(req: Request, account_id: str) -> str:
    """Return the details of a request to open a conversation, as JSON.

    :raises Refused: if the request is for another account, or malformed.
    """
    body = req.body
    if req.need(body, "brandId", str) != account_id:
        raise req.refused("brandId is not the account")
    if body.get("channelType", "MESSAGING") != "MESSAGING":
        raise req.refused("channelType must be MESSAGING")
    if "ttrDefName" in body:
        req.choose(body, "ttrDefName", TIMES_TO_RESPOND)
    for member in ("campaignInfo", "conversationContext"):
        if not isinstance(body.get(member) or {}, dict):
            raise req.refused(f"{member} must be an object")
    return json.dumps({**body, "skillId": _skill(req)})


def _skill(req: Request) -> str:
    # One client sends the skill beside the body.
    skill = req.body.get("skillId", req.beside.get("skillId"))
    if type(skill) in (str, int) and re.fullmatch(r"-1|[0-9]{0,10}", str(skill)):
        return str(skill)
    if skill is None:
        return ""
    raise req.refused("skillId must be -1 or of at most 10 digits")


def is_closing(req: Request) -> bool:
    """Whether an UpdateConversationField closes the conversation, or its one dialog.

    :raises Refused: if the request has no ``conversationField``.
    """
    field = req.need(req.body, "conversationField", dict)
    dialog = field.get("dialog")
    state = dialog.get("state") if isinstance(dialog, dict) else field.get("conversationState")
    return bool(state == "CLOSE")
