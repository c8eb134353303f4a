"""The times: ``exp``, ``iat`` and ``nbf`` at the edges of leeway and lifetime (RFC 7519)."""

from typing import Any

import pytest

from flask_connector_auth.core import Reason
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    issuer_of,
    why_refused,
)

LEEWAY = 30
NOT_A_TIME = [None, True, False, "", "1800000000", "now", [], [NOW], {}]
TOO_BIG = [2**53, 2**53 + 0.0, -(2**53), 10**400, -(10**400)]


def why_times_refused(
    token: TokenType,
    *,
    leeway: float = LEEWAY,
    max_lifetime: Any = None,
    now: float = NOW,
    **times: Any,
) -> Any:
    """Return why a *token* with *times*, and good in all else, is refused."""
    text = issuer_of().sign(token.claims(**times))
    return why_refused(token, text, now, leeway=leeway, max_lifetime=max_lifetime)


@pytest.mark.parametrize("leeway", [LEEWAY, 0, 0.5])
@both_tokens
def test_a_token_expires_leeway_seconds_after_exp(token: TokenType, leeway: float) -> None:
    """RFC 7519 section 4.1.4, ASVS 9.2.1: on or after that moment it is refused."""
    assert why_times_refused(token, leeway=leeway, exp=NOW - leeway + 1) is None
    assert why_times_refused(token, leeway=leeway, exp=NOW - leeway + 0.25) is None
    assert why_times_refused(token, leeway=leeway, exp=NOW - leeway) is Reason.EXPIRED
    assert why_times_refused(token, leeway=leeway, exp=NOW - leeway - 1) is Reason.EXPIRED


@pytest.mark.parametrize("leeway", [LEEWAY, 0, 0.5])
@pytest.mark.parametrize("name", ["iat", "nbf"])
@both_tokens
def test_a_token_is_valid_from_leeway_seconds_before_iat_and_nbf(
    token: TokenType, name: str, leeway: float
) -> None:
    """RFC 7519 sections 4.1.5 and 4.1.6, ASVS 9.2.1: at that moment it passes."""
    assert why_times_refused(token, leeway=leeway, **{name: NOW + leeway}) is None
    early = {name: NOW + leeway + 0.25}
    assert why_times_refused(token, leeway=leeway, **early) is Reason.NOT_YET_VALID
    early = {name: NOW + leeway + 1}
    assert why_times_refused(token, leeway=leeway, **early) is Reason.NOT_YET_VALID


@pytest.mark.parametrize("now", [NOW - 30.5, NOW - 30, NOW, NOW + 3629.5, NOW + 3630])
def test_the_time_is_what_the_caller_says(now: float) -> None:
    """The caller passes the time; a token's life is iat - leeway to exp + leeway."""
    reasons = {NOW - 30.5: Reason.NOT_YET_VALID, NOW + 3630: Reason.EXPIRED}
    assert why_times_refused(APP, now=now) is reasons.get(now)


@pytest.mark.parametrize("value", NOT_A_TIME + TOO_BIG)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@both_tokens
def test_a_time_is_a_number_below_two_to_the_53rd(token: TokenType, name: str, value: Any) -> None:
    """RFC 7519 section 2, RFC 8259 section 6: no boolean, no string, nothing that overflows."""
    assert why_times_refused(token, **{name: NOW + 0.5}) is None
    assert why_times_refused(token, **{name: value}) is Reason.BAD_CLAIM


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1e400", Reason.BAD_JSON),
        ("-1e400", Reason.BAD_JSON),
        ("1e300", Reason.BAD_CLAIM),
        ("1e16", Reason.BAD_CLAIM),
        ("9" * 400, Reason.BAD_CLAIM),
        ("9" * 5000, Reason.BAD_JSON),
    ],
)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@both_tokens
def test_a_time_that_overflows_is_refused(
    token: TokenType, name: str, value: Any, reason: Any
) -> None:
    """RFC 8259 section 6: JSON that a parser reads as infinity, or as a number beyond dates."""
    payload = token.payload()[:-1].decode().replace(f'"{name}": ', '"x": ')
    for text, expected in ((f"{NOW}.5", None), (value, reason)):
        signed = issuer_of().sign(f'{payload},"{name}":{text}}}'.encode())
        assert why_refused(token, signed) is expected


@both_tokens
def test_the_greatest_time_passes(token: TokenType) -> None:
    """RFC 8259 section 6: 2^53 - 1 is the last integer that all parsers read alike."""
    assert why_times_refused(token, exp=2**53 - 1) is None


@pytest.mark.parametrize("value", [0, -1, -(2**53) + 1, 1.5])
@both_tokens
def test_a_time_of_long_ago_is_still_a_time(token: TokenType, value: Any) -> None:
    """RFC 7519 section 2: seconds since the epoch may be negative and have a fraction."""
    assert why_times_refused(token, exp=value) is Reason.EXPIRED
    assert why_times_refused(token, iat=value, nbf=value) is None


def test_a_consumer_jws_needs_no_times() -> None:
    """Protocol page, Get ConsumerJWS: no ``exp`` in the protocol; ``exp`` alone is honoured too."""
    assert not {"exp", "iat", "nbf"} & CONSUMER.claims().keys()
    assert why_times_refused(CONSUMER) is None
    assert why_times_refused(CONSUMER, now=NOW + 10**9) is None
    assert why_times_refused(CONSUMER, exp=NOW + 3600) is None
    assert why_times_refused(CONSUMER, exp=NOW + 3600, now=NOW + 3630) is Reason.EXPIRED


def test_expiry_is_told_before_a_start_in_the_future() -> None:
    """docs/security.rst: a token that is both gets one reason, always the same."""
    assert why_times_refused(APP, exp=NOW - 100, iat=NOW + 100) is Reason.EXPIRED


@pytest.mark.parametrize("iat", [NOW, NOW - 1000, NOW + 20.5])
def test_an_app_jwt_lives_no_longer_than_the_setting_says(iat: float) -> None:
    """RFC 8725 section 3.10: ``exp - iat`` up to the limit passes, without any leeway."""
    assert why_times_refused(APP, iat=iat, exp=iat + 3600, max_lifetime=3600) is None
    over = {"iat": iat, "exp": iat + 3600.5}
    assert why_times_refused(APP, **over, max_lifetime=3600) is Reason.TOO_LONG_LIVED
    assert why_times_refused(APP, **over) is None


def test_the_lifetime_of_a_consumer_jws_is_not_limited() -> None:
    """Protocol page, Get ConsumerJWS: a token without ``exp`` cannot have a longest lifetime."""
    assert why_times_refused(CONSUMER, max_lifetime=1) is None
    assert why_times_refused(CONSUMER, exp=NOW + 9999, max_lifetime=1) is None
    assert why_times_refused(CONSUMER, iat=NOW, exp=NOW + 9999, max_lifetime=1) is None
