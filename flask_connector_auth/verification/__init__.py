"""Verification of the tokens in header values.

Headers are read, tokens are found in the cache or checked rule by rule, and accounts and scopes are
compared with what a view requires. ``checks`` has the order of all checks. Nothing here imports
Flask.
"""

from .cache import CachedToken, TokenCache
from .checks import CHECKS
from .examination import Check, Examination, Stage
from .headers import read_token
from .policy import check_account, check_distinct, check_same_account, check_scopes
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile, VerifierRules
from .verifier import Verifier

__all__ = [
    "APP_JWT",
    "CHECKS",
    "CONSUMER_JWS",
    "CachedToken",
    "Check",
    "Examination",
    "Stage",
    "TokenCache",
    "TokenProfile",
    "Verifier",
    "VerifierRules",
    "check_account",
    "check_distinct",
    "check_same_account",
    "check_scopes",
    "read_token",
]
