"""Checks on the request objects of a conversation, member by member.

Protocol pages: Conversation, Send; Messaging Window API for the changes of a conversation.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
#: Seconds in the examples of the protocol; an account may set others.
SECONDS_TO_RESPOND = {"NORMAL": 3600, "PRIORITIZED": 600, "URGENT": 300}
#: Roles of agents; the first is the default.
ROLES = (
    "ASSIGNED_AGENT",
    "AGENT_MANAGER",
    "ASSIGNED_MANAGER",
    "MANAGER",
    "READER",
    "CONTROLLER",
)
ANY_SKILL = "-1"
FILE = "hosted/file"
#: Most characters in a message of an agent.
MAX_TEXT = 5000


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
    if req.need(event, "contentType", str) == FILE:
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
    # One client sends the skill beside the body.
    skill = body.get("skillId", req.beside.get("skillId"))
    return json.dumps({**body, "skillId": _as_skill(req, skill)})


def opening_fields(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return skill and time to respond of a new conversation, under their names in notifications.

    :param details: what :func:`read_opening` returned, as an object.
    """
    kind = details.get("ttrDefName") or TIMES_TO_RESPOND[0]
    ttr = {"ttrType": kind, "value": SECONDS_TO_RESPOND.get(kind, SECONDS_TO_RESPOND["NORMAL"])}
    return {"skillId": details["skillId"] or ANY_SKILL, "ttr": ttr}


def _as_skill(req: Request, skill: Any) -> str:
    if type(skill) in (str, int) and re.fullmatch(r"-1|[0-9]{0,10}", str(skill)):
        return str(skill)
    if skill is None:
        return ""
    raise req.refused("skillId must be -1 or of at most 10 digits")


@dataclass(slots=True)
class Changes:
    """What an UpdateConversationField changes in a conversation."""

    #: New values of skill, time to respond and rating, under their names in notifications.
    fields: dict[str, Any] = field(default_factory=dict)
    joined: list[dict[str, str]] = field(default_factory=list)  #: ``id`` and ``role`` of agents
    left: list[dict[str, str]] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)  #: ids of the dialogs that are named
    closed_cause: str | None = None  #: why it is closed; ``None`` leaves it open

    @property
    def is_rating(self) -> bool:
        """Whether this is a rating alone, which comes when the conversation is closed."""
        others = (self.joined, self.left, self.dialogs, self.closed_cause is not None)
        return set(self.fields) == {"csat"} and not any(others)


def read_changes(req: Request) -> Changes:
    """Return the changes in an UpdateConversationField, which has one or an array of them.

    :raises Refused: if one of them is malformed, or not in the protocol.
    """
    found = req.need(req.body, "conversationField", dict, list)
    changes = Changes()
    for change in found if isinstance(found, list) else [found]:
        if not isinstance(change, dict):
            raise req.refused("conversationField must be an object or an array of objects")
        req.choose(change, "field", _CHANGES)
        _CHANGES[change["field"]](req, change, changes)
    return changes


def _state(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    req.choose(change, "conversationState", ("CLOSE",))
    changes.closed_cause = ""


def _dialog(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    req.choose(change, "type", ("UPDATE",))
    dialog = req.need(change, "dialog", dict)
    changes.dialogs.append(req.need(dialog, "dialogId", str))
    req.choose(dialog, "state", ("CLOSE",))
    cause = dialog.get("closedCause") or ""
    if not isinstance(cause, str):
        raise req.refused("closedCause must be a text")
    changes.closed_cause = cause


def _rating(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    rate, confirmed = change.get("csatRate"), change.get("csatResolutionConfirmation")
    if type(rate) is not int or rate not in range(1, 6):
        raise req.refused("csatRate must be a number from 1 to 5")
    if type(confirmed) is not bool:
        raise req.refused("csatResolutionConfirmation must be true or false")
    status = req.choose(change, "status", ("FILLED",))
    rating = {"csatRate": rate, "csatResolutionConfirmation": confirmed, "status": status}
    changes.fields["csat"] = rating


def _time_to_respond(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    kind = req.choose(change, "ttrType", [name for name in TIMES_TO_RESPOND if name])
    seconds = change.get("value", SECONDS_TO_RESPOND.get(kind))
    if type(seconds) is not int or seconds < 1:
        raise req.refused("value must be a number of seconds")
    changes.fields["ttr"] = {"ttrType": kind, "value": seconds}


def _new_skill(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    kind = req.choose(change, "type", ("UPDATE", "REMOVE"))
    skill = req.need(change, "skill", str, int) if kind == "UPDATE" else ANY_SKILL
    changes.fields["skillId"] = _as_skill(req, skill) or ANY_SKILL


def _participant(req: Request, change: Mapping[str, Any], changes: Changes) -> None:
    kind = req.choose(change, "type", ("ADD", "REMOVE"))
    who = {"id": req.need(change, "userId", str), "role": req.choose(change, "role", ROLES)}
    (changes.joined if kind == "ADD" else changes.left).append(who)


_CHANGES: dict[str, Callable[[Request, Mapping[str, Any], Changes], None]] = {
    "ConversationStateField": _state,
    "DialogChange": _dialog,
    "CSATRate": _rating,
    "TTRField": _time_to_respond,
    "Skill": _new_skill,
    "ParticipantsChange": _participant,
}
