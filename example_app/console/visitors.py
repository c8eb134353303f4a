"""Who may use the console: who has its key, on this machine, from its own page; others get 403.

Where a request comes from says too little. A proxy on this machine may pass on what the world sends
without any sign of it, under an address and a name of this machine.
"""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Response, abort, current_app, redirect, request
from flask.typing import ResponseReturnValue

from . import current_console
from .access_key import PARAMETER

#: The page, which is opened with the key in its address.
PAGE = "console.page"
#: What a proxy adds for those it passes on, who may be anywhere.
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
NO_KEY = (
    "Open the console by the address with its key, which the start prints, and which "
    "flask --app example_app console prints too. If a link of another site led here, press Enter "
    "in the address bar."
)
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


def keep_out() -> ResponseReturnValue | None:
    """Refuse who has no key, any other site, and other machines unless a setting says otherwise."""
    # By identity: from the environment, "False" comes as a text, which is true.
    anywhere = current_app.config["CONNECTOR_CONSOLE_ANYWHERE"] is True
    if not (anywhere or _is_near()):
        abort(403, "The console is for this machine alone; see CONNECTOR_CONSOLE_ANYWHERE.")
    # Any site may have a link to the page, which does nothing by itself.
    if request.endpoint != PAGE and _is_of_another_site():
        abort(403, "The console is not for other sites.")
    if request.endpoint == PAGE and PARAMETER in request.args:
        return _open(request.args[PARAMETER])
    access_key = current_console().access_key
    name, _ = access_key.cookie(request.is_secure)
    if not access_key.matches(request.cookies.get(name)):
        abort(403, NO_KEY)
    return None


def _open(text: str) -> ResponseReturnValue:
    """Give the browser that sent the key in the address a cookie, and an address without it."""
    access_key = current_console().access_key
    if not access_key.matches(text):
        abort(403, NO_KEY)
    response = redirect("./", 303)  # relative: a proxy may have taken a part of the path away
    name, value = access_key.cookie(request.is_secure)
    response.set_cookie(
        name, value, secure=request.is_secure, httponly=True, samesite="Strict", path="/"
    )
    return response


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
