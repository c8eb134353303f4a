"""The Send API: conversations, which an app opens, adds to and closes on behalf of a consumer.

Protocol pages: Conversation (``create``) and Send (``send``). Both tokens are verified before a
view runs; the views check that the conversation belongs to the consumer.
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
    """Handle an array of two requests, in this order: set the profile, open a conversation."""
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
    # One client looks the id of the dialog up elsewhere if this answer lacks it.
    return [done, opening.ok(conversationId=conversation.id, dialogId=conversation.id)]


@blueprint.post("/send")
@require_app_jwt(scopes="msg.consumer")
@require_consumer_jws
def send(account_id: str) -> ResponseReturnValue:
    """Handle one request: publish an event, close the conversation, or get the URL of a file."""
    consumer = _caller()
    req = read_request(read_json(), *ACTIONS)
    return ACTIONS[req.action](req, consumer)


def _publish(req: Request, consumer: Consumer) -> Answer:
    event = events.read_event(req)
    # The first dialog has the id of its conversation, and here there is no other dialog.
    conversation = _conversation(req, "dialogId", consumer)
    if req.body.get("conversationId", conversation.id) != conversation.id:
        raise req.refused("conversationId is not that of the dialog")
    by = Originator(consumer.lp_consumer_id, "CONSUMER")
    if event["type"] == "ChatStateEvent":
        event_published(conversation, event, by)
        return req.ok()  # typing and the like is posted, but not stored, and has no sequence
    sequence = add_message(conversation, req.text, by)
    if sequence is None:
        raise req.refused("the conversation is closed")
    return req.ok(sequence=sequence)


def _update(req: Request, consumer: Consumer) -> Answer:
    if not events.is_closing(req):
        raise req.refused("conversationField can do no more than CLOSE")
    if not close(_conversation(req, "conversationId", consumer)):
        raise req.refused("the conversation is closed")
    return req.ok(msg="OK Conversation resolved successfully")


def _upload(req: Request, consumer: Consumer) -> Answer:
    return req.ok(**swift.temp_url(swift.new_file(req, consumer), "PUT"))


def _download(req: Request, consumer: Consumer) -> Answer:
    file = find(File, req.need(req.body, "relativePath", str))
    if file is None:
        raise req.refused("there is no such file")
    if file.consumer_id != consumer.lp_consumer_id:
        raise InvalidConsumerJWS("the file is of another consumer")
    return req.ok(**swift.temp_url(file, "GET"))


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
        # a valid token, but of another database
        raise InvalidConsumerJWS("there is no such consumer")
    return consumer


def _conversation(req: Request, member: str, consumer: Consumer) -> Conversation:
    conversation = find(Conversation, req.need(req.body, member, str))
    if conversation is None:
        raise req.refused("there is no such conversation")
    if conversation.consumer_id != consumer.lp_consumer_id:
        # protocol page, Send API Overview: 401
        raise InvalidConsumerJWS("the conversation is of another consumer")
    return conversation
