"""An account in; the host of one of its services, or of all, out (protocol page, Domain API)."""

from flask import Blueprint, abort, current_app, request

from .models import install_of

# What this app serves; a real account has more. The names are case-sensitive.
SERVICES = (
    "sentinel",
    "idp",
    "asyncMessagingEnt",
    "swift",
    "agentVep",
    "accountConfigReadWrite",
)

blueprint = Blueprint("domain", __name__, url_prefix="/api/account/<account_id>/service")


@blueprint.get("/<service>/baseURI")
@blueprint.get("/<service>/baseURI.json")
def one(account_id: str, service: str) -> dict[str, str]:
    """Return where *service* is."""
    entries = {entry["service"]: entry for entry in every(account_id)["baseURIs"]}
    if service not in entries:
        abort(404, "There is no such service.")
    return entries[service]


@blueprint.get("/baseURI")
@blueprint.get("/baseURI.json")
def every(account_id: str) -> dict[str, list[dict[str, str]]]:
    """Return where each service is."""
    if install_of(account_id) is None:
        abort(404, "There is no such account.")
    # All services are this one app: at its TLS listener, or where the question was sent.
    host = current_app.config["CONNECTOR_BASE_URI"] or request.host
    entries = [{"service": name, "account": account_id, "baseURI": host} for name in SERVICES]
    return {"baseURIs": entries}
