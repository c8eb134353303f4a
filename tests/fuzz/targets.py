"""Any bytes in; nothing out, or an assertion of what a parser of this package got wrong.

Each target is one function: a fuzzer calls it with what it makes up, the tests with the corpus.
"""

import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OctKey, OKPKey

from flask_connector_auth.core import Malformed, Rejected, decode_base64url, load_json_object
from flask_connector_auth.keys import (
    MAX_CANDIDATES,
    MAX_KID,
    BadKeySet,
    KeyRules,
    StaticKeys,
    VerificationKey,
    conditional_headers,
    freshness_lifetime,
    parse_key_set,
    parse_keys,
    retry_after,
)
from flask_connector_auth.revocation import token_digest
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import (
    APP_JWT,
    CONSUMER_JWS,
    Authenticator,
    Verifier,
    VerifierRules,
)

NOW = 1_800_000_000
ALGORITHMS = ("EdDSA", "HS256")
_MAX_KEYS = 20
# Of the same bytes in each run, and signing without chance: so a token can be kept as a seed.
_ed25519 = Ed25519PrivateKey.from_private_bytes(b"of the fuzzer, and of no one els")
ISSUERS = {
    "EdDSA": Issuer(OKPKey(_ed25519, _ed25519), algorithm="EdDSA", clock=lambda: NOW),
    "HS256": Issuer(
        OctKey.import_key("of the fuzzer, and of no one els"),
        algorithm="HS256",
        clock=lambda: NOW,
    ),
}
_KEYS, _ = parse_keys(
    [
        ISSUERS["EdDSA"].key_set(),
        {"kty": "oct", "kid": "dev-1", "k": "b2YgdGhlIGZ1enplciwgYW5kIG9mIG5vIG9uZSBlbHM"},
    ],
    KeyRules(ALGORITHMS),
)
#: All tokens that were ever issued, and for which of the two headers.
ISSUED = {
    text: profile.name
    for issuer in ISSUERS.values()
    for text, profile in ((issuer.app_jwt(), APP_JWT), (issuer.consumer_jws(), CONSUMER_JWS))
}
#: By token: the claims that it must have, those that it must not have, the one with the account.
CLAIMS = {
    "AppJWT": ({"azp", "iss", "exp", "iat", "aud"}, {"lp_consumer_id", "ext_consumer_id"}, "aud"),
    "ConsumerJWS": (
        {"account_id", "ext_consumer_id", "lp_consumer_id"},
        {"azp", "scope"},
        "account_id",
    ),
}


def verifiers(cache_size: int) -> list[Verifier[Any]]:
    """Return both verifiers, with a cache or without."""
    rules = VerifierRules(ALGORITHMS, "Sentinel", 30, None, 16384, 2048, cache_size, 300)
    return [Verifier(profile, rules, StaticKeys(_KEYS)) for profile in (APP_JWT, CONSUMER_JWS)]


_PAIRS = list(zip(verifiers(0), verifiers(4), strict=True))


def verifier(data: bytes) -> None:
    """A header value, as WSGI has it: nothing passes but a token that was issued."""
    header = data.decode("latin-1")
    for plain, cached in _PAIRS:
        good = accepted(plain, header)
        # Twice, so that the second one may be remembered.
        assert accepted(cached, header) == accepted(cached, header) == good
        bare = header.strip(" \t")
        if plain.profile is APP_JWT and bare[:7].lower() == "bearer ":
            bare = bare[7:].strip(" ")
        assert good is None or ISSUED.get(bare) == plain.profile.name
        assert (good is None) == (ISSUED.get(bare) != plain.profile.name)
        assert (verified(plain, header) is None) == (ISSUED.get(header) != plain.profile.name)
    with suppress(ValueError):
        assert len(token_digest(header)) == 32


def accepted(judge: Verifier[Any], header: str) -> Any:
    """Return the token in *header*, or ``None`` if it is refused or blank."""
    try:
        entry = Authenticator([judge]).authenticate(header, NOW)
        return entry and entry.token
    except Rejected:
        return None


