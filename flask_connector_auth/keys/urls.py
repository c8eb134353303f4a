"""A configured URL in; nothing out if keys may be fetched by it, or else what is wrong with it."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_REDIS = re.compile(r"redis(?P<tls>s)?(?:\+[a-z]+)?://(?:[^/?#]*@)?(?P<hosts>[^/?#]*)")
_UNVERIFIED = re.compile(
    r"[?&]ssl_(?:cert_reqs=(?:none|optional)|check_hostname=(?:false|no|0))\b", re.I
)
_PORT = re.compile(r":[^:\]]*$")
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(value: object) -> bool:
    """Whether *value* is meant to be a URL (RFC 3986 section 3), good or not."""
    # Text before a PEM block may begin in any way.
    return isinstance(value, str) and _SCHEME.match(value) is not None and "-----BEGIN" not in value


def check_url(url: str) -> None:
    """Check the URL of a key set.

    Plain ``http`` is for loopback alone: whoever can change an answer on its way can sign tokens.

    :raises ValueError: if it is not absolute, not ``https``, or has user info or a fragment; the
        text quotes nothing of it.
    """
    parts = _split(url)
    if "@" in parts.netloc or "#" in url:
        raise ValueError("user info and fragments are not sent")
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not plain:
        raise ValueError("https is needed, except for loopback")


def check_proxy(url: str) -> None:
    """Check the URL of a proxy.

    :raises ValueError: if it is not ``http://host:port``; the text quotes nothing of it.
    """
    parts = _split(url)
    more = parts.path not in ("", "/") or {"?", "#", "@"} & set(url)
    if parts.scheme != "http" or not parts.port or more:
        raise ValueError("not http://host:port")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # urlsplit drops white space, which nobody meant to be part of a URL.
    if not parts.hostname or not re.fullmatch("[!-~]+", url):
        raise ValueError("not an absolute URL")
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # urlsplit's own words quote it, and it may be the half of a password.
        raise ValueError("Port out of range 0-65535")
    return parts


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its name or address as it stands there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def crosses_in_the_clear(url: str) -> bool:
    """Whether a Redis *url* leads to another machine by what others on the way can change.

    By plain text, or by TLS without a look at the certificate; with Sentinels or a Cluster too.
    """
    found = _REDIS.match(url)
    if found is None or found["tls"]:
        return found is not None and _UNVERIFIED.search(url) is not None
    hosts = found["hosts"].split(",")
    return not all(is_loopback(_PORT.sub("", host).strip("[]")) for host in hosts)
