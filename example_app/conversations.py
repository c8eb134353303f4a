"""A consumer's wish in; conversations opened, added to and closed in the database."""

from sqlalchemy import update

from .models import Consumer, Conversation, Message, db, first_come


def set_profile(consumer: Consumer, profile: str) -> None:
    """Keep *profile*, a JSON text, with *consumer*."""
    consumer.profile = profile
    db.session.commit()


def open_conversation(consumer: Consumer) -> Conversation | None:
    """Return a new conversation, or ``None`` if *consumer* has an open one."""
    conversation = Conversation(consumer_id=consumer.lp_consumer_id)
    with first_come():
        db.session.add(conversation)
    return conversation if conversation in db.session else None


def add_message(conversation: Conversation, body: str) -> int | None:
    """Return the sequence that the message got, or ``None`` if *conversation* is closed.

    :param body: a JSON text.
    """
    # The update comes first, since it locks the row: whoever sends at the same time waits here,
    # and then counts on from this number. What is rolled back was never counted.
    counted = update(Conversation).values(next_sequence=Conversation.next_sequence + 1)
    db.session.execute(counted.where(Conversation.id == conversation.id))
    db.session.refresh(conversation)
    if not conversation.is_open:
        db.session.rollback()
        return None
    sequence = conversation.next_sequence - 1
    db.session.add(Message(conversation_id=conversation.id, sequence=sequence, body=body))
    db.session.commit()
    return sequence


def close(conversation: Conversation) -> bool:
    """Close *conversation*; return whether it was open."""
    was_open = conversation.is_open is not None
    conversation.is_open = None
    db.session.commit()
    return was_open
