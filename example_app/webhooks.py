"""Posts signed notifications to the endpoints of the app, and again if they are not taken.

Protocol pages: Webhooks Configuration, Notification Protocol, Retry Policy. Each conversation has a
queue of its own, so a notification that is refused holds up no other conversation. A failed post is
repeated, so a notification may arrive twice.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app

from .delivery import Endpoint, Post
from .models import AppInstall, install_of
from .posting import Posting

#: What apps register endpoints for.
EVENT_TYPES = (
    "cqm.ExConversationChangeNotification",
    *(
        f"ms.MessagingEventNotification.{event}"
        for event in ("ContentEvent", "RichContentEvent", "ChatStateEvent", "AcceptStatusEvent")
    ),
)
RETRY = "retry"
MAX_RETRIES = 5
#: Seconds for which ``retry`` may keep a notification: from, to.
RETENTION = (2, 259200)
DIGESTS = ("sha1", "sha256")


class SettingError(ValueError):
    """A setting of the webhooks cannot be used; the message begins with its name."""


def signed(install: AppInstall, notification: Mapping[str, Any], digest: str) -> Post:
    """Return the body and the headers of *notification*.

    :param digest: one of :data:`DIGESTS`.
    """
    # ASCII, because a known client computes the signature over ASCII text.
    body = json.dumps(notification, separators=(",", ":")).encode("ascii")
    signature = base64.b64encode(hmac.digest(install.client_secret.encode(), body, digest))
    return body, {
        "Content-Type": "application/json",
        "x-liveperson-account-id": install.account_id,
        "x-liveperson-client-id": install.client_id,
        "x-liveperson-signature": f"{digest}={signature.decode()}",
    }


def send(
    account_id: str, conversation_id: str, event_type: str, notification: Mapping[str, Any]
) -> None:
    """Post *notification* on behalf of the app install of *account_id*.

    :param event_type: one of :data:`EVENT_TYPES`.
    """
    install, posting = install_of(account_id), current_app.extensions["webhooks"]
    if install and posting:
        digest = current_app.config["CONNECTOR_WEBHOOK_DIGEST"]
        posting.put(conversation_id, event_type, signed(install, notification, digest))


def close(app: Flask) -> None:
    """End the threads that post for *app*, if there are any."""
    # An app of create_issuer() has no webhooks.
    if webhooks := app.extensions.get("webhooks"):
        webhooks.close()


def are_wanted() -> bool:
    """Whether there is an endpoint to post to."""
    return current_app.extensions["webhooks"] is not None


def endpoints_of(app: Flask) -> list[str]:
    """Return the addresses that notifications of *app* are posted to."""
    posting = app.extensions["webhooks"]
    return sorted({*map(str, posting.endpoints.values())}) if posting else []


def init_app(app: Flask) -> None:
    """Set up the webhooks of *app*, if its configuration has an endpoint.

    :raises SettingError: if the configuration is wrong.
    """
    configured, pause = (app.config[f"CONNECTOR_WEBHOOK{name}"] for name in ("S", "_PAUSE"))
    if app.config["CONNECTOR_WEBHOOK_DIGEST"] not in DIGESTS:
        raise SettingError(f"CONNECTOR_WEBHOOK_DIGEST must be {' or '.join(DIGESTS)}")
    endpoints = {}
    if url := app.config["CONNECTOR_WEBHOOK_URL"]:
        # No number, since 0 drops what could be kept for some time.
        retries = app.config["CONNECTOR_WEBHOOK_RETRIES"] or None
        endpoint = _endpoint("CONNECTOR_WEBHOOK_", url, retries, {}, ("URL", "RETRIES"))
        endpoints = dict.fromkeys(EVENT_TYPES, endpoint)
    endpoints |= _by_event_type(configured or {})
    retention = _retention((configured or {}).get(RETRY))
    app.extensions["webhooks"] = Posting(endpoints, pause, retention) if endpoints else None


def _by_event_type(configured: Any) -> dict[str, Endpoint]:
    name = "CONNECTOR_WEBHOOKS"
    if not isinstance(configured, Mapping):
        raise SettingError(f"{name} must be an object of webhooks by event type")
    endpoints = {}
    for event_type in set(configured) - {RETRY}:
        if event_type not in EVENT_TYPES:
            raise SettingError(f"{name}: {event_type!r} is none of {', '.join(EVENT_TYPES)}")
        webhook = configured[event_type]
        if not isinstance(webhook, Mapping) or not isinstance(webhook.get("headers", {}), Mapping):
            raise SettingError(f"{name}: {event_type} must be an object, and so must its headers")
        given = (webhook.get("endpoint"), webhook.get("max_retries"), webhook.get("headers", {}))
        endpoints[event_type] = _endpoint(f"{name}: ", *given)
    return endpoints


def _retention(retry: Any) -> int | None:
    if retry is None:
        return None
    least, most = RETENTION
    seconds = retry.get("retention_time") if isinstance(retry, Mapping) else None
    if type(seconds) is not int or not least <= seconds <= most:
        raise SettingError(
            f"CONNECTOR_WEBHOOKS: retention_time must be a number from {least} to {most}"
        )
    return seconds


def _endpoint(
    place: str,
    url: Any,
    retries: Any,
    headers: Mapping[str, str],
    names: tuple[str, str] = ("endpoint", "max_retries"),
) -> Endpoint:
    """Return the endpoint that is configured at *place*, under *names*."""
    if not _is_url(url):
        raise SettingError(f"{place}{names[0]} must start with http:// or https:// and a host")
    texts = (*headers, *headers.values())
    if retries is not None and (type(retries) is not int or not 0 <= retries <= MAX_RETRIES):
        raise SettingError(f"{place}{names[1]} must be a number from 0 to {MAX_RETRIES}")
    if not all(isinstance(text, str) and text.isascii() and text.isprintable() for text in texts):
        raise SettingError(f"{place}headers must be texts in ASCII")
    return Endpoint(url, retries, dict(headers))


def _is_url(url: Any) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (AttributeError, TypeError, ValueError):
        return False
