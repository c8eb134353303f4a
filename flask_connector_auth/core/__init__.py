"""Values and small services that every other package uses.

Reasons, tokens, requirements and error rows as data, strict JSON and base64url, signals, clocks,
and what a process must renew after a fork or close with its app. Nothing here knows Flask, keys or
revocations.
"""

from .clock import Cautious, boottime, steady_clock
from .encoding import MAX_INTEGER, Malformed, decode_base64url, load_object
from .error_rows import (
    APP_JWT_MISSING,
    CONSUMER_JWS_MISSING,
    ROWS,
    BodySchema,
    EnvelopeSchema,
    ErrorRow,
    render,
)
from .forks import register_at_fork, renew_after_fork
from .lifecycle import Closable, close, close_all, register
from .reasons import Reason, Rejected, Unavailable
from .redis_client import TIMEOUT, connections, connector
from .requirements import (
    NOTHING,
    Declared,
    Requirements,
    TokenRequirement,
    is_public,
    mark,
    mark_of,
    mark_protection,
    mark_public,
    marked,
    merged,
    protection_of,
    surely_marked,
    token_requirement,
)
from .signals import (
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    revocation_changed,
    revocation_stale,
    send,
    token_rejected,
    token_verified,
)
from .tokens import AppJWT, ConsumerJWS, read_only

__all__ = [
    "APP_JWT_MISSING",
    "CONSUMER_JWS_MISSING",
    "MAX_INTEGER",
    "NOTHING",
    "ROWS",
    "TIMEOUT",
    "AppJWT",
    "BodySchema",
    "Cautious",
    "Closable",
    "ConsumerJWS",
    "Declared",
    "EnvelopeSchema",
    "ErrorRow",
    "Malformed",
    "Reason",
    "Rejected",
    "Requirements",
    "TokenRequirement",
    "Unavailable",
    "boottime",
    "close",
    "close_all",
    "connections",
    "connector",
    "decode_base64url",
    "is_public",
    "keys_outage",
    "keys_refresh_failed",
    "keys_refreshed",
    "keys_stale",
    "load_object",
    "mark",
    "mark_of",
    "mark_protection",
    "mark_public",
    "marked",
    "merged",
    "protection_of",
    "read_only",
    "register",
    "register_at_fork",
    "render",
    "renew_after_fork",
    "revocation_changed",
    "revocation_stale",
    "send",
    "steady_clock",
    "surely_marked",
    "token_rejected",
    "token_requirement",
    "token_verified",
]
