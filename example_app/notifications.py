"""The notifications of what happens in a conversation, which webhooks post.

Protocol pages: Webhooks. The only dialog of a conversation has the id of the conversation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blinker import Namespace
from flask import current_app

from . import webhooks
from .models import Conversation, now_ms

#: Sent by the app for each notification, also if none is posted; ``account_id`` is a text,
#: ``conversation_id`` another, and ``notification`` the object.
notified = Namespace().signal("notified")

CHANGED = "cqm.ExConversationChangeNotification"
PUBLISHED = "ms.MessagingEventNotification"
#: Who may see a message: all, or agents and managers only.
AUDIENCES = ("ALL", "AGENTS_AND_MANAGERS")


@dataclass(frozen=True, slots=True)
class Originator:
    """The consumer or agent who sends an event."""

    id: str  #: id of the consumer or the agent
    role: str  #: ``CONSUMER``, or a role of agents


@dataclass(frozen=True, slots=True)
class Event:
    """What a consumer or an agent publishes in a conversation."""

    content: Mapping[str, Any]  #: the event of the protocol
    by: Originator
    metadata: list[Any] = field(default_factory=list)
    audience: str = AUDIENCES[0]


def event_published(conversation: Conversation, event: Event, sequence: int | None = None) -> None:
    """Post *event*; a chat state has neither a sequence nor a time."""
    stored = {"sequence": sequence, "serverTimestamp": now_ms()} if sequence is not None else {}
    change = {
        **stored,
        "originatorId": event.by.id,
        "originatorMetadata": {"id": event.by.id, "role": event.by.role},
        "event": event.content,
        "conversationId": conversation.id,
        "dialogId": conversation.id,
        "messageAudience": event.audience,
        **({"metadata": event.metadata} if event.metadata else {}),
    }
    _post(conversation, PUBLISHED, change, f"{PUBLISHED}.{event.content['type']}")


def conversation_changed(conversation: Conversation) -> None:
    """Post the complete state of *conversation*, which was opened, changed or closed."""
    result = {
        "convId": conversation.id,
        "effectiveTTR": -1,
        "conversationDetails": described(conversation),
    }
    _post(conversation, CHANGED, {"type": "UPSERT", "result": result}, CHANGED)


def described(conversation: Conversation) -> dict[str, Any]:
    """Return the complete state of *conversation*, as notifications have it."""
    state = "OPEN" if conversation.is_open else "CLOSE"
    consumer = {"id": conversation.consumer_id, "role": "CONSUMER"}
    participants = [consumer, *json.loads(conversation.agents)]
    times = {"metaDataLastUpdateTs": conversation.changed_at}
    ended = {"endTs": conversation.ended_at} if conversation.ended_at else {}
    reason = {"closeReason": conversation.closed_by} if ended else {}
    closed = {"closedBy": conversation.closed_by, "closedCause": conversation.closed_cause}
    dialog = {
        "dialogId": conversation.id,
        "participantsDetails": participants,
        "dialogType": "MAIN",
        "channelType": "MESSAGING",
        "state": state,
        "creationTs": conversation.started_at,
        **times,
        **ended,
        **(closed if ended else {}),
    }
    return {
        **json.loads(conversation.fields),
        "participants": participants,
        "dialogs": [dialog],
        "brandId": conversation.consumer.account_id,
        "state": state,
        "stage": state,
        "startTs": conversation.started_at,
        **times,
        **ended,
        **reason,
    }


def _post(conversation: Conversation, kind: str, change: Mapping[str, Any], event: str) -> None:
    """Post a notification of *kind* with *change*; apps register for it under the name *event*."""
    if not (notified.receivers or webhooks.are_wanted()):
        return
    account_id = conversation.consumer.account_id
    body = {"sentTs": now_ms(), "changes": [change]}
    notification = {"kind": "notification", "body": body, "type": kind}
    notified.send(
        current_app._get_current_object(),  # type: ignore[attr-defined]
        account_id=account_id,
        conversation_id=conversation.id,
        notification=notification,
    )
    webhooks.send(account_id, conversation.id, event, notification)
