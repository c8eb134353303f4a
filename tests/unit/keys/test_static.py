"""Which configured keys are tried for a token, and how a key verifies a signature."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from flask_connector_auth.keys import (
    ALGORITHMS,
    MAX_CANDIDATES,
    KeyRules,
    KeySource,
    StaticKeys,
    VerificationKey,
    import_key,
    parse_keys,
)
from tests.support.floor_helpers import jwk, pem, signing_key

RULES = KeyRules(("RS256", "PS256", "ES256"))


def source(*keys: Any) -> StaticKeys:
    """Return a source of *keys*, in any form."""
    found, problems = parse_keys(list(keys), RULES)
    assert problems == []
    return StaticKeys(found)


def kids_and_types(keys: Any) -> list[tuple[str | None, str]]:
    """Return kid and key type of *keys*."""
    return [(key.kid, key.key.key_type) for key in keys]


def test_static_keys_are_a_key_source() -> None:
    """docs/keys.rst: a source of configured keys implements the protocol; other values do not."""
    assert isinstance(source(pem()), KeySource)
    assert not isinstance(pem(), KeySource)


@pytest.mark.parametrize(
    ("kid", "algorithm", "expected"),
    [
        ("a", "RS256", [("a", "RSA"), (None, "RSA")]),
        ("a", "PS256", [(None, "RSA")]),
        ("a", "ES256", [("a", "EC")]),
        ("b", "ES256", []),
        ("b", "RS256", [("b", "RSA"), (None, "RSA")]),
        ("unknown", "RS256", [(None, "RSA")]),
        ("unknown", "ES256", []),
        ("A", "RS256", [(None, "RSA")]),
        (None, "ES256", [("a", "EC")]),
        (None, "PS256", [(None, "RSA")]),
        (None, "RS256", []),
        (None, "HS256", []),
    ],
)
def test_the_keys_of_that_kid_and_those_without_one_are_tried(
    kid: str | None, algorithm: str, expected: list[tuple[str | None, str]]
) -> None:
    """docs/keys.rst: only keys for the algorithm; without a ``kid``, only if exactly one fits."""
    keys = source(
        jwk(kid="a", alg="RS256"),
        jwk("ES256", kid="a"),
        jwk(owner="other 1", kid="b", alg="RS256"),
        pem(owner="other 2"),
    )
    assert kids_and_types(keys.candidates(kid, algorithm)) == expected


def test_one_key_under_several_names_is_one_key() -> None:
    """RFC 7638: by its thumbprint, so a token without ``kid`` finds it."""
    keys = source(jwk(kid="a"), jwk(kid="b"), pem(), pem())
    assert len(keys.keys) == 3
    assert len(keys.candidates(None, "RS256")) == 1
    assert kids_and_types(keys.candidates("b", "RS256")) == [("b", "RSA"), (None, "RSA")]


def others(count: int, **members: Any) -> list[dict]:
    """Return *count* different keys."""
    return [jwk("ES256", owner=f"other {number}", **members) for number in range(count)]


@pytest.mark.parametrize(
    ("named", "unnamed", "problem"),
    [
        (4, 0, None),
        (0, 4, None),
        (3, 1, None),
        (5, 0, "5 keys for the kid 'a': at most 4 are tried"),
        (0, 5, "5 keys for no kid: at most 4 are tried"),
        (3, 2, "5 keys for the kid 'a': at most 4 are tried"),
    ],
)
def test_at_most_four_keys_are_tried_for_a_token(
    named: int, unnamed: int, problem: str | None
) -> None:
    """docs/keys.rst, Which key is tried: the bound on work per token is checked at start."""
    keys = [*others(named, kid="a"), *others(5)[5 - unnamed :]]
    if problem is None:
        assert len(source(*keys).candidates("a", "ES256")) == MAX_CANDIDATES
    else:
        with pytest.raises(ValueError, match=problem):
            source(*keys)


def test_the_same_key_twice_counts_once() -> None:
    """RFC 7638: a list may repeat itself, as old and new file do during a rotation."""
    keys = others(4, kid="a")
    assert len(source(*keys, *keys).candidates("a", "ES256")) == MAX_CANDIDATES


def test_no_keys_fit_no_token() -> None:
    """A source without keys has no candidates, and does not fail."""
    assert StaticKeys([]).candidates("a", "RS256") == []
    assert StaticKeys([]).candidates(None, "RS256") == []


def key() -> VerificationKey:
    """Return our key, imported."""
    return parse_keys(jwk("ES256", kid="a"), RULES)[0][0]


@pytest.mark.parametrize(
    ("algorithm", "message", "signature"),
    [
        ("ES256", b"another message", None),
        ("RS256", b"message", None),
        ("none", b"message", b""),
        ("ES256", b"message", b""),
        ("ES256", b"message", bytes(64)),
        ("ES256", b"message", "text"),
        ("ES256", b"message", 5),
    ],
)
def test_a_key_never_raises(algorithm: str, message: bytes, signature: Any) -> None:
    """If a library raises an exception, the signature is invalid."""
    good = JWSRegistry.algorithms["ES256"].sign(b"message", signing_key("ES256"))
    assert key().verifies("ES256", b"message", good) is True
    given = good if signature is None else signature
    assert key().verifies(algorithm, message, given) is False


@pytest.mark.parametrize("bits", [1024, 1031])
def test_a_pss_signature_is_as_long_as_the_modulus(bits: int) -> None:
    """RFC 8017 section 8.1.2, step 1: a shorter one is none, though its number is the same."""
    native = rsa.generate_private_key(65537, bits)
    private, model = RSAKey(native, native), JWSRegistry.algorithms["PS256"]
    public = import_key(private.as_dict(private=False), KeyRules(("PS256",), min_rsa_bits=1024))
    signed = (model.sign(b"message", private) for _ in iter(int, 1))
    good = next(signature for signature in signed if signature[0] == 0)
    assert public.verifies("PS256", b"message", good) is True
    assert public.verifies("PS256", b"message", good[1:]) is False
    assert public.verifies("PS256", b"another message", good) is False


def test_the_repr_shows_names_and_no_key() -> None:
    """RFC 7638 section 7: not even the thumbprint, from which a weak secret can be guessed."""
    assert repr(key()) == "VerificationKey(kid='a')"


def test_a_private_key_is_not_kept() -> None:
    """docs/keys.rst: a verification key contains no private key."""
    found, _ = parse_keys([pem(), jwk("ES256"), jwk("Ed25519")], KeyRules(ALGORITHMS))
    assert [entry.key.is_private for entry in found] == [False, False, False]


def test_one_key_for_two_algorithms_is_two_keys() -> None:
    """RFC 7517 section 4.4: given twice under one kid, for two values of alg, it serves both."""
    both = [jwk(kid="a", alg="RS256"), jwk(kid="a", alg="RS512"), jwk(kid="a", alg="RS512")]
    keys = StaticKeys(parse_keys(both, KeyRules(["RS256", "RS512"]))[0])
    assert [len(keys.candidates("a", alg)) for alg in ("RS256", "RS512", "ES256")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        ([jwk(kid="a")], {None: True, "a": True, "b": False}),
        ([pem()], {None: True, "a": True, "b": True}),
        ([jwk(kid="a"), pem("ES256")], {None: True, "a": True, "b": True}),
    ],
)
def test_which_kids_the_keys_cover(keys: Any, known: dict[str | None, bool]) -> None:
    """docs/key_sets.rst, Unknown keys: a fetch is needed only if all keys have other kids."""
    assert {kid: source(*keys).can_decide_kid(kid) for kid in known} == known


def test_the_health_of_configured_keys_names_them() -> None:
    """docs/operations.rst: how many, and under which kid; an empty one for a key without."""
    health = source(jwk(kid="b"), jwk("ES256", kid="a"), pem()).health()
    assert health == {
        "source": "configuration",
        "state": "static",
        "ready": True,
        "keys": 3,
        "kids": ["", "a", "b"],
    }
