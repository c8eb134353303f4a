"""The agent's desk: reading, answering and closing the conversations of an account.

It is not part of the protocol, in which agents use a WebSocket: it does just enough to answer
clients.
"""

from typing import Any

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from flask_connector_auth import require_app_jwt

from .agents import AGENT_SCOPE, agent_of
from .conversations import answer, close, transcript
from .database import db, find
from .models import Consumer, Conversation
from .wire import Refused, read_json

#: Roles of agents; the first is the default.
ROLES = (
    "ASSIGNED_AGENT",
    "AGENT_MANAGER",
    "ASSIGNED_MANAGER",
    "MANAGER",
    "READER",
    "CONTROLLER",
)

blueprint = Blueprint("desk", __name__, url_prefix="/agent/api/account/<account_id>/conversations")


@blueprint.get("")
@require_app_jwt(scopes=AGENT_SCOPE)
def open_conversations(account_id: str) -> list[dict[str, Any]]:
    """Return the open conversations with their messages, the oldest first."""
    query = select(Conversation).join(Consumer).filter(Conversation.is_open.is_not(None))
    query = query.filter(Consumer.account_id == account_id).order_by(Conversation.started_at)
    return [
        {
            "conversationId": conversation.id,
            "consumer": conversation.consumer.ext_consumer_id,
            "messages": transcript(conversation),
        }
        for conversation in db.session.scalars(query)
    ]


@blueprint.post("/<conversation_id>")
@require_app_jwt(scopes=AGENT_SCOPE)
def say(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Answer with ``message``, a text, in ``role`` (default: ``ASSIGNED_AGENT``)."""
    conversation = _conversation(account_id, conversation_id)
    body = read_json()
    said = body if isinstance(body, dict) else {}
    message, role = said.get("message"), said.get("role", ROLES[0])
    if not (isinstance(message, str) and 0 < len(message) <= 5000):
        raise Refused("message must be a text of 1 to 5000 characters")
    if not (isinstance(role, str) and role in ROLES):
        raise Refused(f"role must be {' or '.join(ROLES)}")
    agent = agent_of(account_id)
    sequence = answer(conversation, agent, message, role) if agent else None
    if sequence is None:
        raise Refused("the conversation is closed")
    return {"sequence": sequence}


@blueprint.post("/<conversation_id>/close")
@require_app_jwt(scopes=AGENT_SCOPE)
def resolve(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Close the conversation."""
    if not close(_conversation(account_id, conversation_id)):
        raise Refused("the conversation is closed")
    return {}


def _conversation(account_id: str, conversation_id: str) -> Conversation:
    conversation = find(Conversation, conversation_id)
    if conversation is None or conversation.consumer.account_id != account_id:
        abort(404, "There is no such conversation.")
    return conversation
