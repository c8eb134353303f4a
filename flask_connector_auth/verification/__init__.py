"""Verification of the tokens in header values.

A header value is read, and its token is found in the cache or passes all checks. ``checks`` has the
order of all checks, and those of account and scopes, which ``web`` calls. Nothing here imports
Flask.
"""

from .cache import CachedToken as CachedToken, TokenCache as TokenCache
from .checks import (
    CHECKS as CHECKS,
    check_account as check_account,
    check_distinct as check_distinct,
    check_same_account as check_same_account,
    check_scopes as check_scopes,
)
from .examination import (
    APP_JWT as APP_JWT,
    CONSUMER_JWS as CONSUMER_JWS,
    Check as Check,
    Examination as Examination,
    Stage as Stage,
    TokenProfile as TokenProfile,
    VerifierRules as VerifierRules,
)
from .jws import read_token as read_token
from .verifier import Verifier as Verifier
