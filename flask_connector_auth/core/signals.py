"""Signals about tokens, keys and revocations. None of them carries a token."""

import logging
from typing import Any

from blinker import NamedSignal, Namespace

logger: logging.Logger = logging.getLogger(__name__)

_signals = Namespace()

#: Sent by the app when all tokens that a view requires were verified; ``app_jwt`` and
#: ``consumer_jws`` are the verified values, or ``None`` for a token that is not required or was not
#: sent. Sent again when :func:`verify_request` then requires more than the view did.
token_verified: NamedSignal = _signals.signal("token-verified")

#: Sent by the app when a request is refused; ``error`` is the :class:`ConnectorAuthError`, with
#: its ``reason`` and ``reason_details``. An error that a view raises itself sends no signal.
token_rejected: NamedSignal = _signals.signal("token-rejected")

#: Sent by a key source when a fetched set has other keys than before; ``added`` and ``removed``
#: are sets of their ``kid``.
keys_refreshed: NamedSignal = _signals.signal("keys-refreshed")

#: Sent by a key source when a fetch failed; ``reason`` says why.
keys_refresh_failed: NamedSignal = _signals.signal("keys-refresh-failed")

#: Sent by a key source when its set can no longer be confirmed and the last one is used.
keys_stale: NamedSignal = _signals.signal("keys-stale")

#: Sent by a key source when it has no usable set: requests are answered with 503.
keys_outage: NamedSignal = _signals.signal("keys-outage")

#: Sent by an app's ``Revocations`` when something is revoked or restored, in each process that
#: receives the change; ``kind`` is ``token``, ``install``, ``account``, ``lp_consumer`` or
#: ``ext_consumer``; ``name`` the id, or ``None`` for a token, and where the store has lost the id
#: or is too far away to be asked; ``issuer`` the one for which the id was revoked, or ``None``: for
#: all; ``revoked`` is whether it is revoked now.
revocation_changed: NamedSignal = _signals.signal("revocation-changed")

#: Sent by an app's ``Revocations`` when its copy of the store is older than it may be.
revocation_stale: NamedSignal = _signals.signal("revocation-stale")


def send_signal(signal: NamedSignal, sender: Any, **payload: Any) -> None:
    """Send *signal*, outside of any request, and log the exception of a receiver that fails.

    A failing receiver must neither fail a request nor keep the next signal from being sent.
    """
    try:
        signal.send(sender, **payload)
    except Exception:
        logger.exception("a receiver of %s failed", signal.name)
