"""What an app asks on behalf of a consumer in; conversations opened, added to and closed.

Protocol pages: Conversation (``create``) and Send (``send``). Both tokens are checked before a
view runs; what is left to the views is whose conversation it is.
"""

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from flask_connector_auth import (
    InvalidConsumerJWS,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)

from . import events, knobs, swift
from .console import costs
from .conversations import add_message, close, open_conversation, set_profile
from .database import find
from .models import Consumer, Conversation, File
from .notifications import Originator, event_published
from .wire import Answer, Refused, Request, read_json, read_request, refusal

CREATE = (events.SET_PROFILE, events.OPEN)

blueprint = Blueprint(
    "messaging", __name__, url_prefix="/api/account/<account_id>/messaging/consumer/conversation"
)
knobs.may_fail(blueprint, "asyncMessagingEnt")
costs.watch(blueprint)


@blueprint.post("")
@require_app_jwt(scopes="msg.consumer")
@require_consumer_jws
def create(account_id: str) -> ResponseReturnValue:
    """Take an array of two requests, in this order: set the profile, open a conversation."""
    consumer = _caller()
    requests = read_json()
    if not isinstance(requests, list) or len(requests) != len(CREATE):
        raise Refused(f"the body must be an array of {' and '.join(CREATE)}")
    profile, opening = map(read_request, requests, CREATE)
    details = events.read_opening(opening, account_id)
    set_profile(consumer, profile.text)
    done = profile.ok(msg="OK User Profile set successfully")
    conversation = open_conversation(consumer, details)
    if conversation is None:
        return [done, refusal(opening.refused("the consumer has an open conversation"))], 400
    # One client asks for the id of the dialog elsewhere if it is not told here.
    return [done, opening.ok(conversationId=conversation.id, dialogId=conversation.id)]


@blueprint.post("/send")
@require_app_jwt(scopes="msg.consumer")
@require_consumer_jws
def send(account_id: str) -> ResponseReturnValue:
    """Take one request: publish an event in a conversation, close it, or ask where files go."""
    consumer = _caller()
    asked = read_request(read_json(), *ACTIONS)
    return ACTIONS[asked.action](asked, consumer)


def _publish(asked: Request, consumer: Consumer) -> Answer:
    event = events.read_event(asked)
    # The first dialog of a conversation has its id, and here there is no other.
    conversation = _conversation(asked, "dialogId", consumer)
    if asked.body.get("conversationId", conversation.id) != conversation.id:
        raise asked.refused("conversationId is not that of the dialog")
    by = Originator(consumer.lp_consumer_id, "CONSUMER")
    if event["type"] == "ChatStateEvent":
        event_published(conversation, event, by)
        return asked.ok()  # typing and the like is told, not kept, and has no sequence
    sequence = add_message(conversation, asked.text, by)
    if sequence is None:
        raise asked.refused("the conversation is closed")
    return asked.ok(sequence=sequence)


def _update(asked: Request, consumer: Consumer) -> Answer:
    if not events.is_closing(asked):
        raise asked.refused("conversationField can do no more than CLOSE")
    if not close(_conversation(asked, "conversationId", consumer)):
        raise asked.refused("the conversation is closed")
    return asked.ok(msg="OK Conversation resolved successfully")


def _upload(asked: Request, consumer: Consumer) -> Answer:
    return asked.ok(**swift.temp_url(swift.new_file(asked, consumer), "PUT"))


def _download(asked: Request, consumer: Consumer) -> Answer:
    file = find(File, asked.need(asked.body, "relativePath", str))
    if file is None:
        raise asked.refused("there is no such file")
    if file.consumer_id != consumer.lp_consumer_id:
        raise InvalidConsumerJWS()
    return asked.ok(**swift.temp_url(file, "GET"))


ACTIONS = {
    events.PUBLISH: _publish,
    events.UPDATE: _update,
    events.UPLOAD: _upload,
    events.DOWNLOAD: _download,
}


def _caller() -> Consumer:
    if request.args.get("v") != "3":
        abort(404, "the parameter v must be 3")
    consumer = find(Consumer, current_consumer_jws.lp_consumer_id)
    if consumer is None:
        raise InvalidConsumerJWS()  # a good token, of a database that is no more
    return consumer


def _conversation(asked: Request, member: str, consumer: Consumer) -> Conversation:
    conversation = find(Conversation, asked.need(asked.body, member, str))
    if conversation is None:
        raise asked.refused("there is no such conversation")
    if conversation.consumer_id != consumer.lp_consumer_id:
        raise InvalidConsumerJWS()  # protocol page, Send API Overview: 401
    return conversation
