"""The Send API: conversations, which an app opens, adds to and closes on behalf of a consumer.

Protocol pages: Conversation (``create``) and Send (``send``). Both tokens are verified before a
view runs; the views check that the conversation belongs to the consumer.
"""

from typing import Any

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
from .conversations import Closed, change, open_conversation, publish, set_profile
from .database import find
from .models import Consumer, Conversation, File
from .notifications import Event, Originator
from .wire import Answer, Refused, Request, read_json, read_request

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
    """Handle an array: set the profile, open a conversation, and publish its first events.

    Nothing is done if any request is malformed. A refusal is an array too.
    """
    consumer, answers = _caller(), list[Answer]()
    try:
        _create(consumer, account_id, read_json(), answers)
    except Refused as error:
        error.answers = answers
        raise
    return answers


def _create(consumer: Consumer, account_id: str, requests: Any, answers: list[Answer]) -> None:
    """Do *requests*, and add the answer to each to *answers*."""
    if not isinstance(requests, list) or len(requests) < len(CREATE):
        raise Refused(f"the body must be an array of {' and '.join(CREATE)}")
    types = (*CREATE, *[events.PUBLISH] * (len(requests) - len(CREATE)))
    profile, opening, *first = map(read_request, requests, types)
    details = events.read_opening(opening, account_id)
    contents = [_read_event(req, consumer) for req in first]
    for req in first:
        if req.body.get("dialogId"):
            raise req.refused("dialogId is not known before the conversation is open")
    answers.append(_set_profile(profile, consumer))
    conversation = open_conversation(consumer, details)
    if conversation is None:
        # A known client matches the words before and after the id, and reads the id.
        name = consumer.lp_consumer_id
        raise opening.refused(f"User {name} already has an open conversation")
    # One client looks the id of the dialog up elsewhere if this answer lacks it.
    answers.append(opening.ok(conversationId=conversation.id, dialogId=conversation.id))
    for req, content in zip(first, contents, strict=True):
        answers.append(_published(req, conversation, content))


@blueprint.post("/send")
@require_app_jwt(scopes="msg.consumer")
@require_consumer_jws
def send(account_id: str) -> ResponseReturnValue:
    """Handle one request: publish an event, change or close the conversation, and so on."""
    consumer = _caller()
    req = read_request(read_json(), *ACTIONS)
    try:
        return ACTIONS[req.action](req, consumer)
    except Closed:
        raise req.refused("the conversation is closed") from None


def _set_profile(req: Request, consumer: Consumer) -> Answer:
    set_profile(consumer, req.text)
    return req.ok(msg="OK User Profile set successfully")


def _publish(req: Request, consumer: Consumer) -> Answer:
    content = _read_event(req, consumer)
    # The first dialog has the id of its conversation, and here there is no other dialog.
    conversation = _conversation(req, "dialogId", consumer)
    if req.body.get("conversationId", conversation.id) != conversation.id:
        raise req.refused("conversationId is not that of the dialog")
    return _published(req, conversation, content)


def _read_event(req: Request, consumer: Consumer) -> Any:
    content = events.read_event(req)
    swift.check_file(req, content, consumer)
    return content


def _published(req: Request, conversation: Conversation, content: Any) -> Answer:
    by = Originator(conversation.consumer_id, "CONSUMER")
    sequence = publish(conversation, Event(content, by, req.metadata))
    return req.ok() if sequence is None else req.ok(sequence=sequence)


def _update(req: Request, consumer: Consumer) -> Answer:
    changes = events.read_changes(req)
    conversation = _conversation(req, "conversationId", consumer)
    if any(dialog != conversation.id for dialog in changes.dialogs):
        raise req.refused("there is no such dialog")
    change(conversation, changes, "CONSUMER")
    done = "updated" if changes.closed_cause is None else "resolved"
    return req.ok(msg=f"OK Conversation {done} successfully")


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
    events.SET_PROFILE: _set_profile,
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
