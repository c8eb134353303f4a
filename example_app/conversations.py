"""Conversations in the database: opening, publishing events, changing, closing, and the transcript.

Each change is passed to :mod:`~example_app.notifications` once it is committed.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from . import events, notifications
from .database import db, first_come
from .models import Agent, Consumer, Conversation, Message, now_ms
from .notifications import Event, Originator


class Closed(Exception):
    """The conversation is closed, and takes nothing of the kind any more."""


def set_profile(consumer: Consumer, profile: str) -> None:
    """Store *profile*, a JSON text, with *consumer*."""
    consumer.profile = profile
    db.session.commit()


def open_conversation(consumer: Consumer, details: str) -> Conversation | None:
    """Return a new conversation, or ``None`` if *consumer* has an open one.

    :param details: the body of the request, a JSON text.
    """
    fields = json.dumps(events.opening_fields(json.loads(details)))
    conversation = Conversation(consumer_id=consumer.lp_consumer_id, details=details, fields=fields)
    with first_come():
        db.session.add(conversation)
    if conversation not in db.session:
        return None
    notifications.conversation_changed(conversation)
    return conversation


def _lock(conversation: Conversation, **values: Any) -> None:
    """Set *values* and keep other requests from changing *conversation* until the commit.

    A concurrent request waits here, and finds what this one has changed.
    """
    changed = update(Conversation).where(Conversation.id == conversation.id).values(values)
    db.session.execute(changed)
    db.session.refresh(conversation)


def publish(conversation: Conversation, event: Event) -> int | None:
    """Add *event*; return its sequence, or ``None`` for a chat state, which has none.

    :raises Closed: if *conversation* is closed.
    """
    if event.content["type"] == "ChatStateEvent":
        if not conversation.is_open:
            raise Closed
        notifications.event_published(conversation, event)  # not stored
        return None
    _lock(conversation, next_sequence=Conversation.next_sequence + 1)
    if not conversation.is_open:
        db.session.rollback()  # which gives the number back
        raise Closed
    sequence = conversation.next_sequence - 1
    message = Message(
        conversation_id=conversation.id,
        sequence=sequence,
        body=json.dumps({"dialogId": conversation.id, "event": event.content}),
        metadata_=json.dumps(event.metadata),
        audience=event.audience,
        originator=event.by.id,
        role=event.by.role,
    )
    db.session.add(message)
    db.session.commit()
    notifications.event_published(conversation, event, sequence)
    return sequence


def change(conversation: Conversation, changes: events.Changes, by: str) -> None:
    """Make *changes*.

    :param by: ``CONSUMER`` or ``AGENT``, who closes it.
    :raises Closed: if *conversation* is closed, and *changes* are more than a rating.
    """
    now = now_ms()
    _lock(conversation, changed_at=now)
    if not (conversation.is_open or changes.is_rating):
        db.session.rollback()
        raise Closed
    conversation.fields = json.dumps({**json.loads(conversation.fields), **changes.fields})
    kept = [who for who in json.loads(conversation.agents) if who not in changes.left]
    joined = [who for who in changes.joined if who not in kept]
    conversation.agents = json.dumps([*kept, *joined])
    if changes.closed_cause is not None:
        conversation.is_open, conversation.ended_at, conversation.closed_by = None, now, by
        conversation.closed_cause = changes.closed_cause or f"Closed by {by.lower()}"
    db.session.commit()
    notifications.conversation_changed(conversation)


def answer(
    conversation: Conversation,
    agent: Agent,
    content: Mapping[str, Any],
    role: str = events.ROLES[0],
    **more: Any,
) -> int | None:
    """Add an event of *agent*, who takes the conversation if no agent has; see :func:`publish`.

    :param content: the event.
    :param role: role of the agent; clients differ in the roles whose messages they show.
    :param more: metadata and audience, as in :class:`~example_app.notifications.Event`.
    :raises Closed: if *conversation* is closed.
    """
    taken = {"id": agent.user_id, "role": events.ROLES[0]}
    if taken["role"] not in {who["role"] for who in json.loads(conversation.agents)}:
        change(conversation, events.Changes(joined=[taken]), "AGENT")
    return publish(conversation, Event(content, Originator(agent.user_id, role), **more))


def transcript(conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages of *conversation* in their order."""
    query = select(Message).filter_by(conversation_id=conversation.id).order_by(Message.sequence)
    return [
        {
            "sequence": message.sequence,
            "role": message.role,
            "sentAt": message.sent_at,
            "event": json.loads(message.body)["event"],
            "metadata": json.loads(message.metadata_),
            "messageAudience": message.audience,
        }
        for message in db.session.scalars(query)
    ]
