"""The login of agents, and the list of the apps of their account.

The protocol's demo client calls both for its view of an agent. The bearer token of a session is an
AppJWT with the scope of agents, so it is verified like any other AppJWT.
"""

from hmac import compare_digest
from typing import Any

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

from flask_connector_auth import require_app_jwt

from .database import find_or_add
from .domain import all_hosts
from .keys import current_issuer
from .models import SCOPE, Agent, AppInstall, install_of
from .wire import read_json

AGENT_SCOPE = "agent"

blueprint = Blueprint("agents", __name__, url_prefix="/api/account/<account_id>")


def agent_of(account_id: str) -> Agent | None:
    """Return the agent of an account, or ``None`` if there is no such account.

    The first call for an account creates its agent.
    """
    return find_or_add(Agent, account_id=account_id) if install_of(account_id) else None


@blueprint.post("/login")
def login(account_id: str) -> ResponseReturnValue:
    """Return a session (service ``agentVep``)."""
    body = read_json()
    sent = body if isinstance(body, dict) else {}
    agent = agent_of(account_id)
    if agent is None or not _matches(agent, sent.get("username"), sent.get("password")):
        abort(401, "The name or the password is wrong.")
    issuer = current_issuer()
    return {
        "bearer": issuer.app_jwt(aud=account_id, azp=agent.user_id, scope=AGENT_SCOPE),
        "sessionTTl": str(issuer.lifetime),
        "config": {"loginName": agent.login_name, "userId": agent.user_id, "isAdmin": True},
        "csdsCollectionResponse": all_hosts(account_id),
    }


@blueprint.get("/configuration/app-install/installations")
@require_app_jwt(scopes=AGENT_SCOPE)
def installations(account_id: str) -> list[dict[str, Any]]:
    """Return all apps of the account (service ``accountConfigReadWrite``)."""
    install = install_of(account_id)
    return [_described(install)] if install else []


@blueprint.get("/configuration/app-install/installations/<client_id>")
@require_app_jwt(scopes=AGENT_SCOPE)
def installation(account_id: str, client_id: str) -> dict[str, Any]:
    """Return one app of the account."""
    install = install_of(account_id)
    if install is None or install.client_id != client_id:
        abort(404, "There is no such app.")
    return _described(install)


def _matches(agent: Agent, name: Any, password: Any) -> bool:
    if not (isinstance(name, str) and isinstance(password, str) and name == agent.login_name):
        return False
    return compare_digest(agent.password.encode(), password.encode(errors="replace"))


def _described(install: AppInstall) -> dict[str, Any]:
    return {
        "client_id": install.client_id,
        "client_secret": install.client_secret,
        "client_name": "The app of this account",
        "grant_types": ["client_credentials"],
        "scope": SCOPE,
        "enabled": True,
    }
