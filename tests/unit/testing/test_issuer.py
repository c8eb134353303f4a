"""The issuer: the protocol's tokens by default, any other content on request."""

from functools import partial
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from flask_connector_auth.testing import OMIT, Issuer
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    cases,
    decoded,
    issuer_of,
    jwk,
    parts,
    signing_key,
    verifier,
    why_refused,
)


def test_an_app_jwt_has_the_documented_claims() -> None:
    """Protocol page, Authorization: an hour from now, for one account and one install."""
    header, claims = parts(issuer_of().app_jwt())
    assert header == {"kid": "dev-1", "typ": "JWT", "alg": "RS256"}
    assert claims == {
        "aud": "le81823118",
        "azp": "75588e18-0000-4000-8000-000000000000",
        "scope": "msg.consumer",
        "iss": "Sentinel",
        "exp": NOW + 3600,
        "iat": NOW,
    }


def test_a_consumer_jws_has_the_documented_claims() -> None:
    """Protocol page, Get ConsumerJWS: account, external id, and 64 hexadecimal digits."""
    header, claims = parts(issuer_of().consumer_jws())
    assert header == {"kid": "dev-1", "typ": "JWT", "alg": "RS256"}
    assert claims.keys() == {"account_id", "ext_consumer_id", "lp_consumer_id"}
    assert (claims["account_id"], claims["ext_consumer_id"]) == ("le81823118", "consumer-1")
    assert len(bytes.fromhex(claims["lp_consumer_id"])) == 32


def test_a_consumer_has_one_id_for_each_account() -> None:
    """Protocol page, Get ConsumerJWS: the same consumer gets the same id, others get others."""

    def lp_consumer_id(**claims: Any) -> str:
        return parts(issuer_of().consumer_jws(**claims))[1]["lp_consumer_id"]

    assert lp_consumer_id() == lp_consumer_id()
    ids = {
        lp_consumer_id(),
        lp_consumer_id(account_id="le2"),
        lp_consumer_id(ext_consumer_id="consumer-2"),
        lp_consumer_id(account_id="a", ext_consumer_id="bc"),
        lp_consumer_id(account_id="ab", ext_consumer_id="c"),
    }
    assert len(ids) == 5
    assert lp_consumer_id(lp_consumer_id="given") == "given"


def test_claims_replace_the_documented_ones() -> None:
    """A test states only the claims that differ."""
    _, claims = parts(issuer_of().app_jwt(aud="le1", sub="x", azp=None, scope=OMIT))
    assert (claims["aud"], claims["sub"], claims["azp"]) == ("le1", "x", None)
    assert "scope" not in claims
    _, claims = parts(issuer_of().consumer_jws(account_id=OMIT, lp_consumer_id=OMIT, exp=5))
    assert claims == {"ext_consumer_id": "consumer-1", "exp": 5}


def test_header_parameters_replace_the_usual_ones() -> None:
    """RFC 7515 section 4: replaced, added or left out, under a genuine signature."""
    header, claims = parts(issuer_of().sign({"a": 1}, {"typ": OMIT, "alg": "none", "x": 1}))
    assert header == {"kid": "dev-1", "alg": "none", "x": 1}
    assert claims == {"a": 1}


def test_bytes_are_signed_as_they_are() -> None:
    """RFC 7515 section 5.1: for tests of what no encoder would write."""
    header, payload, _ = issuer_of().sign(b"\xff no JSON", b"{ }").split(".")
    assert (decoded(header), decoded(payload)) == (b"{ }", b"\xff no JSON")


def test_an_issuer_is_what_its_arguments_say() -> None:
    """Protocol page, Authorization: name, kid, algorithm, lifetime and clock are free."""
    issuer = Issuer(
        signing_key("ES256"),
        kid="k",
        algorithm="ES256",
        name="Other",
        lifetime=5,
        clock=lambda: 9.9,
    )
    header, claims = parts(issuer.app_jwt())
    assert (header["kid"], header["alg"]) == ("k", "ES256")
    assert (claims["iss"], claims["iat"], claims["exp"]) == ("Other", 9, 14)


def test_an_unknown_algorithm_is_an_error() -> None:
    """RFC 7518 section 3.1: the names are case-sensitive; the error lists those that are known."""
    with pytest.raises(
        ValueError, match=r"unknown algorithm 'rs256'; there are none, HS256, .*RS256"
    ):
        Issuer(algorithm="rs256")


