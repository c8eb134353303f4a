"""Values and small services that every other package uses.

Reasons, tokens, requirements and error rows as data; strict JSON and base64url; signals, clocks,
clients of Redis; the objects to reset after a fork or to close with an app. Nothing here may import
Flask or another package of this one.
"""

from .clock import (
    JumpResistantClock as JumpResistantClock,
    select_steady_clock as select_steady_clock,
    steady_time as steady_time,
    wall_time as wall_time,
)
from .encoding import (
    MAX_INTEGER as MAX_INTEGER,
    Malformed as Malformed,
    decode_base64url as decode_base64url,
    has_token_form as has_token_form,
    load_json_object as load_json_object,
)
from .errors import (
    ERROR_ROWS as ERROR_ROWS,
    BodySchema as BodySchema,
    EnvelopeSchema as EnvelopeSchema,
    ErrorRow as ErrorRow,
    Reason as Reason,
    Rejected as Rejected,
    Unavailable as Unavailable,
    forget_origin as forget_origin,
    render_envelope as render_envelope,
)
from .lifecycle import (
    Closable as Closable,
    close_all as close_all,
    close_if_closable as close_if_closable,
    register_at_fork as register_at_fork,
    register_closable as register_closable,
    register_fork_reset as register_fork_reset,
    reset_all_after_fork as reset_all_after_fork,
)
from .redis_client import (
    REDIS_TIMEOUT as REDIS_TIMEOUT,
    redis_connections as redis_connections,
    redis_connector as redis_connector,
)
from .requirements import (
    NO_REQUIREMENTS as NO_REQUIREMENTS,
    Declaration as Declaration,
    Requirements as Requirements,
    Scopes as Scopes,
    TokenRequirement as TokenRequirement,
    attach_hook_requirements as attach_hook_requirements,
    attach_requirements as attach_requirements,
    collect_certain_requirements as collect_certain_requirements,
    collect_hook_requirements as collect_hook_requirements,
    collect_requirements as collect_requirements,
    find_decorated as find_decorated,
    find_wrapped as find_wrapped,
    get_attached_requirements as get_attached_requirements,
    is_public as is_public,
    mark_public as mark_public,
    merge_requirements as merge_requirements,
    requirements_of as requirements_of,
    token_requirement as token_requirement,
)
from .signals import (
    keys_outage as keys_outage,
    keys_refresh_failed as keys_refresh_failed,
    keys_refreshed as keys_refreshed,
    keys_stale as keys_stale,
    revocation_changed as revocation_changed,
    revocation_stale as revocation_stale,
    send_signal as send_signal,
    token_rejected as token_rejected,
    token_verified as token_verified,
)
from .tokens import (
    APP_JWT_CLAIMS as APP_JWT_CLAIMS,
    CONSUMER_JWS_CLAIMS as CONSUMER_JWS_CLAIMS,
    DEFAULT_TYPE as DEFAULT_TYPE,
    AppJWT as AppJWT,
    ClaimNames as ClaimNames,
    ConsumerJWS as ConsumerJWS,
    shared_claims as shared_claims,
    token_maker as token_maker,
)
