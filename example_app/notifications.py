"""The notifications that webhooks post when a conversation changes.

Protocol page: Webhooks. The only dialog of a conversation has the id of the conversation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import webhooks
from .models import Conversation, now_ms


@dataclass(frozen=True, slots=True)
class Originator:
    """The consumer or agent who sends an event."""

    id: str  #: id of the consumer or the agent
    role: str  #: ``CONSUMER``, or a role of agents


def event_published(
    conversation: Conversation,
    event: Mapping[str, Any],
    by: Originator,
    sequence: int | None = None,
) -> None:
    """Post *event*; an event without a number, such as a chat state, has no *sequence*."""
    if not webhooks.are_wanted():
        return
    numbered = {} if sequence is None else {"sequence": sequence}
    change = {
        **numbered,
        "originatorId": by.id,
        "originatorMetadata": {"id": by.id, "role": by.role},
        "serverTimestamp": now_ms(),
        "event": event,
        "conversationId": conversation.id,
        "dialogId": conversation.id,
    }
    _post(conversation, "ms.MessagingEventNotification", change)


def conversation_changed(conversation: Conversation) -> None:
    """Post the new state of *conversation*: opened, taken by an agent, or closed."""
    if not webhooks.are_wanted():
        return
    request = json.loads(conversation.details)
    state = "OPEN" if conversation.is_open else "CLOSE"
    participants = [{"id": conversation.consumer_id, "role": "CONSUMER"}]
    if conversation.agent_id:
        participants.append({"id": conversation.agent_id, "role": "ASSIGNED_AGENT"})
    details = {
        "skillId": str(request.get("skillId") or "-1"),
        "participants": participants,
        "dialogs": [{"dialogId": conversation.id, "dialogType": "MAIN", "state": state}],
        "brandId": conversation.consumer.account_id,
        "state": state,
        "stage": state,
        "startTs": conversation.started_at,
        "ttr": {"ttrType": request.get("ttrDefName") or "NORMAL"},
    }
    result = {"convId": conversation.id, "effectiveTTR": -1, "conversationDetails": details}
    change = {"type": "UPSERT", "result": result}
    _post(conversation, "cqm.ExConversationChangeNotification", change)


def _post(conversation: Conversation, kind: str, change: Mapping[str, Any]) -> None:
    body = {"sentTs": now_ms(), "changes": [change]}
    notification = {"kind": "notification", "body": body, "type": kind}
    webhooks.send(conversation.consumer.account_id, notification)
