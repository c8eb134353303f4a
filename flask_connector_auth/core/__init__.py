"""Values and small services that every other package uses.

Reasons, tokens, requirements and error rows as data, strict JSON and base64url, signals, clocks,
and what a process must renew after a fork or close with its app. Nothing here knows Flask, keys or
revocations.
"""

from .clock import JumpResistantClock, boottime, steady_clock
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
from .forks import register_at_fork, register_fork_reset
from .lifecycle import Closable, close, close_all, register
from .reasons import Reason, Rejected, Unavailable
from .redis_client import TIMEOUT, connections, connector
from .requirements import (
    NOTHING,
    Declared,
    Requirements,
    TokenRequirement,
    attach_protection,
    attach_requirements,
    attached_protection,
    attached_requirements,
    certain_requirements,
    collected_requirements,
    is_public,
    mark_public,
    merged,
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
    "Closable",
    "ConsumerJWS",
    "Declared",
    "EnvelopeSchema",
    "ErrorRow",
    "JumpResistantClock",
    "Malformed",
    "Reason",
    "Rejected",
    "Requirements",
    "TokenRequirement",
    "Unavailable",
    "attach_protection",
    "attach_requirements",
    "attached_protection",
    "attached_requirements",
    "boottime",
    "certain_requirements",
    "close",
    "close_all",
    "collected_requirements",
    "connections",
    "connector",
    "decode_base64url",
    "is_public",
    "keys_outage",
    "keys_refresh_failed",
    "keys_refreshed",
    "keys_stale",
    "load_object",
    "mark_public",
    "merged",
    "read_only",
    "register",
    "register_at_fork",
    "register_fork_reset",
    "render",
    "revocation_changed",
    "revocation_stale",
    "send",
    "steady_clock",
    "token_rejected",
    "token_requirement",
    "token_verified",
]
