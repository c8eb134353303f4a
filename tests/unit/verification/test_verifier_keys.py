"""Which key verifies which token, and what counts as its signature."""

import pytest

from flask_connector_auth.core import Reason
from flask_connector_auth.keys import ALGORITHMS
from flask_connector_auth.testing import OMIT
from tests.support.floor_helpers import (
    both_tokens,
    cases,
    decoded,
    encoded,
    issuer_of,
    jwk,
    native_key,
    pem,
    why_refused,
)
from tests.support.malformed import ecdsa_signatures


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@both_tokens
def test_each_algorithm_verifies_its_own_signatures(token, algorithm):
    """RFC 7518 section 3.1, RFC 8037, RFC 9864: the genuine passes, the stranger's does not."""
    trusted = {"keys": jwk(algorithm, kid="dev-1"), "algorithms": [algorithm]}
    stranger = issuer_of(algorithm, owner="stranger")
    assert why_refused(token, token.mint(issuer_of(algorithm)), **trusted) is None
    assert why_refused(token, token.mint(stranger), **trusted) is Reason.BAD_SIGNATURE


def relabelled(token, algorithm, label):
    """Return a *token* that says *label* and is signed by *algorithm*."""
    return issuer_of(algorithm).sign(token.payload(), {"alg": label})


@pytest.mark.parametrize(
    ("algorithm", "label"),
    [
        ("PS256", "RS256"),
        ("RS256", "PS256"),
        ("RS384", "RS256"),
        ("HS384", "HS256"),
        ("Ed25519", "EdDSA"),
    ],
)
@both_tokens
def test_the_signature_is_by_the_algorithm_that_the_header_names(token, algorithm, label):
    """RFC 8725 section 3.1: PKCS1 is not PSS, SHA-256 not SHA-384; another key is another key."""
    trusted = {"keys": jwk(label), "algorithms": [algorithm, label]}
    assert why_refused(token, token.mint(issuer_of(label)), **trusted) is None
    text = relabelled(token, algorithm, label)
    assert why_refused(token, text, **trusted) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("algorithm", "keys"),
    [
        ("PS256", jwk(alg="RS256")),
        ("ES256", jwk()),
        ("HS256", jwk()),
        ("RS256", jwk("HS256")),
        ("RS256", jwk("ES256")),
        ("ES256", jwk("ES384")),
        ("EdDSA", jwk("ES256")),
        ("Ed25519", jwk("Ed448")),
        ("Ed448", jwk("Ed25519")),
    ],
)
@both_tokens
def test_a_key_is_for_its_own_algorithms(token, algorithm, keys):
    """RFC 8725 section 3.1: by ``alg`` where the JWK names one, by key type and curve else."""
    every = {"algorithms": list(ALGORITHMS)}
    text = token.mint(issuer_of(algorithm))
    assert why_refused(token, text, keys=jwk(algorithm), **every) is None
    assert why_refused(token, text, keys=keys, **every) is Reason.UNKNOWN_KEY


@both_tokens
def test_ed25519_has_two_names(token):
    """RFC 9864 section 2.2: ``Ed25519`` is what ``EdDSA`` was with that curve; each as allowed."""
    named = {"keys": jwk("Ed25519"), "algorithms": ["Ed25519"]}
    both = {"keys": jwk("Ed25519"), "algorithms": ["Ed25519", "EdDSA"]}
    old_name = relabelled(token, "Ed25519", "EdDSA")
    assert why_refused(token, token.mint(issuer_of("Ed25519")), **named) is None
    assert why_refused(token, old_name, **named) is Reason.BAD_ALGORITHM
    assert why_refused(token, old_name, **both) is None


@pytest.mark.parametrize("name", ecdsa_signatures(b""))
@both_tokens
def test_an_ecdsa_signature_is_two_numbers_in_range(token, name):
    """RFC 7518 section 3.4, CVE-2022-21449: 64 bytes, neither number zero, and no DER."""
    trusted = {"keys": jwk("ES256"), "algorithms": ["ES256"]}
    good = token.mint(issuer_of("ES256"))
    message = good.rpartition(".")[0]
    text = f"{message}.{encoded(ecdsa_signatures(message.encode())[name])}"
    assert why_refused(token, good, **trusted) is None
    assert why_refused(token, text, **trusted) is Reason.BAD_SIGNATURE