@cases(
    ("key", "algorithm", "error", "text"),
    {
        "a path": ("pub.pem", "RS256", TypeError, r"RSAKey.import_key\(pem\) .* not str"),
        "a JWK": (jwk(), "RS256", TypeError, "a key of joserfc, .* not dict"),
        "public": (RSAKey.import_key(jwk()), "RS256", ValueError, "this is a public key"),
        "another type": (signing_key(), "ES256", ValueError, "ES256 cannot sign .*'EC'"),
        "another curve": (signing_key("ES384"), "ES256", ValueError, "ES256 cannot .*'P-256'"),
        "no secret": (None, "HS256", ValueError, r"HS256 needs a secret .*OctKey.import_key"),
    },
)
def test_a_key_that_cannot_sign_is_an_error(
    key: Any, algorithm: str, error: type[Exception], text: str
) -> None:
    """Where the issuer is made, with what it needs."""
    with pytest.raises(error, match=text):
        Issuer(key, algorithm=algorithm)


def test_unsigned_tokens_take_any_key() -> None:
    """RFC 7515 appendix A.5: nothing is signed."""
    assert Issuer(signing_key(), algorithm="none").app_jwt().endswith(".")


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "ES512", "EdDSA", "Ed448"])
def test_an_issuer_makes_a_key_that_fits_its_algorithm(algorithm: str) -> None:
    """RFC 7518 section 3.1: its key set verifies its tokens."""
    issuer = Issuer(algorithm=algorithm)
    trusted = {"keys": issuer.key_set(), "algorithms": [algorithm]}
    assert verifier(APP, **trusted).verify(issuer.app_jwt(), issuer.clock()).token


@pytest.mark.parametrize(
    ("name", "claim"), [("account_id", "aud"), ("install_id", "azp"), ("scopes", "scope")]
)
def test_a_claim_has_its_own_name(name: str, claim: str) -> None:
    """RFC 7519 section 4.1: what ``AppJWT`` calls its attribute would be one claim more."""
    issuer = issuer_of()
    for make in (issuer.app_jwt, partial(issuer.broken, "expired")):
        with pytest.raises(TypeError, match=f"no claim {name}: give it as {claim}"):
            make(**{name: "x"})
        assert make(**{claim: "x"})


def test_an_issuer_makes_its_own_key_and_uses_the_time_of_day(
    issuer: Issuer, stranger: Issuer
) -> None:
    """RFC 8725 section 3.2: 2048 bits; no two issuers share a key."""
    keys = issuer.key_set()
    _, claims = parts(issuer.app_jwt())
    assert why_refused(APP, issuer.app_jwt(), claims["iat"], keys=keys) is None
    assert why_refused(APP, stranger.app_jwt(), claims["iat"], keys=keys) is not None
    assert len(decoded(keys["keys"][0]["n"])) == 256


def test_its_key_set_verifies_its_tokens() -> None:
    """RFC 7517 section 5: a public key with kid, use and alg, and nothing private."""
    (key,) = issuer_of("ES256", kid="k").key_set()["keys"]
    assert key == {**jwk("ES256"), "kid": "k", "use": "sig", "alg": "ES256"}
    trusted = {"keys": issuer_of().key_set()}
    assert verifier(APP, **trusted).verify(issuer_of().app_jwt(), NOW).token
    assert verifier(CONSUMER, **trusted).verify(issuer_of().consumer_jws(), NOW).token


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
def test_its_key_set_holds_no_private_member(algorithm: str) -> None:
    """RFC 7517 section 9.2: a key set is public."""
    (key,) = issuer_of(algorithm).key_set()["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


def test_a_secret_has_no_public_key_set() -> None:
    """RFC 7517 section 5: a key set contains public keys, and a secret has none."""
    issuer = Issuer(OctKey.import_key("do-not-tell-this" * 4), algorithm="HS256")
    with pytest.raises(ValueError, match="a secret has no public half"):
        issuer.key_set()


def test_its_repr_holds_no_key() -> None:
    """An issuer may appear in a log."""
    issuer = Issuer(OctKey.import_key("do-not-tell-this" * 4), algorithm="HS256")
    assert repr(issuer) == "<Issuer 'Sentinel' kid='dev-1'>"
