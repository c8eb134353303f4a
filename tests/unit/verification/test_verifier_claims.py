"""The claims: what each token must say, what it must not, and how exactly it is compared."""

from typing import Any

import pytest

from flask_connector_auth.core import Reason
from flask_connector_auth.testing import OMIT
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    broken_json,
    cases,
    issuer_of,
    verifier,
    why_refused,
)

NOT_A_STRING = [None, 5, 1.5, True, [], ["a"], {}, {"a": 1}]
APP_CLAIMS = ["aud", "azp", "iss", "exp", "iat"]
CONSUMER_CLAIMS = ["account_id", "ext_consumer_id", "lp_consumer_id"]


def why_claim_refused(token: TokenType, **claims: Any) -> Any:
    """Return why a *token* with *claims*, and good in all else, is refused."""
    return why_refused(token, issuer_of().sign(token.claims(**claims)))


@pytest.mark.parametrize("name", broken_json(b'{"a":1}'))
@both_tokens
def test_the_payload_is_strict_json(token: TokenType, name: str) -> None:
    """RFC 7519 section 7.2, RFC 8725 section 3.7: a good signature makes no good JSON."""
    payloads = broken_json(token.payload())
    assert why_refused(token, issuer_of().sign(token.payload())) is None
    text = issuer_of().sign(payloads[name])
    assert why_refused(token, text, max_token_bytes=10**6) is Reason.BAD_JSON


@pytest.mark.parametrize("value", [b"9" * 400, b'{"a":[{"b":[1]}]}', b'"\\ud83d\\ude00"', b"null"])
@both_tokens
def test_other_claims_may_hold_any_json(token: TokenType, value: Any) -> None:
    """RFC 7519 section 4: claims that are not understood are ignored, whatever they hold."""
    payload = token.payload()[:-1] + b',"x":' + value + b"}"
    assert why_refused(token, issuer_of().sign(payload)) is None


@pytest.mark.parametrize("nest", [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@both_tokens
def test_nesting_is_bounded(token: TokenType, nest: Any) -> None:
    """docs/security.rst: 32 levels, so that code that walks the claims has enough stack."""

    def nested(depth: Any) -> Any:
        inner = nest[0] * depth + "1" + nest[1] * depth
        return issuer_of().sign(token.payload()[:-1] + f',"x":{inner}}}'.encode())

    assert why_refused(token, nested(31)) is None
    assert why_refused(token, nested(32)) is Reason.BAD_JSON


@pytest.mark.parametrize("name", APP_CLAIMS)
def test_an_app_jwt_has_all_its_claims(name: str) -> None:
    """Row 40102 or 40001, RFC 9068 section 4: account, install id, issuer and both times."""
    assert why_claim_refused(APP) is None
    assert why_claim_refused(APP, **{name: OMIT}) is Reason.MISSING_CLAIM


@pytest.mark.parametrize("name", CONSUMER_CLAIMS)
def test_a_consumer_jws_has_all_its_claims(name: str) -> None:
    """Row 40103: account and both ids of the consumer."""
    assert why_claim_refused(CONSUMER) is None
    assert why_claim_refused(CONSUMER, **{name: OMIT}) is Reason.MISSING_CLAIM


@pytest.mark.parametrize("value", [*NOT_A_STRING, ""])
@pytest.mark.parametrize("name", CONSUMER_CLAIMS)
def test_the_ids_of_a_consumer_jws_are_non_empty_strings(name: str, value: Any) -> None:
    """Row 40103, CVE-2020-26160: an unexpected type is a failure, never read as absent."""
    assert why_claim_refused(CONSUMER, **{name: "0"}) is None
    assert why_claim_refused(CONSUMER, **{name: value}) is Reason.BAD_CLAIM


@pytest.mark.parametrize("value", [*NOT_A_STRING, ""])
def test_the_install_id_is_a_non_empty_string(value: Any) -> None:
    """Row 40102: ``azp``."""
    assert why_claim_refused(APP, azp="0") is None
    assert why_claim_refused(APP, azp=value) is Reason.BAD_CLAIM


@pytest.mark.parametrize("audience", ["le1", ["le1"]])
def test_the_account_is_a_string_or_a_list_of_one(audience: Any) -> None:
    """RFC 7519 section 4.1.3: both forms of a single audience say the same."""
    text = issuer_of().app_jwt(aud=audience)
    assert verifier(APP).verify(text, NOW).token.account_id == "le1"


@pytest.mark.parametrize(
    "audience",
    [
        "",
        [],
        ["le1", "le2"],
        ["le1", "le1"],
        [""],
        [["le1"]],
        [5],
        [None],
        None,
        5,
        True,
        {},
        {"le1": 1},
    ],
)
def test_any_other_audience_is_refused(audience: Any) -> None:
    """CVE-2020-26160, RFC 7519 section 4.1.3: no account, several, or something else."""
    assert why_claim_refused(APP, aud="le1") is None
    assert why_claim_refused(APP, aud=audience) is Reason.BAD_CLAIM


@pytest.mark.parametrize(
    "account", ["le1 ", " le1", "LE1", "\uff4ce1", "le1\0", "\u00e9", "e\u0301"]
)
@both_tokens
def test_the_account_is_taken_as_it_stands(token: TokenType, account: str) -> None:
    """RFC 8725 section 3.9: no trimming, no case-folding, no Unicode normalisation."""
    claim = "aud" if token is APP else "account_id"
    text = issuer_of().sign(token.claims(**{claim: account}))
    assert verifier(token).verify(text, NOW).token.account_id == account


@pytest.mark.parametrize(
    "issuer",
    [
        "sentinel",
        "SENTINEL",
        "Sentine",
        "entinel",
        "Sentinel2",
        "Sentinel ",
        " Sentinel",
        "S",
        "",
        "Sentinel\0",
        "Sentinel/",
        ["Sentinel"],
        {"Sentinel": 1},
        None,
        True,
        5,
    ],
)
def test_the_issuer_is_compared_exactly(issuer: Any) -> None:
    """RFC 8725 section 3.8, CVE-2024-53861: no prefix, no substring, no other case, no list."""
    assert why_claim_refused(APP, iss="Sentinel") is None
    assert why_claim_refused(APP, iss=issuer) is Reason.WRONG_ISSUER


def test_the_issuer_is_the_configured_one() -> None:
    """RFC 8725 section 3.8: another configured name takes the default's place."""
    text = issuer_of(name="https://issuer.example").app_jwt()
    assert why_refused(APP, text, issuer="https://issuer.example") is None
    assert why_refused(APP, text) is Reason.WRONG_ISSUER
    assert why_refused(APP, issuer_of().app_jwt(), issuer="Sentine") is Reason.WRONG_ISSUER


def test_a_consumer_jws_has_no_issuer_to_compare() -> None:
    """Protocol page, Get ConsumerJWS: ``iss`` is none of its claims, so it is not looked at."""
    assert why_claim_refused(CONSUMER, iss="anyone") is None


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (OMIT, set()),
        ("", set()),
        ("a", {"a"}),
        ("a b a", {"a", "b"}),
        (" a  b ", {"a", "b"}),
        ("A a", {"A", "a"}),
        ("a\tb", {"a\tb"}),
        ("a\u00a0b\nc", {"a\u00a0b\nc"}),
        ("a,b", {"a,b"}),
    ],
)
def test_scopes_are_split_at_single_spaces(scope: Any, scopes: Any) -> None:
    """RFC 6749 section 3.3: at %x20 and nothing else; absent means none."""
    text = issuer_of().app_jwt(scope=scope)
    assert verifier(APP).verify(text, NOW).token.scopes == scopes


