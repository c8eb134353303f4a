"""A good token and what it becomes; the order of the checks; what an error tells."""

import traceback
from collections.abc import Sequence

import pytest

from flask_connector_auth.core import AppJWT, ConsumerJWS, Reason, Rejected, Unavailable
from flask_connector_auth.keys import KeySource, VerificationKey
from flask_connector_auth.verification import Verifier
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    cases,
    encoded,
    issuer_of,
    jwk,
    verifier,
    why_refused,
)


def test_an_app_jwt_says_which_app_calls_for_which_account() -> None:
    """Protocol page, Authorization: the claims of the documented AppJWT, each in its place."""
    claims = {
        "aud": "le81823118",
        "azp": "75588e18-0000-4000-8000-000000000000",
        "scope": "msg.consumer msg.agent",
        "iss": "Sentinel",
        "exp": NOW + 3600,
        "iat": NOW,
    }
    assert verifier(APP).verify(issuer_of().sign(claims), NOW).token == AppJWT(
        account_id="le81823118",
        install_id="75588e18-0000-4000-8000-000000000000",
        scopes=frozenset({"msg.consumer", "msg.agent"}),
        issuer="Sentinel",
        issued_at=NOW,
        expires_at=NOW + 3600,
        claims=claims,
    )


def test_a_consumer_jws_says_on_behalf_of_which_consumer() -> None:
    """Protocol page, Get ConsumerJWS: three claims and nothing else are enough."""
    claims = {"account_id": "le1", "ext_consumer_id": "random_id0.17", "lp_consumer_id": "29caf0"}
    assert verifier(CONSUMER).verify(issuer_of().sign(claims), NOW).token == ConsumerJWS(
        account_id="le1",
        ext_consumer_id="random_id0.17",
        lp_consumer_id="29caf0",
        issuer="Sentinel",
        claims=claims,
    )


def test_further_claims_are_ignored_and_kept() -> None:
    """RFC 7519 section 4: claims that are not understood are ignored; the view may read them."""
    token = verifier(APP).verify(issuer_of().app_jwt(sub="user", roles=["a", {"b": 1}]), NOW).token
    assert token.claims["sub"] == "user"
    assert token.claims["roles"] == ["a", {"b": 1}]


@both_tokens
def test_the_signature_comes_before_the_content(token: TokenType) -> None:
    """RFC 8725 section 3.3, ASVS 9.1.1: of a forged token, not even the JSON is judged."""
    stranger = issuer_of(owner="stranger")
    for content in (b"no JSON", b"{}", token.payload()):
        assert why_refused(token, stranger.sign(content)) is Reason.BAD_SIGNATURE
    assert why_refused(token, issuer_of().sign(b"no JSON")) is Reason.BAD_JSON
    assert why_refused(token, issuer_of().sign(token.payload())) is None


@both_tokens
def test_each_part_is_covered_by_the_signature(token: TokenType) -> None:
    """RFC 7515 section 5.2: header, payload and signature of two good tokens do not mix."""
    issuer = issuer_of()
    one, other = (token.mint(issuer, number=number).split(".") for number in (1, 2))
    assert why_refused(token, ".".join(one)) is None
    assert why_refused(token, ".".join([one[0], other[1], one[2]])) is Reason.BAD_SIGNATURE
    assert why_refused(token, ".".join([one[0], one[1], other[2]])) is Reason.BAD_SIGNATURE
    header = encoded(b'{"typ":"JWT","kid":"dev-1","alg":"RS256"}')
    assert why_refused(token, ".".join([header, one[1], one[2]])) is Reason.BAD_SIGNATURE


class Elsewhere(KeySource):
    """A key source that is out of reach."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Fail as a remote key set does."""
        raise Unavailable(Reason.KEYS_UNAVAILABLE, 7)


