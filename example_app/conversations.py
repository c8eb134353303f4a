"""Conversations in the database: opening, adding messages, closing, and the transcript.

Each change is passed to :mod:`~example_app.notifications` once it is committed.
"""

import json
from typing import Any

from sqlalchemy import select, update

from . import notifications
from .database import db, first_come
from .models import Agent, Consumer, Conversation, Message
from .notifications import Originator


def set_profile(consumer: Consumer, profile: str) -> None:
    """Store *profile*, a JSON text, with *consumer*."""
    consumer.profile = profile
    db.session.commit()


def open_conversation(consumer: Consumer, details: str) -> Conversation | None:
    """Return a new conversation, or ``None`` if *consumer* has an open one.

    :param details: the body of the request, a JSON text.
    """
    conversation = Conversation(consumer_id=consumer.lp_consumer_id, details=details)
    with first_come():
        db.session.add(conversation)
    if conversation not in db.session:
        return None
    notifications.conversation_changed(conversation)
    return conversation


def add_message(conversation: Conversation, body: str, by: Originator) -> int | None:
    """Return the sequence of the new message, or ``None`` if *conversation* is closed.

    :param body: a JSON text, the body of PublishEvent.
    """
    # The update comes first, since it locks the row: a concurrent request waits here and gets the
    # next number. A rollback gives the number back.
    counted = update(Conversation).values(next_sequence=Conversation.next_sequence + 1)
    db.session.execute(counted.where(Conversation.id == conversation.id))
    db.session.refresh(conversation)
    if not conversation.is_open:
        db.session.rollback()
        return None
    sequence = conversation.next_sequence - 1
    message = Message(
        conversation_id=conversation.id,
        sequence=sequence,
        body=body,
        originator=by.id,
        role=by.role,
    )
    db.session.add(message)
    db.session.commit()
    notifications.event_published(conversation, json.loads(body)["event"], by, sequence)
    return sequence


def close(conversation: Conversation) -> bool:
    """Close *conversation*; return whether it was open."""
    closed = update(Conversation).values(is_open=None)
    closed = closed.where(Conversation.id == conversation.id, Conversation.is_open.is_not(None))
    was_open = bool(db.session.execute(closed).rowcount)  # type: ignore[attr-defined]
    db.session.commit()
    if was_open:
        notifications.conversation_changed(conversation)
    return was_open


def answer(
    conversation: Conversation, agent: Agent, message: Any, role: str = "ASSIGNED_AGENT"
) -> int | None:
    """Add *message* of *agent*; return its sequence, or ``None`` if *conversation* is closed.

    :param role: role of the agent; clients differ in the roles whose messages they show.
    """
    if conversation.is_open and conversation.agent_id is None:
        conversation.agent_id = agent.user_id
        db.session.commit()
        notifications.conversation_changed(conversation)
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": message}
    body = json.dumps({"dialogId": conversation.id, "event": event})
    return add_message(conversation, body, Originator(agent.user_id, role))


def transcript(conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages of *conversation* in their order."""
    query = select(Message).filter_by(conversation_id=conversation.id).order_by(Message.sequence)
    return [
        {
            "sequence": message.sequence,
            "role": message.role,
            "sentAt": message.sent_at,
            "event": json.loads(message.body)["event"],
        }
        for message in db.session.scalars(query)
    ]
