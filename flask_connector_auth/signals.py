"""What happened to a request's tokens, told to whoever listens; no token in any payload."""

from blinker import NamedSignal, Namespace

_signals = Namespace()

#: Sent by the app when all tokens that a view asks for were verified; ``app_jwt`` and
#: ``consumer_jws`` are the verified values, or ``None`` where none was asked for or sent.
token_verified: NamedSignal = _signals.signal("token-verified")

#: Sent by the app when a request is refused; ``error`` is the :class:`ConnectorAuthError`, with
#: its ``reason``.
token_rejected: NamedSignal = _signals.signal("token-rejected")
