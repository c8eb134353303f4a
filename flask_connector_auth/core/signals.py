"""Signals about tokens, keys and revocations. None of them carries a token."""

import logging
from typing import Any

from blinker import NamedSignal, Namespace

logger: logging.Logger = logging.getLogger(__name__)

_signals = Namespace()

#: All tokens that a view requires were verified. The sender is the app. ``app_jwt`` and
#: ``consumer_jws`` are the verified values, or ``None`` for a token that is not required or was not
#: sent. The signal is sent again if ``verify_request()`` then requires more than the view does.
token_verified: NamedSignal = _signals.signal("token-verified")

#: A request was refused, or answered with 503. The sender is the app. ``error`` is the
#: ``ConnectorAuthError``, with its ``reason`` and ``reason_details``. An error that a view raises
#: itself sends no signal.
token_rejected: NamedSignal = _signals.signal("token-rejected")

#: A key set was fetched that has other keys than before. The sender is the key source. ``added``
#: and ``removed`` are the sets of the ``kid`` of these keys.
keys_refreshed: NamedSignal = _signals.signal("keys-refreshed")

#: The fetch of a key set failed. The sender is the key source. ``reason`` says why.
keys_refresh_failed: NamedSignal = _signals.signal("keys-refresh-failed")

#: The issuer can no longer confirm a key set, and the last one is still used. The sender is the
#: key source.
keys_stale: NamedSignal = _signals.signal("keys-stale")

#: There is no usable key set, so requests are answered with 503. The sender is the key source.
keys_outage: NamedSignal = _signals.signal("keys-outage")

#: Something was revoked or restored. The signal is sent in each process that receives the change.
#: The sender is the app's ``Revocations`` object. ``kind`` is ``token``, ``install``, ``account``,
#: ``lp_consumer`` or ``ext_consumer``. ``name`` is the id. It is ``None`` for a token, and where
#: the store has lost the id or is too far away to be read again. ``issuer`` is the issuer for which
#: the id was revoked, or ``None`` for all issuers. ``revoked`` is ``True`` if it is revoked now,
#: and ``False`` if it was restored.
revocation_changed: NamedSignal = _signals.signal("revocation-changed")

#: A worker's copy of the revocation store is older than allowed. The sender is the app's
#: ``Revocations`` object.
revocation_stale: NamedSignal = _signals.signal("revocation-stale")


def send_signal(signal: NamedSignal, sender: Any, **payload: Any) -> None:
    """Send *signal*, outside of any request, and log the exception of a receiver that fails.

    A failing receiver must neither fail a request nor keep the next signal from being sent.
    """
    try:
        signal.send(sender, **payload)
    except Exception:
        logger.exception("a receiver of %s failed", signal.name)
