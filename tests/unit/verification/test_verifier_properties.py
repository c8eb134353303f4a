"""Whatever text comes in, the verifier accepts a good token or refuses, and accepts no other."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from flask_connector_auth.core import Reason
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    cases,
    issuer_of,
    jwk,
    refusal,
    untimed,
    verifier,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
REASONS = set(Reason)
trusted = {"keys": [jwk(), jwk("ES256"), jwk("HS256")], "algorithms": ["RS256", "ES256", "HS256"]}
VERIFIERS = {token.profile.name: verifier(token, **trusted) for token in (APP, CONSUMER)}


def why_refused_by_default(token: TokenType, text: str) -> Reason | None:
    """Return why *text* is refused by a verifier made once: hypothesis asks often."""
    return refusal(VERIFIERS[token.profile.name], text)


segments = st.text(ALPHABET, max_size=40)
texts = (
    st.text()
    | st.text(ALPHABET + "...= ")
    | st.lists(segments, min_size=3, max_size=3).map(".".join)
)


@both_tokens
@untimed
@given(text=texts)
def test_any_text_that_is_no_token_is_refused(token: TokenType, text: str) -> None:
    """Any text ends in a reason and in no other exception."""
    assert why_refused_by_default(token, text) in REASONS


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "HS256"])
@both_tokens
@untimed
@given(data=st.data())
def test_no_single_change_of_a_good_token_passes(
    token: TokenType, algorithm: str, data: Any
) -> None:
    """RFC 7515 section 5.2: a character replaced, removed or added anywhere makes it bad."""
    good = token.mint(issuer_of(algorithm))
    assert why_refused_by_default(token, good) is None
    place = data.draw(st.integers(0, len(good) - 1))
    kept = data.draw(st.sampled_from([place, place + 1]))
    sign = data.draw(
        st.sampled_from([*ALPHABET, ".", "=", "+", "/", " ", "\n", ""]) | st.text(max_size=1)
    )
    changed = good[:place] + sign + good[kept:]
    assert why_refused_by_default(token, changed) in REASONS or changed == good


@both_tokens
def test_no_last_character_but_one_passes(token: TokenType) -> None:
    """RFC 4648 section 3.5: where spare bits are, each of the 63 other characters is refused."""
    good = token.mint(issuer_of())
    passing = [sign for sign in ALPHABET if why_refused_by_default(token, good[:-1] + sign) is None]
    assert passing == [good[-1]]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@cases(
    "token, name",
    {
        f"{token.profile.name} {name}": (token, name)
        for token, names in (
            (APP, ["aud", "azp", "iss", "exp", "iat", "nbf", "scope", "lp_consumer_id", "x"]),
            (CONSUMER, ["account_id", "ext_consumer_id", "lp_consumer_id", "exp", "azp", "x"]),
        )
        for name in names
    },
)
@untimed
@given(value=json_values)
def test_any_value_of_a_claim_is_accepted_or_refused(
    token: TokenType, name: str, value: Any
) -> None:
    """Any JSON value in each claim; the account is always a string."""
    text = issuer_of("HS256").sign(token.claims(**{name: value}))
    if why_refused_by_default(token, text) is None:
        account = VERIFIERS[token.profile.name].verify(text, NOW).token.account_id
        assert type(account) is str
        assert account


@cases("name", {name: name for name in ["kid", "typ", "alg", "crit", "b64", "jwk", "jku", "x"]})
@both_tokens
@untimed
@given(value=json_values)
def test_any_value_of_a_header_parameter_is_accepted_or_refused(
    token: TokenType, name: str, value: Any
) -> None:
    """Any JSON value in each parameter; ignored ones stay ignored."""
    text = issuer_of("HS256").sign(token.payload(), {name: value})
    reason = why_refused_by_default(token, text)
    if name in ("crit", "b64"):
        assert reason in (Reason.CRITICAL, Reason.BAD_JSON, Reason.TOO_LARGE)
    elif name in ("jwk", "jku", "x"):
        assert reason in (None, Reason.BAD_JSON, Reason.TOO_LARGE)
    else:
        assert reason in REASONS or type(value) is str
