"""Verification of the tokens in header values.

An ``Authenticator`` reads a header value. It finds the token in the cache, or the ``Verifier`` of
its issuer runs all checks. ``checks`` has their order, and those of account and scopes, which
``web`` calls. Nothing here imports Flask.
"""

from .authenticator import Authenticator as Authenticator
from .cache import CachedToken as CachedToken, TokenCache as TokenCache
from .checks import (
    CHECKS as CHECKS,
    check_account as check_account,
    check_distinct as check_distinct,
    check_same_account as check_same_account,
    check_scopes as check_scopes,
    missing_scope as missing_scope,
)
from .examination import (
    Check as Check,
    Examination as Examination,
    Stage as Stage,
)
from .jws import read_token as read_token
from .profiles import (
    APP_JWT as APP_JWT,
    CONSUMER_JWS as CONSUMER_JWS,
    TokenProfile as TokenProfile,
    VerifierRules as VerifierRules,
    app_jwt_profile as app_jwt_profile,
    consumer_jws_profile as consumer_jws_profile,
)
from .verifier import Verifier as Verifier
