"""The agent's desk: reading, answering and closing the conversations of an account.

It is not part of the protocol, in which agents use a WebSocket. It publishes any event of the
protocol, so that clients get all that agents do.
"""

from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from flask_connector_auth import require_app_jwt

from . import events, swift
from .agents import AGENT_SCOPE, agent_of
from .conversations import Closed, answer, change, transcript
from .database import db, find
from .models import Consumer, Conversation, File
from .notifications import AUDIENCES, described
from .wire import Refused, Request, check_metadata, read_json

CLOSED = "the conversation is closed"

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
            "details": described(conversation),
            "messages": transcript(conversation),
        }
        for conversation in db.session.scalars(query)
    ]


@blueprint.post("/<conversation_id>")
@require_app_jwt(scopes=AGENT_SCOPE)
def say(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Publish ``event``, any of the protocol's, or ``message``, a text.

    ``role`` is ``ASSIGNED_AGENT`` unless given, ``messageAudience`` is ``ALL``; ``metadata`` is
    passed on.
    """
    conversation, agent = _conversation(account_id, conversation_id), agent_of(account_id)
    req = _read()
    if "event" in req.body:
        event = events.read_event(req)
        swift.check_file(req, event, conversation.consumer)
    else:
        text = req.need(req.body, "message", str)
        if len(text) > events.MAX_TEXT:
            raise req.refused(f"message must be a text of 1 to {events.MAX_TEXT} characters")
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
    more = {
        "role": req.choose({"role": events.ROLES[0], **req.body}, "role", events.ROLES),
        "audience": req.choose(
            {"messageAudience": AUDIENCES[0], **req.body}, "messageAudience", AUDIENCES
        ),
        "metadata": req.metadata,
    }
    try:
        sequence = answer(conversation, agent, event, **more) if agent else None
    except Closed:
        raise Refused(CLOSED) from None
    return {} if sequence is None else {"sequence": sequence}


@blueprint.post("/<conversation_id>/files")
@require_app_jwt(scopes=AGENT_SCOPE)
def new_file(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Return the URL to put a new file of ``fileType`` and ``fileSize`` to, as consumers get it."""
    conversation = _conversation(account_id, conversation_id)
    return swift.temp_url(swift.new_file(_read(), conversation.consumer), "PUT")


@blueprint.get("/<conversation_id>/files")
@require_app_jwt(scopes=AGENT_SCOPE)
def file(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Return the URL to get the file at ``relativePath`` from, whoever has sent it."""
    conversation = _conversation(account_id, conversation_id)
    found = find(File, request.args.get("relativePath", ""))
    if found is None or found.consumer_id != conversation.consumer_id:
        abort(404, "There is no such file.")
    return swift.temp_url(found, "GET")


@blueprint.post("/<conversation_id>/close")
@require_app_jwt(scopes=AGENT_SCOPE)
def resolve(account_id: str, conversation_id: str) -> ResponseReturnValue:
    """Close the conversation."""
    try:
        change(_conversation(account_id, conversation_id), events.Changes(closed_cause=""), "AGENT")
    except Closed:
        raise Refused(CLOSED) from None
    return {}


def _read() -> Request:
    """Return the body of the current HTTP request, as that of a request without an id."""
    value = read_json()
    body = value if isinstance(value, dict) else {}
    check_metadata(body)
    return Request(None, "", body, "", body)


def _conversation(account_id: str, conversation_id: str) -> Conversation:
    conversation = find(Conversation, conversation_id)
    if conversation is None or conversation.consumer.account_id != account_id:
        abort(404, "There is no such conversation.")
    return conversation
