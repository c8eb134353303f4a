"""For each check and reason, a token that fails there; and keys that may not be all."""

from collections.abc import Mapping
from typing import Any

from flask_connector_auth import KeySource, Reason, Unavailable
from flask_connector_auth.testing import OMIT
from tests.support.floor_helpers import NOW, issuer_of

ours, theirs = issuer_of(), issuer_of(owner="theirs")
KEYS = ours.key_set()
GOOD = ours.app_jwt()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
# By check and reason, a token that fails at exactly that check.
BROKEN: Mapping[str, tuple[str, str, str]] = {
    "huge": ("header_size", "too_large", "," * 40000),
    "nothing": ("presence", "missing", " \n"),
    "two words": ("header_form", "bad_header", f"Basic {GOOD}"),
    "too long": ("token_size", "too_large", "a" * 20000),
    "two segments": ("segments", "not_compact", f"{HEAD}.{PAYLOAD}"),
    "bytes that are no text": ("segments", "not_compact", "\ufffd"),
    "a header too long": ("header_segment_size", "too_large", f"{'a' * 3000}.{PAYLOAD}.x"),
    "padding": ("encoding", "not_compact", f"{GOOD}="),
    "header no JSON": ("header_json", "bad_json", ours.sign(b"{}", b"[]")),
    "crit": ("extensions", "critical", ours.sign(b"{}", {"crit": ["exp"]})),
    "none": ("algorithm", "bad_algorithm", ours.sign(b"{}", {"alg": "none"})),
    "typ": ("type_and_kid", "bad_parameter", ours.sign(b"{}", {"typ": "at+jwt"})),
    "kid of nobody": ("key", "unknown_key", ours.sign(b"{}", {"kid": "dev-2"})),
    "forged": ("signature", "bad_signature", theirs.app_jwt()),
    "payload no JSON": ("payload_json", "bad_json", ours.sign(b'{"aud":1,"aud":1}')),
    "of the other type": ("no_claims_of_other_token", "wrong_type", ours.consumer_jws()),
    "no azp": ("text_claims", "missing_claim", ours.app_jwt(azp=OMIT)),
    "an empty azp": ("text_claims", "bad_claim", ours.app_jwt(azp="")),
    "no iss": ("issuer", "missing_claim", ours.app_jwt(iss=OMIT)),
    "another issuer": ("issuer", "wrong_issuer", ours.app_jwt(iss="Sentinel2")),
    "no exp": ("time_claims", "missing_claim", ours.app_jwt(exp=OMIT)),
    "exp no number": ("time_claims", "bad_claim", ours.app_jwt(exp="soon")),
    "expired": ("expiry", "expired", ours.app_jwt(exp=NOW - 31)),
    "of tomorrow": ("start", "not_yet_valid", ours.app_jwt(nbf=NOW + 31)),
    "for too long": ("lifetime", "too_long_lived", ours.app_jwt(exp=NOW + 7201)),
    "scope no string": ("scope_claim", "bad_claim", ours.app_jwt(scope=["a"])),
    "no account": ("account_claim", "missing_claim", ours.app_jwt(aud=OMIT)),
    "two accounts": ("account_claim", "bad_claim", ours.app_jwt(aud=["le1", "le2"])),
    "revoked": ("not_revoked", "revoked", ours.app_jwt(azp="revoked")),
    "another account": ("account", "wrong_account", ours.app_jwt(aud="le2")),
    "no scope": ("scopes", "missing_scope", ours.app_jwt(scope="msg")),
}


class Doubtful(KeySource):
    """Has a key, and cannot tell whether there is another one under its name."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Return the key."""
        return self._keys.candidates(kid, algorithm)

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: Any) -> Any:
        """Fail."""
        raise Unavailable(Reason.KEYS_UNAVAILABLE)
