"""Checks of configured URLs: key sets, proxies and Redis servers."""

import os
import re
import ssl
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..core import redis_connections

# At least two letters: a single one is a Windows drive, and no scheme is that short.
_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
# A colon in the first part of a relative name would make that a scheme (RFC 3986 section 4.2).
_LOCAL_PATH = re.compile(r"(?:[A-Za-z]:)?[^:/\\]*(?:[/\\].*)?", re.DOTALL)


def is_url(value: object) -> bool:
    """Whether *value* is meant as a URL (RFC 3986 section 3), valid or not."""
    # Any text may precede a PEM block, a URL too.
    return isinstance(value, str) and _URL.match(value) is not None and "-----BEGIN" not in value


def check_url(url: str) -> None:
    """Check the URL of a key set.

    Plain ``http`` is only for loopback: on a network, others could replace the keys by their own.

    :raises ValueError: if it is not absolute, not ``https``, or has user info or a fragment. The
        text quotes no part of the URL.
    """
    parts = _split(url)
    if "@" in parts.netloc or "#" in url:
        raise ValueError("user info and fragments are not sent")
    is_local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not is_local:
        raise ValueError("https is needed, except for loopback")


def check_proxy(url: str) -> None:
    """Check the URL of a proxy.

    :raises ValueError: if it is not ``http://host:port``. The text quotes no part of the URL.
    """
    parts = _split(url)
    has_more = parts.path not in ("", "/") or {"?", "#", "@"} & set(url)
    if parts.scheme != "http" or not parts.port or has_more:
        raise ValueError("not http://host:port")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # urlsplit() silently drops white space and control characters.
    if not parts.hostname or not re.fullmatch("[!-~]+", url):
        raise ValueError("not an absolute URL")
    try:
        has_valid_port = parts.port != 0
    except ValueError:
        has_valid_port = False
    if not has_valid_port:
        # Not the message of urlsplit(): it quotes the port, which may be half of a password.
        raise ValueError("Port out of range 0-65535")
    return parts


def is_loopback(host: str) -> bool:
    """Whether *host* is ``localhost`` or a loopback address, without resolving a name."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_redis_url(place: str) -> bool:
    """Whether *place* is meant as the URL of a single Redis server, valid or not."""
    return place.startswith(_REDIS_SCHEMES)


def is_file_name(place: str) -> bool:
    """Whether *place* can be a file name, and is not meant as a URL.

    A relative name with a colon in its first part needs ``./`` before it (RFC 3986 section 4.2).
    """
    try:
        return b"\0" not in os.fsencode(place) and _LOCAL_PATH.fullmatch(place) is not None
    except UnicodeEncodeError:
        return False


def is_unprotected_redis_url(url: str) -> bool:
    """Whether *url* connects to a Redis server on another machine without verified TLS.

    Others on the network could then change what is read. All servers of a Sentinel or Cluster URL
    count. The check is on the connections that redis-py makes for the URL, not on its text.

    :raises ImportError: if redis-py is not installed.
    :raises ValueError: if *url* is a URL, but not of a Redis server. The text quotes no part of it.
    """
    return is_url(url) and not all(map(_is_protected, redis_connections(url)))


def _is_protected(connection: Any) -> bool:
    from redis import SSLConnection, UnixDomainSocketConnection

    if isinstance(connection, UnixDomainSocketConnection):
        return True
    if isinstance(connection, SSLConnection):
        return _is_verified(connection)
    return is_loopback(connection.host)


def _is_verified(connection: Any) -> bool:
    """Whether a TLS *connection* verifies the server's certificate and host name."""
    # redis-py 5.0 has none of these three options.
    min_version = getattr(connection, "ssl_min_version", None)
    ciphers = getattr(connection, "ssl_ciphers", None)
    flags = getattr(connection, "ssl_include_verify_flags", None) or ()
    return (
        connection.cert_reqs == ssl.CERT_REQUIRED
        and bool(connection.check_hostname)
        and (
            min_version is None
            or (isinstance(min_version, int) and min_version >= ssl.TLSVersion.TLSv1_2)
        )
        # With proxy certificates, the holder of any certificate can issue one for another name.
        and ssl.VerifyFlags.VERIFY_ALLOW_PROXY_CERTS not in flags
        and (ciphers is None or _are_strong(ciphers))
    )


def _are_strong(ciphers: str) -> bool:
    """Whether all *ciphers* authenticate the server, encrypt, and keep OpenSSL's usual strength."""
    context = ssl.create_default_context()
    usual_level = context.security_level
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        return False
    return context.security_level >= usual_level and not any(
        cipher["auth"] == "auth-null" or cipher["strength_bits"] == 0
        for cipher in context.get_ciphers()
    )
