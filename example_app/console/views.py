"""The page of the console, and the JSON calls for what a client cannot do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, current_app
from flask.typing import ResponseReturnValue

from flask_connector_auth import RevocationStoreError

from ..agents import agent_of
from ..idp import consumer_in
from ..keys import current_keys
from ..sentinel import app_install
from ..wire import Refused, read_json
from . import current_console, visitors
from .faults import FAULTS
from .minting import mint

#: What can be revoked, by the arguments of the extension.
SUBJECTS = ("token", "install_id", "account_id", "lp_consumer_id", "ext_consumer_id")

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
    """Return the credentials of the app install and the agent, and the CA's path for ``curl``."""
    install = app_install()
    agent = agent_of(install.account_id)
    ca = Path(current_app.instance_path) / "ca.pem"
    return {
        "account": install.account_id,
        "client_id": install.client_id,
        "client_secret": install.client_secret,
        "agent": agent and {"username": agent.login_name, "password": agent.password},
        "ca": str(ca) if ca.exists() else None,
    }


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
    """Return why the request with this ``Request-ID`` was refused, or ``null``."""
    return {"reason": current_console().reasons.of(request_id)}


@blueprint.get("/console/operations")
def operations() -> dict[str, Any]:
    """Return the signing keys, the health of the extension, and the costs of verification."""
    ring, console = current_keys().read(), current_console()
    return {
        "keys": [{"kid": kid, "signs": kid == ring.signing} for kid in ring.keys],
        "health": console.connector_auth.health(),
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


@blueprint.post("/console/revoke")
def revoke() -> dict[str, str]:
    """Revoke the given subject, one of :data:`SUBJECTS`."""
    subject = _subject()
    with _errors_as_responses():
        current_console().connector_auth.revocations.revoke(**subject)
    return subject


@blueprint.post("/console/restore")
def restore() -> dict[str, str]:
    """Restore the given subject, one of :data:`SUBJECTS`."""
    subject = _subject()
    with _errors_as_responses():
        current_console().connector_auth.revocations.restore(**subject)
    return subject


def _subject() -> dict[str, Any]:
    match read_json():
        case dict() as body if len(body) == 1:
            [(name, value)] = body.items()
            if name in SUBJECTS and isinstance(value, str):
                return {name: value}
    raise Refused(f"the body must have one text, {' or '.join(SUBJECTS)}")


@contextmanager
def _errors_as_responses() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise Refused(str(error)) from None
    except RevocationStoreError as error:
        abort(503, str(error))
