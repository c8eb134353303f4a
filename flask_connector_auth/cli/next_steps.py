"""What to do about a key set or a revocation store that cannot be reached."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .common import mask_url
from .health import TOO_LATE

# Steps by a pattern in the cause; the first one that matches counts.
_ANY_SERVER = (
    ("gaierror", "Check the host name, and the name server of this machine."),
    ("ConnectionRefusedError", "Check the port, and that the server runs."),
    (
        "CertVerificationError: .* mismatch",
        "Use a host name that the certificate of the server is for.",
    ),
    (
        "CertVerificationError: certificate has expired",
        "Have the certificate of the server renewed, or set the clock of this machine.",
    ),
)
_ANY_NETWORK = (
    ("SSL", "Check that the server speaks TLS 1.2 or later at this port."),
    ("Timeout|in time|within", "Check that the server runs, and that no firewall blocks the way."),
    ("OSError|Connection", "Check the network of this machine, and that the server runs."),
)
_KEY_SET = (
    # First, because the host that a redirect names follows.
    ("^status 3", "Set the URL that the server redirects to, because no redirect is followed."),
    ("^status 40[13]", "Let the server answer without credentials, because none are sent."),
    ("^status 4(04|10)", "Check the path of the URL."),
    ("^status 5", "Ask the operator of the server, which has a failure of its own."),
    ("^the proxy refuses.* 407", "Check user and password in JWKS_PROXY."),
    ("^the proxy refuses", "Check to which hosts the proxy of JWKS_PROXY may connect."),
    ("^the proxy", "Check host and port of JWKS_PROXY, and that the proxy runs."),
    *_ANY_SERVER,
    ("CertVerificationError", "Name a file with the server's authority in JWKS_CA_FILE."),
    *_ANY_NETWORK,
    ("JWKS_MAX", "Raise this setting if the URL is that of the key set."),
    ("", "Request the URL with curl: the answer must be a JWK Set with a usable public key."),
)
_STORE = (
    *_ANY_SERVER,
    (
        "CertVerificationError",
        "Name a file with the server's authority as ssl_ca_certs in the URL.",
    ),
    ("password", "Check user and password in the URL."),
    ("permission", "Grant the user these keys and the commands that the store sends."),
    ("no memory", "Raise maxmemory of the server."),
    ("too old", "Upgrade the server."),
    ("no Redis", "Check host and port, because another kind of server answers."),
    ("MasterNotFound", "Check the name of the service in the URL, and that its master runs."),
    ("Cluster", "Check that this machine can reach the nodes of the Cluster."),
    *_ANY_NETWORK,
    ("", "Look into the log of the server."),
)


def describe_key_sources(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with each key set: its URL, the cause, and the next step.

    :param health: of a key source, or of several.
    """
    for source in health.get("sources", ()):
        yield from describe_key_sources(source)
    cause = health.get("last_error")
    if "errors" not in health:
        # A key source of the app: its text is its own.
        yield from [str(cause)] if cause else []
    elif errors := health["errors"]:
        yield from (_sentences(url, each, _KEY_SET) for url, each in errors.items())
    elif not health["ready"]:
        # No URL has answered at all.
        yield _sentences(health["source"], cause or TOO_LATE, _KEY_SET)


def describe_store(url: Any, cause: str) -> str:
    """Return what is wrong with the revocation store: its URL, the cause, and the next step.

    :param url: as configured; ``None`` for a store of the app, which names no server.
    """
    return cause if url is None else _sentences(mask_place(str(url)), cause, _STORE)


def mask_place(url: str) -> str:
    """Return *url* without user, password and query."""
    return mask_url(url).replace("***@", "").removesuffix("?***")


def _sentences(url: str, cause: str, steps: tuple[tuple[str, str], ...]) -> str:
    step = next(step for pattern, step in steps if re.search(pattern, cause))
    return f"{url}: {cause.removesuffix('.')}. {step}"
