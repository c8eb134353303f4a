"""The page of the console, and the JSON calls for what a client cannot do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from flask.typing import ResponseReturnValue

from flask_connector_auth import RevocationStoreError

from .. import knobs
from ..database import find
from ..idp import consumer_in
from ..keys import current_keys
from ..models import Conversation
from ..sentinel import app_install
from ..wire import Refused, read_json
from . import clients, current_console, signatures, visitors
from .faults import FAULTS
from .minting import mint
from .script import script

#: What can be revoked, by the arguments of the extension.
SUBJECTS = ("token", "digest", "install_id", "account_id", "lp_consumer_id", "ext_consumer_id")

# Seconds for which an answer may wait.
_PATIENCE = 2.0

blueprint = Blueprint(
    "console", __name__, static_folder="static", static_url_path="/console/static"
)
blueprint.before_request(visitors.check_access)
blueprint.after_request(visitors.harden)


@blueprint.get("/")
def page() -> Response:
    """Return the page of the console."""
    return blueprint.send_static_file("index.html")


@blueprint.get("/console/session")
def session() -> dict[str, Any]:
    """Return addresses, credentials, and how to point a client at this app."""
    return clients.session()


@blueprint.get("/console/feed")
def feed() -> dict[str, Any]:
    """Return the requests that were new or changed after ``after``, a version."""
    return current_console().feed.since(request.args.get("after", 0, int))


@blueprint.post("/console/webhooks/<int:number>/resend")
def resend(number: int) -> dict[str, str]:
    """Post the webhook of the entry with this number once more."""
    delivery = current_console().feed.delivery(number)
    if delivery is None:
        abort(404, "There is no such webhook.")
    current_app.extensions["webhooks"].resend(delivery)
    return {}


@blueprint.post("/console/signature")
def signature() -> dict[str, str | bool]:
    """Return whether ``signature`` is right for ``body``, that of a webhook, and why not."""
    match read_json():
        case {"body": str(body), "signature": str(signature)}:
            return signatures.explain(app_install().client_secret, body, signature)
    raise Refused("body and signature must be texts")


@blueprint.get("/console/conversations/<conversation_id>.sh")
def conversation_script(conversation_id: str) -> Response:
    """Return a shell script that repeats a conversation."""
    conversation = find(Conversation, conversation_id)
    if conversation is None:
        abort(404, "There is no such conversation.")
    text = script(conversation, clients.session(), request.host_url.rstrip("/"))
    return Response(text, mimetype="text/x-shellscript")


@blueprint.get("/console/faults")
def faults() -> dict[str, dict[str, str]]:
    """Return the faults of each type of token: names and descriptions."""
    return {
        kind: {name: title for name, (title, _) in named.items()} for kind, named in FAULTS.items()
    }


@blueprint.post("/console/faults")
def broken() -> dict[str, str]:
    """Return the headers with both tokens, which have the given faults and no others.

    ``ext_consumer_id`` names the consumer; ``app_jwt`` and ``consumer_jws``, if given, name a
    fault.
    """
    body = read_json()
    install = app_install()
    return mint(install, consumer_in(body, install.account_id), body)


@blueprint.get("/console/reasons/<request_id>")
def reason(request_id: str) -> dict[str, str | None]:
    """Return why the request with this ``Request-ID`` was refused; ``reason`` may be ``null``."""
    told = current_console().reasons.of(request_id)
    return asdict(told) if told else {"reason": None}


@blueprint.get("/console/operations")
def operations() -> dict[str, Any]:
    """Return keys, health, what is revoked, the knobs, and the costs of verification."""
    ring, console = current_keys().read(), current_console()
    return {
        "keys": [{"kid": kid, "signs": kid == ring.signing} for kid in ring.keys],
        "health": console.connector_auth.health(),
        "revoked": _revoked(),
        "knobs": _knobs(),
        "costs": console.costs.last(),
    }


@blueprint.post("/console/keys")
def add_key() -> ResponseReturnValue:
    """Add a key that is published and signs nothing yet."""
    return {"kid": current_keys().add()}, 201


@blueprint.post("/console/keys/<kid>/use")
def use_key(kid: str) -> dict[str, str]:
    """Sign with the key from now on."""
    with _errors_as_responses():
        return {"replaced": current_keys().use(kid)}


@blueprint.post("/console/keys/<kid>/withdraw")
def withdraw_key(kid: str) -> dict[str, str]:
    """Stop publishing the key."""
    with _errors_as_responses():
        current_keys().withdraw(kid)
    return {}


@blueprint.post("/console/knobs")
def turn_knob() -> dict[str, str]:
    """Let AppJWTs live for ``token_life`` seconds, let ``service`` fail, or ``reset`` all knobs."""
    match read_json():
        case {"token_life": int(seconds)} if 0 < seconds < 2**31:
            knobs.set_token_life(seconds)
        case {"service": str(service), "status": int(status), "times": int() | None as times} if (
            service in knobs.SERVICES and status in knobs.FAILURES and (times is None or times > 0)
        ):
            knobs.fail(service, status, times=times)
        case {"reset": True}:
            knobs.recover()
            knobs.set_token_life(None)
        case _:
            raise Refused("the body must be token_life, reset, or service, status and times")
    return {}


@blueprint.post("/console/revoke")
def revoke() -> dict[str, str]:
    """Revoke the given subject, one of :data:`SUBJECTS`."""
    with _errors_as_responses():
        current_console().connector_auth.revocations.revoke(**_subject())
    return read_json()  # type: ignore[no-any-return]


@blueprint.post("/console/restore")
def restore() -> dict[str, str]:
    """Restore the given subject, one of :data:`SUBJECTS`."""
    revocations = current_console().connector_auth.revocations
    with _errors_as_responses():
        subject = _subject()
        revocations.restore(**subject)
        # It is in force once this process has read the store, a moment later.
        until = time.monotonic() + _PATIENCE
        while revocations.is_revoked(**subject) and time.monotonic() < until:
            time.sleep(0.02)
    return read_json()  # type: ignore[no-any-return]


def _knobs() -> dict[str, Any]:
    names = ("service", "status", "retry_after", "remaining")
    failures = [{name: getattr(fault, name) for name in names} for fault in knobs.failures()]
    leeway = current_app.config.get("CONNECTOR_AUTH_LEEWAY", 30)
    return {"token_life": knobs.token_life(), "leeway": leeway, "failures": failures}


def _revoked() -> list[dict[str, Any]] | None:
    """Return what is revoked, or ``None`` if that is not known at the moment."""
    try:
        entries = [*current_console().connector_auth.revocations.entries()]
    except RevocationStoreError:
        return None
    return [
        {
            "kind": entry.kind,
            **{
                name: value.hex() if isinstance(value, bytes) else value
                for name, value in entry.subject.items()
            },
        }
        for entry in entries
    ]


def _subject() -> dict[str, Any]:
    match read_json():
        case dict() as body if len(body) == 1:
            [(name, value)] = body.items()
            if name in SUBJECTS and isinstance(value, str):
                return {name: bytes.fromhex(value) if name == "digest" else value}
    raise Refused(f"the body must have one text, {' or '.join(SUBJECTS)}")


@contextmanager
def _errors_as_responses() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise Refused(str(error)) from None
    except RevocationStoreError as error:
        abort(503, str(error))
