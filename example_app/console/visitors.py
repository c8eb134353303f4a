"""A request to the console in; nothing out if it comes from this machine and this page, or 403."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Response, abort, current_app, request

#: What a proxy adds for those it passes on, who may be anywhere.
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in ("script", "style", "connect", "img")),
            *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
            "require-trusted-types-for 'script'",
        )
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def keep_out() -> None:
    """Refuse who is not of this machine, unless a setting says otherwise, and any other site."""
    # By identity: from the environment, "False" comes as a text, which is true.
    anywhere = current_app.config["CONNECTOR_CONSOLE_ANYWHERE"] is True
    if not (anywhere or _is_near()):
        abort(403, "The console is for this machine alone; see CONNECTOR_CONSOLE_ANYWHERE.")
    # Any site may have a link to the page, which does nothing by itself.
    if request.endpoint != "console.page" and _is_of_another_site():
        abort(403, "The console is not for other sites.")


def harden(response: Response) -> Response:
    """Let *response* load nothing from elsewhere, and be in no frame and no cache."""
    response.headers.update(HEADERS)
    return response


def _is_near() -> bool:
    # The page of another site comes from this machine too, once its name is made to resolve to it
    # (DNS rebinding); but the browser still sends that name.
    passed_on = any(name in request.headers for name in PASSED_ON)
    return not passed_on and _is_named() and _is_loopback(request.remote_addr or "")


def _is_named() -> bool:
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_of_another_site() -> bool:
    # Fetch metadata is sent by all browsers of today, and Origin with a POST by the older ones;
    # another port of this machine is "same-site". What is no browser sends neither.
    own = request.host_url.rstrip("/")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site not in ("same-origin", "none") or request.headers.get("Origin", own) != own
