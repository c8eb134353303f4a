"""Values and small services that every other package uses.

Reasons, tokens, requirements and error rows as data; strict JSON and base64url; signals, clocks,
clients of Redis; the objects to reset after a fork or to close with an app. Nothing here may import
Flask or another package of this one.
"""

from .clock import JumpResistantClock, select_steady_clock, steady_time
from .encoding import MAX_INTEGER, Malformed, decode_base64url, load_json_object
from .error_rows import (
    APP_JWT_MISSING,
    CONSUMER_JWS_MISSING,
    ERROR_ROWS,
    BodySchema,
    EnvelopeSchema,
    ErrorRow,
    render_envelope,
)
from .lifecycle import (
    Closable,
    close_all,
    close_if_closable,
    register_at_fork,
    register_closable,
    register_fork_reset,
    reset_all_after_fork,
)
from .reasons import Reason, Rejected, Unavailable
from .redis_client import REDIS_TIMEOUT, redis_connections, redis_connector
from .requirements import (
    NO_REQUIREMENTS,
    Declaration,
    Requirements,
    TokenRequirement,
    attach_hook_requirements,
    attach_requirements,
    collect_certain_requirements,
    collect_hook_requirements,
    collect_requirements,
    get_attached_requirements,
    is_public,
    mark_public,
    merge_requirements,
    token_requirement,
)
from .signals import (
    keys_outage,
    keys_refresh_failed,
    keys_refreshed,
    keys_stale,
    revocation_changed,
    revocation_stale,
    send_signal,
    token_rejected,
    token_verified,
)
from .tokens import AppJWT, ConsumerJWS, freeze_claims

__all__ = [
    "APP_JWT_MISSING",
    "CONSUMER_JWS_MISSING",
    "ERROR_ROWS",
    "MAX_INTEGER",
    "NO_REQUIREMENTS",
    "REDIS_TIMEOUT",
    "AppJWT",
    "BodySchema",
    "Closable",
    "ConsumerJWS",
    "Declaration",
    "EnvelopeSchema",
    "ErrorRow",
    "JumpResistantClock",
    "Malformed",
    "Reason",
    "Rejected",
    "Requirements",
    "TokenRequirement",
    "Unavailable",
    "attach_hook_requirements",
    "attach_requirements",
    "close_all",
    "close_if_closable",
    "collect_certain_requirements",
    "collect_hook_requirements",
    "collect_requirements",
    "decode_base64url",
    "freeze_claims",
    "get_attached_requirements",
    "is_public",
    "keys_outage",
    "keys_refresh_failed",
    "keys_refreshed",
    "keys_stale",
    "load_json_object",
    "mark_public",
    "merge_requirements",
    "redis_connections",
    "redis_connector",
    "register_at_fork",
    "register_closable",
    "register_fork_reset",
    "render_envelope",
    "reset_all_after_fork",
    "revocation_changed",
    "revocation_stale",
    "select_steady_clock",
    "send_signal",
    "steady_time",
    "token_rejected",
    "token_requirement",
    "token_verified",
]
