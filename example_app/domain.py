"""An account in; the host of one of its services, or of all, out (protocol page, Domain API)."""

from flask import Blueprint, abort, request

# What this app serves; a real account has more. The names are case-sensitive.
SERVICES = ("sentinel", "idp", "asyncMessagingEnt")

blueprint = Blueprint("domain", __name__, url_prefix="/api/account/<account_id>/service")


@blueprint.get("/<service>/baseURI")
@blueprint.get("/<service>/baseURI.json")
def one(account_id: str, service: str) -> dict[str, str]:
    """Return where *service* is."""
    if service not in SERVICES:
        abort(404, "There is no such service.")
    return _entry(account_id, service)


@blueprint.get("/baseURI")
@blueprint.get("/baseURI.json")
def every(account_id: str) -> dict[str, list[dict[str, str]]]:
    """Return where each service is."""
    return {"baseURIs": [_entry(account_id, service) for service in SERVICES]}


def _entry(account_id: str, service: str) -> dict[str, str]:
    # All services are this one app, so they are where the question was sent.
    return {"service": service, "account": account_id, "baseURI": request.host}