def verified(judge: Verifier[Any], text: str) -> Any:
    """Return the token that *text* is, or ``None`` if it is refused."""
    try:
        return judge.verify(text, NOW).token
    except Rejected:
        return None


def claims(data: bytes) -> None:
    """A payload, or behind a NUL a header before it, under a good signature: what passes is JSON
    with these very claims."""
    header, payload = data.split(b"\0", 1) if b"\0" in data else (None, data)
    text = ISSUERS["HS256"].sign(payload, header)
    for plain, _ in _PAIRS:
        token = accepted(plain, text)
        if token is None:
            continue
        said = json.loads(payload.decode())
        assert token.claims == said
        if header is not None:
            assert json.loads(header.decode())["alg"] == "HS256"
        own, foreign, account = CLAIMS[plain.profile.name]
        assert own <= said.keys()
        assert not foreign & said.keys()
        assert said[account] in (token.account_id, [token.account_id])
        assert isinstance(token.account_id, str)
        assert token.account_id
        for name in {"exp", "iat", "nbf"} & said.keys():
            assert isfinite(said[name])
            assert not isinstance(said[name], bool)
        assert said.get("exp", NOW) > NOW - 31
        assert said.get("iat", NOW) <= NOW + 30


def key_set(data: bytes) -> None:
    """The body of a JWK Set, or a configured key: good public keys, or a documented refusal."""
    rules = KeyRules(("RS256", "PS256", "ES256", "EdDSA", "HS256"))
    with suppress(BadKeySet):
        keys = parse_key_set(data, rules, _MAX_KEYS)
        assert 0 < len(keys) <= _MAX_KEYS
        assert max(Counter(key.kid for key in keys).values()) <= MAX_CANDIDATES
        for key in keys:
            # The only key of a set needs no kid.
            assert 0 < len(key.kid) <= MAX_KID if key.kid else key.kid is None and len(keys) == 1
            assert not isinstance(key.key, OctKey)
            assert not key.key.is_private
            check_key(key, rules)
    with suppress(UnicodeDecodeError):
        text = data.decode()
        # Anything else would be the name of a file.
        if text.strip().startswith("{") or "-----BEGIN" in text:
            configured, problems = parse_keys(text, rules)
            assert configured or problems
            for key in configured:
                check_key(key, rules)


def check_key(key: VerificationKey, rules: KeyRules) -> None:
    """Check that *key* may be used for what is allowed alone, and is strong."""
    assert key.algorithms
    assert set(key.algorithms) <= set(rules.algorithms)
    material: Any = key.key
    if isinstance(material, OctKey):
        assert len(material.raw_value) >= 32
        assert set(key.algorithms) == {"HS256"}
    else:
        assert not material.is_private
        assert "HS256" not in key.algorithms
    if key.algorithms.keys() & {"RS256", "PS256"}:
        assert 2048 <= material.public_key.key_size <= 8192


def strict(data: bytes) -> None:
    """What is decoded has no other spelling; what is loaded is one JSON object."""
    with suppress(Malformed):
        content = decode_base64url(data)
        assert urlsafe_b64encode(content).rstrip(b"=") == data
    with suppress(Malformed):
        value = load_json_object(data)
        assert value == json.loads(data.decode(), object_pairs_hook=once)
        assert (
            load_json_object(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
            == value
        )


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object, none of which may be there twice."""
    assert max(Counter(name for name, _ in pairs).values(), default=1) == 1
    return dict(pairs)


def cache_control(data: bytes) -> None:
    """Header lines of an answer: times in bounds, and no header that was not there."""
    lines = (line.partition(":") for line in data.decode("latin-1").split("\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    assert freshness_lifetime(headers) is None or 0 <= (freshness_lifetime(headers) or 0) <= 2**31
    wait = retry_after(headers)
    assert wait is None or (isfinite(wait) and wait >= 0)
    assert set(conditional_headers(headers).values()) <= set(headers.values())


#: All targets, by name.
TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (verifier, claims, key_set, strict, cache_control)
}
