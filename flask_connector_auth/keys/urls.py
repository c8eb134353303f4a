"""Checks of configured text and URLs: key sets, proxies and Redis servers."""

import os
import re
import ssl
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from ..core import redis_connections

# At least two letters: a single one is a Windows drive, and no scheme is that short.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HOST = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_SECOND_URL = re.compile(r"\S[,;\s]+[A-Za-z][A-Za-z0-9+.-]+://")
# RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4: what describes an issuer has no keys.
_METADATA = re.compile(r"/\.well-known/(?:openid-configuration|oauth-authorization-server)(?:/|\Z)")
_BYTE_ORDER_MARK = "\ufeff"
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
# A colon in the first part of a relative name would make that a scheme (RFC 3986 section 4.2).
_LOCAL_PATH = re.compile(r"(?:[A-Za-z]:)?[^:/\\]*(?:[/\\].*)?", re.DOTALL)
# RFC 3986 section 3.2.1, with a user that is not empty.
_USER_INFO = re.compile(
    r"(?:[\w.~!$&'()*+,;=-]|%[0-9A-F]{2})+(?::(?:[\w.~!$&'()*+,;=:-]|%[0-9A-F]{2})*)?",
    re.ASCII | re.I,
)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def check_host(host: str) -> None:
    """Check that *host* is what stands for the host in a URL (RFC 3986 section 3.2.2).

    :raises ValueError: if it is anything else, as a pattern, or has a scheme, port or path.
    """
    if not _HOST.fullmatch(host):
        raise ValueError("must be the host of a URL, without scheme, port and path; no pattern")


def clean_text(text: str) -> str:
    """Return *text* without the white space, line ends and byte order mark around it."""
    return text.strip().removeprefix(_BYTE_ORDER_MARK).strip()


def is_url(value: object) -> bool:
    """Whether *value* is meant as a URL (RFC 3986 section 3), valid or not."""
    # Any text may precede a PEM block, a URL too.
    if not isinstance(value, str) or "-----BEGIN" in value:
        return False
    return _URL.match(clean_text(value)) is not None


def is_file_url(text: str) -> bool:
    """Whether *text* is the path of a file, written as a URL (RFC 8089)."""
    return clean_text(text).lower().startswith("file:/")


def check_url(url: str, http_hosts: Collection[str] = ()) -> None:
    """Check the URL of a key set.

    Plain ``http`` is only for loopback: on a network, others could replace the keys by their own.

    :param http_hosts: hosts for which plain ``http`` is accepted all the same, see
        :func:`url_host`.
    :raises ValueError: if it is not absolute, not ``https``, or has user info or a fragment. The
        text quotes no part of the URL.
    """
    # As a URL it would be sound, and lead nowhere.
    if _SECOND_URL.search(url):
        raise ValueError(
            "several URLs in one text; a list is JSON in an environment variable: "
            '["https://one.example/", "https://two.example/"]'
        )
    parts = _split(url, "https")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("user info and fragments are not sent; remove them from the URL")
    if _METADATA.search(parts.path):
        raise ValueError("not a key set, but a file with its URL; give the jwks_uri in that file")
    host = parts.hostname or ""
    is_accepted = parts.scheme == "http" and (is_loopback(host) or host in http_hosts)
    if parts.scheme != "https" and not is_accepted:
        raise ValueError("https is needed, except for loopback and the hosts in JWKS_HTTP_HOSTS")


def url_host(host: str) -> str:
    """Return *host*, as it is written in a URL, in the form in which hosts are compared."""
    return host.strip("[]").lower()


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that opens tunnels (RFC 9110 section 9.3.6)."""

    host: str
    port: int
    #: To send with each CONNECT; not in the repr, because they hold user and password.
    headers: dict[str, str] = field(repr=False)


def parse_proxy(url: str) -> Proxy:
    """Return the proxy of that *url*.

    :raises ValueError: if it is neither ``http://host:port`` nor ``http://user:password@host:port``
        with user and password percent-encoded. The text quotes no part of the URL.
    """
    user_info, at, _ = url.partition("://")[2].rpartition("@")
    # This comes first: a sign that is not encoded would end the host or begin the port.
    if at and not _USER_INFO.fullmatch(user_info):
        raise ValueError("user and password must be percent-encoded (RFC 3986 section 3.2.1)")
    parts = _split(url, "http")
    has_more = parts.path not in ("", "/") or {"?", "#"} & set(url)
    if parts.scheme != "http" or not parts.port or has_more:
        raise ValueError("not http://host:port or http://user:password@host:port")
    headers = {"Proxy-Authorization": _basic(user_info)} if at else {}
    return Proxy(parts.hostname or "", parts.port, headers)


def _basic(user_info: str) -> str:
    """Return the credentials of *user_info* for basic authentication (RFC 7617 section 2)."""
    user, _, password = map(unquote_to_bytes, user_info.partition(":"))
    if b":" in user or _CONTROL.search(user + password):
        raise ValueError(
            "a user with a colon, or a control character, cannot be sent (RFC 7617 section 2)"
        )
    return f"Basic {b64encode(user + b':' + password).decode()}"


def _split(url: str, scheme: str) -> SplitResult:
    if "://" not in url:
        raise ValueError(f"not an absolute URL; put {scheme}:// before the host")
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


def check_backup_place(place: str) -> None:
    """Check where a backup of a key set is to be kept.

    :raises ImportError: if *place* is the URL of a Redis server, and redis-py is not installed.
    :raises ValueError: unless it is a file path, or the URL of one Redis that is on this machine or
        is reached by verified TLS.
    """
    if is_redis_url(place):
        if is_unprotected_redis_url(place):
            raise ValueError(
                "a Redis server on another host needs rediss:// and a verified certificate"
            )
    elif os.path.isdir(place) or place.endswith(("/", os.sep)):
        raise ValueError("a folder; name a file in it, such as keys.json")
    elif not _is_file_name(place):
        raise ValueError(
            "must be a file path, or the URL of one Redis server (redis://, rediss:// or unix://). "
            "A path with a colon needs / or ./ at its start"
        )


def _is_file_name(place: str) -> bool:
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
