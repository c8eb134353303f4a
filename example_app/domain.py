"""The domain look-up: the hosts of the services of an account (protocol page, Domain API)."""

from flask import Blueprint, abort, current_app, request

from .models import install_of

# The services of this app; a real account has more. The names are case-sensitive.
SERVICES = (
    "sentinel",
    "idp",
    "asyncMessagingEnt",
    "swift",
    "agentVep",
    "accountConfigReadWrite",
    "msgHist",
)

blueprint = Blueprint("domain", __name__, url_prefix="/api/account/<account_id>/service")


@blueprint.get("/<service>/baseURI")
@blueprint.get("/<service>/baseURI.json")
def host_of_service(account_id: str, service: str) -> dict[str, str]:
    """Return the host of *service*."""
    entries = {entry["service"]: entry for entry in all_hosts(account_id)["baseURIs"]}
    if service not in entries:
        abort(404, "There is no such service.")
    return entries[service]


@blueprint.get("/baseURI")
@blueprint.get("/baseURI.json")
def all_hosts(account_id: str) -> dict[str, list[dict[str, str]]]:
    """Return the host of each service."""
    if install_of(account_id) is None:
        abort(404, "There is no such account.")
    # All services are this one app: at its TLS listener, or at the host of the request.
    host = current_app.config["CONNECTOR_BASE_URI"] or request.host
    entries = [{"service": name, "account": account_id, "baseURI": host} for name in SERVICES]
    return {"baseURIs": entries}
