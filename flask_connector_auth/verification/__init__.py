"""Verification of the tokens in header values.

Headers are read, tokens are found in the cache or checked rule by rule, and accounts and scopes are
compared with what a view requires. ``checks`` has the order of all checks. Nothing here imports
Flask.
"""

from .cache import (
    CachedToken as CachedToken,
    TokenCache as TokenCache,
)
from .checks import (
    CHECKS as CHECKS,
    check_account as check_account,
    check_distinct as check_distinct,
    check_same_account as check_same_account,
    check_scopes as check_scopes,
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
)
from .verifier import Verifier as Verifier