@both_tokens
def test_keys_out_of_reach_are_not_the_tokens_fault(token: TokenType) -> None:
    """Row 50301: what cannot be judged is neither accepted nor refused."""
    good = verifier(token)
    assert isinstance(Elsewhere(), KeySource)
    text = token.mint(issuer_of())
    assert good.verify(text, NOW).token
    with pytest.raises(Unavailable) as caught:
        Verifier(good.profile, good.rules, Elsewhere()).verify(text, NOW)
    assert caught.value.reason is Reason.KEYS_UNAVAILABLE
    assert caught.value.retry_after == 7


class Renewed(KeySource):
    """A key source that has found new material under an old kid."""

    def __init__(self, old: KeySource, new: KeySource) -> None:
        self.old, self.new = old, new

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the old key."""
        return self.old.candidates(kid, algorithm)

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return the new key."""
        assert tried == self.candidates(kid, algorithm)
        return self.new.candidates(kid, algorithm)


@both_tokens
def test_where_a_signature_fails_the_source_may_have_another_key(token: TokenType) -> None:
    """docs/key_sets.rst: the same kid with new material; a stranger's token fails under both."""
    good = verifier(token)
    other = verifier(token, keys=jwk(owner="stranger", kid="dev-1"))
    renewed = Verifier(good.profile, good.rules, Renewed(other.keys, good.keys))
    for owner in ("ours", "stranger"):
        assert renewed.verify(token.mint(issuer_of(owner=owner)), NOW).token
    only_other = Verifier(good.profile, good.rules, Renewed(other.keys, other.keys))
    with pytest.raises(Rejected) as caught:
        only_other.verify(token.mint(issuer_of()), NOW)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_what_is_out_of_reach_may_be_tried_again_in_a_second() -> None:
    """Row 50301: where nothing better is known, a client need not wait longer."""
    assert Unavailable(Reason.KEYS_UNAVAILABLE).retry_after == 1


@cases(
    "text",
    {
        "no token": "junk",
        "too large": "a" * 20_000,
        "no JSON": f"{encoded(b'no JSON')}.e30.e30",
        "no algorithm": f"{encoded(b'{}')}.e30.e30",
        "another algorithm": issuer_of("HS256").app_jwt(),
        "crit": issuer_of().sign(b"{}", {"crit": ["exp"]}),
        "bad kid": issuer_of().sign(b"{}", {"kid": 5}),
        "bad typ": issuer_of().sign(b"{}", {"typ": "JWE"}),
        "bad payload segment": issuer_of().app_jwt().replace(".", ".=", 1),
        "bad signature segment": issuer_of().app_jwt() + "=",
    },
)
@both_tokens
def test_junk_is_refused_before_any_key_is_looked_up(token: TokenType, text: str) -> None:
    """docs/request.rst: junk is always 401 and never a fetch."""
    good = verifier(token)
    with pytest.raises(Rejected):
        Verifier(good.profile, good.rules, Elsewhere()).verify(text, NOW)


@cases(
    "text",
    {
        "not ASCII": issuer_of().app_jwt() + "é",
        "not base64url": issuer_of().app_jwt() + "==",
        "no JSON": issuer_of().sign(b'{"secret":"do-not-tell-this",}'),
        "bad claim": issuer_of().app_jwt(azp=["do-not-tell-this"]),
        "wrong issuer": issuer_of().app_jwt(iss="do-not-tell-this"),
        "bad signature": issuer_of(owner="stranger").app_jwt(),
    },
)
def test_a_refusal_never_holds_the_token(text: str) -> None:
    """One word from a fixed list, which the text does not have; no token, no claim, no cause."""
    with pytest.raises(Rejected) as caught:
        verifier(APP).verify(text, NOW)
    assert str(caught.value) == "the token is refused"
    assert repr(caught.value) == f"Rejected({caught.value.reason!r})"
    assert caught.value.args == (Reason(caught.value.reason),)
    assert caught.value.__cause__ is None
    told = "".join(traceback.format_exception(caught.value))
    assert "do-not-tell-this" not in told
    assert not any(segment in told for segment in text.split("."))
