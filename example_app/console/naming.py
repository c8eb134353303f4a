"""What a request is, in a few words: "Send message" instead of a method and a path."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Request

from .. import events

#: By endpoint; requests to the Send API are named by their bodies.
ENDPOINTS = {
    "domain.all_hosts": "Look up the services",
    "domain.host_of_service": "Look up a service",
    "sentinel.app_token": "Get AppJWT",
    "sentinel.key_set": "Read the public keys",
    "idp.consumer": "Get ConsumerJWS",
    "messaging.create": "Open conversation",
    "history.search": "Search the conversations",
    "swift.upload": "Upload file",
    "swift.download": "Download file",
    "agents.login": "Agent: log in",
    "agents.installation": "Agent: read the app install",
    "agents.installations": "Agent: read the app installs",
    "desk.open_conversations": "Agent: read the conversations",
    "desk.say": "Agent: answer",
    "desk.resolve": "Agent: close conversation",
    "desk.new_file": "Agent: get upload URL",
    "desk.file": "Agent: get download URL",
}
SEND = "messaging.send"
#: Most characters of a detail.
MAX_DETAIL = 80


@dataclass(frozen=True, slots=True)
class Name:
    """What a request is about."""

    text: str
    detail: str = ""  #: what was said, or the like
    event: Mapping[str, Any] | None = None
    conversation: str | None = None  #: its id


def name_of(request: Request, body: str, answer: str) -> Name:
    """Return what *request* is, given its body and that of its answer."""
    endpoint = request.endpoint or ""
    sent = _json(body)
    name = ENDPOINTS.get(endpoint, f"{request.method} {request.path}")
    if endpoint == SEND:
        return _of_sending(sent)
    if endpoint == "messaging.create":
        return Name(name, conversation=_opened(_json(answer)))
    named = (request.view_args or {}).get("conversation_id")
    if named:
        event = _member(sent, "event")
        message = {**_member(sent), **event}.get("message")
        text = f"Agent: {_lower(_of_event(event))}" if event else name
        return Name(text, _short(message), event or None, named)
    if endpoint == "idp.consumer":
        return Name(name, _short(_member(sent).get("ext_consumer_id")))
    return Name(name)


def name_of_webhook(body: bytes, attempt: int) -> Name:
    """Return what a notification is about."""
    changes = _json(body.decode(errors="replace"))
    listed = _member(changes, "body").get("changes")
    change = listed[0] if isinstance(listed, list) and listed else None
    event = _member(change, "event")
    again = "" if attempt == 1 else f" (attempt {attempt})"
    if event:
        named = _member(change).get("conversationId")
        said = _short(event.get("message"))
        return Name(f"Webhook: {_lower(_of_event(event))}{again}", said, None, named)
    result = _member(change, "result")
    state = _member(result, "conversationDetails").get("state", "")
    return Name(f"Webhook: conversation {state}{again}", "", None, result.get("convId"))


def _of_sending(sent: Any) -> Name:
    body = _member(sent, "body")
    conversation = body.get("dialogId", body.get("conversationId"))
    conversation = conversation if isinstance(conversation, str) else None
    kind = _member(sent).get("type")
    event = _member(body, "event")
    if kind == events.PUBLISH and event:
        return Name(_of_event(event), _short(event.get("message")), event, conversation)
    names: dict[Any, Callable[[], str]] = {
        events.SET_PROFILE: lambda: "Set profile",
        events.UPLOAD: lambda: "Get upload URL",
        events.DOWNLOAD: lambda: "Get download URL",
        events.UPDATE: lambda: _of_change(body.get("conversationField")),
    }
    name = names.get(kind) if isinstance(kind, str) else None
    return Name(name() if name else "Send API request", conversation=conversation)


def _of_event(event: Mapping[str, Any]) -> str:
    match event:
        case {"type": "ContentEvent", "contentType": "hosted/file"}:
            return "Send file"
        case {"type": "ContentEvent"}:
            return "Send message"
        case {"type": "RichContentEvent"}:
            return "Send rich content"
        case {"type": "ChatStateEvent", "chatState": str(state)}:
            return f"Chat state {state}"
        case {"type": "AcceptStatusEvent", "status": str(status)}:
            return f"Message status {status}"
    return "Send event"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _of_change(changes: Any) -> str:
    first = changes[0] if isinstance(changes, list) and changes else changes
    match first:
        case {"field": "CSATRate"}:
            return "Rate the conversation"
        case {"field": "TTRField"}:
            return "Change the time to respond"
        case {"field": "DialogChange"}:
            return "Close dialog"
        case {"field": "ConversationStateField"}:
            return "Close conversation"
    return "Update conversation"


def _opened(answer: Any) -> str | None:
    for entry in answer if isinstance(answer, list) else []:
        found = _member(entry, "body").get("conversationId")
        if isinstance(found, str):
            return found
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _member(holder: Any, *names: str) -> Mapping[str, Any]:
    """Return the object at *names* in *holder*, or an empty one."""
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= MAX_DETAIL else f"{text[: MAX_DETAIL - 1]}…"
