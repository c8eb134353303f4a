"""A configured URL in; nothing out if keys may be fetched by it, or else what is wrong with it."""

import os
import re
import ssl
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..core import redis_connections

# One letter is the drive of a file on Windows; no scheme is so short.
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
# The name of a file; a colon in its first part would make that a scheme (RFC 3986 section 4.2).
_FILE = re.compile(r"(?:[A-Za-z]:)?[^:/\\]*(?:[/\\].*)?", re.DOTALL)


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


def is_redis_url(place: str) -> bool:
    """Whether *place* is meant as the URL of one Redis, good or not."""
    return place.startswith(_REDIS_SCHEMES)


def is_file_name(place: str) -> bool:
    """Whether *place* can be the name of a file, and is not meant as a URL.

    A relative name with a colon in its first part needs ``./`` before it (RFC 3986 section 4.2).
    """
    try:
        return b"\0" not in os.fsencode(place) and _FILE.fullmatch(place) is not None
    except UnicodeEncodeError:
        return False


def crosses_in_the_clear(url: str) -> bool:
    """Whether a Redis *url* leads to another machine by what others on the way can change.

    By plain text, or by TLS without a look at the certificate; with Sentinels or a Cluster too.
    What redis-py has made of the URL is judged, not its text.

    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is a URL, and not that of a Redis; its text has nothing of it.
    """
    return is_url(url) and not all(map(_is_safe_on_its_way, redis_connections(url)))


def _is_safe_on_its_way(connection: Any) -> bool:
    from redis import SSLConnection, UnixDomainSocketConnection

    if isinstance(connection, UnixDomainSocketConnection):
        return True
    if isinstance(connection, SSLConnection):
        return _is_verified(connection)
    return is_loopback(connection.host)


def _is_verified(connection: Any) -> bool:
    """Whether a TLS *connection* is sure to lead to the machine that its certificate names."""
    # redis-py 5.0 has none of these options.
    oldest = getattr(connection, "ssl_min_version", None)
    ciphers = getattr(connection, "ssl_ciphers", None)
    flags = getattr(connection, "ssl_include_verify_flags", None) or ()
    return (
        connection.cert_reqs == ssl.CERT_REQUIRED
        and bool(connection.check_hostname)
        and (oldest is None or (isinstance(oldest, int) and oldest >= ssl.TLSVersion.TLSv1_2))
        # With it, whoever has a certificate can write one for another name.
        and ssl.VerifyFlags.VERIFY_ALLOW_PROXY_CERTS not in flags
        and (ciphers is None or _need_certificates(ciphers))
    )


def _need_certificates(ciphers: str) -> bool:
    """Whether each of *ciphers* shows a certificate, as strong as usual, and then encrypts."""
    context = ssl.create_default_context()
    usual = context.security_level
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        return False
    chosen = context.get_ciphers()
    return context.security_level >= usual and not any(
        cipher["auth"] == "auth-null" or cipher["strength_bits"] == 0 for cipher in chosen
    )