@pytest.mark.parametrize("scope", NOT_A_STRING)
def test_a_scope_that_is_no_string_is_refused(scope: Any) -> None:
    """RFC 6749 section 3.3, RFC 8693 section 4.2: a list of scopes is another protocol's form."""
    assert why_claim_refused(APP, scope="a") is None
    assert why_claim_refused(APP, scope=scope) is Reason.BAD_CLAIM


@pytest.mark.parametrize("value", ["x", "", None, 0, False, []])
@cases(
    "token, name",
    {
        "AppJWT with ext_consumer_id": (APP, "ext_consumer_id"),
        "AppJWT with lp_consumer_id": (APP, "lp_consumer_id"),
        "ConsumerJWS with azp": (CONSUMER, "azp"),
        "ConsumerJWS with scope": (CONSUMER, "scope"),
    },
)
def test_a_claim_of_the_other_token_is_refused(token: TokenType, name: str, value: Any) -> None:
    """RFC 8725 section 3.12, ASVS 9.2.2: the rules of the two tokens exclude each other."""
    assert why_claim_refused(token) is None
    assert why_claim_refused(token, **{name: value}) is Reason.WRONG_TYPE


@cases(
    "token, other",
    {"ConsumerJWS as AppJWT": (APP, CONSUMER), "AppJWT as ConsumerJWS": (CONSUMER, APP)},
)
def test_one_token_never_stands_in_for_the_other(token: TokenType, other: TokenType) -> None:
    """Rows 40102 and 40103, ASVS 9.2.2: both have one kid, one type and one key; claims decide."""
    text = other.mint(issuer_of())
    assert why_refused(other, text) is None
    assert why_refused(token, text) is Reason.WRONG_TYPE


def test_no_payload_is_both_tokens() -> None:
    """RFC 8725 section 3.12: all claims of both in one token make it neither."""
    claims = {**CONSUMER.claims(), **APP.claims()}
    text = issuer_of().sign(claims)
    assert why_refused(APP, text) is Reason.WRONG_TYPE
    assert why_refused(CONSUMER, text) is Reason.WRONG_TYPE


@both_tokens
def test_an_empty_object_says_nothing(token: TokenType) -> None:
    """RFC 7519 section 4: a genuine signature over no claims."""
    assert why_refused(token, issuer_of().sign(b"{}")) is Reason.MISSING_CLAIM
