"""The service IDP: issues the ConsumerJWS of a consumer, whom the app names."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from flask_connector_auth import require_app_jwt

from . import knobs
from .database import find_or_add
from .keys import current_issuer
from .models import Consumer
from .wire import Refused, read_json

blueprint = Blueprint("idp", __name__)
knobs.may_fail(blueprint, "idp")


@blueprint.post("/api/account/<account_id>/consumer")
@require_app_jwt(scopes="msg.consumer")
def consumer(account_id: str) -> ResponseReturnValue:
    """Return a ConsumerJWS, which has no ``exp`` (protocol page, Get ConsumerJWS)."""
    row = consumer_in(read_json(), account_id)
    token = current_issuer().consumer_jws(
        account_id=account_id,
        ext_consumer_id=row.ext_consumer_id,
        lp_consumer_id=row.lp_consumer_id,
    )
    return {"token": token}, 201


def consumer_in(body: Any, account_id: str) -> Consumer:
    """Return the consumer that *body* names; add one if the account has none of that name.

    :raises Refused: if *body* has no valid name.
    """
    name = body.get("ext_consumer_id") if isinstance(body, dict) else None
    if not (isinstance(name, str) and 0 < len(name) <= 256 and name.isprintable()):
        raise Refused("ext_consumer_id must be a text of 1 to 256 characters")
    return find_or_add(Consumer, account_id=account_id, ext_consumer_id=name)
