"""The service ``msgHist``: the conversations of a consumer (protocol page, Messaging Interactions).

One public client requests it after a refused opening, for the conversation that is open already.
Of the service's many ways to search, these are the two that the client uses.
"""

import time
from dataclasses import dataclass
from typing import Any

from authlib.oauth1.errors import OAuth1Error  # type: ignore[import-untyped]
from authlib.oauth1.rfc5849.signature import verify_hmac_sha1  # type: ignore[import-untyped]
from authlib.oauth1.rfc5849.wrapper import OAuth1Request  # type: ignore[import-untyped]
from flask import Blueprint, abort, request
from sqlalchemy import select

from flask_connector_auth import verify_request

from .agents import AGENT_SCOPE
from .conversations import transcript
from .database import db
from .models import SCOPE, AppInstall, Consumer, Conversation, install_of
from .notifications import described
from .wire import Refused, read_json

STATES = ("OPEN", "CLOSE")
#: Seconds by which the clock of a client that signs may differ.
LEEWAY = 300

blueprint = Blueprint("history", __name__)


@blueprint.post("/messaging_history/api/account/<account_id>/conversations/consumer/search")
def search(account_id: str) -> dict[str, Any]:
    """Return the conversations of ``consumer`` in one of the states ``status``, the oldest first.

    The caller has an AppJWT, of an app or an agent, or signs by OAuth 1.0 (RFC 5849).
    """
    if request.headers.get("Authorization", "").lower().startswith("oauth "):
        if not _is_signed(account_id):
            abort(401, "The signature of the request is wrong.")
    else:
        verify_request(consumer_jws=False, any_scope=[SCOPE, AGENT_SCOPE])
    body = read_json()
    sent = body if isinstance(body, dict) else {}
    consumer, states = sent.get("consumer"), sent.get("status", list(STATES))
    if not (isinstance(consumer, str) and consumer.isprintable()):
        raise Refused("consumer must be the id of a consumer")
    if not (isinstance(states, list) and all(state in STATES for state in states)):
        raise Refused(f"status must be an array of {' or '.join(STATES)}")
    query = select(Conversation).join(Consumer).order_by(Conversation.started_at)
    query = query.filter(Consumer.account_id == account_id, Consumer.lp_consumer_id == consumer)
    records = [_record(conversation) for conversation in db.session.scalars(query)]
    found = [record for record in records if record["info"]["status"] in states]
    return {"_metadata": {"count": len(found)}, "conversationHistoryRecords": found}


def _record(conversation: Conversation) -> dict[str, Any]:
    details = described(conversation)
    names = {"endTs": "endTimeL", "closeReason": "closeReason"}
    ended = {name: details[member] for member, name in names.items() if member in details}
    info = {
        "conversationId": conversation.id,
        "brandId": details["brandId"],
        "status": details["state"],
        "startTimeL": details["startTs"],
        "latestSkillId": details["skillId"],
        **ended,
    }
    return {"info": info, "messageRecords": transcript(conversation)}


@dataclass(frozen=True, slots=True)
class _Signer:
    """The app as the client of OAuth 1.0: its id is both key and token, its secret is both.

    The nonce is not kept: a request that is sent again only reads again.
    """

    install: AppInstall

    def get_client_secret(self) -> str:
        return self.install.client_secret

    def get_oauth_token_secret(self) -> str:
        return self.install.client_secret


def _is_signed(account_id: str) -> bool:
    install = install_of(account_id)
    try:
        signed = OAuth1Request(request.method, request.url, None, request.headers)
        is_of_now = abs(time.time() - int(signed.timestamp or 0)) <= LEEWAY
        if install is None or not is_of_now or signed.signature_method != "HMAC-SHA1":
            return False
        if not signed.client_id == signed.token == install.client_id or not signed.signature:
            return False
        signed.client = signed.credential = _Signer(install)
        return bool(verify_hmac_sha1(signed))
    except (OAuth1Error, ValueError, TypeError):
        return False
