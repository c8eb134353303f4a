"""What we lean on in joserfc, and in the decoders of the standard library, beyond their
documentation: a release that changes it fails here."""

from binascii import Error as Base64Error, a2b_base64
from hashlib import sha256
from json import JSONDecoder
from typing import Any

import pytest
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from flask_connector_auth.testing.signer import encode_base64url

RSA = RSAKey.generate_key(2048)
KEYS: dict[str, Key] = {
    "RS256": RSA,
    "PS256": RSA,
    "ES256": ECKey.generate_key("P-256"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
    "HS256": OctKey.generate_key(256),
}
MESSAGE = b"header.payload"
each_algorithm = pytest.mark.parametrize("algorithm", KEYS)


@each_algorithm
def test_joserfc_verifies_by_message_signature_and_key(algorithm: str) -> None:
    """joserfc: algorithms are objects of a class attribute; verify() takes these three, in this
    order, and returns a bool (it is called without any of joserfc's parsing around it)."""
    model, key = JWSRegistry.algorithms[algorithm], KEYS[algorithm]
    signature = model.sign(MESSAGE, key)
    assert model.verify(MESSAGE, signature, key) is True
    assert model.verify(MESSAGE + b".", signature, key) is False
    assert model.verify(MESSAGE, signature[:-1] + bytes([signature[-1] ^ 1]), key) is False


@each_algorithm
def test_joserfc_says_which_key_fits(algorithm: str) -> None:
    """joserfc: check_key() raises JoseError for a key of another kind (RFC 8725 section 3.1)."""
    for name, key in KEYS.items():
        if name == algorithm or {name, algorithm} == {"RS256", "PS256"}:
            JWSRegistry.algorithms[algorithm].check_key(key)
        else:
            with pytest.raises(JoseError):
                JWSRegistry.algorithms[algorithm].check_key(key)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
def test_joserfc_wraps_a_native_key(algorithm: str) -> None:
    """joserfc: a key class takes a native key twice; then it is public, and has no d to tell."""
    key: Any = KEYS[algorithm]
    public = type(key)(key.public_key, key.public_key)
    assert public.is_private is False
    assert "d" not in public.as_dict(private=False)
    signature = JWSRegistry.algorithms[algorithm].sign(MESSAGE, key)
    assert JWSRegistry.algorithms[algorithm].verify(MESSAGE, signature, public) is True


def test_joserfc_names_a_key_by_what_it_is() -> None:
    """joserfc: the thumbprint of a wrapped key is that of RFC 7638 section 3, without padding."""
    jwk = KEYS["ES256"].as_dict(private=False)
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    expected = encode_base64url(sha256(canonical.encode()).digest()).decode()
    assert KEYS["ES256"].thumbprint() == expected


@pytest.mark.parametrize("change", ["{}=", "{}==", "{}\n", "+{}", "{}A"])
def test_joserfc_reads_the_members_of_a_jwk_strictly(change: str) -> None:
    """joserfc: x and y of an EC key are base64url without padding (RFC 7515 section 2); those of
    RSA keys and secrets we read ourselves."""
    jwk = KEYS["ES256"].as_dict(private=False)
    assert JWKRegistry.import_key(jwk).thumbprint() == KEYS["ES256"].thumbprint()
    with pytest.raises((JoseError, ValueError)):
        _ = JWKRegistry.import_key({**jwk, "x": change.format(jwk["x"])}).public_key  # type: ignore[union-attr]


def test_joserfc_tells_the_bytes_of_a_secret() -> None:
    """joserfc: raw_value and algorithm_security, by which a secret is as long as the hash (RFC
    7518 section 3.2)."""
    key = JWKRegistry.import_key({"kty": "oct", "k": encode_base64url(b"s" * 32).decode()})
    assert isinstance(key, OctKey)
    assert key.raw_value == b"s" * 32
    securities = [JWSRegistry.algorithms[f"HS{n}"].algorithm_security for n in (256, 384, 512)]
    assert securities == [256, 384, 512]


def test_the_standard_library_hands_every_member_to_the_hooks() -> None:
    """json: duplicate members all get to object_pairs_hook, and what is no JSON to parse_constant;
    1e400 is a number to it (RFC 8259 section 4 and 6)."""
    pairs: list[Any] = []
    constants: list[str] = []
    decoder = JSONDecoder(
        object_pairs_hook=lambda found: pairs.append(found),
        parse_constant=constants.append,
        parse_float=lambda text: text,
    )
    decoder.decode('[{"a": {"b": 1, "b": 2}, "a": 3}, NaN, Infinity, -Infinity, 1e400]')
    assert pairs == [[("b", 1), ("b", 2)], [("a", None), ("a", 3)]]
    assert constants == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize("bad", ["QQ", "QQ=", "QQ==Q", "QQ==\n", " QQ==", "Q-==", "Q=Q=", "=QQ="])
def test_the_standard_library_decodes_base64_strictly(bad: str) -> None:
    """binascii: strict_mode refuses all but one alphabet and right padding; spare bits it leaves
    to us (RFC 4648 section 3.5)."""
    assert a2b_base64("QQ==", strict_mode=True) == a2b_base64("QR==", strict_mode=True) == b"A"
    with pytest.raises(Base64Error):
        a2b_base64(bad, strict_mode=True)
