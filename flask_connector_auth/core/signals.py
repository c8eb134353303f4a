"""News of tokens, keys and revocations in; whoever listens hears them, and never a token."""

import logging
from typing import Any

from blinker import NamedSignal, Namespace

logger: logging.Logger = logging.getLogger(__name__)

_signals = Namespace()

#: Sent by the app when all tokens that a view asks for were verified; ``app_jwt`` and
#: ``consumer_jws`` are the verified values, or ``None`` where none was asked for or sent. Sent once
#: more when :func:`verify_request` then asks for more than the view did.
token_verified: NamedSignal = _signals.signal("token-verified")

#: Sent by the app when a request is refused; ``error`` is the :class:`ConnectorAuthError`, with
#: its ``reason``. An error that a view raises by itself is its own affair: it sends nothing.
token_rejected: NamedSignal = _signals.signal("token-rejected")

#: Sent by a key source when a fetched set has other keys than before; ``added`` and ``removed``
#: are sets of their ``kid``.
keys_refreshed: NamedSignal = _signals.signal("keys-refreshed")

#: Sent by a key source when a fetch brought nothing; ``reason`` says why.
keys_refresh_failed: NamedSignal = _signals.signal("keys-refresh-failed")

#: Sent by a key source when its set can no longer be confirmed and the last one serves.
keys_stale: NamedSignal = _signals.signal("keys-stale")

#: Sent by a key source when it has no set that may be used: requests are answered with 503.
keys_outage: NamedSignal = _signals.signal("keys-outage")

#: Sent by an app's ``Revocations`` when something is revoked or restored, in each process that
#: hears of it; ``kind`` is ``token``, ``install``, ``account`` or ``consumer``, ``name`` the id, or
#: ``None`` for a token, ``revoked`` whether it is revoked now.
revocation_changed: NamedSignal = _signals.signal("revocation-changed")

#: Sent by an app's ``Revocations`` when its copy of the store is older than it may be.
revocation_stale: NamedSignal = _signals.signal("revocation-stale")


def send(signal: NamedSignal, sender: Any, **payload: Any) -> None:
    """Send *signal*, outside of any request; a receiver that fails is logged, and no more.

    What others do about news is neither in the way of a request nor of the next news.
    """
    try:
        signal.send(sender, **payload)
    except Exception:
        logger.exception("a receiver of %s failed", signal.name)
