"""Access to the console: with its key, from this machine, from its own page; otherwise 403.

The key is needed because the origin of a request proves too little: a proxy on this machine may
forward requests from anywhere under an address and a name of this machine, without a sign of it.
"""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Response, abort, current_app, redirect, request
from flask.typing import ResponseReturnValue

from . import current_console
from .access_key import PARAMETER

#: The page, which is opened with the key in its address.
PAGE = "console.page"
#: Headers that proxies add; the client of a forwarded request may be on any machine.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
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


def check_access() -> ResponseReturnValue | None:
    """Refuse requests without the key, from other sites, and (by default) from other machines."""
    # ``is True``, because a value from the environment may be the text "False", which is true.
    anywhere = current_app.config["CONNECTOR_CONSOLE_ANYWHERE"] is True
    if not (anywhere or _is_from_this_machine()):
        abort(403, "The console is for this machine alone; see CONNECTOR_CONSOLE_ANYWHERE.")
    # Other sites may link to the page, which does nothing by itself.
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
    """Move the key from the address into a cookie, and redirect to the address without it."""
    access_key = current_console().access_key
    if not access_key.matches(text):
        abort(403, NO_KEY)
    response = redirect("./", 303)  # relative, since a proxy may have removed a part of the path
    name, value = access_key.cookie(request.is_secure)
    response.set_cookie(
        name, value, secure=request.is_secure, httponly=True, samesite="Strict", path="/"
    )
    return response


def harden(response: Response) -> Response:
    """Add the headers that forbid other sources, frames and caches."""
    response.headers.update(HEADERS)
    return response


def _is_from_this_machine() -> bool:
    # The address alone is not enough: another site can make its name resolve to this machine (DNS
    # rebinding). The browser still sends that name in Host.
    is_forwarded = any(name in request.headers for name in FORWARDED)
    return not is_forwarded and _host_is_local() and _is_loopback(request.remote_addr or "")


def _host_is_local() -> bool:
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
    # All current browsers send fetch metadata, and older ones send Origin with a POST; another port
    # of this machine counts as "same-site". Clients that are no browsers send neither.
    this_origin = request.host_url.rstrip("/")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin", this_origin)
    return site not in ("same-origin", "none") or origin != this_origin
