"""From a header value to a verified token, or the reason why not.

Headers are read, tokens are looked up in the cache or checked one rule after the other, and
accounts and scopes are compared with what a view requires. Nothing here knows Flask.
"""

from .cache import CachedToken, TokenCache
from .headers import read_token
from .policy import check_account, check_distinct, check_same_account, check_scopes
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile
from .verifier import Verifier, VerifierRules

__all__ = [
    "APP_JWT",
    "CONSUMER_JWS",
    "CachedToken",
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