@cases(
    "change",
    {
        "one byte short": lambda signature: signature[1:],
        "one zero more": lambda signature: b"\0" + signature,
        "zero": lambda signature: bytes(len(signature)),
        "one": lambda signature: (1).to_bytes(len(signature)),
        "above the modulus": lambda signature: b"\xff" * len(signature),
        "plus the modulus": lambda signature: (
            int.from_bytes(signature) + native_key("RSA", "ours").public_key().public_numbers().n
        ).to_bytes(len(signature) + 1),
    },
)
@both_tokens
def test_an_rsa_signature_is_a_number_below_the_modulus(token, change):
    """RFC 8017 section 8.2.2: as long as the modulus and below it; test that it stays so."""
    good = token.mint(issuer_of())
    message, _, signature = good.rpartition(".")
    assert why_refused(token, good) is None
    text = f"{message}.{encoded(change(decoded(signature)))}"
    assert why_refused(token, text) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("length", [0, 16, 31, 33])
@both_tokens
def test_an_hmac_is_compared_whole(token, length):
    """RFC 2104 section 5: a truncated HMAC is none."""
    trusted = {"keys": jwk("HS256"), "algorithms": ["HS256"]}
    good = token.mint(issuer_of("HS256"))
    message, _, signature = good.rpartition(".")
    text = f"{message}.{encoded((decoded(signature) + b'0')[:length])}"
    assert why_refused(token, good, **trusted) is None
    assert why_refused(token, text, **trusted) is Reason.BAD_SIGNATURE


@both_tokens
def test_the_key_is_the_one_that_the_kid_names(token):
    """RFC 7515 section 4.1.4: a good signature by a key of another name is not tried."""
    text = token.mint(issuer_of())
    assert why_refused(token, text, keys=jwk(kid="dev-1")) is None
    assert why_refused(token, text, keys=jwk(kid="dev-2")) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("place", [0, 1, 3])
@both_tokens
def test_every_key_of_one_kid_is_tried(token, place):
    """connector_api.md section 2: real key sets hold several keys under one ``kid``."""
    others = [jwk(owner=f"other {number}", kid="dev-1") for number in range(3)]
    keys = [*others[:place], jwk(kid="dev-1"), *others[place:]]
    text = token.mint(issuer_of())
    assert why_refused(token, text, keys={"keys": keys}) is None
    assert why_refused(token, text, keys={"keys": others}) is Reason.BAD_SIGNATURE


@both_tokens
def test_keys_without_a_kid_are_tried_beside(token):
    """DESIGN section 1: a configured PEM has no ``kid``, so it may be any token's key."""
    text = token.mint(issuer_of())
    other = jwk(owner="other 1", kid="dev-1")
    assert why_refused(token, text, keys=[other, pem()]) is None
    assert why_refused(token, text, keys=[jwk(kid="dev-2"), pem()]) is None
    assert why_refused(token, text, keys=[other, pem(owner="other 2")]) is Reason.BAD_SIGNATURE


@both_tokens
def test_a_token_without_kid_is_tried_where_one_key_fits(token):
    """DESIGN section 1: with two keys of its algorithm, nobody can say which one is meant."""
    text = issuer_of().sign(token.payload(), {"kid": OMIT})
    every = {"algorithms": ["RS256", "ES256"]}
    assert why_refused(token, text, keys=pem()) is None
    assert why_refused(token, text, keys=jwk(kid="dev-1")) is None
    assert why_refused(token, text, keys=[jwk(kid="a"), jwk("ES256", kid="b")], **every) is None
    assert why_refused(token, text, keys=[jwk(kid="a"), jwk(kid="b"), pem()]) is None
    two = [jwk(kid="dev-1"), jwk(owner="other 1", kid="b")]
    assert why_refused(token, text, keys=two) is Reason.UNKNOWN_KEY
    assert why_refused(token, text, keys=jwk("ES256"), **every) is Reason.UNKNOWN_KEY
