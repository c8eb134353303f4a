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

from .conversations import add_message, close, open_conversation, set_profile
from .models import Consumer, Conversation, find
from .wire import Answer, Refused, Request, read_json, read_request, refusal

CREATE = ("userprofile.SetUserProfile", "cm.ConsumerRequestConversation")
# What an event of each type must have, and the types that it may be of.
EVENTS: dict[str, dict[str, tuple[type, ...]]] = {
    "ContentEvent": {"contentType": (str,), "message": (str, dict)},
    "RichContentEvent": {"content": (dict,)},
    "AcceptStatusEvent": {"status": (str,), "sequenceList": (list,)},
    "ChatStateEvent": {"chatState": (str,)},
}

blueprint = Blueprint(
    "messaging", __name__, url_prefix="/api/account/<account_id>/messaging/consumer/conversation"
)


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
    if opening.need(opening.body, "brandId", str) != account_id:
        raise opening.refused("brandId is not the account")
    set_profile(consumer, profile.text)
    done = profile.ok(msg="OK User Profile set successfully")
    conversation = open_conversation(consumer)
    if conversation is None:
        return [done, refusal(opening.refused("the consumer has an open conversation"))], 400
    return [done, opening.ok(conversationId=conversation.id)]


@blueprint.post("/send")
@require_app_jwt(scopes="msg.consumer")
@require_consumer_jws
def send(account_id: str) -> ResponseReturnValue:
    """Take one request: publish an event in a conversation, or close it."""
    consumer = _caller()
    asked = read_request(read_json(), *ACTIONS)
    return ACTIONS[asked.action](asked, consumer)


def _publish(asked: Request, consumer: Consumer) -> Answer:
    event = asked.need(asked.body, "event", dict)
    event_type = asked.need(event, "type", str)
    if event_type not in EVENTS:
        raise asked.refused(f"type of the event must be {' or '.join(EVENTS)}")
    for member, kinds in EVENTS[event_type].items():
        asked.need(event, member, *kinds)
    # The first dialog of a conversation has its id, and here there is no other.
    conversation = _conversation(asked, "dialogId", consumer)
    if asked.body.get("conversationId", conversation.id) != conversation.id:
        raise asked.refused("conversationId is not that of the dialog")
    if event_type == "ChatStateEvent":
        return asked.ok()  # typing and the like is told, not kept, and has no sequence
    sequence = add_message(conversation, asked.text)
    if sequence is None:
        raise asked.refused("the conversation is closed")
    return asked.ok(sequence=sequence)


def _update(asked: Request, consumer: Consumer) -> Answer:
    field = asked.need(asked.body, "conversationField", dict)
    dialog = field.get("dialog")
    state = dialog.get("state") if isinstance(dialog, dict) else field.get("conversationState")
    if state != "CLOSE":
        raise asked.refused("conversationField can do no more than CLOSE")
    if not close(_conversation(asked, "conversationId", consumer)):
        raise asked.refused("the conversation is closed")
    return asked.ok(msg="OK Conversation resolved successfully")


ACTIONS = {"ms.PublishEvent": _publish, "cm.UpdateConversationField": _update}


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
